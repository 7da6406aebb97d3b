// How each state of the schemas looks: a tone (colour) with an icon, so that neither speaks alone.
import { t, word } from "./i18n.js";

export const CHANNELS = ["WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV", "INSTAGRAM", "NAVER_BLOG", "KAKAO_CHANNEL"];

const EVENT = {
    DRAFT: ["off", "minus"],
    APPROVED: ["go", "go"],
    ACTIVE: ["done", "check"],
    ENDED: ["off", "check"],
};

const DELIVERY = {
    PENDING: ["wait", "clock"],
    DEFERRED: ["wait", "clock"],
    PREPARING: ["go", "go"],
    READY: ["wait", "clock"],
    COMMITTING: ["go", "go"],
    PUBLISHED: ["done", "check"],
    AWAITING_OPERATOR: ["person", "hand"],
    REJECTED: ["fail", "cross"],
    NEEDS_AUTH: ["fail", "key"],
    OUTCOME_UNKNOWN: ["unknown", "question"],
    RECONCILING: ["unknown", "search"],
    EXPIRED: ["fail", "cross"],
    CANCELLED: ["off", "minus"],
};

const JOB = {
    PENDING: ["wait", "clock"],
    RUNNING: ["go", "go"],
    COMPLETED: ["done", "check"],
    FAILED: ["fail", "cross"],
};

const STEP = {
    UNDER_WAY: ["go", "go"],
    SUCCEEDED: ["done", "check"],
    FAILED_STEP: ["fail", "cross"],
    WAITS: ["wait", "clock"],
};

const BREAKER = {
    CLOSED: ["done", "check"],
    OPEN: ["fail", "cross"],
    FORCED_OPEN: ["fail", "cross"],
    HALF_OPEN: ["wait", "clock"],
    DISABLED: ["off", "minus"],
    METRICS_ONLY: ["off", "minus"],
};

const SERVER = {
    SERVING: ["done", "check"],
    NOT_SERVING: ["fail", "cross"],
    UNREACHABLE: ["fail", "cross"],
};

const KINDS = { event: EVENT, delivery: DELIVERY, job: JOB, timelineState: STEP, breaker: BREAKER, server: SERVER };

/** { tone, icon, text } of a state; one that is newer than this console is neutral and named by its word. */
export function look(kind, state) {
    const [tone, icon] = KINDS[kind][state] ?? ["off", "minus"];
    return { tone, icon, text: word(kind, state) };
}

/** A delivery that failed and is tried again looks like a warning, not like one that has just begun. */
export function deliveryLook(result) {
    const found = look("delivery", result.state);
    if (result.state === "READY" && (result.attempts ?? 0) > 0) {
        return { tone: "warn", icon: "warn", text: t("delivery.RETRIES") };
    }
    return found;
}

/** Whether a word of the schemas says something: X_UNSPECIFIED is not said. */
export function said(value) {
    return Boolean(value) && !String(value).endsWith("_UNSPECIFIED");
}

export function channelName(channel) {
    return word("channel", channel);
}

/** What a draft still needs before it can be published: names of its fields. */
export function missingOf(event) {
    return ["objective", "recommendation", "content"].filter((part) => !event[part] || (part === "objective" && !said(event.objective)));
}

/** Whether it may begin anew, or go on now rather than later. */
export function canRetry(result) {
    return result.outlook === "REFUSED" || ["READY", "DEFERRED", "NEEDS_AUTH"].includes(result.state);
}

export function canCancel(result) {
    return ["PENDING", "DEFERRED", "READY", "NEEDS_AUTH"].includes(result.state);
}
