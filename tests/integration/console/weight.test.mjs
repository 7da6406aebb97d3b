// How heavy the console is, how soon it is there, and what the gateway says with it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BASE, close, open } from "./harness.mjs";

const MOST_BYTES = 200 * 1024;
const MOST_MS = 1000;

/** A cold load: bytes over the wire, and ms until the list of events stands there. */
async function load() {
    const page = await open("#/events", { user: "u-nobody" });
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.setCacheDisabled", { cacheDisabled: true });
    let bytes = 0;
    session.on("Network.loadingFinished", (event) => (bytes += event.encodedDataLength));
    await page.evaluate(() => performance.clearResourceTimings());
    await page.reload();
    await page.locator(".empty").waitFor();
    const ms = await page.evaluate(() => performance.getEntriesByType("paint").find((entry) => entry.name === "first-contentful-paint").startTime);
    await page.waitForLoadState("networkidle");
    await close(page);
    return { bytes, ms };
}

test("the console weighs at most 200 KB and is there within a second", async (t) => {
    // The best of several: what else the machine does is not the console's doing.
    let best = Infinity;
    for (let i = 0; i < 6 && best > MOST_MS; i++) {
        const { bytes, ms } = await load();
        assert.ok(bytes > 20_000 && bytes <= MOST_BYTES, `${bytes} bytes`);
        best = Math.min(best, ms);
        t.diagnostic(`${bytes} bytes, ${Math.round(ms)} ms`);
    }
    assert.ok(best <= MOST_MS, `${best} ms`);
});

test("the policy for content is strict", async () => {
    const response = await fetch(`${BASE}/`);
    const policy = response.headers.get("content-security-policy") ?? "";
    const directives = Object.fromEntries(policy.split(";").map((part) => part.trim().split(/\s+/)).map(([name, ...values]) => [name, values.join(" ")]));
    assert.equal(directives["script-src"] ?? directives["default-src"], "'self'");
    assert.equal(directives["style-src"], "'self'");
    assert.ok(!policy.includes("unsafe"), policy);
    assert.match(directives["frame-ancestors"] ?? "", /'none'/);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
});
