// An event's timeline: who called whom, when, and how it went. Pure functions: the diagram and the table draw from them.
import { has, t, word } from "./i18n.js";
import { channelName, look, said } from "./states.js";
import { clockTime, duration, instant } from "./time.js";

/**
 * What is known after one more answer of GetEventTimeline.
 * @param known entries so far; more entries of the answer; after the position that it was asked with
 * Entries behind that position come again, changed or not; those that do not are gone.
 */
export function mergeEntries(known, more, after) {
    const start = BigInt(after || 0);
    const stays = known.filter((entry) => BigInt(entry.position) <= start);
    return [...stays, ...more.map(read)];
}

function read(raw) {
    return {
        position: String(raw.position ?? 0), // 64 bits: more than a number holds
        step: raw.step ?? "",
        from: party(raw.from, raw.channel),
        to: party(raw.to, raw.channel),
        channel: said(raw.channel) ? raw.channel : undefined,
        attempt: raw.attempt ?? 0,
        state: raw.state ?? "TIMELINE_STATE_UNSPECIFIED",
        at: instant(raw.at),
        endedAt: instant(raw.endedAt),
        reason: raw.reason ?? "",
        message: raw.message ?? "",
        nextAttemptAt: instant(raw.nextAttemptAt),
        by: raw.by ?? "",
    };
}

function party(name, channel) {
    return name === "CHANNEL_PARTY" ? `channel:${channel}` : (name ?? "EVENT_SERVICE");
}

export function isOpen(entry) {
    return entry.state === "UNDER_WAY" || entry.state === "WAITS";
}

export function partyName(id) {
    return id.startsWith("channel:") ? channelName(id.slice("channel:".length)) : t(`party.${id}`);
}

/** Name of a step with what is special about this one: the channel's attempt. */
export function stepName(entry) {
    const waits = `step.${entry.step}.WAITS`;
    const name = entry.state === "WAITS" && has(waits) ? t(waits) : word("step", entry.step);
    return entry.attempt > 1 ? t("step.attempt", { step: name, attempt: entry.attempt }) : name;
}

/** How long it took, or has taken so far; undefined when there is no beginning. */
export function lasted(entry, present) {
    if (entry.at === undefined || (entry.endedAt === undefined && entry.state !== "UNDER_WAY")) {
        return undefined;
    }
    return Math.max(0, (entry.endedAt ?? present) - entry.at);
}

/** When it began, from the first entry on. */
export function offset(entry, entries) {
    if (entry.at === undefined || entries[0]?.at === undefined) {
        return "";
    }
    const ms = entry.at - entries[0].at;
    return ms < 0.05 ? "+0" : `+${duration(ms)}`;
}

/** What else is to be said of it: why it failed, until when it waits. */
export function remark(entry) {
    const parts = [];
    if (entry.state === "FAILED_STEP" || entry.state === "WAITS") {
        parts.push(look("timelineState", entry.state).text);
    }
    if (entry.reason) {
        parts.push(entry.reason);
    }
    if (entry.nextAttemptAt !== undefined) {
        parts.push(t("timeline.nextAt", { time: clockTime(entry.nextAttemptAt) }));
    }
    return parts.join(" · ");
}

/** A sentence for screen readers when it appears or ends. */
export function sentence(entry) {
    return [
        entry.channel && entry.from !== `channel:${entry.channel}` && entry.to !== `channel:${entry.channel}` && channelName(entry.channel),
        `${partyName(entry.from)} → ${partyName(entry.to)}`,
        stepName(entry),
        look("timelineState", entry.state).text,
        entry.reason,
    ]
        .filter(Boolean)
        .join(", ");
}
