// What keeps a page up to date: polls and streams, both silent while the tab is hidden, both back by themselves.
import { connection, events } from "./api.js";
import { useEffect, useRef, useState } from "./html.js";

const MOST_BACKOFF_MS = 8000;

/** Waits, or ends early when the signal comes. */
export function pause(ms, signal) {
    return new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        signal?.addEventListener("abort", () => {
            clearTimeout(timer);
            resolve();
        });
    });
}

// Backoff with jitter, so that the tabs of many viewers do not come back in step.
function backoff(failures) {
    const ms = Math.min(MOST_BACKOFF_MS, 500 * 2 ** failures);
    return ms / 2 + (Math.random() * ms) / 2;
}

/** Whether the same request would fail again: the client is wrong, not the moment. */
export function isLasting(problem) {
    return problem.status >= 400 && problem.status < 500 && problem.status !== 408 && problem.status !== 429;
}

/** Whether somebody can see the page; a change draws the component again. */
export function useVisible() {
    const [visible, setVisible] = useState(!document.hidden);
    useEffect(() => {
        const look = () => setVisible(!document.hidden);
        document.addEventListener("visibilitychange", look);
        return () => document.removeEventListener("visibilitychange", look);
    }, []);
    return visible;
}

/**
 * Reads now, and again every so often while the tab is visible.
 * @param read async function of an AbortSignal
 * @param everyMs time between the end of a read and the next; 0: once
 * @param on what it depends on: a change begins anew
 * @returns { data, problem, loading, refresh }; after a failure the data stay
 */
export function usePoll(read, everyMs, on) {
    const [state, setState] = useState({ data: undefined, problem: undefined, loading: true });
    const visible = useVisible();
    const again = useRef(() => {});
    const latest = useRef(read);
    latest.current = read;
    const subject = JSON.stringify(on);
    const shown = useRef(subject);

    useEffect(() => {
        if (!visible) {
            return undefined;
        }
        if (shown.current !== subject) {
            shown.current = subject;
            setState({ data: undefined, problem: undefined, loading: true });
        }
        const leaving = new AbortController();
        let wake = () => {};
        let asked = false;
        again.current = () => {
            asked = true;
            wake();
        };
        leaving.signal.addEventListener("abort", () => wake());
        (async () => {
            let failures = 0;
            while (!leaving.signal.aborted) {
                asked = false;
                try {
                    const data = await latest.current(leaving.signal);
                    failures = 0;
                    if (!leaving.signal.aborted) {
                        setState({ data, problem: undefined, loading: false });
                    }
                } catch (problem) {
                    if (leaving.signal.aborted) {
                        return;
                    }
                    failures++;
                    setState((before) => ({ ...before, problem, loading: false }));
                }
                if (asked) {
                    continue;
                }
                const pauses = [new Promise((resolve) => (wake = resolve))];
                const ms = failures > 0 ? Math.max(backoff(failures), everyMs) : everyMs;
                if (everyMs > 0 || failures > 0) {
                    pauses.push(pause(ms, leaving.signal));
                }
                await Promise.race(pauses);
            }
        })();
        return () => leaving.abort();
    }, [visible, subject, everyMs]);

    return { ...state, refresh: () => again.current() };
}

/**
 * Follows a long poll as a stream of events, and comes back after each loss with the last version seen.
 * @param call a row of reads that waits, { path, query }
 * @param on { message(object), state("live" | "waiting" | "ended") }
 * @param signal ends it
 */
export async function follow(call, on, signal) {
    let version = "";
    let failures = 0;
    while (!signal.aborted) {
        try {
            for await (const message of events(call.path, call.query, version, signal, () => on.state("live"))) {
                failures = 0;
                if (message.id) {
                    version = message.id;
                }
                if (message.event === "end") {
                    on.state("ended");
                    return;
                }
                if (message.data) {
                    on.message(JSON.parse(message.data));
                }
            }
        } catch (problem) {
            if (signal.aborted) {
                return;
            }
            if (isLasting(problem)) {
                on.problem?.(problem);
                return;
            }
        }
        if (signal.aborted) {
            return;
        }
        on.state("waiting");
        await pause(backoff(failures++), signal);
    }
}

/** Whether anything is asked at all, for the header. */
export function useConnection() {
    const visible = useVisible();
    const [state, setState] = useState(connection.get());
    useEffect(() => connection.listen(setState), []);
    return visible ? state : "hidden";
}
