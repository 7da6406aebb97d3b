// Calls of the gateway: JSON, a bearer token, and problem+json for whatever goes wrong.
import { session, token } from "./session.js";
import { store } from "./store.js";

/** "live", "waiting" (the gateway cannot be reached) or "hidden" (nobody looks, so nothing is asked). */
export const connection = store("live");

/** Told when the gateway does not take the credential any more. */
export const refused = store(0);

/** An error of the gateway or of a server behind it; status 0: no answer came. */
export class Problem extends Error {
    constructor(status, body) {
        super(body.detail || body.title || `HTTP ${status}`);
        this.status = status;
        this.code = body.code ?? "";
        this.reason = body.reason ?? "";
        this.outcome = body.outcome ?? "";
        this.mayRepeat = Boolean(body.mayRepeat);
        this.retryAfterMs = Number(body.retryAfterMs ?? 0);
        this.fields = body.errors ?? [];
        this.callId = body.callId ?? "";
    }
}

function withQuery(path, query = {}) {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
        if (value !== undefined && value !== "" && value !== null) {
            parameters.append(name, value);
        }
    }
    const text = parameters.toString();
    return text ? `${path}?${text}` : path;
}

function headers(more) {
    const all = { Accept: "application/json", ...more };
    const credential = token();
    if (credential) {
        all.Authorization = `Bearer ${credential}`;
    }
    return all;
}

/** The Problem of an answer that did not come, or not to its end; or the signal's AbortError. */
function lost(error, signal) {
    if (signal?.aborted) {
        return error;
    }
    connection.set("waiting");
    return new Problem(0, { reason: "GATEWAY_UNREACHABLE", outcome: "MAYBE_EXECUTED", mayRepeat: true });
}

async function request(path, options) {
    let response;
    try {
        response = await fetch(path, { credentials: "omit", cache: "no-store", ...options });
    } catch (error) {
        throw lost(error, options.signal);
    }
    connection.set("live");
    if (!response.ok) {
        let body = {};
        try {
            body = await response.json();
        } catch (error) {
            if (!(error instanceof SyntaxError)) {
                throw lost(error, options.signal);
            }
            // Not one of the gateway's answers: a proxy's page. The status says enough.
        }
        if (response.status === 401 && session.get()?.authenticated) {
            refused.set(refused.get() + 1);
        }
        throw new Problem(response.status, body);
    }
    return response;
}

/**
 * Calls the gateway.
 * @param call { method, path, query, body, key }; body goes as JSON, key as Idempotency-Key
 * @param signal ends the call
 * @returns the answer's JSON
 * @throws Problem, or the signal's AbortError
 */
export async function send(call, signal) {
    const options = { method: call.method, signal, headers: headers() };
    if (call.method !== "GET" && call.method !== "DELETE") {
        options.headers["Content-Type"] = "application/json";
        options.body = JSON.stringify(call.body ?? {});
    }
    if (call.key) {
        options.headers["Idempotency-Key"] = call.key;
    }
    const response = await request(withQuery(call.path, call.query), options);
    if (response.status === 204) {
        return {};
    }
    try {
        return await response.json();
    } catch (error) {
        throw lost(error, signal);
    }
}

export function get(path, query, signal) {
    return send({ method: "GET", path, query }, signal);
}

/** Reads a text/event-stream: calls opened() once it has begun, yields { id, event, data }, and ends when the stream does. */
export async function* events(path, query, lastEventId, signal, opened) {
    const more = { Accept: "text/event-stream" };
    if (lastEventId) {
        more["Last-Event-ID"] = lastEventId;
    }
    const response = await request(withQuery(path, query), { signal, headers: headers(more) });
    opened();
    if (response.status === 204) {
        yield { event: "end" }; // it had ended before, and all of it was seen
        return;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let message = {};
    for (;;) {
        const { done, value } = await reader.read();
        if (done) {
            return;
        }
        const lines = (rest + value).split(/\r\n|\n|\r/);
        rest = lines.pop();
        for (const line of lines) {
            if (line === "") {
                if (message.event || message.data) {
                    yield message;
                }
                message = {};
            } else if (!line.startsWith(":")) {
                const colon = line.indexOf(":");
                const field = colon < 0 ? line : line.slice(0, colon);
                const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
                message[field] = field === "data" && message.data ? `${message.data}\n${text}` : text;
            }
        }
    }
}

function quote(text) {
    return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The same call with curl. The token is named, never shown. */
export function curl(call) {
    const parts = ["curl"];
    if (call.method !== "GET") {
        parts.push(`-X ${call.method}`);
    }
    parts.push(quote(location.origin + withQuery(call.path, call.query)));
    if (session.get()?.authenticated) {
        parts.push('-H "Authorization: Bearer $HERALD_TOKEN"');
    }
    if (call.key) {
        parts.push(`-H ${quote(`Idempotency-Key: ${call.key}`)}`);
    }
    if (call.method !== "GET" && call.method !== "DELETE") {
        parts.push(`-H ${quote("Content-Type: application/json")} -d ${quote(JSON.stringify(call.body ?? {}))}`);
    }
    return parts.join(" \\\n  ");
}

/** The same call with heraldctl: its own command where the call names one, else `heraldctl call`. */
export function heraldctl(call) {
    if (call.command) {
        return ["heraldctl", ...call.command.map((part) => (/^[\w@%+=:,./-]+$/.test(part) ? part : quote(part)))].join(" ");
    }
    const message = { ...call.query, ...call.body, ...call.ids };
    return `heraldctl call ${call.rpc} -d ${quote(JSON.stringify(message))}`;
}

/** A new idempotency key. */
export function newKey() {
    return crypto.randomUUID ? crypto.randomUUID() : Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("-");
}
