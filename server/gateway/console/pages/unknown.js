// Deliveries whose outcome only a person can find out: they may be published, so Herald does not send them again.
import { get } from "../api.js";
import { reads } from "../calls.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { usePoll } from "../live.js";
import { link, replace } from "../router.js";
import { CHANNELS, channelName } from "../states.js";
import { Time } from "../time.js";
import { Badge, Copy, Empty, Heading, Loading, ProblemBox } from "../ui.js";
import { ResolveAction } from "./actions.js";
import { ownerText } from "./event.js";

export function UnknownPage({ query }) {
    const channel = query.channel ?? "";
    const { data, problem, loading, refresh } = usePoll(
        async (signal) => {
            const call = reads.unknown({ channel, pageSize: 50, pageToken: query.page });
            return get(call.path, call.query, signal);
        },
        query.page ? 0 : 4000,
        [channel, query.page],
    );
    const deliveries = data?.deliveries ?? [];
    return html`<${Heading} title=${t("unknown.title")} />
        <p class="muted">${t("unknown.text")}</p>
        <div class="filters">
            <label>${t("unknown.channel")}
                <select name="channel" value=${channel} onChange=${(event) => replace("/unknown", { channel: event.currentTarget.value })}>
                    <option value="" selected=${!channel}>${t("events.all")}</option>
                    ${CHANNELS.map((one) => html`<option value=${one} selected=${one === channel}>${channelName(one)}</option>`)}
                </select>
            </label>
        </div>
        <${ProblemBox} problem=${problem} retry=${refresh} />
        ${loading && html`<${Loading} />`}
        ${!loading && !problem && deliveries.length === 0 && html`<${Empty}><p>${t("unknown.none")}</p><//>`}
        <ul class="cards">
            ${deliveries.map(
                (delivery) => html`<li class="card tone-unknown" key=${`${delivery.eventId} ${delivery.result.channel}`} data-event=${delivery.eventId}>
                    <div class="delivery-head"><h2>${channelName(delivery.result.channel)}</h2><${Badge} kind="delivery" state=${delivery.result.state} /></div>
                    <p><bdi>${ownerText(delivery.result)}</bdi></p>
                    <dl class="facts tight">
                        <div><dt>${t("unknown.event")}</dt><dd><a class="mono" href=${link(`/events/${delivery.eventId}`, { user: delivery.userId })}>${delivery.eventId}</a></dd></div>
                        <div><dt>${t("unknown.owner")}</dt><dd><bdi>${delivery.userId || t("person.nobody")}</bdi></dd></div>
                        <div><dt>${t("unknown.sent")}</dt><dd><${Time} at=${delivery.result.startedAt} both /></dd></div>
                        <div><dt>${t("unknown.key")}</dt><dd class="copy-line"><code class="mono">${delivery.key}</code><${Copy} text=${delivery.key ?? ""} /></dd></div>
                        <div><dt>${t("timeline.reason")}</dt><dd class="mono">${delivery.result.reason}</dd></div>
                    </dl>
                    <div class="buttons"><${ResolveAction} id=${delivery.eventId} result=${delivery.result} done=${refresh} /></div>
                </li>`,
            )}
        </ul>
        <div class="buttons">
            ${query.page && html`<button type="button" class="button" onClick=${() => replace("/unknown", { channel })}>${t("page.first")}</button>`}
            ${data?.nextPageToken && html`<button type="button" class="button" onClick=${() => replace("/unknown", { channel, page: data.nextPageToken })}>${t("page.next")}</button>`}
        </div>`;
}
