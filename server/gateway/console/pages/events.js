// A user's events, newest first: pages by key, loaded as the viewer scrolls, and only the rows in sight are drawn.
import { get } from "../api.js";
import { reads } from "../calls.js";
import { classes, html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { number, t } from "../i18n.js";
import { Icon } from "../icons.js";
import { pause, usePoll, useVisible } from "../live.js";
import { link, replace } from "../router.js";
import { chooseUser, session } from "../session.js";
import { useStore } from "../store.js";
import { Time } from "../time.js";
import { Badge, Dots, Empty, Heading, Loading, ProblemBox, TextField } from "../ui.js";

const STATES = ["", "DRAFT", "APPROVED", "ACTIVE", "ENDED"];
const PAGE = 100;
const LOOK_MS = 5000;
const SCROLL_MS = 150;
const BEYOND = 8; // rows that are drawn above and below those in sight
const SOON = 25; // rows before the end at which the next page is loaded

// The list as it was left, so that Back finds it again; one is enough.
let left = { key: "" };

/** Loads a filter's events page by page. */
function useEventList(filter) {
    const key = JSON.stringify(filter);
    const [state, setState] = useState(left.key === key ? left.state : { items: [], next: "", loading: true });
    const visible = useVisible();
    const busy = useRef(false);
    const latest = useRef(state);
    latest.current = state;
    const pages = useRef(left.pages ?? new Map()); // an event's id to the token of its page
    const firsts = useRef(new Set()); // ids of the first page
    const second = useRef(""); // the page after it: new events push others onto it

    /** The token of the page on which an event was found; "" of the first. */
    function pageOf(id) {
        return firsts.current.has(id) ? "" : (pages.current.get(id) ?? second.current);
    }

    /** Reads a page again: what is known of its events is brought up to date in place. */
    async function readAgain(token, signal) {
        const answer = await read(token, signal);
        const now = new Map((answer.events ?? []).map((event) => [event.eventDraftId, event]));
        setState((before) => (before.key === key ? { ...before, items: before.items.map((event) => now.get(event.eventDraftId) ?? event) } : before));
    }

    function read(token, signal) {
        const call = reads.events({ status: filter.status, query: filter.query, pageSize: PAGE, pageToken: token });
        return get(call.path, call.query, signal);
    }

    async function more() {
        if (busy.current || !latest.current.next) {
            return;
        }
        busy.current = true;
        try {
            const token = latest.current.next;
            const answer = await read(token);
            (answer.events ?? []).forEach((event) => pages.current.set(event.eventDraftId, token));
            setState((before) =>
                before.key === key ? { ...before, items: [...before.items, ...(answer.events ?? [])], next: answer.nextPageToken ?? "" } : before,
            );
        } catch (problem) {
            setState((before) => ({ ...before, problem }));
        }
        busy.current = false;
    }

    // The first page is read again and again: new events come in front, changed ones in place.
    useEffect(() => {
        if (!visible) {
            return undefined;
        }
        const leaving = new AbortController();
        let timer;
        async function look() {
            try {
                const answer = await read("", leaving.signal);
                const first = answer.events ?? [];
                firsts.current = new Set(first.map((event) => event.eventDraftId));
                second.current = answer.nextPageToken ?? "";
                setState((before) => {
                    if (before.key !== key) {
                        return { key, items: first, next: answer.nextPageToken ?? "", loading: false };
                    }
                    // What stood before the first page's last event and is not on it is gone, or has left the filter.
                    const last = before.items.findIndex((event) => event.eventDraftId === first.at(-1)?.eventDraftId);
                    const rest = last < 0 ? [] : before.items.slice(last + 1);
                    const next = rest.length > 0 ? before.next : (answer.nextPageToken ?? "");
                    return { ...before, items: [...first, ...rest], next, loading: false, problem: undefined };
                });
            } catch (problem) {
                if (leaving.signal.aborted) {
                    return;
                }
                setState((before) => (before.key === key ? { ...before, problem, loading: false } : { key, items: [], next: "", problem }));
            }
            timer = setTimeout(look, LOOK_MS);
        }
        const soon = setTimeout(look, state.key && state.key !== key ? 150 : 0);
        return () => {
            leaving.abort();
            clearTimeout(soon);
            clearTimeout(timer);
        };
    }, [key, visible]);

    useEffect(() => () => {
        left = { key: latest.current.key, state: latest.current, scroll: left.scroll, pages: pages.current };
    }, []);
    return { ...state, stale: state.key !== key, more, pageOf, readAgain };
}

/**
 * Reads the pages of the rows in sight again and again, but the first, which is read anyway: how deliveries stand changes
 * there too.
 */
function usePagesInSight(events, inSight) {
    const tokens = [...new Set(inSight.map((event) => events.pageOf(event.eventDraftId)))].filter(Boolean);
    usePoll(
        async (signal) => {
            await pause(SCROLL_MS, signal); // who scrolls past does not ask
            for (const token of tokens) {
                await events.readAgain(token, signal);
            }
        },
        tokens.length > 0 ? LOOK_MS : 0,
        tokens,
    );
}

/** Which rows of a list are in sight of the window. */
function useSight(count, list) {
    const [sight, setSight] = useState({ from: 0, to: 30, height: 64 });
    useLayoutEffect(() => {
        let frame;
        const look = () => {
            frame = undefined;
            if (!list.current) {
                return;
            }
            const height = parseFloat(getComputedStyle(list.current).getPropertyValue("--row")) || 64;
            const top = -list.current.getBoundingClientRect().top;
            const from = Math.max(0, Math.min(count - 1, Math.floor(top / height) - BEYOND));
            const to = Math.min(count, Math.ceil((top + innerHeight) / height) + BEYOND);
            setSight((before) => (before.from === from && before.to === to && before.height === height ? before : { from, to, height }));
        };
        const soon = () => (frame ??= requestAnimationFrame(look));
        look();
        addEventListener("scroll", soon, { passive: true });
        addEventListener("resize", soon);
        return () => {
            cancelAnimationFrame(frame);
            removeEventListener("scroll", soon);
            removeEventListener("resize", soon);
        };
    }, [count]);
    return sight;
}

/** How the deliveries of an event stand, as the dots want it. */
function standing(event) {
    return (event.deliveries ?? []).map(({ channel, state, attempted }) => ({ channel, state, attempts: attempted ? 1 : 0 }));
}

function Row({ event, index }) {
    const draft = event.status === "DRAFT";
    return html`<li class="row" aria-posinset=${index + 1} aria-setsize="-1">
        <a href=${link(`/events/${event.eventDraftId}${draft ? "/draft" : ""}`)}>
            <span class="title"><bdi>${event.title}</bdi><span class="muted"><bdi>${event.storeInfo?.name}</bdi></span></span>
            <${Badge} kind="event" state=${event.status} />
            <${Dots} results=${standing(event)} selected=${event.selectedChannels} />
            <span class="when"><${Time} at=${event.updatedAt ?? event.createdAt} /></span>
        </a>
    </li>`;
}

/** Operators whose token names no user say whose events they want to see. */
function ChooseUser() {
    const [user, setUser] = useState("");
    return html`<${Heading} title=${t("events.title")} />
        <form class="card form" onSubmit=${(event) => {
            event.preventDefault();
            chooseUser(user.trim());
        }}>
            <p>${t("events.whose")}</p>
            <${TextField} label=${t("signin.user")} hint=${t("signin.userHint")} name="user" value=${user} set=${setUser} />
            <button type="submit" class="button primary">${t("events.show")}</button>
        </form>`;
}

export function EventsPage({ query }) {
    const known = useStore(session);
    return known.user ? html`<${EventList} key=${known.user} query=${query} known=${known} />` : html`<${ChooseUser} />`;
}

function EventList({ query, known }) {
    const filter = { user: known.user, status: query.state ?? "", query: query.q ?? "" };
    const events = useEventList(filter);
    const list = useRef();
    const sight = useSight(events.items.length, list);
    const inSight = events.items.slice(sight.from, sight.to);
    usePagesInSight(events, inSight);
    const [text, setText] = useState(filter.query);

    useEffect(() => {
        if (events.items.length > 0 && sight.to > events.items.length - SOON) {
            events.more();
        }
    }, [sight.to, events.items.length]);
    useLayoutEffect(() => {
        if (left.scroll && left.key === JSON.stringify(filter)) {
            setTimeout(scrollTo, 0, 0, left.scroll); // after the shell has gone to the top of the new page
        }
        return () => {
            left.scroll = scrollY;
        };
    }, []);

    function change(part) {
        const next = { state: filter.status, q: filter.query, ...part };
        scrollTo(0, 0);
        replace("/events", next);
    }

    const none = !events.loading && !events.stale && events.items.length === 0 && !events.problem;
    return html`<${Heading} title=${t("events.title")}>
            <a class="button primary" href=${link("/new")}><${Icon} name="plus" />${t("nav.new")}</a>
        <//>
        <div class="filters">
            <label class="search"
                ><span class="sr">${t("events.search")}</span><${Icon} name="search" /><input
                    type="search"
                    name="q"
                    maxlength="80"
                    placeholder=${t("events.search")}
                    value=${text}
                    onInput=${(event) => {
                        setText(event.currentTarget.value);
                        change({ q: event.currentTarget.value.trim() });
                    }}
            /></label>
            <div class="chips" role="group" aria-label=${t("events.byState")}>
                ${STATES.map(
                    (state) =>
                        html`<button type="button" class=${classes("chip", filter.status === state && "here")} aria-pressed=${filter.status === state ? "true" : "false"} onClick=${() => change({ state })}>
                            ${t(state ? `event.${state}` : "events.all")}
                        </button>`,
                )}
            </div>
        </div>
        <${ProblemBox} problem=${events.problem} />
        ${events.loading && events.items.length === 0 && !events.problem && html`<${Loading} />`}
        ${none &&
        html`<${Empty}>
            <p>${t(filter.status || filter.query ? "events.noMatch" : "events.empty")}</p>
            ${!filter.status && !filter.query && html`<a class="button primary" href=${link("/new")}>${t("nav.new")}</a>`}
        <//>`}
        ${events.items.length > 0 &&
        html`<div class="list-head" aria-hidden="true">
                <span>${t("events.event")}</span><span>${t("events.state")}</span><span>${t("events.channels")}</span><span>${t("events.changed")}</span>
            </div>
            <ul
                class="rows"
                ref=${list}
                aria-label=${t("events.title")}
                aria-busy=${events.stale ? "true" : "false"}
                style=${{ paddingTop: `${sight.from * sight.height}px`, paddingBottom: `${Math.max(0, events.items.length - sight.to) * sight.height}px` }}
            >
                ${inSight.map(
                    (event, i) =>
                        html`<${Row} key=${event.eventDraftId} event=${event} index=${sight.from + i} />`,
                )}
            </ul>
            <p class="muted count" role="status">
                ${events.next ? t("events.loaded", { count: number(events.items.length) }) : t("events.total", { n: events.items.length })}
                ${events.next && html` <button type="button" class="button small" onClick=${events.more}>${t("events.more")}</button>`}
            </p>`}`;
}
