// What exactly is, or would be, sent to a channel: the post as the public sees it, and each request.
import { send } from "../api.js";
import { calls } from "../calls.js";
import { html, useEffect, useState, webAddress } from "../html.js";
import { language, t } from "../i18n.js";
import { channelName } from "../states.js";
import { Command, Copy, Dialog, Loading, Picture, ProblemBox } from "../ui.js";

function usePreview(id, channel, content) {
    const [state, setState] = useState({});
    useEffect(() => {
        const leaving = new AbortController();
        setState({});
        send(calls.preview(id, { channel, content }), leaving.signal).then(
            (answer) => setState({ answer }),
            (problem) => leaving.signal.aborted || setState({ problem }),
        );
        return () => leaving.abort();
    }, [id, channel, JSON.stringify(content)]);
    return state;
}

export function PreviewBody({ id, channel, content }) {
    const { answer, problem } = usePreview(id, channel, content);
    if (problem) {
        return html`<${ProblemBox} problem=${problem} />`;
    }
    if (!answer) {
        return html`<${Loading} />`;
    }
    const problems = answer.problems ?? [];
    const korean = language.get() === "ko";
    return html`${problems.length > 0 &&
        html`<div class="problem" role="alert"><ul>${problems.map((one) => html`<li>${korean ? one.textKo : one.textEn} <span class="muted mono">${one.field}</span></li>`)}</ul></div>`}
        <div class="post">
            <div class="post-pictures">
                ${(answer.pictureUrls ?? []).map((url) => html`<${Picture} src=${webAddress(url)} alt=${t("preview.picture", { channel: channelName(channel) })} />`)}
            </div>
            <p class="caption" lang="ko"><bdi>${answer.caption}</bdi></p>
        </div>
        ${answer.html &&
        html`<h3>${t("preview.package")}</h3>
            <p class="muted">${t("preview.packageHint")}</p>
            <div class="copy-line"><code class="mono block tall" tabindex="0">${answer.html}</code><${Copy} text=${answer.html} /></div>`}
        ${(answer.requests ?? []).length > 0 && html`<h3>${t("preview.requests")}</h3>`}
        ${(answer.requests ?? []).map(
            (request) => html`<details class="request">
                <summary><span class="mono">${request.method} ${request.url}</span> <span class="muted">${request.purpose}</span></summary>
                <code class="mono block tall" tabindex="0">${[...(request.headers ?? []), "", request.body ?? ""].join("\n")}</code>
            </details>`,
        )}
        <${Command} call=${calls.preview(id, { channel, content })} />`;
}

export function PreviewButton({ id, channel, content }) {
    const [open, setOpen] = useState(false);
    return html`<button type="button" class="button small" onClick=${() => setOpen(true)}>${t("preview.label")}</button>
        ${open &&
        html`<${Dialog} title=${t("preview.title", { channel: channelName(channel) })} onClose=${() => setOpen(false)}>
            <${PreviewBody} id=${id} channel=${channel} content=${content} />
            <div class="buttons end"><button type="button" class="button" onClick=${() => setOpen(false)}>${t("action.close")}</button></div>
        <//>`}`;
}
