// Parts that all pages are made of.
import { Problem, curl, heraldctl, newKey, send } from "./api.js";
import { classes, html, useEffect, useRef, useState } from "./html.js";
import { has, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { link } from "./router.js";
import { CHANNELS, channelName, deliveryLook, look } from "./states.js";
import { exact, instant, relative, useNow } from "./time.js";

/** A state: colour, icon and word. */
export function Badge({ kind, state, of }) {
    const { tone, icon, text } = of ?? look(kind, state);
    return html`<span class=${`badge tone-${tone}`}><${Icon} name=${icon} />${text}</span>`;
}

/** Six dots, one a channel, in the order of the schemas. Each has its words for pointers; the row has them for readers. */
export function Dots({ results, selected }) {
    const dots = CHANNELS.map((channel) => {
        const result = results?.find((one) => one.channel === channel);
        if (result) {
            return { channel, ...deliveryLook(result) };
        }
        const wanted = selected?.includes(channel);
        return { channel, tone: wanted ? "wait" : "none", icon: wanted ? "clock" : undefined, text: t(wanted ? "dots.wanted" : "dots.none") };
    });
    const words = dots.filter((dot) => dot.tone !== "none").map((dot) => `${channelName(dot.channel)}: ${dot.text}`);
    return html`<span class="dots" role="img" aria-label=${words.length > 0 ? words.join(", ") : t("dots.empty")}>
        ${dots.map(
            (dot) =>
                html`<span class=${`dot tone-${dot.tone}`} title=${`${channelName(dot.channel)}: ${dot.text}`}
                    >${dot.icon && html`<${Icon} name=${dot.icon} />`}</span
                >`,
        )}
    </span>`;
}

/** What went wrong, in the viewer's language where the reason is known, and what to do. */
export function problemText(problem) {
    const key = `reason.${problem.reason}`;
    if (has(key)) {
        return t(key);
    }
    return problem instanceof Problem ? problem.message : t("problem.console", { detail: problem.message });
}

export function ProblemBox({ problem, retry }) {
    if (!problem) {
        return null;
    }
    const known = has(`reason.${problem.reason}`);
    return html`<div class="problem" role="alert">
        <${Icon} name="warn" />
        <div>
            <p>${problemText(problem)}</p>
            ${known && problem.status > 0 && html`<p class="muted">${problem.message}</p>`}
            ${problem.fields?.length > 0 &&
            html`<ul>
                ${problem.fields.map((field) => html`<li><code>${field.field}</code> ${fieldText(field)}</li>`)}
            </ul>`}
            <p class="muted small">
                ${[problem.reason || problem.code, problem.outcome && t(`outcome.${problem.outcome}`)].filter(Boolean).join(" · ")}
                ${problem.callId && html` · <span class="mono">${problem.callId}</span>`}
            </p>
            ${retry && html`<button type="button" class="button" onClick=${retry}>${t("action.tryAgain")}</button>`}
        </div>
    </div>`;
}

export function fieldText(field) {
    const key = `field.${field.reason}`;
    return has(key) ? `${t(key)} (${field.message})` : field.message;
}

export function Loading() {
    return html`<p class="loading" role="status"><span class="spinner" aria-hidden="true"></span>${t("loading")}</p>`;
}

export function Empty({ children }) {
    return html`<div class="empty">${children}</div>`;
}

/** Copies, and says so. */
export function Copy({ text, label }) {
    const [copied, setCopied] = useState(false);
    async function copy(event) {
        // Without a secure context there is no clipboard: the text is selected instead, ready for the copy key.
        try {
            await navigator.clipboard.writeText(text);
        } catch {
            const code = event.target.closest(".copy-line")?.querySelector("code");
            if (code) {
                getSelection().selectAllChildren(code);
            }
            return;
        }
        setCopied(true);
        setTimeout(() => setCopied(false), 2000);
    }
    return html`<button type="button" class="button small" onClick=${copy}>
        <${Icon} name=${copied ? "check" : "copy"} />${copied ? t("action.copied") : (label ?? t("action.copy"))}
        <span class="sr" aria-live="polite">${copied ? t("action.copied") : ""}</span>
    </button>`;
}

/** What does the same outside of the console. */
export function Command({ call, open }) {
    return html`<details class="command" open=${open}>
        <summary><${Icon} name="terminal" />${t("command.title")}</summary>
        ${[heraldctl(call), curl(call)].map(
            (line) => html`<div class="copy-line"><code class="mono" tabindex="0">${line}</code><${Copy} text=${line} /></div>`,
        )}
    </details>`;
}

/** A modal: the browser keeps the focus inside, Escape closes, and the focus goes back to where it was. */
export function Dialog({ title, onClose, children }) {
    const element = useRef();
    useEffect(() => {
        element.current.showModal();
    }, []);
    return html`<dialog ref=${element} class="dialog" aria-label=${title} onClose=${onClose}>
        <h2>${title}</h2>
        ${children}
    </dialog>`;
}

/**
 * A button whose dialog says what it touches and which command does the same, before anything happens.
 * @param label of the button; title of the dialog
 * @param touches what changes, in words
 * @param fields component of the dialog's fields, given { values, set, errors }
 * @param initial their values
 * @param call function of the values that makes the call
 * @param done called with the answer
 */
export function Action({ label, title, icon, danger, primary, small, touches, fields: Fields, initial = {}, call, done }) {
    const [open, setOpen] = useState(false);
    return html`<button
            type="button"
            class=${classes("button", danger && "danger", primary && "primary", small && "small")}
            onClick=${() => setOpen(true)}
        >
            ${icon && html`<${Icon} name=${icon} />`}${label}</button
        >${open &&
        html`<${ActionDialog}
            ...${{ label, title: title ?? label, danger, touches, Fields, initial, call, done }}
            close=${() => setOpen(false)}
        />`}`;
}

function ActionDialog({ label, title, danger, touches, Fields, initial, call, done, close }) {
    const [values, setValues] = useState(initial);
    const [problem, setProblem] = useState();
    const [busy, setBusy] = useState(false);
    const key = useRef(newKey());
    const made = call(values);

    async function submit(event) {
        event.preventDefault();
        setBusy(true);
        setProblem(undefined);
        try {
            const answer = await send({ ...made, key: made.once ? key.current : undefined });
            announce(t("action.done", { what: title }));
            close();
            done?.(answer);
        } catch (caught) {
            setProblem(caught);
            setBusy(false);
        }
    }

    const errors = fieldErrors(problem);
    return html`<${Dialog} title=${title} onClose=${close}>
        <form onSubmit=${submit} novalidate>
            <p>${touches}</p>
            ${Fields &&
            html`<${Fields} values=${values} errors=${errors} set=${(part) => setValues((before) => ({ ...before, ...part }))} />`}
            <${ProblemBox} problem=${problem} />
            <${Command} call=${made} open=${true} />
            <div class="buttons end">
                <button type="button" class="button" onClick=${close}>${t("action.back")}</button>
                <button type="submit" class=${classes("button", danger ? "danger" : "primary")} disabled=${busy}>
                    ${busy && html`<span class="spinner" aria-hidden="true"></span>`}${label}
                </button>
            </div>
        </form>
    <//>`;
}

/** A problem's fields by name. */
export function fieldErrors(problem) {
    return Object.fromEntries((problem?.fields ?? []).map((field) => [field.field, fieldText(field)]));
}

let nextId = 0;

/** A labelled field with its hint and its error beside it. */
export function Field({ label, hint, error, required, children, control, ...input }) {
    const id = useRef(`f${++nextId}`).current;
    const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
    const attributes = { id, "aria-describedby": described, "aria-invalid": error ? "true" : undefined };
    return html`<div class=${classes("field", error && "invalid")}>
        <label for=${id}>${label}${required && html`<span class="muted"> · ${t("form.required")}</span>`}</label>
        ${control ? control(attributes) : html`<input ...${attributes} ...${input} />`} ${children}
        ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
        ${error && html`<p class="field-error" id=${`${id}-error`}><${Icon} name="warn" />${error}</p>`}
    </div>`;
}

export function TextField({ value, set, rows, ...field }) {
    const input = (event) => set(event.currentTarget.value);
    if (!rows) {
        return html`<${Field} type="text" autocomplete="off" ...${field} value=${value} onInput=${input} />`;
    }
    return html`<${Field}
        ...${field}
        control=${(attributes) => html`<textarea ...${attributes} rows=${rows} value=${value} onInput=${input}></textarea>`}
    />`;
}

/** A bar that says how far something is. */
export function Progress({ percent, label, tone = "go" }) {
    return html`<span class=${`progress tone-${tone}`} role="progressbar" aria-label=${label} aria-valuenow=${percent} aria-valuemin="0" aria-valuemax="100">
        <span style=${{ width: `${percent}%` }}></span>
    </span>`;
}

/** When Herald goes on by itself. */
export function NextAttempt({ at }) {
    const present = useNow();
    const ms = instant(at);
    if (ms === undefined) {
        return null;
    }
    const soon = ms <= present;
    return html`<time datetime=${at} title=${exact(ms)}>${soon ? t("next.now") : t("next.at", { when: relative(ms, present) })}</time>`;
}

/** A picture from the content server; one that cannot be loaded says so. */
export function Picture({ src, alt }) {
    const [failed, setFailed] = useState(false);
    useEffect(() => setFailed(false), [src]);
    if (!src || failed) {
        return html`<div class="picture missing" role="img" aria-label=${alt}>${t("picture.missing")}</div>`;
    }
    return html`<img class="picture" src=${src} alt=${alt} loading="lazy" onError=${() => setFailed(true)} />`;
}

export function Crumb({ to, query, children }) {
    return html`<a class="crumb" href=${link(to, query)}><${Icon} name="back" />${children}</a>`;
}

export function Heading({ title, children }) {
    return html`<header class="heading"><h1 tabindex="-1">${title}</h1>
        ${children && html`<div class="buttons">${children}</div>`}</header>`;
}

/** Says something to screen readers, from whatever page. */
export function announce(text) {
    const region = document.getElementById("announcements");
    if (region) {
        region.textContent = "";
        setTimeout(() => (region.textContent = text), 50);
    }
}
