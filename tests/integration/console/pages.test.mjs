// Every page with real data, and what each action does.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { CHANNELS, ROOT, USER, api, behave, close, draft, heal, open, publish, readyDraft, run, until } from "./harness.mjs";

let published;

before(async () => {
    await heal();
    published = await readyDraft({ title: "오픈 1주년" });
    await publish(published);
});
after(heal);

test("signing in: a user where no token is required, a token for operators", async () => {
    const page = await open("", { user: "" });
    assert.equal(await page.locator("h1").textContent(), "Sign in");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("Name a user.").waitFor();
    await page.getByLabel("User", { exact: true }).fill(USER);
    await page.getByLabel(/^Token/).fill("no.token.atall");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("The servers do not take this token").waitFor();
    await page.getByLabel(/^Token/).fill(process.env.HERALD_OPERATOR_TOKEN);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Events" }).waitFor();
    await page.locator(".who .class", { hasText: /^(operator|server)$/ }).waitFor();
    // The token stays out of the address and of what outlives the tab.
    assert.ok(!page.url().includes(process.env.HERALD_OPERATOR_TOKEN));
    assert.ok(!(await page.evaluate(() => JSON.stringify(localStorage))).includes("ey"));
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await close(page);
});

test("roles decide what is shown", async () => {
    const user = await open("#/channels");
    await user.locator(".channel").first().waitFor();
    assert.equal(await user.getByRole("button", { name: "Pause" }).count(), 0);
    assert.equal(await user.getByRole("link", { name: "Servers" }).count(), 0);
    await close(user);
    const operator = await open("#/channels", { operator: true });
    await operator.getByRole("link", { name: "Servers" }).waitFor();
    await operator.locator(".channel").first().waitFor();
    assert.equal(await operator.getByRole("button", { name: "Pause" }).count(), CHANNELS.length);
    await close(operator);
});

test("events: state and search are in the address, six dots tell of each channel", async () => {
    const other = await draft({ title: "여름 세일" });
    const page = await open("#/new");
    const asked = [];
    page.on("request", (request) => request.url().includes("/api/distributions/") && asked.push(request.url()));
    await page.getByRole("navigation").getByRole("link", { name: "Events", exact: true }).click();
    const row = page.locator(`.row a[href="#/events/${published}"]`);
    await row.waitFor();
    await until(async () => /Instagram: Published/.test(await row.locator(".dots").getAttribute("aria-label")), "dots");
    assert.match(await row.locator(".dots").getAttribute("aria-label"), /Naver Blog: Waits for a person/);
    assert.equal(await row.locator(".dot").count(), CHANNELS.length);
    assert.deepEqual(asked, [], "the list itself tells how deliveries stand");
    await page.getByRole("button", { name: "Draft", exact: true }).click();
    await row.waitFor({ state: "detached" });
    assert.match(page.url(), /state=DRAFT/);
    await page.locator(`.row a[href^="#/events/${other}"]`).waitFor();
    await page.getByRole("button", { name: "All", exact: true }).click();
    await page.getByRole("searchbox").fill("1주년");
    await row.waitFor();
    await page.locator(`.row a[href^="#/events/${other}"]`).waitFor({ state: "detached" });
    await page.reload();
    await row.waitFor();
    assert.equal(await page.getByRole("searchbox").inputValue(), "1주년");
    await close(page);
});

test("one event: next steps, picture, text, attempts, and the preview of each channel", async () => {
    const page = await open(`#/events/${published}`);
    await page.getByRole("heading", { name: "What happens next" }).waitFor();
    await page.getByText("Naver Blog: a person posts it by hand and confirms the address.").waitFor();
    await page.locator(".facts").getByText("처음 오신 분께 아메리카노 한 잔을 드려요.").waitFor();
    const picture = page.locator("img.picture").first();
    await picture.scrollIntoViewIfNeeded();
    await until(() => picture.evaluate((image) => image.complete && image.naturalWidth === 1080), "picture");
    await until(async () => (await page.locator(".delivery").count()) === CHANNELS.length, "deliveries");
    for (const channel of CHANNELS) {
        await page.locator(`.delivery[data-channel="${channel}"]`).getByRole("button", { name: "Preview" }).click();
        const dialog = page.getByRole("dialog");
        await dialog.locator(".caption").getByText("아메리카노").first().waitFor();
        if (channel === "NAVER_BLOG") {
            await dialog.getByText("Package to paste").waitFor();
        } else {
            await dialog.getByText("Requests, in order").waitFor();
        }
        await dialog.getByRole("button", { name: "Close" }).click();
    }
    await page.locator('.delivery[data-channel="INSTAGRAM"] .attempts summary').click();
    await page.locator('.delivery[data-channel="INSTAGRAM"] .attempts').getByText("Attempt 1").waitFor();
    await close(page);
});

test("an assisted publish is confirmed, with a wrong address refused beside the field", async () => {
    const page = await open(`#/events/${published}`);
    const naver = page.locator('.delivery[data-channel="NAVER_BLOG"]');
    await naver.getByRole("button", { name: "Confirm the post" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/Address of the post/).fill("https://evil.example/1");
    await dialog.getByRole("button", { name: "Confirm the post" }).click();
    await dialog.locator(".field-error").waitFor();
    const address = `${process.env.HERALD_CHANNELS_URL}/naver/shop/1`;
    await dialog.getByLabel(/Address of the post/).fill(address);
    assert.match(await dialog.locator(".command code").first().textContent(), new RegExp(`^heraldctl deliveries ${published} confirm NAVER_BLOG`));
    await dialog.getByRole("button", { name: "Confirm the post" }).click();
    await dialog.waitFor({ state: "detached" });
    await page.locator('.delivery[data-channel="NAVER_BLOG"][data-state="PUBLISHED"]').waitFor();
    await close(page);
});

test("an unknown delivery is listed for operators, and resolved", async () => {
    await behave("GENIE_TV", { mode: "reset_after", count: 1 });
    const id = await readyDraft({ title: "응답이 끊긴 이벤트" });
    await publish(id, ["GENIE_TV"]);
    const page = await open("#/unknown", { operator: true });
    const card = page.locator(`[data-event="${id}"]`);
    await card.waitFor();
    await card.getByRole("button", { name: "Resolve" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("It is there", { exact: true }).click();
    await dialog.getByLabel("The channel's id of the post").fill("genie-7");
    await dialog.getByRole("button", { name: "Resolve" }).click();
    await card.waitFor({ state: "detached" });
    await page.goto(`${page.url().split("#")[0]}#/events/${id}`);
    await page.locator('.delivery[data-channel="GENIE_TV"][data-state="PUBLISHED"]').waitFor();
    await close(page);
});

test("what is scheduled is shown, moved and cancelled", async () => {
    const id = await readyDraft({ title: "예약한 이벤트" });
    const at = new Date(Date.now() + 3_600_000).toISOString();
    await api("POST", `/api/events/${id}/publish`, { userId: USER, selectedChannels: ["RINGO_BIZ", "GENIE_TV"], scheduledAt: at, timeZone: "Asia/Seoul" });
    const page = await open(`#/events/${id}`);
    await page.getByText(/Sending begins in (1 hour|60 minutes|59 minutes)/).waitFor();
    await page.getByRole("button", { name: "Schedule", exact: true }).click();
    await page.getByLabel("Send at").fill(new Date(Date.now() + 9 * 3_600_000 + 7_200_000).toISOString().slice(0, 16));
    await page.getByRole("dialog").getByRole("button", { name: "Schedule", exact: true }).click();
    await page.getByText("Sending begins in 2 hours").waitFor();
    await page.getByRole("button", { name: "Cancel what is not sent" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Nothing is sent to 링고비즈, 지니TV.", { exact: false }).waitFor();
    await dialog.getByRole("button", { name: "Cancel what is not sent" }).click();
    await page.locator('.delivery[data-channel="RINGO_BIZ"][data-state="CANCELLED"]').waitFor();
    await close(page);
});

test("an event is ended, a draft deleted", async () => {
    const id = await readyDraft({ title: "끝나는 이벤트" });
    await publish(id, ["RINGO_BIZ"]);
    const page = await open(`#/events/${id}`);
    await page.getByRole("button", { name: "End the event" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "End the event" }).click();
    await page.getByText("The event is over.", { exact: false }).waitFor();
    const gone = await draft({ title: "지워질 초안" });
    await page.goto(`${page.url().split("#")[0]}#/events/${gone}/draft`);
    await page.getByRole("button", { name: "Delete the draft" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete the draft" }).click();
    await page.getByRole("heading", { name: "Events" }).waitFor();
    const answer = await fetch(`${process.env.HERALD_HTTP_URL}/api/events/${gone}?userId=${USER}`);
    assert.equal(answer.status, 404);
    await close(page);
});

test("jobs: pictures side by side, and filters in the address", async () => {
    const page = await open("#/jobs", { operator: true });
    await page.locator(".job").first().waitFor();
    await page.getByRole("button", { name: "Completed" }).click();
    assert.match(page.url(), /state=COMPLETED/);
    await page.locator(".job").first().getByRole("link", { name: "Show pictures" }).click();
    await page.getByRole("heading", { name: "Job", exact: true }).waitFor();
    await until(async () => (await page.locator("figure img.picture").count()) === 3, "three pictures");
    await close(page);
});

/** A job on which a worker has given up, and whose record is on the dead-letter topic. */
async function deadLetter(title) {
    const heraldctl = `${process.env.HERALD_BIN}/heraldctl`;
    await run(heraldctl, ["failpoint", "content.after_begin", "1*error(INVALID_ARGUMENT)", "--server", "content"]);
    const { jobId } = await api("POST", `/api/events/${await draft({ title })}/content-generation`, { userId: USER });
    await until(async () => (await api("GET", `/api/jobs/${jobId}`)).job.status === "FAILED", "a failed job");
    await until(async () => {
        const log = await readFile(`${ROOT}/.state/dev/logs/herald-content.log`, "utf8");
        return log.split("\n").some((line) => line.includes("content.dead_letter") && line.includes(jobId));
    }, "its dead letter");
    return jobId;
}

test("a dead letter is shown with its failure, begins anew after a confirmation, and its pictures are made", async () => {
    const jobId = await deadLetter("한 번 실패한 사진");
    const user = await open(`#/jobs/${jobId}`);
    await user.locator(".field-error", { hasText: "failpoint" }).waitFor();
    assert.equal(await user.getByRole("button", { name: "Begin anew" }).count(), 0, "for operators only");
    await close(user);

    const page = await open("#/jobs", { operator: true });
    await page.getByRole("button", { name: "Dead letters" }).click();
    assert.match(page.url(), /dead=1/);
    const job = page.locator(`.job[data-job="${jobId}"]`);
    await job.getByText("Failed", { exact: true }).waitFor();
    await job.locator(".field-error", { hasText: "failpoint" }).waitFor();
    await job.getByRole("button", { name: "Begin anew" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(jobId, { exact: false }).first().waitFor();
    assert.equal(await dialog.locator(".command code").first().textContent(), `heraldctl requeue ${jobId}`);
    await dialog.getByRole("button", { name: "Begin anew" }).click();
    await dialog.waitFor({ state: "detached" });
    await job.waitFor({ state: "detached" });
    await page.goto(`${page.url().split("#")[0]}#/jobs/${jobId}`);
    await page.getByText("Completed", { exact: true }).waitFor();
    await until(async () => (await page.locator("figure img.picture").count()) === 3, "three pictures");
    assert.equal(await page.getByRole("button", { name: "Begin anew" }).count(), 0);
    await close(page);
});

test("a channel is paused after a confirmation that names what it touches, and resumed", async () => {
    const page = await open("#/channels", { operator: true });
    const kakao = page.locator('.channel[data-channel="KAKAO_CHANNEL"]');
    await kakao.getByRole("button", { name: "Pause" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Nothing more is sent to Kakao Channel, in all processes, until it is resumed.", { exact: false }).waitFor();
    await dialog.getByLabel("Note").fill("점검 <b>6시</b>까지");
    assert.match(await dialog.locator(".command code").first().textContent(), /^heraldctl channel pause KAKAO_CHANNEL --note /);
    await dialog.getByRole("button", { name: "Pause" }).click();
    await kakao.getByText("Paused by a person").waitFor();
    await kakao.getByText("점검 <b>6시</b>까지", { exact: false }).waitFor();
    await kakao.getByRole("button", { name: "Resume" }).click();
    await dialog.getByRole("button", { name: "Resume" }).click();
    await kakao.getByText("Takes posts").waitFor();
    await close(page);
});

test("servers: health by what each needs, calls and latency", async () => {
    const page = await open("#/servers", { operator: true });
    for (const server of ["herald-event", "herald-job", "herald-distribution"]) {
        const card = page.locator(`[data-server="${server}"]`);
        await card.waitFor();
        await card.locator(".delivery-head").getByText("Works").waitFor();
        assert.ok((await card.locator(".dependencies li").count()) > 0, server);
    }
    const row = page.locator('[data-server="herald-event"] tr', { hasText: "EventService/PublishEvent" });
    assert.ok(Number((await row.locator("td").first().textContent()).replace(",", "")) > 0);
    await close(page);
});

test("the commands that the console shows do the same", async () => {
    const id = await readyDraft({ title: "명령으로 취소" });
    await api("POST", `/api/events/${id}/publish`, { userId: USER, selectedChannels: ["RINGO_BIZ"], scheduledAt: new Date(Date.now() + 3_600_000).toISOString() });
    const page = await open(`#/events/${id}`);
    await page.getByRole("button", { name: "Cancel what is not sent" }).click();
    const lines = await page.getByRole("dialog").locator(".command code").allTextContents();
    const env = { ...process.env, PATH: `${process.env.HERALD_BIN}:${process.env.PATH}` };
    await run("bash", ["-c", lines[0]], { env });
    await page.locator('.delivery[data-channel="RINGO_BIZ"][data-state="CANCELLED"]').waitFor();
    const { stdout } = await run("bash", ["-c", `${lines[1]} -s`], { env });
    assert.equal(JSON.parse(stdout).cancelled ?? 0, 0);
    await close(page);
});
