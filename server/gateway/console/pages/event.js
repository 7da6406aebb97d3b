// One event: what happens next, each channel with its result, the publish as it went, and what is posted.
import { get } from "../api.js";
import { reads } from "../calls.js";
import { useEvent } from "../follow.js";
import { html, useEffect, useState, webAddress } from "../html.js";
import { language, t, word } from "../i18n.js";
import { Icon } from "../icons.js";
import { usePoll } from "../live.js";
import { link } from "../router.js";
import { isOperator, session } from "../session.js";
import { CHANNELS, canRetry, channelName, deliveryLook, said } from "../states.js";
import { useStore } from "../store.js";
import { Time, duration, instant } from "../time.js";
import { Badge, Copy, Crumb, Heading, Loading, NextAttempt, Picture, ProblemBox } from "../ui.js";
import { CancelAction, ConfirmAction, DeleteAction, EndAction, ResolveAction, RetryAction, RetryAllAction, ScheduleAction } from "./actions.js";
import { Next } from "./next.js";
import { PreviewButton } from "./preview.js";
import { TimelineView } from "./timeline_view.js";

export function ownerText(result) {
    const text = language.get() === "ko" ? result.ownerTextKo : result.ownerTextEn;
    return text || result.message || "";
}

function Attempts({ attempts }) {
    if (attempts.length === 0) {
        return null;
    }
    return html`<details class="attempts">
        <summary>${t("event.attempts", { n: attempts.length })}</summary>
        <ol>
            ${attempts.map((attempt) => {
                const took = instant(attempt.finishedAt) - instant(attempt.startedAt);
                return html`<li>
                    <strong>${t("event.attempt", { n: attempt.attempt ?? 0 })}</strong> <${Badge} kind="delivery" state=${attempt.state} />
                    <${Time} at=${attempt.startedAt} />${took >= 0 && html` · <span class="mono">${duration(took)}</span>`}
                    ${attempt.reason && html` · <span class="mono">${attempt.reason}</span>`}
                    ${attempt.message && html`<p class="muted"><bdi>${attempt.message}</bdi></p>`}
                </li>`;
            })}
        </ol>
    </details>`;
}

export function ChannelResult({ id, result, results, attempts = [], operator, done }) {
    const channel = channelName(result.channel);
    const found = deliveryLook(result);
    const text = ownerText(result);
    return html`<li class=${`delivery tone-${found.tone}`} data-channel=${result.channel} data-state=${result.state}>
        <div class="delivery-head">
            <h3>${channel}</h3>
            <${Badge} of=${found} />
            ${result.outlook === "GOES_ON" && html`<span class="muted"><${NextAttempt} at=${result.nextAttemptAt} /></span>`}
        </div>
        ${text && result.state !== "PUBLISHED" && html`<p><bdi>${text}</bdi></p>`}
        <p class="muted small">
            ${t("event.attemptCount", { n: result.attempts ?? 0 })}
            ${result.reason && html` · <span class="mono">${result.reason}</span>`}
            ${result.remoteId && html` · <span class="mono"><bdi>${result.remoteId}</bdi></span>`}
            ${result.outlook === "GOES_ON" && result.expiresAt && html` · ${t("event.givesUp")} <${Time} at=${result.expiresAt} />`}
        </p>
        <div class="buttons">
            ${webAddress(result.postUrl) && html`<a class="button small" href=${webAddress(result.postUrl)} target="_blank" rel="noreferrer noopener"><${Icon} name="link" />${t("event.openPost")}</a>`}
            ${result.state === "AWAITING_OPERATOR" && html`<${ConfirmAction} ...${{ id, result, done }} />`}
            ${result.state === "OUTCOME_UNKNOWN" && operator && html`<${ResolveAction} ...${{ id, result, done }} />`}
            ${canRetry(result) && html`<${RetryAction} ...${{ id, result, done }} />`}
            <${PreviewButton} id=${id} channel=${result.channel} />
            <${CancelAction} ...${{ id, results, channel: result.channel, done }} />
        </div>
        <${Attempts} attempts=${attempts} />
    </li>`;
}

function Facts({ event }) {
    const rows = [
        [t("draft.title.field"), event.title],
        [t("draft.prize"), event.prize],
        [t("draft.store"), [event.storeInfo?.name, event.storeInfo?.address, event.storeInfo?.phone].filter(Boolean).join(" · ")],
        [t("event.objective"), said(event.objective) && word("objective", event.objective)],
        [t("draft.idea"), event.recommendation?.title],
        [t("draft.text"), event.recommendation?.summary],
        [t("draft.channels"), (event.selectedChannels ?? []).map(channelName).join(", ")],
    ].filter(([, value]) => value);
    const times = [
        ["event.created", event.createdAt],
        ["event.approved", event.approvedAt],
        ["event.published", event.publishedAt],
        ["event.starts", event.startsAt],
        ["event.ends", event.endsAt],
        ["event.ended", event.endedAt],
    ].filter(([, at]) => at);
    return html`<dl class="facts">
        ${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd class="text"><bdi>${value}</bdi></dd></div>`)}
        ${times.map(([name, at]) => html`<div><dt>${t(name)}</dt><dd><${Time} at=${at} both /></dd></div>`)}
        <div><dt>${t("event.id")}</dt><dd class="copy-line"><code class="mono">${event.eventDraftId}</code><${Copy} text=${event.eventDraftId} /></dd></div>
    </dl>`;
}

export function EventHead({ event, children }) {
    return html`<${Crumb} to="/events">${t("events.title")}<//>
        <header class="heading">
            <div><h1 tabindex="-1"><bdi>${event.title}</bdi></h1>
                <p class="muted"><${Badge} kind="event" state=${event.status} /> <bdi>${event.storeInfo?.name}</bdi></p></div>
            <div class="buttons">${children}</div>
        </header>`;
}

export function EventPage({ id }) {
    const known = useStore(session);
    const live = useEvent(id);
    const { event, entries } = live;
    const results = live.results ?? [];
    const published = event && event.status !== "DRAFT";
    const [round, setRound] = useState(0);
    // Schedule and attempts are read when something has changed.
    const distribution = usePoll(
        async (signal) => {
            if (!published) {
                return undefined;
            }
            const call = reads.distribution(id, true);
            return get(call.path, call.query, signal).catch((problem) => {
                if (problem.status === 404) {
                    return undefined;
                }
                throw problem;
            });
        },
        0,
        [id, published],
    );
    useEffect(() => distribution.refresh(), [JSON.stringify(results), round]);
    if (live.problem && !event) {
        return html`<${Crumb} to="/events">${t("events.title")}<//><h1 tabindex="-1">${t("event.title")}</h1><${ProblemBox} problem=${live.problem} retry=${live.restart} />`;
    }
    if (!event) {
        return html`<${Crumb} to="/events">${t("events.title")}<//><h1 tabindex="-1">${t("event.title")}</h1><${Loading} />`;
    }
    const done = () => {
        live.restart();
        setRound(round + 1);
    };
    const attempts = distribution.data?.attempts ?? [];
    const ordered = [...results].sort((a, b) => CHANNELS.indexOf(a.channel) - CHANNELS.indexOf(b.channel));
    const scheduledAt = distribution.data?.scheduledAt ?? event.scheduledAt;
    return html`<${EventHead} event=${event}>
            ${event.status === "DRAFT" && html`<a class="button primary" href=${link(`/events/${id}/draft`)}>${t("event.continue")}</a><${DeleteAction} event=${event} />`}
            ${published && html`<a class="button" href=${link(`/events/${id}/live`)}><${Icon} name="live" />${t("event.live")}</a>`}
            <${RetryAllAction} ...${{ id, results, done }} />
            <${ScheduleAction} ...${{ id, results, scheduledAt, done }} />
            <${CancelAction} ...${{ id, results, done }} />
            ${event.status === "ACTIVE" && html`<${EndAction} id=${id} done=${done} />`}
        <//>
        <${ProblemBox} problem=${live.problem} />
        <div class="columns">
            <div>
                <${Next} event=${event} results=${results} scheduledAt=${scheduledAt} />
                ${ordered.length > 0 &&
                html`<section class="card">
                    <h2>${t("event.channels")}</h2>
                    <ul class="deliveries">
                        ${ordered.map(
                            (result) =>
                                html`<${ChannelResult} key=${result.channel} ...${{ id, result, results, done }} operator=${isOperator(known)} attempts=${attempts.filter((attempt) => attempt.channel === result.channel)} />`,
                        )}
                    </ul>
                </section>`}
            </div>
            <section class="card">
                <h2>${t("event.content")}</h2>
                ${event.content && html`<${Picture} src=${webAddress(event.content.pngUrl)} alt=${t("event.pictureAlt", { title: event.title, style: word("style", event.content.style) })} />`}
                <${Facts} event=${event} />
                ${event.imageJobId && html`<a href=${link(`/jobs/${event.imageJobId}`)}>${t("event.job")}</a>`}
            </section>
        </div>
        ${(published || entries.length > 0) &&
        html`<section class="card">
            <h2>${t("timeline.title")}</h2>
            <${TimelineView} entries=${entries} selected=${event.selectedChannels} partly=${live.partly} />
        </section>`}`;
}

