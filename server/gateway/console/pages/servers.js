// The servers: what works and what does not, how many calls, how quick, and which were slow or failed.
import { get } from "../api.js";
import { reads } from "../calls.js";
import { html, useRef } from "../html.js";
import { number, t } from "../i18n.js";
import { usePoll } from "../live.js";
import { duration, Time } from "../time.js";
import { Badge, Empty, Heading, Loading, ProblemBox } from "../ui.js";

const NONE = [];

function shortName(method) {
    return (method ?? "").split(".").at(-1);
}

function Methods({ server }) {
    const methods = [...(server.methods ?? [])].sort((a, b) => Number(b.calls ?? 0) - Number(a.calls ?? 0));
    if (methods.length === 0) {
        return html`<p class="muted">${t("servers.noCalls")}</p>`;
    }
    return html`<div class="table-box" tabindex="0" role="region" aria-label=${t("servers.methodsOf", { server: server.name })}>
        <table class="numbers">
            <thead><tr><th scope="col">${t("servers.method")}</th>${["calls", "errors", "p50", "p99", "inFlight"].map((name) => html`<th scope="col">${t(`servers.${name}`)}</th>`)}</tr></thead>
            <tbody>
                ${methods.map(
                    (method) => html`<tr key=${method.method}>
                        <th scope="row" title=${method.method} class="mono">${shortName(method.method)}</th>
                        <td>${number(Number(method.calls ?? 0))}</td>
                        <td class=${Number(method.errors ?? 0) > 0 ? "tone-fail strong" : ""}>${number(Number(method.errors ?? 0))}</td>
                        <td>${method.p50Ms === undefined ? "–" : duration(method.p50Ms)}</td>
                        <td>${method.p99Ms === undefined ? "–" : duration(method.p99Ms)}</td>
                        <td>${number(Number(method.inFlight ?? 0))}</td>
                    </tr>`,
                )}
            </tbody>
        </table>
    </div>`;
}

function Recent({ title, calls, slow }) {
    if (!calls || calls.length === 0) {
        return null;
    }
    return html`<details class="recent"><summary>${title} (${number(calls.length)})</summary>
        <ol>${calls.map(
            (call) => html`<li>
                <span class="mono">${shortName(call.method)}</span> ${!slow && html`<span class="tone-fail strong mono">${call.reason || call.code}</span>`}
                <span class="mono">${duration(Number(call.totalUs ?? 0) / 1000 || Number(call.totalMs ?? 0))}</span> <${Time} at=${call.endedAt} />
                ${call.message && html`<p class="muted"><bdi>${call.message}</bdi></p>`}
                <span class="muted small mono">${call.callId}</span>
            </li>`,
        )}</ol>
    </details>`;
}

/** Calls a second of each server, from one look to the next; undefined after the first. */
function useRates(servers) {
    const before = useRef(new Map());
    const rates = useRef(new WeakMap());
    if (servers !== before.current.of) {
        const now = performance.now();
        const seen = new Map();
        seen.of = servers;
        for (const server of servers) {
            const key = `${server.name} ${server.url} ${server.pid}`;
            const calls = Number(server.calls ?? 0);
            const last = before.current.get(key);
            seen.set(key, { calls, now });
            rates.current.set(server, last && now > last.now ? ((calls - last.calls) * 1000) / (now - last.now) : undefined);
        }
        before.current = seen;
    }
    return rates.current;
}

export function ServersPage() {
    const { data, problem, loading, refresh } = usePoll(async (signal) => get(reads.servers().path, {}, signal), 2000, []);
    const servers = data?.servers ?? NONE;
    const rates = useRates(servers);
    return html`<${Heading} title=${t("servers.title")} />
        <${ProblemBox} problem=${problem} retry=${refresh} />
        ${loading && html`<${Loading} />`}
        ${!loading && !problem && servers.length === 0 && html`<${Empty}><p>${t("servers.none")}</p><//>`}
        ${servers.map(
            (server) => html`<section class="card server" key=${`${server.name} ${server.url}`} data-server=${server.name}>
                <div class="delivery-head"><h2>${server.name}</h2><${Badge} kind="server" state=${server.status} />
                    <span class="muted mono small">${server.url}</span>${server.version && html`<span class="muted small">${server.version}</span>`}</div>
                <ul class="dependencies" aria-label=${t("servers.needs")}>
                    ${(server.dependencies ?? []).map((one) => html`<li><${Badge} kind="server" state=${one.status} /> <strong>${one.name}</strong> <span class="muted">${one.message}</span></li>`)}
                </ul>
                <p class="muted">${t("servers.load", { inFlight: number(Number(server.inFlight ?? 0)), perSecond: rates.get(server) === undefined ? "–" : number(rates.get(server), { maximumFractionDigits: 1 }) })}</p>
                <${Methods} server=${server} />
                <${Recent} title=${t("servers.failed")} calls=${server.recentFailed} />
                <${Recent} title=${t("servers.slow")} calls=${server.recentSlow} slow />
            </section>`,
        )}`;
}
