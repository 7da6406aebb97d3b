// The timeline as a diagram and as a table; both are always there, and choosing an arrow shows all that is known of it.
import { Diagram, useFollow } from "../diagram.js";
import { classes, html, useEffect, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "../icons.js";
import { look } from "../states.js";
import { duration, exact, useFineNow } from "../time.js";
import { isOpen, lasted, offset, partyName, remark, sentence, stepName } from "../timeline.js";
import { Badge, announce } from "../ui.js";

function Steps({ entries, all, chosen, choose }) {
    const present = useFineNow(entries.some((entry) => entry.state === "UNDER_WAY"));
    return html`<div class="table-box">
        <table class="steps">
            <caption class="sr">${t("timeline.tableCaption")}</caption>
            <thead>
                <tr>
                    ${["time", "from", "step", "state", "took", "remark"].map((name) => html`<th scope="col">${t(`timeline.${name}`)}</th>`)}
                </tr>
            </thead>
            <tbody>
                ${entries.map((entry) => {
                    const took = lasted(entry, present);
                    return html`<tr key=${entry.position} class=${classes(chosen === entry.position && "chosen", `tone-${look("timelineState", entry.state).tone}`)} onClick=${() => choose(entry.position)}>
                        <td class="mono" data-label=${t("timeline.time")}><span><time title=${entry.at === undefined ? "" : exact(entry.at)}>${offset(entry, all)}</time></span></td>
                        <td data-label=${t("timeline.from")}><span>${partyName(entry.from)} <span aria-hidden="true">→</span><span class="sr">${t("timeline.to")}</span> ${partyName(entry.to)}</span></td>
                        <td data-label=${t("timeline.step")}><span>${stepName(entry)}</span></td>
                        <td data-label=${t("timeline.state")}><span><${Badge} kind="timelineState" state=${entry.state} /></span></td>
                        <td class="mono" data-label=${t("timeline.took")}><span>${took === undefined ? "" : duration(took)}</span></td>
                        <td data-label=${t("timeline.remark")}><span>${[remark(entry), entry.message].filter(Boolean).join(": ")}</span></td>
                    </tr>`;
                })}
            </tbody>
        </table>
    </div>`;
}

function Detail({ entry }) {
    const rows = [
        [t("timeline.step"), `${stepName(entry)} (${entry.step})`],
        [t("timeline.from"), `${partyName(entry.from)} → ${partyName(entry.to)}`],
        [t("timeline.began"), entry.at !== undefined && exact(entry.at)],
        [t("timeline.ended"), entry.endedAt !== undefined && exact(entry.endedAt)],
        [t("timeline.next"), entry.nextAttemptAt !== undefined && exact(entry.nextAttemptAt)],
        [t("timeline.reason"), entry.reason],
        [t("timeline.message"), entry.message],
        [t("timeline.by"), entry.by],
    ].filter(([, value]) => value);
    return html`<dl class="facts chosen-step" aria-label=${t("timeline.chosen")}>
        ${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>`;
}

/** Says to screen readers what appears and what ends, while it is followed. */
function useSpoken(entries, on) {
    const spoken = useRef();
    useEffect(() => {
        const now = new Map(entries.map((entry) => [entry.position, entry.state]));
        if (on && spoken.current) {
            const news = entries.filter((entry) => spoken.current.get(entry.position) !== entry.state).slice(-3);
            if (news.length > 0) {
                announce(news.map(sentence).join(". "));
            }
        }
        spoken.current = now;
    }, [entries]);
}

export function TimelineView({ entries, selected, follow, partly }) {
    const [chosen, setChosen] = useState();
    const [failures, setFailures] = useState(false);
    const [held, setHeld] = useState();
    const shown = held ?? entries;
    const filtered = failures ? shown.filter((entry) => entry.state === "FAILED_STEP" || entry.state === "WAITS") : shown;
    useFollow(shown.length, follow && !held);
    useSpoken(entries, !held);
    const entry = shown.find((one) => one.position === chosen);
    const failed = entries.filter((one) => one.state === "FAILED_STEP").length;
    const open = entries.filter(isOpen).length;
    const summary = t("timeline.summary", { steps: entries.length, failed, open });
    const choose = (position) => setChosen((before) => (before === position ? undefined : position));
    return html`<div class="timeline">
        <div class="toolbar">
            <p class="muted" role="status">${summary}</p>
            <span class="space"></span>
            <button type="button" class="button small" aria-pressed=${failures ? "true" : "false"} onClick=${() => setFailures(!failures)}>${t("timeline.failuresOnly")}</button>
            <button type="button" class="button small" aria-pressed=${held ? "true" : "false"} onClick=${() => setHeld(held ? undefined : entries)}>
                ${t(held ? "timeline.goOn" : "timeline.hold")}
            </button>
        </div>
        ${partly && html`<p class="problem warn" role="status"><${Icon} name="warn" />${t("timeline.partly")}</p>`}
        <${Diagram} entries=${filtered} selected=${selected} chosen=${chosen} choose=${choose} summary=${summary} />
        ${entry && html`<${Detail} entry=${entry} />`}
        <h3>${t("timeline.asTable")}</h3>
        <${Steps} entries=${filtered} all=${shown} chosen=${chosen} choose=${choose} />
    </div>`;
}
