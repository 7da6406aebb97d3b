// The sequence diagram of a publish: a lifeline for each party, and an arrow for each entry of the timeline, in its order.
// All of it is SVG made here; the table beside it says the same in words.
import { classes, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { iconPath } from "./icons.js";
import { CHANNELS, look } from "./states.js";
import { duration, useFineNow } from "./time.js";
import { isOpen, lasted, offset, partyName, remark, stepName } from "./timeline.js";

const PARTIES = [
    "CALLER",
    "EVENT_SERVICE",
    "CACHE",
    "DATABASE",
    "KAFKA",
    "DISTRIBUTION_SERVICE",
    ...CHANNELS.map((channel) => `channel:${channel}`),
];
const LOOK_UPS = new Set(["LOOKED_UP", "LOADED", "RESOLVED"]);
const NARROW = 760;
const PAUSE_MS = 1500; // a longer silence between two arrows is shown as such
const TEXT_PX = 6.4; // about one Latin letter at the size of the labels

/** Where everything is: rows from above to below, lifelines from left to right. */
function layOut(entries, width) {
    const narrow = width < NARROW;
    const gutter = narrow ? 0 : 76;
    const parties = entries.some((entry) => entry.from === "PERSON" || entry.to === "PERSON") ? ["PERSON", ...PARTIES] : PARTIES;
    const step = (width - gutter - (narrow ? 16 : 0)) / parties.length; // slanted names need room at the right
    const x = Object.fromEntries(parties.map((party, i) => [party, gutter + step * (i + 0.5)]));
    let y = narrow ? 8 : 4;
    let before;
    const rows = entries.map((entry) => {
        const silence = before !== undefined && entry.at !== undefined ? entry.at - before : 0;
        before = Math.max(before ?? 0, entry.endedAt ?? 0, entry.at ?? 0) || before;
        const pauseY = silence > PAUSE_MS ? y + 13 : undefined;
        if (pauseY !== undefined) {
            y += 26;
        }
        const note = remark(entry);
        const row = { entry, note, silence, pauseY, top: y, y: y + 27, height: note ? 54 : 38 };
        y += row.height;
        return row;
    });
    return { narrow, parties, gutter, step, x, rows, height: y + 14, width };
}

function textWidth(text) {
    let width = 0;
    for (const character of text) {
        width += character.codePointAt(0) > 0x1100 ? TEXT_PX * 1.8 : TEXT_PX;
    }
    return width;
}

/** Where a text of that length begins, so that it lies near x and inside the drawing. */
function fit(x, text, layout) {
    return Math.max(layout.gutter + 2, Math.min(x, layout.width - textWidth(text) - 4));
}

function Head({ layout, used }) {
    const height = layout.narrow ? 84 : 46;
    return html`<svg class="lifeline-heads" width=${layout.width} height=${height} aria-hidden="true">
        ${layout.parties.map((party) => {
            const x = layout.x[party];
            const name = partyName(party);
            const css = classes("head", party.startsWith("channel:") && "channel", !used.has(party) && "unused");
            if (layout.narrow) {
                return html`<text class=${css} x=${x} y=${height - 8} transform=${`rotate(-62 ${x} ${height - 8})`}>${name}</text>`;
            }
            const space = name.indexOf(" ");
            const lines = space > 0 ? [name.slice(0, space), name.slice(space + 1)] : [name];
            return html`<g class=${classes(css, layout.step < 80 && "tight")}>
                <rect x=${x - layout.step / 2 + 3} y="3" width=${layout.step - 6} height=${height - 6} rx="7" />
                ${lines.map((line, i) => html`<text x=${x} y=${lines.length > 1 ? 20 + i * 14 : 27} text-anchor="middle">${line}</text>`)}
            </g>`;
        })}
    </svg>`;
}

function Arrow({ row, layout, present, first, chosen, choose }) {
    const { entry, y } = row;
    const { tone, icon } = look("timelineState", entry.state);
    const from = layout.x[entry.from] ?? layout.x.EVENT_SERVICE;
    const to = layout.x[entry.to] ?? layout.x.EVENT_SERVICE;
    const took = lasted(entry, present);
    const label = [layout.narrow && first, stepName(entry), took !== undefined && duration(took)].filter(Boolean).join(" · ");
    const leftmost = Math.min(from, to);
    const labelX = fit(from === to ? from + 8 : leftmost + 8, label, layout);
    const noteX = fit(leftmost + 24, row.note, layout);
    const direction = to >= from ? 1 : -1;
    const line =
        from === to
            ? `M${from} ${y - 5}h${layout.narrow ? 14 : 26}v10H${from + 7}`
            : `M${from} ${y}H${to - direction * 7}`;
    const head = from === to ? `M${from + 1} ${y + 5}l8 -4v8z` : `M${to} ${y}l${-direction * 9} -4.5v9z`;
    return html`<g class=${classes("arrow", `tone-${tone}`, LOOK_UPS.has(entry.step) && "look-up", chosen && "chosen")} data-position=${entry.position} data-step=${entry.step} data-channel=${entry.channel} data-state=${entry.state} onClick=${choose}>
        <rect class="hit" x="0" y=${row.top} width=${layout.width} height=${row.height} />
        ${row.pauseY !== undefined &&
        html`<text class="silence" x=${layout.gutter + (layout.width - layout.gutter) / 2} y=${row.pauseY + 4} text-anchor="middle">${`⋯ ${duration(row.silence)} ⋯`}</text>`}
        ${!layout.narrow && html`<text class="offset" x=${layout.gutter - 12} y=${y + 4} text-anchor="end">${first}</text>`}
        <path class="line" d=${line} />
        <path class="point" d=${head} />
        <circle class="origin" cx=${from} cy=${from === to ? y - 5 : y} r="3" />
        <text class="label" x=${labelX} y=${y - 8}>${label}</text>
        ${row.note &&
        html`<g class="note"
            ><path class="note-icon" d=${iconPath(icon)} transform=${`translate(${noteX - 17} ${y + 7}) scale(0.58)`} /><text
                x=${noteX}
                y=${y + 18}
                >${row.note}</text
            ></g
        >`}
    </g>`;
}

/**
 * Draws the timeline.
 * @param entries of mergeEntries()
 * @param selected channels of the event; the others' lifelines are pale
 * @param chosen position that the viewer looks at; choose(position)
 * @param summary what it shows, in words
 */
export function Diagram({ entries, selected, chosen, choose, summary }) {
    const box = useRef();
    const [width, setWidth] = useState(0);
    useLayoutEffect(() => {
        const observer = new ResizeObserver(([{ contentRect }]) => setWidth(Math.floor(contentRect.width)));
        observer.observe(box.current);
        return () => observer.disconnect();
    }, []);
    const open = entries.some((entry) => entry.state === "UNDER_WAY");
    const present = useFineNow(open);
    const layout = useMemo(() => layOut(entries, Math.max(width, 280)), [entries, width]);
    const used = useMemo(() => {
        const found = new Set(entries.flatMap((entry) => [entry.from, entry.to]));
        (selected ?? []).forEach((channel) => found.add(`channel:${channel}`));
        return found;
    }, [entries, selected]);

    return html`<div class="diagram" ref=${box}>
        ${width > 0 &&
        html`<div class="heads"><${Head} layout=${layout} used=${used} /></div>
            <svg width=${layout.width} height=${layout.height} role="img" aria-label=${summary}>
                <g aria-hidden="true">
                    ${layout.parties.map(
                        (party) =>
                            html`<line class=${classes("lifeline", !used.has(party) && "unused")} x1=${layout.x[party]} x2=${layout.x[party]} y1="0" y2=${layout.height} />`,
                    )}
                    ${layout.rows.map(
                        (row) =>
                            html`<${Arrow}
                                key=${row.entry.position}
                                row=${row}
                                layout=${layout}
                                present=${isOpen(row.entry) ? present : 0}
                                first=${offset(row.entry, entries)}
                                chosen=${chosen === row.entry.position}
                                choose=${() => choose(row.entry.position)}
                            />`,
                    )}
                </g>
            </svg>`}
        ${entries.length === 0 && html`<p class="empty">${t("timeline.empty")}</p>`}
    </div>`;
}

/** Keeps the newest arrow in sight while the viewer sees the end of the diagram; who scrolled up stays there. */
export function useFollow(count, on) {
    const atEnd = useRef(false);
    const before = useRef(0);
    useEffect(() => {
        const look = () => {
            const end = document.querySelector(".diagram")?.getBoundingClientRect().bottom;
            atEnd.current = end !== undefined && end <= innerHeight + 80;
        };
        look();
        addEventListener("scroll", look, { passive: true });
        return () => removeEventListener("scroll", look);
    }, []);
    useEffect(() => {
        const grew = before.current > 0 && count > before.current;
        before.current = count;
        if (on && grew && atEnd.current) {
            const last = document.querySelector(".diagram .arrow:last-of-type");
            last?.scrollIntoView({ block: "nearest" });
        }
    }, [count, on]);
}
