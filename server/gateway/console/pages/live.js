// Publish, live: each step as it happens.
import { publishes, useEvent } from "../follow.js";
import { html, useEffect, useRef } from "../html.js";
import { t, word } from "../i18n.js";
import { Icon } from "../icons.js";
import { link } from "../router.js";
import { CHANNELS, channelName, deliveryLook } from "../states.js";
import { useStore } from "../store.js";
import { duration, useFineNow } from "../time.js";
import { Badge, Loading, NextAttempt, ProblemBox } from "../ui.js";
import { EventHead } from "./event.js";
import { Next } from "./next.js";
import { TimelineView } from "./timeline_view.js";

/** The call of this tab that publishes: under way, answered or failed. */
function CallState({ made }) {
    const present = useFineNow(made && !made.endedAt);
    if (!made) {
        return null;
    }
    const took = duration(Math.max(0, (made.endedAt ?? present) - made.startedAt));
    if (made.problem) {
        return html`<${ProblemBox} problem=${made.problem} />`;
    }
    if (!made.endedAt) {
        return html`<p class="call tone-go" role="status"><span class="spinner" aria-hidden="true"></span>
            <strong>${t("live.calling")}</strong> <span class="mono">${took}</span>${made.repeats > 0 && html` · ${t("live.repeats", { n: made.repeats })}`}</p>`;
    }
    const accepted = (made.answer.distributionResults ?? []).filter((result) => result.accepted).length;
    return html`<p class="call tone-done" role="status"><${Icon} name="check" />
        <strong>${t("live.answered", { status: word("event", made.answer.status), took })}</strong>
        ${t("live.accepted", { accepted, of: (made.answer.distributionResults ?? []).length })}
        ${made.answer.reason && html`<span class="mono">${made.answer.reason}</span>`}</p>`;
}

function Strip({ results }) {
    return html`<ul class="strip" aria-label=${t("event.channels")}>
        ${CHANNELS.map((channel) => results.find((result) => result.channel === channel))
            .filter(Boolean)
            .map((result) => {
                const found = deliveryLook(result);
                return html`<li class=${`tone-${found.tone}`} data-channel=${result.channel} data-state=${result.state}>
                    <strong>${channelName(result.channel)}</strong><${Badge} of=${found} />
                    ${result.outlook === "GOES_ON" && html`<span class="muted small"><${NextAttempt} at=${result.nextAttemptAt} /></span>`}
                </li>`;
            })}
    </ul>`;
}

export function LivePage({ id }) {
    const live = useEvent(id);
    const all = useStore(publishes);
    const made = all.get(id);
    // A stream that has ended begins again when this tab publishes.
    const started = useRef(made?.startedAt);
    useEffect(() => {
        if (made?.startedAt !== started.current) {
            started.current = made?.startedAt;
            live.restart();
        }
    }, [made?.startedAt]);
    const { event, entries } = live;
    const results = live.results ?? [];
    if (!event) {
        return html`<h1 tabindex="-1">${t("live.title")}</h1>${live.problem ? html`<${ProblemBox} problem=${live.problem} retry=${live.restart} />` : html`<${Loading} />`}`;
    }
    return html`<${EventHead} event=${event}>
            <span class=${`connection ${live.state}`} role="status"><span class="pulse" aria-hidden="true"></span>${t(`live.${live.state}`)}</span>
            <a class="button" href=${link(`/events/${id}`)}>${t("live.event")}</a>
        <//>
        <${ProblemBox} problem=${live.problem} />
        <${CallState} made=${made} />
        <${Strip} results=${results} />
        <section class="card" aria-labelledby="steps-title">
            <h2 id="steps-title" class="sr">${t("timeline.title")}</h2>
            <${TimelineView} entries=${entries} selected=${made && event.status === "DRAFT" ? CHANNELS : event.selectedChannels} partly=${live.partly} follow />
        </section>
        <${Next} event=${event} results=${results} />`;
}
