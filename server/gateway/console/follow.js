// One event as it changes: the event, its deliveries and its timeline, from a stream that comes back after every loss.
import { get, send, newKey } from "./api.js";
import { calls, reads } from "./calls.js";
import { useEffect, useRef, useState } from "./html.js";
import { follow, isLasting, pause, useVisible } from "./live.js";
import { store } from "./store.js";
import { mergeEntries } from "./timeline.js";

const LOOK_AGAIN_MS = 4000; // at an event to which nothing happens by itself: a person may act elsewhere
const DUE_SLACK_MS = 100;
const OVERDUE_MS = 800;
const MOST_TIMER_MS = 3_600_000;
const MOST_REPEATS = 8;
const FULL_ANSWER = 1000; // entries: there are more

/** Publishes under way or made in this tab: event id to { startedAt, endedAt, answer, problem }. */
export const publishes = store(new Map());

function note(id, part) {
    const all = new Map(publishes.get());
    all.set(id, { ...all.get(id), ...part });
    publishes.set(all);
}

/** Begins a publish and goes on at once; a call whose answer is lost is repeated under the same key, so it happens once. */
export async function startPublish(id, body) {
    const call = { ...calls.publish(id, body), key: newKey() };
    note(id, { startedAt: Date.now(), endedAt: undefined, answer: undefined, problem: undefined, repeats: 0 });
    for (let repeats = 0; ; repeats++) {
        try {
            note(id, { answer: await send(call), endedAt: Date.now() });
            return;
        } catch (problem) {
            if (!problem.mayRepeat || repeats >= MOST_REPEATS) {
                note(id, { problem, endedAt: Date.now() });
                return;
            }
            note(id, { repeats: repeats + 1 });
            await pause(problem.retryAfterMs || Math.min(4000, 400 * 2 ** repeats));
        }
    }
}

/**
 * Follows an event while the tab is visible.
 * @returns { event, results, entries, settled, partly, state, problem, restart }; state: "live", "waiting" or "ended";
 *     partly: what the distribution service knows is missing
 */
export function useEvent(id) {
    const [shown, setShown] = useState({ id, entries: [] });
    const [state, setState] = useState("live");
    const [round, setRound] = useState(0);
    const visible = useVisible();
    const entries = useRef([]);
    const resume = useRef("0");
    const publishing = useRef(false);
    useEffect(() => {
        const look = (all) => {
            const made = all.get(id);
            publishing.current = Boolean(made && !made.endedAt);
        };
        look(publishes.get());
        return publishes.listen(look);
    }, [id]);

    useEffect(() => {
        if (!visible) {
            return undefined;
        }
        const leaving = new AbortController();
        const { signal } = leaving;
        if (shown.id !== id) {
            entries.current = [];
            resume.current = "0";
            setShown({ id, entries: [] });
        }
        let reading = false;
        let wanted = false;
        let timer;
        // A retry that begins changes no version: the timeline is read again when its time has come, and after a failed read.
        function readWhenDue(atOnce) {
            const due = atOnce ? Date.now() : Math.min(...entries.current.filter((entry) => entry.state === "WAITS" && entry.nextAttemptAt).map((entry) => entry.nextAttemptAt));
            clearTimeout(timer);
            if (due < Infinity) {
                timer = setTimeout(readTimeline, Math.min(Math.max(due - Date.now() + DUE_SLACK_MS, OVERDUE_MS), MOST_TIMER_MS));
            }
        }
        // One read at a time; changes that come meanwhile need one more, however many they are.
        async function readTimeline() {
            wanted = true;
            if (reading) {
                return;
            }
            reading = true;
            try {
                while (wanted && !signal.aborted) {
                    wanted = false;
                    const after = resume.current;
                    const call = reads.timeline(id, after);
                    const answer = await get(call.path, call.query, signal);
                    entries.current = mergeEntries(entries.current, answer.entries ?? [], after);
                    resume.current = String(answer.resumePosition ?? "0");
                    wanted ||= (answer.entries ?? []).length >= FULL_ANSWER;
                    const part = { entries: entries.current, settled: Boolean(answer.settled), partly: Boolean(answer.deliveriesMissing) };
                    setShown((before) => ({ ...before, id, ...part }));
                }
            } catch (problem) {
                wanted = !signal.aborted && !isLasting(problem);
                if (!signal.aborted && !wanted) {
                    setShown((before) => ({ ...before, id, problem }));
                }
            }
            reading = false;
            if (!signal.aborted) {
                readWhenDue(wanted);
            }
        }
        (async () => {
            readTimeline();
            while (!signal.aborted) {
                let failed = false;
                await follow(
                    reads.waitEvent(id),
                    {
                        message(answer) {
                            setShown((before) => ({
                                ...before,
                                id,
                                event: answer.event ?? before.event,
                                results: answer.deliveriesMissing ? before.results : (answer.distributionResults ?? []),
                                problem: undefined,
                            }));
                            readTimeline();
                        },
                        state: (now) => !signal.aborted && setState(now),
                        problem(problem) {
                            failed = true;
                            setShown((before) => ({ ...before, id, problem }));
                        },
                    },
                    signal,
                );
                if (failed) {
                    return;
                }
                readTimeline();
                await pause(publishing.current ? 150 : LOOK_AGAIN_MS, signal);
            }
        })();
        return () => {
            leaving.abort();
            clearTimeout(timer);
        };
    }, [id, visible, round]);

    const current = shown.id === id ? shown : { id, entries: [] };
    return { ...current, state, restart: () => setRound((before) => before + 1) };
}
