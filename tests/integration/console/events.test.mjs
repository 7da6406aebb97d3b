// Ten thousand events, listed and searched without a stutter.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { PATIENCE_MS, api, close, draft, open, run, until } from "./harness.mjs";

const COUNT = 10_000;
const JUMPS = 20;
const MOST_JUMP_MS = 200;
const CROWD = `u-crowd-${Date.now()}`;

// One draft made by the API, the others copied from it, a second older each.
before(async () => {
    const id = await draft({ title: "봄맞이 이벤트 0", user: CROWD });
    const columns = (await run("psql", [process.env.HERALD_PG_DSN, "-qAtc", "SELECT string_agg(column_name, ',') FROM information_schema.columns WHERE table_name = 'event_drafts' AND is_generated = 'NEVER' AND column_name NOT IN ('id', 'title', 'created_at', 'updated_at')"])).stdout.trim();
    const statement = `INSERT INTO event_drafts (id, title, created_at, updated_at, ${columns})
        SELECT gen_random_uuid(), '봄맞이 이벤트 ' || n, created_at - n * interval '1 second', updated_at - n * interval '1 second', ${columns}
        FROM event_drafts, generate_series(1, ${COUNT - 1}) AS n WHERE id = '${id}'`;
    await run("psql", [process.env.HERALD_PG_DSN, "-qc", statement]);
});

test("10,000 events are listed smoothly: few rows are drawn, and a jump costs little", async (t) => {
    const page = await open("#/events", { user: CROWD });
    await page.locator(".row").first().waitFor();
    // Somebody who scrolls down without a rest, through a hundred pages.
    await page.evaluate(() => {
        window.drawn = 0;
        window.scrolling = setInterval(() => {
            scrollTo(0, document.documentElement.scrollHeight);
            window.drawn = Math.max(window.drawn, document.querySelectorAll(".row").length);
        }, 20);
    });
    await page.getByText(`${COUNT.toLocaleString("en")} events`, { exact: true }).waitFor({ timeout: 3 * PATIENCE_MS });
    const drawn = await page.evaluate(() => (clearInterval(window.scrolling), scrollTo(0, document.documentElement.scrollHeight), window.drawn));
    await page.locator(".row", { hasText: /^봄맞이 이벤트 9999/ }).waitFor();
    assert.ok(drawn < 80, `${drawn} rows at once`);
    const last = await page.locator(".row").last().getAttribute("aria-posinset");
    assert.equal(Number(last), COUNT);
    // With all of them loaded, a jump costs little: CPU time of the page's thread, whatever else the machine does.
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const spent = async () => (await session.send("Performance.getMetrics")).metrics.find((one) => one.name === "TaskDuration").value * 1000;
    const before = await spent();
    await page.evaluate(async (jumps) => {
        for (let i = 0; i < jumps; i++) {
            scrollTo(0, (document.documentElement.scrollHeight * ((i * 7) % jumps)) / jumps);
            await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        }
    }, JUMPS);
    const each = ((await spent()) - before) / JUMPS;
    t.diagnostic(`a jump: ${each.toFixed(1)} ms of CPU time`);
    assert.ok(each > 0 && each < MOST_JUMP_MS, `a jump took ${each} ms`);
    await close(page);
});

test("what changes beyond the first page is seen while its rows are in sight", async () => {
    const page = await open("#/events", { user: CROWD });
    await page.locator(".row").first().waitFor();
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    const row = page.locator('.row[aria-posinset="104"]'); // drawn as soon as it is loaded
    await row.waitFor();
    const id = (await row.locator("a").getAttribute("href")).split("/")[2];
    const statement = `INSERT INTO distributions (id, event_id, owner, channels, content, expires_at)
        VALUES (gen_random_uuid(), '${id}', '${CROWD}', '{INSTAGRAM}', '', now());
        INSERT INTO deliveries (event_id, channel, state, settled, attempts, expires_at)
        VALUES ('${id}', 'INSTAGRAM', 'PUBLISHED', true, 1, now())`;
    await run("psql", [process.env.HERALD_PG_DSN, "-v", "ON_ERROR_STOP=1", "-qc", statement]);
    await until(async () => /Instagram: Published/.test(await row.locator(".dots").getAttribute("aria-label")), "the dot");
    await close(page);
});

test("the list is where it was after Back, and a new event comes in front", async () => {
    const page = await open("#/events", { user: CROWD });
    await page.locator(".row").first().waitFor();
    await page.evaluate(() => scrollTo(0, 3000));
    const row = page.locator('.row[aria-posinset="52"] a');
    await row.waitFor();
    await row.click();
    await page.locator(".stepper").waitFor();
    await page.goBack();
    await row.waitFor();
    assert.ok((await page.evaluate(() => scrollY)) > 1500);
    await page.evaluate(() => scrollTo(0, 0));
    const { event } = await api("POST", "/api/events", { userId: CROWD, title: "방금 만든 이벤트", storeInfo: { name: "가게" } });
    await page.locator(`.row a[href^="#/events/${event.eventDraftId}"]`).waitFor();
    await api("DELETE", `/api/events/${event.eventDraftId}?userId=${CROWD}`);
    await page.locator(`.row a[href^="#/events/${event.eventDraftId}"]`).waitFor({ state: "detached" });
    await close(page);
});

test("a search finds one of 10,000", async () => {
    const page = await open("#/events", { user: CROWD });
    await page.getByRole("searchbox").fill("이벤트 7777");
    await page.getByText("1 event", { exact: true }).waitFor();
    await page.locator(".row", { hasText: "봄맞이 이벤트 7777" }).waitFor();
    await close(page);
});
