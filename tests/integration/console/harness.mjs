// What all tests of the console share: one Chromium, pages that are signed in and watched, the API and the fake channels.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { after } from "node:test";
import { chromium } from "playwright-core";

export const BASE = process.env.HERALD_HTTP_URL;
export const FAKES = process.env.HERALD_CHANNELS_URL;
export const USER = process.env.HERALD_CONSOLE_USER;
export const OPERATOR = process.env.HERALD_OPERATOR_TOKEN;
/** The token of whoever calls the API where each call needs one; empty: none does. */
export const CALLER = process.env.HERALD_CALLER_TOKEN ?? "";
export const ROOT = process.env.HERALD_ROOT;
export const CONSOLE = path.join(ROOT, "server/gateway/console");
export const CHANNELS = ["WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV", "INSTAGRAM", "NAVER_BLOG", "KAKAO_CHANNEL"];
export const PATIENCE_MS = Number(process.env.HERALD_PATIENCE_MS ?? 60_000); // a machine that builds at the same time is slow
export const run = promisify(execFile);

const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
after(() => browser.close());

/**
 * A page of its own, signed in. Whatever breaks the policy for content, throws, or logs an error ends up in page.faults.
 * @param options of a browser's context, with operator (or the token to sign in with), user, lang ("en", "ko"), base: the gateway
 */
export async function open(hash = "#/events", { operator = false, token = operator ? OPERATOR : "", user = USER, lang = "en", base = BASE, ...options } = {}) {
    const context = await browser.newContext({
        viewport: { width: 1280, height: 900 },
        locale: lang === "ko" ? "ko-KR" : "en-GB",
        timezoneId: "Asia/Seoul",
        ...options,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    await context.addInitScript(
        ([user, token, lang]) => {
            if ((user || token) && !sessionStorage.getItem("herald.seen")) {
                sessionStorage.setItem("herald.seen", "1");
                sessionStorage.setItem("herald.user", user);
                if (token) {
                    sessionStorage.setItem("herald.token", token);
                }
            }
            if (!localStorage.getItem("herald.language")) {
                localStorage.setItem("herald.language", lang);
            }
            window.faults = [];
            document.addEventListener("securitypolicyviolation", (event) => window.faults.push(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
        },
        [user, token, lang],
    );
    const page = await context.newPage();
    page.faults = [];
    page.on("pageerror", (error) => page.faults.push(error.stack));
    page.on("console", (message) => {
        // What the network refuses is tested by what the page shows of it.
        if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
            page.faults.push(message.text());
        }
    });
    await page.goto(`${base}/${hash}`);
    await page.locator("h1").waitFor();
    return page;
}

/** Closes a page after saying that nothing broke in it. */
export async function close(page) {
    const violations = await page.evaluate(() => window.faults);
    assert.deepEqual([...page.faults, ...violations], []);
    await page.context().close();
}

/** Calls the API as a program would. */
export async function api(method, where, body, { operator = false, token = operator ? OPERATOR : CALLER, base = BASE } = {}) {
    const response = await fetch(base + where, {
        method,
        headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
        body: body && JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${where}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : {};
}

/** What a fake channel does with the requests that come. */
export async function behave(channel, behaviour) {
    const response = await fetch(`${FAKES}/behaviour/${channel}`, { method: "PUT", body: JSON.stringify(behaviour) });
    assert.ok(response.ok, await response.text());
}

/** All channels as they are without a behaviour, and nothing paused. */
export async function heal() {
    for (const channel of CHANNELS) {
        await behave(channel, { mode: "ok" });
        await api("POST", `/api/channels/${channel}/control`, { action: "BREAKER_AUTOMATIC" }, { operator: true });
        await api("POST", `/api/channels/${channel}/control`, { action: "RESUME" }, { operator: true });
    }
    // Kakao takes no advertising at night: tests run at noon.
    await fetch(`${FAKES}/kakao/clock`, { method: "PUT", body: JSON.stringify({ kst: "12:00" }) });
}

/** Waits until look() gives something true, and returns it. */
export async function until(look, what) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
        const found = await look();
        if (found) {
            return found;
        }
        assert.ok(Date.now() < end, `waited in vain: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

/** A draft with everything but a picture: a picture may be chosen by the draft of its own job only. */
export async function draft({ title = "봄맞이 감사 이벤트", user = USER, text = "처음 오신 분께 아메리카노 한 잔을 드려요.", ...more } = {}) {
    const { event } = await api("POST", "/api/events", {
        userId: user,
        title,
        prize: "아메리카노 1잔",
        brandColor: "#2B6CB0",
        storeInfo: { name: "모퉁이 카페", address: "서울 마포구 연남로 12", phone: "02-123-4567" },
        ...more,
    });
    const id = event.eventDraftId;
    await api("PUT", `/api/events/${id}/objective`, { userId: user, objective: "NEW_CUSTOMERS" });
    await api("PUT", `/api/events/${id}/recommendation`, {
        userId: user,
        recommendation: { recommendationId: "r-1", title: "첫 방문 쿠폰", summary: text },
    });
    return id;
}

/** A draft that can be published. */
export async function readyDraft(options = {}) {
    const id = await draft(options);
    const user = options.user ?? USER;
    const { jobId } = await api("POST", `/api/events/${id}/content-generation`, { userId: user });
    await until(async () => (await api("GET", `/api/jobs/${jobId}`)).job.status === "COMPLETED", "pictures");
    await api("PUT", `/api/events/${id}/content`, { userId: user, jobId, style: "TRENDY" });
    return id;
}

/** Publishes and does not wait for the answer: it comes, or the test has ended. */
export function publish(id, channels = CHANNELS, user = USER, options = {}) {
    return api("POST", `/api/events/${id}/publish`, { userId: user, selectedChannels: channels }, options);
}

export async function source(name) {
    return readFile(path.join(CONSOLE, name), "utf8");
}

/** The arrows of the diagram on a page: { step, channel, state }. */
export function arrows(page) {
    return page.$$eval(".diagram .arrow", (all) => all.map((arrow) => ({ ...arrow.dataset })));
}

