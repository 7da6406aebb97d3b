// Usable by keyboard, with a screen reader, on a phone, in the dark, in Korean.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { api, behave, close, draft, heal, open, publish, readyDraft, until } from "./harness.mjs";

const axe = await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
let pages;

before(async () => {
    await heal();
    await behave("GENIE_TV", { mode: "fail", status: 503 });
    await behave("WOORIDONGNE_TV", { mode: "reset_after", count: 1 });
    const published = await readyDraft({ title: "오픈 1주년, 커피 한 잔 더!" });
    publish(published).catch(() => {});
    await until(async () => {
        const { entries } = await api("GET", `/api/events/${published}/timeline?userId=u-console`);
        return entries.some((entry) => entry.state === "FAILED_STEP");
    }, "a failed step");
    const unfinished = await draft({ title: "쓰다 만 초안" });
    const ready = await readyDraft({ title: "준비된 초안" });
    const { event } = await api("GET", `/api/events/${ready}?userId=u-console`);
    pages = {
        "#/events": ".row",
        "#/new": "form",
        [`#/events/${unfinished}/draft?step=idea`]: "form",
        [`#/events/${unfinished}/draft?step=period`]: "form",
        [`#/events/${ready}/draft?step=picture`]: "img.picture",
        [`#/events/${ready}/draft?step=publish`]: "form",
        [`#/events/${published}`]: ".delivery",
        [`#/events/${published}/live`]: ".diagram .arrow",
        "#/jobs": ".job",
        [`#/jobs/${event.imageJobId}`]: "img.picture",
        "#/channels": ".channel",
        "#/unknown": "main .card",
        "#/servers": ".server",
        "#/nowhere": "h1",
    };
});
after(heal);

async function examine(page, where) {
    const results = await page.evaluate(async () => {
        const found = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] });
        return found.violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`) }));
    });
    const grave = results.filter((one) => one.impact === "serious" || one.impact === "critical");
    assert.deepEqual(grave, [], where);
}

for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing serious on any page, ${colorScheme}`, async () => {
        const page = await open("#/events", { operator: true, colorScheme });
        // By the debugger: a script in the page would break its policy.
        await page.evaluate(axe);
        for (const [hash, there] of Object.entries(pages)) {
            await page.evaluate((hash) => (location.hash = hash), hash);
            await page.locator(there).first().waitFor();
            await examine(page, hash);
        }
        await page.evaluate(() => (location.hash = "#/channels"));
        await page.getByRole("button", { name: "Pause" }).first().click();
        await page.getByRole("dialog").waitFor();
        await examine(page, "a dialog");
        await close(page);
    });
}

test("axe finds nothing serious where one signs in, in Korean", async () => {
    const page = await open("", { user: "", lang: "ko" });
    await page.evaluate(axe);
    await examine(page, "sign in");
    await close(page);
});

test("on a phone no page scrolls sideways", async () => {
    for (const lang of ["en", "ko"]) {
        const page = await open("#/events", { operator: true, lang, viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
        for (const [hash, there] of Object.entries(pages)) {
            await page.evaluate((hash) => (location.hash = hash), hash);
            await page.locator(there).first().waitFor();
            const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            assert.ok(beyond <= 0, `${hash} (${lang}): ${beyond} px too wide`);
        }
        await close(page);
    }
});

test("by keyboard alone: from signing in to a publish", async () => {
    const id = await readyDraft({ title: "키보드로 게시" });
    const page = await open(`#/events/${id}/draft?step=publish`, { user: "" });
    const press = (key) => page.keyboard.press(key);
    /** Tabs until the focus is on what has this name. */
    async function tabTo(name) {
        for (let i = 0; i < 80; i++) {
            const focused = await page.evaluate(() => {
                const element = document.activeElement;
                if (!element?.matches("a, button, input, select, textarea, summary")) {
                    return "";
                }
                return element.labels?.[0]?.textContent || element.textContent || element.ariaLabel || "";
            });
            if (name.test(focused)) {
                // Where the focus is can be seen.
                const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
                assert.notEqual(outline, "none", String(name));
                return;
            }
            await press("Tab");
        }
        assert.fail(`the focus never came to ${name}`);
    }
    await tabTo(/^User$/);
    await page.keyboard.type("u-console");
    await press("Enter");
    await page.getByRole("heading", { name: "Publish", exact: true }).waitFor();
    await tabTo(/지니TV/);
    await press("Space");
    assert.equal(await page.getByRole("checkbox", { name: /지니TV/ }).isChecked(), false);
    await tabTo(/^Publish$/);
    await press("Enter");
    await page.getByRole("dialog").waitFor();
    await press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await tabTo(/^Publish$/);
    await press("Enter");
    await page.getByRole("dialog").waitFor();
    await tabTo(/^Publish$/);
    await press("Enter");
    await page.locator(".diagram .arrow").first().waitFor();
    // The new page begins at its heading, and what happens is spoken.
    await until(() => page.evaluate(() => document.getElementById("announcements").textContent.length > 0), "something spoken");
    await close(page);
});

test("the language is switched, remembered, and named in the document", async () => {
    const page = await open("#/channels");
    await page.locator(".channel").first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
    await page.locator('select[name="language"]').selectOption("ko");
    await page.getByRole("heading", { name: "채널" }).first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), "ko");
    assert.match(await page.title(), /^채널/);
    await page.reload();
    await page.getByRole("heading", { name: "채널" }).first().waitFor();
    await page.locator('select[name="theme"]').selectOption("dark");
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.locator('select[name="theme"]').selectOption("light");
    assert.notEqual(await background(), dark);
    await close(page);
});

test("times are exact in the viewer's zone, and relative to read", async () => {
    const [published] = Object.keys(pages).filter((hash) => hash.endsWith("/live"));
    const page = await open(published.replace("/live", ""));
    const time = page.locator(".facts time").first();
    await time.waitFor();
    assert.match(await time.textContent(), /ago|now/);
    assert.match(await time.getAttribute("title"), /GMT\+9|KST/);
    assert.match(await time.getAttribute("datetime"), /^\d{4}-\d\d-\d\dT.*Z$/);
    await close(page);
});
