// The one place that knows the library: components write html`…`, and text in it is always text.
import { h } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { Fragment, render } from "./vendor/preact.js";
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";

export const html = htm.bind(h);

/** Joins class names; what is false is left out. */
export function classes(...names) {
    return names.filter(Boolean).join(" ");
}

/** An address that may be linked to or shown: http and https only; undefined for all others. */
export function webAddress(text) {
    try {
        const url = new URL(text);
        return url.protocol === "https:" || url.protocol === "http:" ? url.href : undefined;
    } catch {
        return undefined;
    }
}
