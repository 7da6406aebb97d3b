// From draft to publish, step by step. The servers check every field; what they refuse stands beside it.
import { get, newKey, send } from "../api.js";
import { calls, reads } from "../calls.js";
import { startPublish } from "../follow.js";
import { classes, html, useEffect, useRef, useState, webAddress } from "../html.js";
import { t, word } from "../i18n.js";
import { Icon } from "../icons.js";
import { follow, usePoll, useVisible } from "../live.js";
import { go, link } from "../router.js";
import { CHANNELS, channelName, missingOf, said } from "../states.js";
import { fromInput, toInput, ZONE } from "../time.js";
import { Badge, Command, Crumb, Dialog, Field, Loading, Picture, ProblemBox, Progress, TextField, announce, fieldErrors } from "../ui.js";
import { DeleteAction } from "./actions.js";
import { PreviewButton } from "./preview.js";

const STEPS = ["details", "idea", "period", "picture", "publish"];
const OBJECTIVES = ["NEW_CUSTOMERS", "REPEAT_VISITS", "SALES", "AWARENESS"];
const STYLES = ["SIMPLE", "FANCY", "TRENDY"];

/** Sends calls one after the other; the first problem stops them. */
function useSending() {
    const [problem, setProblem] = useState();
    const [busy, setBusy] = useState(false);
    const key = useRef({});
    async function run(list) {
        setBusy(true);
        setProblem(undefined);
        let answer;
        try {
            for (const call of list) {
                // The same request keeps its key, so that a repeat after a lost answer makes no second draft.
                const text = JSON.stringify(call.body);
                if (key.current.text !== text) {
                    key.current = { text, key: newKey() };
                }
                answer = await send({ ...call, key: call.once ? key.current.key : undefined });
            }
            return answer;
        } catch (caught) {
            setProblem(caught);
            return undefined;
        } finally {
            setBusy(false);
        }
    }
    return { run, problem, busy, errors: fieldErrors(problem) };
}

/** Fields that a problem names and the form shows stand beside them; the box is for all else. */
function FormProblem({ problem, shown }) {
    const box = useRef();
    const fields = problem?.fields ?? [];
    const beside = fields.filter((field) => shown.includes(field.field));
    useEffect(() => {
        if (problem) {
            const first = document.querySelector('[aria-invalid="true"]');
            (first ?? box.current)?.focus();
        }
    }, [problem]);
    if (!problem) {
        return null;
    }
    if (fields.length > 0 && beside.length === fields.length) {
        return html`<p class="problem small" role="alert" ref=${box} tabindex="-1"><${Icon} name="warn" />${t("draft.fieldsWrong", { n: fields.length })}</p>`;
    }
    return html`<div ref=${box} tabindex="-1"><${ProblemBox} problem=${problem} /></div>`;
}

function Stepper({ id, current, event }) {
    const done = {
        details: Boolean(event),
        idea: Boolean(event?.recommendation && said(event?.objective)),
        period: Boolean(event?.startsAt || event?.endsAt),
        picture: Boolean(event?.content),
        publish: false,
    };
    return html`<ol class="stepper">
        ${STEPS.map((step, i) => {
            const inside = html`<span class="step-mark">${done[step] ? html`<${Icon} name="check" />` : i + 1}</span>${t(`draft.step.${step}`)}${done[step] && html`<span class="sr"> (${t("draft.stepDone")})</span>`}`;
            const css = classes("step", step === current && "here", done[step] && "done");
            return html`<li class=${css} aria-current=${step === current ? "step" : undefined}>
                ${event && step !== "details" ? html`<a href=${link(`/events/${id}/draft`, { step })}>${inside}</a>` : html`<span>${inside}</span>`}
            </li>`;
        })}
    </ol>`;
}

function Submit({ busy, label, back, icon = "go" }) {
    return html`<div class="buttons end">
        ${back && html`<a class="button" href=${back}>${t("action.back")}</a>`}
        <button type="submit" class="button primary" disabled=${busy}>
            ${busy ? html`<span class="spinner" aria-hidden="true"></span>` : html`<${Icon} name=${icon} />`}${label ?? t("draft.next")}
        </button>
    </div>`;
}

function DetailsForm() {
    const [values, setValues] = useState({ title: "", prize: "", brandColor: "", logoUrl: "", name: "", address: "", phone: "" });
    const sending = useSending();
    const { errors } = sending;
    const set = (name) => (value) => setValues((before) => ({ ...before, [name]: value }));
    const call = calls.createEvent({
        title: values.title,
        prize: values.prize,
        ...(values.brandColor ? { brandColor: values.brandColor } : {}),
        ...(values.logoUrl ? { logoUrl: values.logoUrl } : {}),
        storeInfo: { name: values.name, address: values.address, phone: values.phone },
    });
    async function submit(event) {
        event.preventDefault();
        const answer = await sending.run([call]);
        if (answer) {
            go(`/events/${answer.event.eventDraftId}/draft`, { step: "idea" });
        }
    }
    const field = (name, path, more) =>
        html`<${TextField} name=${name} label=${t(more.label)} hint=${more.hint && t(more.hint)} value=${values[name]} set=${set(name)} error=${errors[path]} required=${more.required} />`;
    return html`<form onSubmit=${submit} novalidate>
        <${FormProblem} problem=${sending.problem} shown=${["title", "prize", "brandColor", "logoUrl", "storeInfo", "storeInfo.name", "storeInfo.address", "storeInfo.phone"]} />
        ${field("title", "title", { label: "draft.title.field", hint: "draft.title.hint", required: true })}
        ${field("prize", "prize", { label: "draft.prize", hint: "draft.prize.hint" })}
        <fieldset>
            <legend>${t("draft.store")}</legend>
            ${field("name", "storeInfo.name", { label: "draft.store.name", required: true })}
            ${field("address", "storeInfo.address", { label: "draft.store.address" })}
            ${field("phone", "storeInfo.phone", { label: "draft.store.phone" })}
        </fieldset>
        <fieldset>
            <legend>${t("draft.look")}</legend>
            <${TextField} name="brandColor" label=${t("draft.color")} hint=${t("draft.color.hint")} placeholder="#2B6CB0" value=${values.brandColor} set=${set("brandColor")} error=${errors.brandColor}>
                <input type="color" class="swatch" aria-label=${t("draft.color.pick")} value=${/^#[0-9a-f]{6}$/i.test(values.brandColor) ? values.brandColor : "#2b6cb0"} onInput=${(event) => set("brandColor")(event.currentTarget.value.toUpperCase())} />
            <//>
            <${TextField} name="logoUrl" type="url" label=${t("draft.logo")} hint=${t("draft.logo.hint")} value=${values.logoUrl} set=${set("logoUrl")} error=${errors.logoUrl} />
        </fieldset>
        <${Command} call=${call} />
        <${Submit} busy=${sending.busy} label=${t("draft.create")} back=${link("/events")} />
    </form>`;
}

function IdeaForm({ event, set: setEvent }) {
    const id = event.eventDraftId;
    const [values, setValues] = useState({
        objective: said(event.objective) ? event.objective : "",
        title: event.recommendation?.title ?? "",
        summary: event.recommendation?.summary ?? "",
    });
    const sending = useSending();
    const { errors } = sending;
    const set = (part) => setValues((before) => ({ ...before, ...part }));
    const objective = calls.selectObjective(id, { objective: values.objective || undefined });
    const idea = calls.selectRecommendation(id, {
        recommendation: { recommendationId: event.recommendation?.recommendationId ?? "console", title: values.title, summary: values.summary },
    });
    async function submit(submitted) {
        submitted.preventDefault();
        const answer = await sending.run([objective, idea]);
        if (answer) {
            setEvent(answer.event);
            go(`/events/${id}/draft`, { step: "period" });
        }
    }
    return html`<form onSubmit=${submit} novalidate>
        <${FormProblem} problem=${sending.problem} shown=${["objective", "recommendation.title", "recommendation.summary"]} />
        <fieldset class="choices" aria-invalid=${errors.objective ? "true" : undefined} tabindex=${errors.objective ? "-1" : undefined}>
            <legend>${t("draft.objective")}</legend>
            ${OBJECTIVES.map(
                (name) =>
                    html`<label class="choice"><input type="radio" name="objective" value=${name} checked=${values.objective === name} onChange=${() => set({ objective: name })} /><span><strong>${word("objective", name)}</strong><span class="muted">${t(`objective.${name}.means`)}</span></span></label>`,
            )}
            ${errors.objective && html`<p class="field-error"><${Icon} name="warn" />${errors.objective}</p>`}
        </fieldset>
        <${TextField} name="idea" label=${t("draft.idea")} hint=${t("draft.idea.hint")} value=${values.title} set=${(title) => set({ title })} error=${errors["recommendation.title"]} required />
        <${TextField} name="text" rows="5" label=${t("draft.text")} hint=${t("draft.text.hint")} value=${values.summary} set=${(summary) => set({ summary })} error=${errors["recommendation.summary"]} />
        <${Command} call=${objective} />
        <${Command} call=${idea} />
        <${Submit} busy=${sending.busy} />
    </form>`;
}

function PeriodForm({ event, set: setEvent }) {
    const id = event.eventDraftId;
    const [values, setValues] = useState({ startsAt: toInput(event.startsAt), endsAt: toInput(event.endsAt) });
    const sending = useSending();
    const call = calls.selectPeriod(id, { startsAt: fromInput(values.startsAt), endsAt: fromInput(values.endsAt) });
    async function submit(submitted) {
        submitted.preventDefault();
        const unchanged = !values.startsAt && !values.endsAt && !event.startsAt && !event.endsAt;
        const answer = unchanged ? { event } : await sending.run([call]);
        if (answer) {
            setEvent(answer.event);
            go(`/events/${id}/draft`, { step: "picture" });
        }
    }
    const field = (name) =>
        html`<${Field} name=${name} type="datetime-local" label=${t(`draft.${name}`)} hint=${t(`draft.${name}.hint`, { zone: ZONE })} value=${values[name]} error=${sending.errors[name]} onInput=${(change) => {
            const value = change.currentTarget.value;
            setValues((before) => ({ ...before, [name]: value }));
        }} />`;
    return html`<form onSubmit=${submit} novalidate>
        <${FormProblem} problem=${sending.problem} shown=${["startsAt", "endsAt"]} />
        ${field("startsAt")} ${field("endsAt")}
        <${Command} call=${call} />
        <${Submit} busy=${sending.busy} back=${link(`/events/${id}/draft`, { step: "idea" })} />
    </form>`;
}

/** A job as it goes on, while it does. */
export function useJob(id) {
    const [state, setState] = useState({});
    const visible = useVisible();
    const [round, setRound] = useState(0);
    useEffect(() => {
        if (!id || !visible) {
            return undefined;
        }
        const leaving = new AbortController();
        follow(
            reads.waitJob(id),
            {
                message: (answer) => answer.job && setState({ id, job: answer.job }),
                state: () => {},
                problem: (problem) => setState({ id, problem }),
            },
            leaving.signal,
        );
        return () => leaving.abort();
    }, [id, visible, round]);
    return { ...(state.id === id ? state : {}), restart: () => setRound((before) => before + 1) };
}

export function Pictures({ job, chosen, choose }) {
    const pictures = job?.pictures ?? [];
    return html`<div class="pictures">
        ${STYLES.map((style) => {
            const picture = pictures.find((one) => one.style === style);
            const name = word("style", style);
            const figure = html`${picture
                    ? html`<${Picture} src=${webAddress(picture.jpegUrl ?? picture.pngUrl)} alt=${t("job.pictureAlt", { style: name })} />`
                    : html`<div class="picture waits"><span class="spinner" aria-hidden="true"></span></div>`}<strong>${name}</strong>`;
            return choose
                ? html`<label class=${classes("picture-choice", chosen === style && "here")}><input type="radio" name="style" value=${style} disabled=${!picture} checked=${chosen === style} onChange=${() => choose(style)} />${figure}</label>`
                : html`<figure>${figure}</figure>`;
        })}
    </div>`;
}

export function Warnings({ job }) {
    const warnings = job?.warnings ?? [];
    return (
        warnings.length > 0 &&
        html`<div class="problem warn"><${Icon} name="warn" /><div><p>${t("job.warnings")}</p><ul>${warnings.map((warning) => html`<li><bdi>${warning}</bdi></li>`)}</ul></div></div>`
    );
}

function PictureForm({ event, set: setEvent }) {
    const id = event.eventDraftId;
    const [asked, setAsked] = useState();
    const jobId = asked ?? event.imageJobId ?? "";
    const [style, setStyle] = useState(event.content && event.content.jobId === event.imageJobId ? event.content.style : "");
    const { job, problem } = useJob(jobId);
    const asking = useSending();
    const sending = useSending();
    const ask = calls.requestImages(id);
    const select = calls.selectContent(id, { jobId, style: style || undefined });
    async function request() {
        const answer = await asking.run([ask]);
        if (answer) {
            setAsked(answer.jobId);
            setStyle("");
        }
    }
    async function submit(submitted) {
        submitted.preventDefault();
        const answer = await sending.run([select]);
        if (answer) {
            setEvent(answer.event);
            go(`/events/${id}/draft`, { step: "publish" });
        }
    }
    const ready = job?.status === "COMPLETED";
    const failed = job?.status === "FAILED";
    return html`<form onSubmit=${submit} novalidate>
        <p>${t("draft.picture.text")}</p>
        <${ProblemBox} problem=${asking.problem} />
        <${ProblemBox} problem=${problem} />
        <${FormProblem} problem=${sending.problem} shown=${["style"]} />
        ${jobId &&
        html`<p class="job-line" role="status"><${Badge} kind="job" state=${job?.status ?? "PENDING"} /> <${Progress} percent=${job?.progressPercent ?? 0} label=${t("job.progress")} /> <span class="mono">${job?.progressPercent ?? 0} %</span></p>
            ${failed && html`<p class="field-error"><${Icon} name="cross" /><bdi>${job.failure}</bdi></p>`}
            <fieldset class="plain" aria-invalid=${sending.errors.style ? "true" : undefined} tabindex=${sending.errors.style ? "-1" : undefined}><legend>${t("draft.picture.choose")}</legend>
                <${Pictures} job=${job} chosen=${style} choose=${setStyle} /></fieldset>
            ${sending.errors.style && html`<p class="field-error"><${Icon} name="warn" />${sending.errors.style}</p>`}
            <${Warnings} job=${job} />`}
        <div class="buttons">
            <button type="button" class=${classes("button", !jobId && "primary")} disabled=${asking.busy || (jobId && !ready && !failed)} onClick=${request}>
                ${asking.busy && html`<span class="spinner" aria-hidden="true"></span>`}${t(jobId ? "draft.picture.again" : "draft.picture.ask")}
            </button>
        </div>
        <${Command} call=${jobId ? select : ask} />
        ${jobId && html`<${Submit} busy=${sending.busy || !ready} back=${link(`/events/${id}/draft`, { step: "period" })} />`}
    </form>`;
}

function contentOf(event) {
    return {
        title: event.title,
        prize: event.prize,
        text: event.recommendation?.summary ?? "",
        storeInfo: event.storeInfo,
        pngUrl: event.content?.pngUrl,
        jpegUrl: event.content?.jpegUrl,
    };
}

const MISSING_STEP = { objective: "idea", recommendation: "idea", content: "picture" };

function PublishForm({ event }) {
    const id = event.eventDraftId;
    const [channels, setChannels] = useState(CHANNELS);
    const [at, setAt] = useState("");
    const [asked, setAsked] = useState(false);
    const missing = missingOf(event);
    const [none, setNone] = useState(false);
    const body = { selectedChannels: channels, ...(at ? { scheduledAt: fromInput(at), timeZone: ZONE } : {}) };
    const toggle = (channel) => setChannels((before) => CHANNELS.filter((one) => (one === channel) !== before.includes(one)));
    function submit(submitted) {
        submitted.preventDefault();
        setNone(channels.length === 0);
        setAsked(channels.length > 0);
    }
    function publish(submitted) {
        submitted.preventDefault();
        startPublish(id, body);
        announce(t("live.calling"));
        go(`/events/${id}/live`);
    }
    return html`<form onSubmit=${submit} novalidate>
        ${missing.length > 0 &&
        html`<div class="problem" role="alert"><${Icon} name="warn" /><div><p>${t("draft.missing")}</p>
            <ul>${missing.map((part) => html`<li><a href=${link(`/events/${id}/draft`, { step: MISSING_STEP[part] })}>${t(`missing.${part}`)}</a></li>`)}</ul></div></div>`}
        <fieldset class="choices" aria-invalid=${none ? "true" : undefined}>
            <legend>${t("draft.channels")}</legend>
            ${CHANNELS.map(
                (channel) =>
                    html`<div class="channel-choice"><label class="choice"><input type="checkbox" name="channel" value=${channel} checked=${channels.includes(channel)} onChange=${() => toggle(channel)} /><span><strong>${channelName(channel)}</strong><span class="muted">${t(`channel.${channel}.means`)}</span></span></label>
                    ${event.content && html`<${PreviewButton} id=${id} channel=${channel} content=${contentOf(event)} />`}</div>`,
            )}
            ${none && html`<p class="field-error" role="alert"><${Icon} name="warn" />${t("draft.channels.none")}</p>`}
        </fieldset>
        <${Field} name="scheduledAt" type="datetime-local" label=${t("draft.schedule")} hint=${t("draft.schedule.hint", { zone: ZONE })} value=${at} onInput=${(change) => setAt(change.currentTarget.value)} />
        <${Submit} busy=${missing.length > 0} label=${t(at ? "draft.publishLater" : "draft.publish")} icon="live" back=${link(`/events/${id}/draft`, { step: "picture" })} />
        ${asked &&
        html`<${Dialog} title=${t("draft.publish")} onClose=${() => setAsked(false)}>
            <p>${t(at ? "draft.confirmLater" : "draft.confirm", { title: event.title, channels: channels.map(channelName).join(", "), when: at })}</p>
            <${Command} call=${calls.publish(id, body)} open=${true} />
            <div class="buttons end">
                <button type="button" class="button" onClick=${() => setAsked(false)}>${t("action.back")}</button>
                <button type="button" class="button primary" onClick=${publish}><${Icon} name="live" />${t("draft.publish")}</button>
            </div>
        <//>`}
    </form>`;
}

const FORMS = { idea: IdeaForm, period: PeriodForm, picture: PictureForm, publish: PublishForm };

function stepOf(event, asked) {
    if (FORMS[asked]) {
        return asked;
    }
    return MISSING_STEP[missingOf(event)[0]] ?? "publish";
}

export function DraftPage({ id, query }) {
    const [changed, setChanged] = useState();
    const read = usePoll(
        async (signal) => {
            if (!id) {
                return undefined;
            }
            const call = reads.event(id);
            return (await get(call.path, call.query, signal)).event;
        },
        0,
        [id],
    );
    const event = changed?.eventDraftId === id ? changed : read.data;
    const heading = useRef();
    const first = useRef(true);
    useEffect(() => setChanged(undefined), [read.data]);
    // A new step begins at its heading, with the draft as stored.
    useEffect(() => {
        if (!first.current) {
            heading.current?.focus();
            scrollTo(0, 0);
            read.refresh();
        }
        first.current = false;
    }, [query.step]);
    if (!id) {
        return html`<${Crumb} to="/events">${t("events.title")}<//><h1 tabindex="-1">${t("draft.new")}</h1>
            <${Stepper} current="details" />
            <section class="card form"><${DetailsForm} /></section>`;
    }
    if (!event || event.eventDraftId !== id) {
        return html`<${Crumb} to="/events">${t("events.title")}<//><h1 tabindex="-1">${t("draft.title")}</h1>
            ${read.problem ? html`<${ProblemBox} problem=${read.problem} retry=${read.refresh} />` : html`<${Loading} />`}`;
    }
    if (event.status !== "DRAFT") {
        return html`<${Crumb} to="/events">${t("events.title")}<//><h1 tabindex="-1"><bdi>${event.title}</bdi></h1>
            <p>${t("draft.over")} <a href=${link(`/events/${id}`)}>${t("live.event")}</a></p>`;
    }
    const step = stepOf(event, query.step);
    const Form = FORMS[step];
    return html`<${Crumb} to="/events">${t("events.title")}<//>
        <header class="heading"><div><h1 tabindex="-1"><bdi>${event.title}</bdi></h1><p class="muted"><${Badge} kind="event" state=${event.status} /> <bdi>${event.storeInfo?.name}</bdi></p></div>
            <div class="buttons"><${DeleteAction} event=${event} /></div></header>
        <${Stepper} id=${id} current=${step} event=${event} />
        <section class="card form"><h2 tabindex="-1" ref=${heading}>${t(`draft.step.${step}`)}</h2><${Form} key=${`${id} ${step}`} event=${event} set=${setChanged} /></section>`;
}
