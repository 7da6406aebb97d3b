// The page and its filters are in the address, behind "#": a link, a reload and the Back key show the same again.
import { store } from "./store.js";

function read() {
    const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
    return {
        path: path || "/events",
        parts: (path || "/events").split("/").filter(Boolean).map(decode),
        query: Object.fromEntries(new URLSearchParams(query)),
    };
}

function decode(part) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

export const route = store(read());
window.addEventListener("hashchange", () => route.set(read()));

/** The address of a page. */
export function link(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
    const text = new URLSearchParams(given).toString();
    return `#${path}${text ? `?${text}` : ""}`;
}

export function go(path, query) {
    location.hash = link(path, query);
}

/** Changes the address in place, for filters that change with each key. */
export function replace(path, query) {
    history.replaceState(history.state, "", link(path, query));
    route.set(read());
}
