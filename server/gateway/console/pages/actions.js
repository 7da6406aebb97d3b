// What can be done to an event and its deliveries: each action says what it touches and which command does the same.
import { calls } from "../calls.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { go } from "../router.js";
import { canCancel, canRetry, channelName } from "../states.js";
import { fromInput, toInput, ZONE } from "../time.js";
import { Action, Field, TextField } from "../ui.js";

export function RetryAction({ id, result, done }) {
    const channel = channelName(result.channel);
    return html`<${Action}
        small
        label=${t("retry.label")}
        title=${t("retry.title", { channel })}
        touches=${t(result.outlook === "REFUSED" ? "retry.anew" : "retry.now", { channel })}
        call=${() => calls.retry(id, { channel: result.channel })}
        done=${done}
    />`;
}

export function RetryAllAction({ id, results, done }) {
    const channels = results.filter(canRetry).map((result) => channelName(result.channel));
    return (
        channels.length > 1 &&
        html`<${Action} label=${t("retry.all")} touches=${t("retry.allTouches", { channels: channels.join(", ") })} call=${() => calls.retry(id)} done=${done} />`
    );
}

export function CancelAction({ id, results, channel, done }) {
    const touched = results.filter((result) => canCancel(result) && (!channel || result.channel === channel)).map((result) => channelName(result.channel));
    return (
        touched.length > 0 &&
        html`<${Action}
            danger
            small=${Boolean(channel)}
            label=${t(channel ? "cancel.one" : "cancel.all")}
            title=${channel ? t("cancel.title", { channel: channelName(channel) }) : t("cancel.all")}
            touches=${t("cancel.touches", { channels: touched.join(", ") })}
            call=${() => calls.cancel(id, channel ? { channel } : {})}
            done=${done}
        />`
    );
}

function ConfirmFields({ values, set, errors }) {
    return html`<${TextField} label=${t("confirm.url")} hint=${t("confirm.hint")} type="url" name="url" value=${values.url} set=${(url) => set({ url })} error=${errors.url} required />`;
}

export function ConfirmAction({ id, result, done }) {
    const channel = channelName(result.channel);
    return html`<${Action}
        small
        primary
        label=${t("confirm.label")}
        title=${t("confirm.title", { channel })}
        touches=${t("confirm.touches", { channel })}
        fields=${ConfirmFields}
        initial=${{ url: "" }}
        call=${(values) => calls.confirm(id, { channel: result.channel, url: values.url.trim() })}
        done=${done}
    />`;
}

function ResolveFields({ values, set, errors }) {
    const choice = (resolution) =>
        html`<label class="choice"
            ><input type="radio" name="resolution" value=${resolution} checked=${values.resolution === resolution} onChange=${() => set({ resolution })} /><span
                ><strong>${t(`resolve.${resolution}`)}</strong><span class="muted">${t(`resolve.${resolution}.means`)}</span></span
            ></label
        >`;
    return html`<fieldset class="choices">
            <legend>${t("resolve.found")}</legend>
            ${choice("WAS_PUBLISHED")} ${choice("SEND_AGAIN")} ${choice("GIVE_UP")}
        </fieldset>
        ${values.resolution === "WAS_PUBLISHED" &&
        html`<${TextField} label=${t("resolve.remoteId")} name="remoteId" value=${values.remoteId} set=${(remoteId) => set({ remoteId })} error=${errors.remoteId} />
            <${TextField} label=${t("resolve.url")} name="url" type="url" value=${values.url} set=${(url) => set({ url })} error=${errors.url} />`}`;
}

/** For operators: what a person found out at the channel. */
export function ResolveAction({ id, result, done }) {
    const channel = channelName(result.channel);
    return html`<${Action}
        small
        primary
        label=${t("resolve.label")}
        title=${t("resolve.title", { channel })}
        touches=${t("resolve.touches", { channel })}
        fields=${ResolveFields}
        initial=${{ resolution: "WAS_PUBLISHED", remoteId: "", url: "" }}
        call=${({ resolution, remoteId, url }) =>
            calls.resolve(id, {
                channel: result.channel,
                resolution,
                ...(resolution === "WAS_PUBLISHED" && remoteId.trim() ? { remoteId: remoteId.trim() } : {}),
                ...(resolution === "WAS_PUBLISHED" && url.trim() ? { url: url.trim() } : {}),
            })}
        done=${done}
    />`;
}

function ScheduleFields({ values, set, errors }) {
    return html`<${Field}
        label=${t("schedule.at")}
        hint=${t("schedule.zone", { zone: ZONE })}
        error=${errors.scheduledAt ?? errors.timeZone}
        type="datetime-local"
        name="at"
        value=${values.at}
        onInput=${(event) => set({ at: event.currentTarget.value })}
    />`;
}

export function ScheduleAction({ id, results, scheduledAt, done }) {
    const touched = results.filter(canCancel).map((result) => channelName(result.channel));
    return (
        touched.length > 0 &&
        html`<${Action}
            label=${t("schedule.label")}
            touches=${t("schedule.touches", { channels: touched.join(", ") })}
            fields=${ScheduleFields}
            initial=${{ at: toInput(scheduledAt) }}
            call=${(values) => calls.schedule(id, { scheduledAt: fromInput(values.at), timeZone: ZONE })}
            done=${done}
        />`
    );
}

export function EndAction({ id, done }) {
    return html`<${Action} danger label=${t("end.label")} touches=${t("end.touches")} call=${() => calls.end(id)} done=${done} />`;
}

export function DeleteAction({ event }) {
    return html`<${Action}
        danger
        label=${t("delete.label")}
        touches=${t("delete.touches", { title: event.title })}
        call=${() => calls.remove(event.eventDraftId)}
        done=${() => go("/events")}
    />`;
}
