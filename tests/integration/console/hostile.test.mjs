// Hostile text in every field is shown as text.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CONSOLE, USER, api, behave, close, heal, open, publish, readyDraft, until } from "./harness.mjs";

// Each would leave a trace if it became markup: an element, a call, a fault of the policy.
const markup = (n) => `<img src=x onerror=window.hit=${n}>"'\`\${window.hit=${n}}</textarea><script>window.hit=${n}</script>`;

before(heal);
after(heal);

/** Nothing of the texts has become an element or has run. */
async function unharmed(page) {
    assert.equal(await page.evaluate(() => window.hit), undefined);
    assert.equal(await page.evaluate(() => [...document.querySelectorAll('img[src="x"], main script, [onerror]')].length), 0);
}

test("texts of an event: list, event, draft, preview, dialogs, diagram", async () => {
    // Titles have 80 characters, names 60: each gets what fits.
    const title = `<img src=x onerror=window.hit=1><script>window.hit=1</script>'"`;
    const id = await readyDraft({
        title,
        prize: markup(2),
        storeInfo: { name: `<svg onload=window.hit=3>{{7*7}}</a>`, address: markup(4), phone: `<b onclick=hit=5>` },
        text: markup(6),
    });
    await behave("RINGO_BIZ", { mode: "fail", status: 400, error: { code: "bad", message: markup(7) } });
    const page = await open("#/events");
    await page.locator(".row .title", { hasText: title }).waitFor();
    await unharmed(page);
    await page.goto(`${page.url().split("#")[0]}#/events/${id}/draft?step=idea`);
    await until(async () => (await page.getByLabel("Text of the post").inputValue()) === markup(6), "text in its field");
    await unharmed(page);
    await publish(id, ["RINGO_BIZ", "NAVER_BLOG", "INSTAGRAM"]);
    await page.goto(`${page.url().split("#")[0]}#/events/${id}`);
    await page.locator("h1", { hasText: title }).waitFor();
    await page.locator(".facts", { hasText: "window.hit=6" }).waitFor();
    await page.locator('.delivery[data-channel="NAVER_BLOG"]').getByRole("button", { name: "Preview" }).click();
    await page.getByRole("dialog").locator(".caption").waitFor();
    await unharmed(page);
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    await page.getByRole("button", { name: "End the event" }).click();
    await page.getByRole("dialog").waitFor();
    await unharmed(page);
    await page.goto(`${page.url().split("#")[0]}#/events/${id}/live`);
    await page.locator(".diagram .arrow").first().waitFor();
    await unharmed(page);
    await close(page);
});

test("a search, an address and a user that are markup", async () => {
    const page = await open(`#/events?q=${encodeURIComponent("<img src=x onerror=window.hit=1>")}&state=${encodeURIComponent("<b>")}`);
    await page.getByText("No event matches.").or(page.getByRole("alert")).first().waitFor();
    await page.goto(`${page.url().split("#")[0]}#/${encodeURIComponent("<img src=x onerror=window.hit=2>")}`);
    await page.getByText("No such page").waitFor();
    await page.goto(`${page.url().split("#")[0]}#/events/${encodeURIComponent("../jobs?<script>")}`);
    await page.getByRole("alert").waitFor();
    await unharmed(page);
    await close(page);
});

test("an address that runs code is no link and no picture", async () => {
    const { webAddress } = await import("node:fs/promises").then(async ({ readFile }) => {
        const text = await readFile(`${CONSOLE}/html.js`, "utf8");
        const body = /export function webAddress[^]*?\n\}\n/.exec(text)[0].replace("export ", "");
        return import(`data:text/javascript,${encodeURIComponent(`${body}export { webAddress };`)}`);
    });
    for (const bad of ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "no address", ""]) {
        assert.equal(webAddress(bad), undefined, bad);
    }
    assert.equal(webAddress("https://example.com/a b"), "https://example.com/a%20b");
});

test("a note on a channel that is markup", async () => {
    await api("POST", "/api/channels/GENIE_TV/control", { action: "PAUSE", note: markup(8) }, { operator: true });
    const page = await open("#/channels", { operator: true });
    await page.locator('.channel[data-channel="GENIE_TV"]', { hasText: "window.hit=8" }).waitFor();
    await unharmed(page);
    await api("POST", "/api/channels/GENIE_TV/control", { action: "RESUME" }, { operator: true });
    await close(page);
});

test("a foreign page can do nothing with a viewer's sign-in", async () => {
    // There is no cookie, and a form or a simple request of another origin is refused.
    const simple = await fetch(`${process.env.HERALD_HTTP_URL}/api/events`, {
        method: "POST",
        headers: { "Content-Type": "text/plain", Origin: "https://evil.example" },
        body: JSON.stringify({ userId: USER, title: "x", storeInfo: { name: "x" } }),
    });
    assert.ok([403, 415].includes(simple.status), String(simple.status));
    const foreign = await fetch(`${process.env.HERALD_HTTP_URL}/api/events`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Origin: "https://evil.example" },
        body: JSON.stringify({ userId: USER, title: "x", storeInfo: { name: "x" } }),
    });
    assert.equal(foreign.status, 403);
    assert.equal(foreign.headers.get("access-control-allow-origin"), null);
});
