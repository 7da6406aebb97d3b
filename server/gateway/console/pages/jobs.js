// Jobs that make pictures: progress, the pictures side by side, what is not in them, and dead letters that may begin anew.
import { get } from "../api.js";
import { calls, reads } from "../calls.js";
import { classes, html, useState } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "../icons.js";
import { usePoll } from "../live.js";
import { link, replace } from "../router.js";
import { isOperator, session } from "../session.js";
import { useStore } from "../store.js";
import { Time } from "../time.js";
import { Action, Badge, Copy, Crumb, Empty, Heading, Loading, ProblemBox, Progress } from "../ui.js";
import { Pictures, Warnings, useJob } from "./draft.js";

const STATES = ["", "PENDING", "RUNNING", "COMPLETED", "FAILED"];
const PAGE = 20;

function RequeueAction({ job, done }) {
    return html`<${Action} small label=${t("job.requeue")} touches=${t("job.requeueTouches", { id: job.jobId })} call=${() => calls.requeue(job.jobId)} done=${done} />`;
}

export function JobsPage({ query }) {
    const known = useStore(session);
    const state = query.state ?? "";
    const dead = query.dead === "1";
    const { data, problem, loading, refresh } = usePoll(
        async (signal) => {
            const call = reads.jobs({ status: state, deadLetters: dead || undefined, pageSize: PAGE, pageToken: query.page });
            return get(call.path, call.query, signal);
        },
        query.page ? 0 : 3000,
        [state, dead, query.page, known.user],
    );
    const jobs = data?.jobs ?? [];
    const change = (part) => replace("/jobs", { state, dead: dead ? "1" : "", ...part });
    return html`<${Heading} title=${t("jobs.title")} />
        <div class="filters">
            <div class="chips" role="group" aria-label=${t("jobs.byState")}>
                ${STATES.map(
                    (one) =>
                        html`<button type="button" class=${classes("chip", !dead && state === one && "here")} aria-pressed=${!dead && state === one ? "true" : "false"} onClick=${() => change({ state: one, dead: "" })}>${t(one ? `job.${one}` : "events.all")}</button>`,
                )}
                <button type="button" class=${classes("chip", dead && "here")} aria-pressed=${dead ? "true" : "false"} onClick=${() => change({ state: "", dead: "1" })}>${t("jobs.dead")}</button>
            </div>
        </div>
        ${dead && html`<p class="muted">${t("jobs.deadMeans")}</p>`}
        <${ProblemBox} problem=${problem} retry=${refresh} />
        ${loading && html`<${Loading} />`}
        ${!loading && !problem && jobs.length === 0 && html`<${Empty}><p>${t(dead ? "jobs.noDead" : "jobs.empty")}</p><//>`}
        <ul class="cards">
            ${jobs.map(
                (job) => html`<li class="card job" key=${job.jobId} data-job=${job.jobId}>
                    <div class="job-line">
                        <${Badge} kind="job" state=${job.status} />
                        <${Progress} percent=${job.progressPercent ?? 0} label=${t("job.progress")} tone=${job.status === "FAILED" ? "fail" : job.status === "COMPLETED" ? "done" : "go"} />
                        <span class="mono">${job.progressPercent ?? 0} %</span>
                    </div>
                    <p><a class="mono" href=${link(`/jobs/${job.jobId}`)}>${job.jobId}</a></p>
                    <p class="muted small">${t("job.accepted")} <${Time} at=${job.createdAt} /> · ${t("job.attempts", { n: job.attempts ?? 0 })}${(job.warnings ?? []).length > 0 && html` · <${Icon} name="warn" />${t("job.warningCount", { n: job.warnings.length })}`}</p>
                    ${job.failure && html`<p class="field-error"><${Icon} name="cross" /><bdi>${job.failure}</bdi></p>`}
                    ${(job.pictures ?? []).length > 0 && html`<${Pictures} job=${job} />`}
                    <div class="buttons">
                        <a class="button small" href=${link(`/jobs/${job.jobId}`)}>${t("job.look")}</a>
                        ${job.deadLetter && isOperator(known) && html`<${RequeueAction} job=${job} done=${refresh} />`}
                    </div>
                </li>`,
            )}
        </ul>
        <div class="buttons">
            ${query.page && html`<button type="button" class="button" onClick=${() => change({ page: "" })}>${t("page.first")}</button>`}
            ${data?.nextPageToken && html`<button type="button" class="button" onClick=${() => change({ page: data.nextPageToken })}>${t("page.next")}</button>`}
        </div>`;
}

export function JobPage({ id }) {
    const known = useStore(session);
    const { job, problem, restart } = useJob(id);
    const [large, setLarge] = useState(false);
    return html`<${Crumb} to="/jobs">${t("jobs.title")}<//>
        <${Heading} title=${t("job.title")}>
            ${job?.deadLetter && isOperator(known) && html`<${RequeueAction} job=${job} done=${restart} />`}
        <//>
        <${ProblemBox} problem=${problem} retry=${restart} />
        ${!job && !problem && html`<${Loading} />`}
        ${job &&
        html`<section class="card">
            <p class="job-line" role="status"><${Badge} kind="job" state=${job.status} /> <${Progress} percent=${job.progressPercent ?? 0} label=${t("job.progress")} /> <span class="mono">${job.progressPercent ?? 0} %</span></p>
            ${job.failure && html`<p class="field-error"><${Icon} name="cross" /><bdi>${job.failure}</bdi></p>`}
            <div class=${classes(large && "large")}><${Pictures} job=${job} /></div>
            <button type="button" class="button small" aria-pressed=${large ? "true" : "false"} onClick=${() => setLarge(!large)}>${t("job.large")}</button>
            <${Warnings} job=${job} />
            <dl class="facts">
                <div><dt>${t("event.id")}</dt><dd class="copy-line"><code class="mono">${job.jobId}</code><${Copy} text=${job.jobId} /></dd></div>
                <div><dt>${t("job.event")}</dt><dd><a class="mono" href=${link(`/events/${job.eventDraftId}`)}>${job.eventDraftId}</a></dd></div>
                <div><dt>${t("job.accepted")}</dt><dd><${Time} at=${job.createdAt} both /></dd></div>
                <div><dt>${t("job.changed")}</dt><dd><${Time} at=${job.updatedAt} both /></dd></div>
                <div><dt>${t("job.attemptsName")}</dt><dd>${job.attempts ?? 0}</dd></div>
            </dl>
        </section>`}`;
}
