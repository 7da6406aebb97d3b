// Times: relative where a person reads along, exact in the viewer's zone where they look closer.
import { language, t } from "./i18n.js";
import { html, useEffect, useState } from "./html.js";
import { store, useStore } from "./store.js";

export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const now = store(Date.now());
let watchers = 0;
let timer;

function tick() {
    now.set(Date.now());
}

// One clock for all times on the page; it stands still while nobody looks.
function runClock() {
    const runs = watchers > 0 && !document.hidden;
    if (runs && timer === undefined) {
        tick();
        timer = setInterval(tick, 1000);
    } else if (!runs && timer !== undefined) {
        clearInterval(timer);
        timer = undefined;
    }
}
document.addEventListener("visibilitychange", runClock);

/** The time of day in ms, every second. */
export function useNow() {
    useEffect(() => {
        watchers++;
        runClock();
        return () => {
            watchers--;
            runClock();
        };
    }, []);
    return useStore(now);
}

/** An instant of the API, RFC 3339 with up to nine digits, as ms with fractions; undefined when there is none. */
export function instant(text) {
    if (!text) {
        return undefined;
    }
    const fraction = /\.(\d+)/.exec(text);
    const ms = Date.parse(text.replace(/\.\d+/, ""));
    return Number.isNaN(ms) ? undefined : ms + (fraction ? Number(`0.${fraction[1]}`) * 1000 : 0);
}

const UNITS = [
    ["second", 1000, 60],
    ["minute", 60_000, 60],
    ["hour", 3_600_000, 24],
    ["day", 86_400_000, 30],
    ["month", 2_592_000_000, 12],
    ["year", 31_536_000_000, Infinity],
];

export function relative(ms, from) {
    const away = ms - from;
    const [unit, size] = UNITS.find(([, size, most]) => Math.abs(away) < size * most);
    const count = Math.round(away / size);
    return new Intl.RelativeTimeFormat(language.get(), { numeric: "auto" }).format(count, unit);
}

export function exact(ms) {
    return new Intl.DateTimeFormat(language.get(), {
        dateStyle: "medium",
        timeStyle: "long",
    }).format(ms);
}

export function clockTime(ms) {
    return new Intl.DateTimeFormat(language.get(), { timeStyle: "medium" }).format(ms);
}

function unit(value, name, digits) {
    return new Intl.NumberFormat(language.get(), {
        style: "unit",
        unit: name,
        unitDisplay: "narrow",
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
    }).format(value);
}

/** A length of time, ms: "3.2ms", "1.46s", "2m 5s". */
export function duration(ms) {
    if (ms < 0.05) {
        return `<${unit(0.1, "millisecond", 1)}`;
    }
    if (ms < 10) {
        return unit(ms, "millisecond", 1);
    }
    if (ms < 999.5) {
        return unit(ms, "millisecond", 0);
    }
    if (ms < 60_000) {
        return unit(ms / 1000, "second", ms < 10_000 ? 2 : 1);
    }
    const minutes = Math.floor(ms / 60_000);
    return minutes < 60
        ? `${unit(minutes, "minute", 0)} ${unit(Math.floor((ms % 60_000) / 1000), "second", 0)}`
        : `${unit(Math.floor(minutes / 60), "hour", 0)} ${unit(minutes % 60, "minute", 0)}`;
}

/** A time: relative to read, exact on the pointer, for screen readers and in the element's datetime. */
export function Time({ at, both }) {
    const present = useNow();
    const ms = instant(at);
    if (ms === undefined) {
        return html`<span class="muted">${t("time.none")}</span>`;
    }
    return html`<time datetime=${at} title=${exact(ms)}
        >${relative(ms, present)}${both && html` <span class="muted">(${exact(ms)})</span>`}</time
    >`;
}

/** What an <input type="datetime-local"> has, in the viewer's zone, as RFC 3339; undefined when it is empty. */
export function fromInput(text) {
    const ms = text ? new Date(text).getTime() : NaN;
    return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}

/** The opposite of fromInput(). */
export function toInput(at) {
    const ms = instant(at);
    if (ms === undefined) {
        return "";
    }
    const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
    return local.toISOString().slice(0, 16);
}

/** Follows "now" more closely than a second, for what is under way; runs only while asked to. */
export function useFineNow(runs) {
    const [ms, setMs] = useState(Date.now());
    useEffect(() => {
        if (!runs) {
            return undefined;
        }
        const fine = setInterval(() => document.hidden || setMs(Date.now()), 200);
        return () => clearInterval(fine);
    }, [runs]);
    return Math.max(ms, runs ? 0 : Date.now());
}
