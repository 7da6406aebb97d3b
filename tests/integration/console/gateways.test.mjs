// Two gateways: what one does is seen through the other, and a page goes on at the other one when its own ends.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import net from "node:net";
import { after, before, test } from "node:test";
import { BASE, ROOT, api, arrows, behave, close, heal, open, publish, readyDraft, run, until } from "./harness.mjs";

const FIRST = new URL(BASE);
const SECOND = new URL(`http://127.0.0.1:${Number(FIRST.port) + 10}`);
let second;

/** Starts another gateway before the same servers, with their settings but its address. */
async function startSecond() {
    second = spawn(`${process.env.HERALD_BIN}/herald-gateway`, ["--config", `${ROOT}/.state/dev/herald.ini`], {
        env: { ...process.env, HERALD_GATEWAY_LISTEN: SECOND.origin },
        stdio: "ignore",
    });
    await until(() => fetch(`${SECOND.origin}/readyz`).then((answer) => answer.ok, () => false), "the second gateway");
}

/** A proxy as stands in front of gateways: each connection goes to the one that behind() names, and ends with it. */
async function startProxy(behind) {
    const open = new Set();
    const server = net.createServer((client) => {
        const to = behind();
        const gateway = net.connect(Number(to.port), to.hostname);
        for (const [one, other] of [[client, gateway], [gateway, client]]) {
            one.pipe(other);
            one.on("error", () => other.destroy());
            one.on("close", () => other.destroy());
            open.add(one);
        }
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
        base: `http://127.0.0.1:${server.address().port}`,
        stop() {
            server.close();
            open.forEach((socket) => socket.destroy());
        },
    };
}

before(async () => {
    await heal();
    await startSecond();
});
after(async () => {
    second?.kill();
    await heal();
});

test("a publish through one gateway is seen live through the other", async () => {
    await behave("INSTAGRAM", { mode: "slow", step: "media_publish", delayMs: 6000 });
    const id = await readyDraft({ title: "다른 문으로 게시된 이벤트" });
    const page = await open(`#/events/${id}/live`, { base: SECOND.origin });
    const asked = new Set();
    page.on("request", (request) => asked.add(new URL(request.url()).origin));
    let answered = false;
    const call = publish(id, ["RINGO_BIZ", "INSTAGRAM"]).finally(() => (answered = true));
    await until(async () => (await arrows(page)).some((arrow) => arrow.step === "POSTED" && arrow.channel === "INSTAGRAM" && arrow.state === "UNDER_WAY"), "Instagram's post under way");
    assert.ok(!answered, "the call is still in work");
    await call;
    await until(async () => (await arrows(page)).some((arrow) => arrow.step === "REPLIED" && arrow.state === "SUCCEEDED"), "the reply");
    assert.deepEqual([...asked], [SECOND.origin]);
    await close(page);
});

test("a page goes on at the other gateway when its own ends, and misses nothing", async (t) => {
    await behave("GENIE_TV", { mode: "fail", status: 503 });
    const id = await readyDraft({ title: "문을 바꿔 이어지는 이벤트" });
    let behind = SECOND;
    const proxy = await startProxy(() => behind);
    t.after(proxy.stop);
    t.after(startSecond);
    const page = await open(`#/events/${id}/live`, { base: proxy.base });
    await publish(id, ["RINGO_BIZ", "GENIE_TV"]);
    await until(async () => (await arrows(page)).some((arrow) => arrow.channel === "GENIE_TV" && arrow.state === "FAILED_STEP"), "a failed post");
    const positions = () => page.$$eval(".diagram .arrow", (all) => all.map((arrow) => arrow.dataset.position));
    const known = await positions();
    const resumed = page.waitForRequest((request) => request.url().includes("/wait") && Boolean(request.headers()["last-event-id"]));
    behind = FIRST;
    second.kill("SIGKILL");
    await resumed;
    await behave("GENIE_TV", { mode: "ok" });
    await page.locator('.strip [data-channel="GENIE_TV"][data-state="PUBLISHED"]').waitFor();
    await page.locator(".heading .connection:not(.waiting)").waitFor();
    const now = await positions();
    assert.ok(known.every((position) => now.includes(position)), "what was known stays");
    assert.ok(now.length > known.length);
    assert.equal(new Set(now).size, now.length, "no arrow twice");
    await close(page);
});

test("a key's answer is the same at each gateway, and its effect happens once", async () => {
    const body = { userId: "u-console", title: "두 번 눌린 초안", storeInfo: { name: "모퉁이 카페" } };
    const create = (base) =>
        fetch(`${base}/api/events`, { method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": key }, body: JSON.stringify(body) });
    const key = `two-gateways-${Date.now()}`;
    const answers = await Promise.all([FIRST.origin, SECOND.origin].map(async (base) => (await create(base)).text()));
    const again = await (await create(SECOND.origin)).text();
    assert.equal(answers.find((text) => text.includes("eventDraftId")), again);
    const { events } = await api("GET", "/api/events?userId=u-console&query=%EB%91%90%20%EB%B2%88%20%EB%88%8C%EB%A6%B0&pageSize=10");
    assert.equal(events.filter((event) => again.includes(event.eventDraftId)).length, 1);
});
