// From the draft to the publish in the browser, and the publish seen as it happens.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CHANNELS, arrows, behave, close, heal, open, publish, readyDraft, run, until } from "./harness.mjs";

before(heal);
after(heal);

test("draft to publish in the browser, with the servers' field errors beside the fields", async () => {
    const page = await open("#/new");
    await page.getByRole("button", { name: "Create the draft" }).click();
    const title = page.getByLabel(/^Title/);
    const error = page.locator(".field", { has: title }).locator(".field-error");
    await error.waitFor();
    assert.match(await error.textContent(), /Must be filled in/);
    assert.equal(await title.getAttribute("aria-invalid"), "true");
    assert.ok((await title.getAttribute("aria-describedby")).includes((await error.getAttribute("id"))));
    assert.ok(await title.evaluate((input) => input === document.activeElement));
    await page.locator(".field", { has: page.getByLabel(/^Name on the sign/) }).locator(".field-error").waitFor();

    await title.fill("ㄱ".repeat(81));
    await page.getByLabel(/^Name on the sign/).fill("모퉁이 카페");
    await page.getByLabel("Brand colour", { exact: true }).fill("blue");
    await page.getByRole("button", { name: "Create the draft" }).click();
    await page.getByText(/Is too long/).waitFor();
    await page.locator(".field", { has: page.getByLabel("Brand colour", { exact: true }) }).locator(".field-error").waitFor();
    await title.fill("가을 감사 이벤트");
    await page.getByLabel("Brand colour", { exact: true }).fill("#8A3B12");
    await page.getByRole("button", { name: "Create the draft" }).click();

    await page.getByRole("heading", { name: "Idea" }).waitFor();
    await page.getByRole("button", { name: "Save and go on" }).click();
    await page.locator(".choices .field-error").waitFor();
    await page.getByText("Bring customers back").click();
    await page.getByLabel(/^Idea, in a line/).fill("두 번째 방문 쿠폰");
    await page.getByLabel("Text of the post").fill("다시 오신 분께 쿠키를 드려요.");
    await page.getByRole("button", { name: "Save and go on" }).click();

    await page.getByRole("heading", { name: "Period" }).waitFor();
    await page.getByLabel("Ends").fill("2001-01-01T10:00");
    await page.getByRole("button", { name: "Save and go on" }).click();
    await page.locator(".field", { has: page.getByLabel("Ends") }).locator(".field-error").waitFor();
    await page.getByLabel("Ends").fill(`${new Date().getFullYear() + 1}-01-01T10:00`);
    await page.getByRole("button", { name: "Save and go on" }).click();

    await page.getByRole("button", { name: "Make pictures" }).click();
    await until(() => page.getByRole("radio", { name: "Fancy" }).isEnabled(), "pictures");
    await page.getByRole("radio", { name: "Fancy" }).check();
    await until(() => page.getByRole("button", { name: "Save and go on" }).isEnabled(), "job completed");
    await page.getByRole("button", { name: "Save and go on" }).click();

    await page.getByRole("heading", { name: "Publish", exact: true }).waitFor();
    await page.getByRole("checkbox", { name: /지니TV/ }).uncheck();
    await page.getByRole("button", { name: "Preview" }).first().click();
    await page.getByRole("dialog").locator(".caption").getByText("쿠키").first().waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    const dialog = page.getByRole("dialog");
    assert.match(await dialog.textContent(), /“가을 감사 이벤트” is published now to 우리동네TV, 링고비즈, Instagram, Naver Blog, Kakao Channel/);
    await dialog.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByText(/Answered after .*: Active\./).waitFor();
    assert.equal(await page.locator(".strip li").count(), CHANNELS.length - 1);
    await close(page);
});

test("a publish is seen while it runs: arrows appear while the call is in work", async () => {
    await behave("INSTAGRAM", { mode: "slow", step: "media_publish", delayMs: 6000 });
    const id = await readyDraft({ title: "지금 게시되는 이벤트" });
    const page = await open(`#/events/${id}/live`);
    const counts = new Set();
    let answered = false;
    const call = publish(id).finally(() => (answered = true));
    await until(async () => {
        const all = await arrows(page);
        if (!answered) {
            counts.add(all.length);
        }
        return all.some((arrow) => arrow.step === "POSTED" && arrow.channel === "INSTAGRAM" && arrow.state === "UNDER_WAY");
    }, "Instagram's post under way");
    assert.ok(!answered, "the call is still in work");
    const early = await arrows(page);
    for (const step of ["REQUESTED", "LOADED", "APPROVED", "DISTRIBUTE_CALLED", "DELIVERY_OPENED"]) {
        assert.ok(early.some((arrow) => arrow.step === step), step);
    }
    assert.ok(early.some((arrow) => arrow.step === "POSTED" && arrow.channel === "RINGO_BIZ" && arrow.state === "SUCCEEDED"));
    assert.ok(!early.some((arrow) => arrow.step === "ACTIVATED"));
    await call;
    await until(async () => (await arrows(page)).some((arrow) => arrow.step === "REPLIED" && arrow.state === "SUCCEEDED"), "the reply");
    const late = await arrows(page);
    assert.ok(counts.size > 1 && late.length > early.length, "arrows came one after the other");
    // The table says the same in words.
    assert.equal(await page.locator(".steps tbody tr").count(), late.length);
    await page.locator(".steps tr", { hasText: "Instagram" }).filter({ hasText: "Posted" }).first().waitFor();
    assert.match(await page.locator(".diagram > svg").getAttribute("aria-label"), /\d+ steps, 0 failed/);
    await close(page);
});

test("each channel's state stays in its card, six of them side by side", async () => {
    const id = await readyDraft({ title: "여섯 채널 이벤트" });
    await publish(id, CHANNELS);
    const page = await open(`#/events/${id}/live`);
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.locator('.strip [data-channel="NAVER_BLOG"][data-state="AWAITING_OPERATOR"]').waitFor();
    const beyond = await page.$$eval(".strip li", (cards) =>
        cards.map((card) => card.querySelector(".badge").getBoundingClientRect().right - card.getBoundingClientRect().right),
    );
    assert.equal(beyond.length, CHANNELS.length);
    assert.ok(Math.max(...beyond) <= 0, `pixels beyond each card: ${beyond}`);
    await close(page);
});

test("a channel fails and heals on screen, with its retries", async () => {
    await behave("RINGO_BIZ", { mode: "fail", status: 503 });
    const id = await readyDraft({ title: "링고비즈가 아픈 날" });
    const page = await open(`#/events/${id}/live`);
    publish(id, ["WOORIDONGNE_TV", "RINGO_BIZ"]);
    await until(async () => (await arrows(page)).some((arrow) => arrow.step === "POSTED" && arrow.channel === "RINGO_BIZ" && arrow.state === "FAILED_STEP"), "a failed post");
    const failed = page.locator('.diagram .arrow[data-channel="RINGO_BIZ"][data-state="FAILED_STEP"]').first();
    assert.match(await failed.locator(".note").textContent(), /Failed · /);
    await page.locator('.strip [data-channel="RINGO_BIZ"][data-state="READY"]').getByText("Will be retried").waitFor();
    await page.getByText(/링고비즈: tried again .*, by itself\./).waitFor();
    await page.getByRole("button", { name: "Failures only" }).click();
    assert.ok((await arrows(page)).every((arrow) => arrow.state === "FAILED_STEP" || arrow.state === "WAITS"));
    await page.getByRole("button", { name: "Failures only" }).click();
    await page.getByRole("link", { name: "Show the event" }).click();
    await page.locator('.delivery[data-channel="RINGO_BIZ"]').getByRole("button", { name: "Retry now" }).click();
    await behave("RINGO_BIZ", { mode: "ok" }); // not before: Herald's own retry would come first
    await page.getByRole("dialog").getByRole("button", { name: "Retry now" }).click();
    await page.locator('.delivery[data-channel="RINGO_BIZ"][data-state="PUBLISHED"]').waitFor();
    await until(async () => (await arrows(page)).some((arrow) => arrow.step === "POSTED" && arrow.channel === "RINGO_BIZ" && arrow.state === "SUCCEEDED"), "the post that went well");
    const tries = (await arrows(page)).filter((arrow) => arrow.step === "POSTED" && arrow.channel === "RINGO_BIZ");
    assert.ok(tries.length >= 2, "each try is an arrow of its own");
    await close(page);
});

test("a look-up is seen where a channel can be asked", async () => {
    await behave("KAKAO_CHANNEL", { mode: "reset_after", step: "send", count: 1 });
    const id = await readyDraft({ title: "카카오에 물어보는 이벤트" });
    const page = await open(`#/events/${id}/live`);
    publish(id, ["KAKAO_CHANNEL"]);
    await until(async () => (await arrows(page)).some((arrow) => arrow.step === "LOOKED_UP" && arrow.state === "SUCCEEDED"), "a look-up");
    await page.locator('.strip [data-channel="KAKAO_CHANNEL"][data-state="PUBLISHED"]').waitFor();
    await close(page);
});

/** Sends a signal to a process of the stack. */
async function signal(name, signal) {
    const { stdout } = await run("cut", ["-d ", "-f1", `${process.env.HERALD_ROOT}/.state/dev/run/${name}.pid`]);
    process.kill(Number(stdout), signal);
}

/** Ends herald-gateway as a crash would; deploy/dev starts it again. */
function killGateway() {
    return signal("herald-gateway", "SIGKILL");
}

test("the page comes back after a restart of the gateway and shows what happened meanwhile", async () => {
    await behave("GENIE_TV", { mode: "fail", status: 503 });
    const id = await readyDraft({ title: "다시 연결되는 이벤트" });
    const page = await open(`#/events/${id}/live`);
    await publish(id, ["RINGO_BIZ", "GENIE_TV"]);
    await until(async () => (await arrows(page)).some((arrow) => arrow.channel === "GENIE_TV" && arrow.state === "FAILED_STEP"), "a failed post");
    const before = await arrows(page);
    const positions = await page.$$eval(".diagram .arrow", (all) => all.map((arrow) => arrow.dataset.position));
    const resumed = page.waitForRequest((request) => request.url().includes("/wait") && Boolean(request.headers()["last-event-id"]));
    await killGateway();
    await page.locator(".heading .connection.waiting").waitFor();
    assert.ok((await arrows(page)).length >= before.length, "what is known stays");
    await behave("GENIE_TV", { mode: "ok" });
    await resumed;
    await page.locator('.strip [data-channel="GENIE_TV"][data-state="PUBLISHED"]').waitFor();
    const now = await page.$$eval(".diagram .arrow", (all) => all.map((arrow) => arrow.dataset.position));
    assert.ok(now.length > positions.length);
    assert.equal(new Set(now).size, now.length, "no arrow twice");
    await close(page);
});

test("a publish goes on when the gateway ends under it, once", async () => {
    await behave("INSTAGRAM", { mode: "slow", step: "media_publish", delayMs: 6000 });
    const id = await readyDraft({ title: "게시 중에 끊긴 이벤트" });
    const page = await open(`#/events/${id}/draft?step=publish`);
    for (const channel of ["우리동네TV", "링고비즈", "지니TV", "Naver Blog", "Kakao Channel"]) {
        await page.getByRole("checkbox", { name: new RegExp(channel) }).uncheck();
    }
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Publish", exact: true }).click();
    const call = page.locator(".call"); // not the region that says the same to screen readers
    await call.getByText("The publish is in work.").waitFor();
    await until(async () => (await arrows(page)).some((arrow) => arrow.step === "POSTED"), "the post");
    // Away for ten seconds, as nobody starts it again before.
    await signal("supervisor", "SIGSTOP");
    try {
        await killGateway();
        await call.getByText(/asked again \d+ times, under the same key/).waitFor();
        await new Promise((resolve) => setTimeout(resolve, 10_000));
        await call.getByText("The publish is in work.").waitFor();
    } finally {
        await signal("supervisor", "SIGCONT");
    }
    await call.getByText(/Answered after .*: Active\./).waitFor();
    await page.locator('.strip [data-channel="INSTAGRAM"][data-state="PUBLISHED"]').waitFor();
    const log = await (await fetch(`${process.env.HERALD_CHANNELS_URL}/log`)).text();
    const posts = log.split("\n").filter((line) => line.includes(id) && line.includes("INSTAGRAM"));
    assert.equal(posts.length, 1);
    await close(page);
});

test("a publish whose answer breaks off is asked for again", async () => {
    const id = await readyDraft({ title: "답이 끊긴 이벤트" });
    const page = await open(`#/events/${id}/draft?step=publish`);
    const asked = [];
    page.on("request", (request) => request.url().endsWith("/publish") && asked.push(request.headers()["idempotency-key"]));
    await page.evaluate(() => {
        const { fetch } = window;
        window.fetch = async (path, options) => {
            const response = await fetch(path, options);
            if (!String(path).endsWith("/publish")) {
                return response;
            }
            window.fetch = fetch;
            return new Response(new ReadableStream({ start: (stream) => stream.error(new TypeError("network error")) }));
        };
    });
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Publish", exact: true }).click();
    await page.locator(".call").getByText(/Answered after .*: Active\./).waitFor();
    assert.equal(asked.length, 2);
    assert.equal(asked[0], asked[1]);
    await close(page);
});

test("nothing is asked while the tab is hidden", async () => {
    const id = await readyDraft({ title: "숨은 탭" });
    const page = await open(`#/events/${id}`);
    await page.getByRole("heading", { name: "What happens next" }).waitFor();
    const hide = (hidden) =>
        page.evaluate((hidden) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }, hidden);
    await hide(true);
    await page.locator(".top .connection.hidden").waitFor();
    await page.goto(`${page.url().split("#")[0]}#/channels`);
    const requests = [];
    // A browser asks for the page's icon when it likes.
    page.on("request", (request) => request.url().endsWith("/icon.svg") || requests.push(request.url()));
    // Longer than any poll's period, by the page's own clock.
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 6000)));
    assert.deepEqual(requests, []);
    await hide(false);
    await page.locator(".channel").first().waitFor();
    await close(page);
});
