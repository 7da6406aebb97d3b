// What Herald does next by itself, and what it waits for: in sentences.
import { html } from "../html.js";
import { list, t } from "../i18n.js";
import { Icon } from "../icons.js";
import { channelName, missingOf } from "../states.js";
import { exact, instant, relative, useNow } from "../time.js";

/** Sentences, each with a tone and an icon, about an event and its deliveries. */
function sentences(event, results, scheduledAt, present) {
    const found = [];
    const names = (some) => list(some.map((result) => channelName(result.channel)));
    const done = results.filter((result) => result.state === "PUBLISHED");
    const by = (state) => results.filter((result) => result.state === state);
    if (event.status === "DRAFT") {
        const missing = missingOf(event).map((part) => t(`missing.${part}`));
        found.push(missing.length > 0 ? ["wait", "hand", t("next.missing", { parts: list(missing) })] : ["go", "go", t("next.ready")]);
        return found;
    }
    if (event.status === "ENDED") {
        return [["off", "check", t("next.ended", { when: event.endedAt ? exact(instant(event.endedAt)) : "" })]];
    }
    const schedule = instant(scheduledAt ?? event.scheduledAt);
    if (schedule !== undefined && schedule > present) {
        found.push(["wait", "clock", t("next.scheduled", { when: relative(schedule, present), exact: exact(schedule) })]);
    }
    for (const result of results.filter((one) => one.outlook === "GOES_ON")) {
        const at = instant(result.nextAttemptAt);
        const channel = channelName(result.channel);
        if (at !== undefined && at > present) {
            found.push(["wait", "clock", t(result.attempts > 0 ? "next.triesAgain" : "next.tries", { channel, when: relative(at, present) })]);
        } else {
            found.push(["go", "go", t("next.underWay", { channel })]);
        }
    }
    if (by("AWAITING_OPERATOR").length > 0) {
        found.push(["person", "hand", t("next.assisted", { channels: names(by("AWAITING_OPERATOR")) })]);
    }
    const unknown = by("OUTCOME_UNKNOWN").filter((result) => result.outlook === "NEEDS_PERSON");
    if (unknown.length > 0) {
        found.push(["unknown", "question", t("next.unknown", { channels: names(unknown) })]);
    }
    const login = by("NEEDS_AUTH").filter((result) => result.outlook === "NEEDS_PERSON");
    if (login.length > 0) {
        found.push(["fail", "key", t("next.login", { channels: names(login) })]);
    }
    const refused = results.filter((result) => result.outlook === "REFUSED");
    if (refused.length > 0) {
        found.push(["fail", "cross", t("next.refused", { channels: names(refused) })]);
    }
    if (done.length > 0) {
        found.push(["done", "check", t("next.published", { channels: names(done) })]);
    }
    if (event.endsAt) {
        found.push(["off", "clock", t("next.ends", { when: relative(instant(event.endsAt), present) })]);
    }
    if (results.length === 0 && found.length === 0) {
        found.push(["go", "go", t("next.begins")]);
    }
    return found;
}

export function Next({ event, results, scheduledAt }) {
    const present = useNow();
    return html`<section class="card next" aria-labelledby="next-title">
        <h2 id="next-title">${t("next.title")}</h2>
        <ul>
            ${sentences(event, results, scheduledAt, present).map(
                ([tone, icon, text]) => html`<li class=${`tone-${tone}`}><${Icon} name=${icon} /><span>${text}</span></li>`,
            )}
        </ul>
    </section>`;
}
