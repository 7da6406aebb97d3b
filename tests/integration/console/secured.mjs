// Servers that want TLS and a credential of each call: what the page shows to nobody, to an operator, and to a user.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { BASE, CALLER, CHANNELS, OPERATOR, USER, api, close, heal, open, publish, readyDraft, run, until } from "./harness.mjs";

const heraldctl = `${process.env.HERALD_BIN}/heraldctl`;
let own;
let others;

/** A token of a caller of the stack; its signature and times are right. */
async function tokenOf(caller, ...more) {
    const { stdout } = await run(heraldctl, ["token", "--caller", caller, ...more]);
    return stdout.trim();
}

before(async () => {
    await heal();
    own = await readyDraft({ title: "내 이벤트" });
    await publish(own, ["RINGO_BIZ"]);
    const stranger = await tokenOf("demo", "--user", "u-other", "--ttl", "10m");
    const { event } = await api("POST", "/api/events", { title: "남의 이벤트", storeInfo: { name: "옆 가게" } }, { token: stranger });
    others = event.eventDraftId;
});

async function signIn(page, token) {
    await page.getByLabel("Token", { exact: true }).fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
}

test("nothing is shown without a token, and each wrong one is refused beside the field", async () => {
    for (const where of ["/api/events", "/api/channels", `/api/events/${own}/wait`, "/api/servers"]) {
        const answer = await fetch(BASE + where);
        assert.equal(answer.status, 401, where);
    }
    const page = await open(`#/events/${own}`, { user: "" });
    assert.equal(await page.locator("h1").textContent(), "Sign in");
    await page.getByText("These servers check who calls.", { exact: false }).waitFor();
    assert.equal(await page.getByRole("link", { name: "Events" }).count(), 0);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator(".field-error", { hasText: "Paste a token." }).waitFor();
    const [head, claims] = CALLER.split(".");
    for (const wrong of ["no.token.atall", CALLER.slice(0, -6), `${head}.${claims}.${OPERATOR.split(".")[2]}`]) {
        await signIn(page, wrong);
        const error = page.locator(".field-error", { hasText: "The servers do not take this token" });
        await error.waitFor();
        const field = page.getByLabel("Token", { exact: true });
        assert.ok((await field.getAttribute("aria-describedby")).includes(await error.getAttribute("id")));
        assert.equal(await page.evaluate(() => sessionStorage.getItem("herald.token")), null, "a refused token is not kept");
        await field.fill("");
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.locator(".field-error", { hasText: "Paste a token." }).waitFor();
    }
    await close(page);
});

test("a user's token: the user's own events and nothing for operators", async () => {
    const page = await open(`#/events`, { user: "" });
    await signIn(page, CALLER);
    await page.locator(`.row a[href="#/events/${own}"]`).waitFor();
    assert.equal(await page.locator(`.row a[href^="#/events/${others}"]`).count(), 0);
    assert.equal(await page.locator(".who .name").textContent(), USER);
    assert.equal(await page.locator(".who .class").textContent(), "user");
    for (const name of ["Servers", "Unknown"]) {
        assert.equal(await page.getByRole("link", { name, exact: true }).count(), 0, name);
    }
    // Another's event is none, also by its address or by another user's name in it.
    await page.goto(`${BASE}/#/events/${others}?user=u-other`);
    await page.getByText("There is no such event", { exact: false }).first().waitFor();
    assert.equal(await page.getByText("남의 이벤트").count(), 0);
    assert.equal(await page.locator(".who .name").textContent(), USER);
    await page.goto(`${BASE}/#/channels`);
    await page.locator(".channel").first().waitFor();
    assert.equal(await page.getByRole("button", { name: "Pause" }).count(), 0);
    await page.goto(`${BASE}/#/events/${own}`);
    await page.locator('.delivery[data-channel="RINGO_BIZ"][data-state="PUBLISHED"]').waitFor();
    await page.locator('.delivery[data-channel="RINGO_BIZ"]').getByRole("button", { name: "Preview" }).click();
    await page.getByRole("dialog").locator(".caption").getByText("아메리카노").first().waitFor();
    await close(page);
});

test("an operator's token: channels, unknown deliveries, servers, and a user's events", async () => {
    const page = await open("#/servers", { user: "" });
    await signIn(page, OPERATOR);
    assert.match(await page.locator(".who .class").textContent(), /^(operator|server)$/);
    for (const server of ["herald-event", "herald-job", "herald-distribution", "herald-content"]) {
        await page.locator(`[data-server="${server}"] .delivery-head`).getByText("Works").waitFor();
    }
    await page.getByRole("link", { name: "Channels", exact: true }).click();
    await page.locator(".channel").first().waitFor();
    assert.equal(await page.getByRole("button", { name: "Pause" }).count(), CHANNELS.length);
    await page.getByRole("link", { name: "Unknown", exact: true }).click();
    await page.getByRole("heading", { name: "Unknown" }).first().waitFor();
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    await page.locator(".job").first().waitFor(); // of all users
    await close(page);
    const acting = await open("#/events", { user: "" });
    await signIn(acting, await tokenOf("operator", "--user", "u-other", "--ttl", "10m"));
    await acting.locator(`.row a[href^="#/events/${others}"]`).waitFor();
    assert.equal(await acting.locator(`.row a[href="#/events/${own}"]`).count(), 0);
    await acting.getByRole("link", { name: "Servers", exact: true }).waitFor();
    await close(acting);
});

test("signing out forgets the token, also for the Back key and a reload", async () => {
    const page = await open("#/events", { user: "" });
    await signIn(page, CALLER);
    await page.locator(`.row a[href="#/events/${own}"]`).waitFor();
    await page.reload();
    await page.locator(`.row a[href="#/events/${own}"]`).waitFor();
    await page.getByRole("link", { name: "Channels", exact: true }).click();
    await page.locator(".channel").first().waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));
    assert.ok(!kept.includes(CALLER.split(".")[1]) && !kept.includes(USER), kept);
    await page.goBack();
    await page.reload();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.equal(await page.getByText("내 이벤트").count(), 0);
    await close(page);
});

test("a token that ends while somebody works leads back to signing in", async () => {
    const page = await open("#/channels", { user: "" });
    await signIn(page, CALLER);
    await page.locator(".channel").first().waitFor();
    const short = await tokenOf("demo", "--user", USER, "--ttl", "1s");
    await until(async () => (await fetch(`${BASE}/api/channels`, { headers: { Authorization: `Bearer ${short}` } })).status === 401, "its end");
    await page.evaluate((token) => sessionStorage.setItem("herald.token", token), short);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    await signIn(page, CALLER);
    await page.getByRole("heading", { name: "Channels" }).first().waitFor();
    await page.locator(".channel").first().waitFor();
    await close(page);
});
