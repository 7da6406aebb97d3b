// The six channels: how each stands, what waits for it, and the switches of those on duty.
import { get } from "../api.js";
import { calls, reads } from "../calls.js";
import { html } from "../html.js";
import { number, t } from "../i18n.js";
import { Icon } from "../icons.js";
import { usePoll } from "../live.js";
import { link } from "../router.js";
import { isOperator, session } from "../session.js";
import { channelName, look } from "../states.js";
import { useStore } from "../store.js";
import { Time } from "../time.js";
import { Action, Badge, Heading, Loading, ProblemBox, Progress, TextField } from "../ui.js";

function NoteField({ values, set, errors }) {
    return html`<${TextField} name="note" label=${t("channel.note")} hint=${t("channel.noteHint")} value=${values.note} set=${(note) => set({ note })} error=${errors.note} />`;
}

function Control({ channel, action, danger, primary, done }) {
    const name = channelName(channel.channel);
    return html`<${Action}
        small
        ...${{ danger, primary, done }}
        label=${t(`control.${action}`)}
        title=${t(`control.${action}.title`, { channel: name })}
        touches=${t(`control.${action}.touches`, { channel: name, n: Number(channel.waiting ?? 0) })}
        fields=${NoteField}
        initial=${{ note: "" }}
        call=${({ note }) => calls.control(channel.channel, action, note.trim())}
    />`;
}

/** What is wrong with a channel comes first: not configured, then paused, then its breaker. */
function stateOf(channel) {
    if (!channel.configured) {
        return { tone: "off", icon: "minus", text: t("channel.unset") };
    }
    if (channel.pause && channel.pause !== "NOT_PAUSED") {
        return { tone: "wait", icon: "pause", text: t(`pause.${channel.pause}`) };
    }
    return channel.breakerState === "CLOSED" ? { tone: "done", icon: "check", text: t("channel.open") } : look("breaker", channel.breakerState);
}

function rate(value) {
    return value === undefined || value < 0 ? t("channel.tooFew") : `${number(value, { maximumFractionDigits: 0 })} %`;
}

function ChannelCard({ channel, operator, done }) {
    const state = stateOf(channel);
    const abilities = Object.entries(channel.capabilities ?? {}).filter(([, can]) => can);
    const paused = channel.pause && channel.pause !== "NOT_PAUSED";
    const breaker = channel.breakerState ?? "";
    return html`<li class=${`card channel tone-${state.tone}`} data-channel=${channel.channel}>
        <div class="delivery-head"><h2>${channelName(channel.channel)}</h2><${Badge} of=${state} /></div>
        ${paused && channel.pauseText && html`<p><bdi>${channel.pauseText}</bdi></p>`}
        <dl class="facts tight">
            <div><dt>${t("channel.breaker")}</dt><dd><${Badge} kind="breaker" state=${breaker} />${channel.breakerUntil && html` ${t("channel.until")} <${Time} at=${channel.breakerUntil} />`}</dd></div>
            <div><dt>${t("channel.failures")}</dt><dd>${rate(channel.failureRate)} · ${rate(channel.slowRate)}</dd></div>
            <div><dt>${t("channel.inFlight")}</dt><dd>${channel.inFlight ?? 0} / ${channel.maxInFlight ?? 0}</dd></div>
            <div><dt>${t("channel.waiting")}</dt><dd>${number(Number(channel.waiting ?? 0))}</dd></div>
            <div><dt>${t("channel.unknown")}</dt><dd>${Number(channel.unknown ?? 0) > 0 && operator ? html`<a href=${link("/unknown", { channel: channel.channel })}>${number(Number(channel.unknown))}</a>` : number(Number(channel.unknown ?? 0))}</dd></div>
            ${channel.capabilities?.quota &&
            html`<div><dt>${t("channel.quota")}</dt><dd>${channel.quotaTotal ? html`<${Progress} percent=${Math.min(100, Math.round((100 * (channel.quotaUsed ?? 0)) / channel.quotaTotal))} label=${t("channel.quota")} /> ${channel.quotaUsed ?? 0} / ${channel.quotaTotal}` : t("channel.quotaUnread")}</dd></div>`}
            ${channel.capabilities?.quietHours && html`<div><dt>${t("channel.quiet")}</dt><dd>${t("channel.quietHours")}</dd></div>`}
            ${channel.tokenExpiresAt && html`<div><dt>${t("channel.token")}</dt><dd><${Time} at=${channel.tokenExpiresAt} both /></dd></div>`}
            <div><dt>${t("channel.adapter")}</dt><dd class="mono">${channel.adapter}</dd></div>
        </dl>
        <ul class="tags" aria-label=${t("channel.can")}>${abilities.map(([name]) => html`<li>${t(`can.${name}`)}</li>`)}</ul>
        ${operator &&
        html`<div class="buttons">
            ${paused ? html`<${Control} channel=${channel} action="RESUME" primary done=${done} />` : html`<${Control} channel=${channel} action="PAUSE" danger done=${done} />`}
            ${breaker === "CLOSED" ? html`<${Control} channel=${channel} action="BREAKER_FORCE_OPEN" danger done=${done} />` : html`<${Control} channel=${channel} action="BREAKER_AUTOMATIC" done=${done} />`}
        </div>`}
    </li>`;
}

export function ChannelsPage() {
    const known = useStore(session);
    const { data, problem, loading, refresh } = usePoll(async (signal) => get(reads.channels().path, {}, signal), 2000, []);
    return html`<${Heading} title=${t("channels.title")} />
        <p class="muted">${t("channels.text")}</p>
        <${ProblemBox} problem=${problem} retry=${refresh} />
        ${loading && html`<${Loading} />`}
        <ul class="cards">
            ${(data?.channels ?? []).map((channel) => html`<${ChannelCard} key=${channel.channel} channel=${channel} operator=${isOperator(known)} done=${refresh} />`)}
        </ul>
        ${!isOperator(known) && html`<p class="muted"><${Icon} name="key" />${t("channels.operators")}</p>`}`;
}
