// The page of the API at HERALD_HTTP_URL, in a real Chromium and as it is served: nothing else is reachable.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { chromium, type BrowserContextOptions, type Page } from "playwright-core";

const base = process.env["HERALD_HTTP_URL"] ?? assert.fail("HERALD_HTTP_URL is not set");
const api = (await (await fetch(`${base}/api/openapi.json`)).json()) as { paths: Record<string, Record<string, unknown>> };
const operationCount = Object.values(api.paths).reduce((sum, verbs) => sum + Object.keys(verbs).length, 0);

const browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
after(() => browser.close());

/** Opens the page, tests it, and says that nothing broke in it and nothing came from elsewhere. */
async function onPage(hash: string, options: BrowserContextOptions, look: (page: Page) => Promise<void>): Promise<void> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
    page.on("request", (request) => request.url().startsWith(base) || faults.push(`asks for ${request.url()}`));
    await page.goto(`${base}/api/docs${hash}`);
    await page.locator("details.operation").first().waitFor();
    await look(page);
    assert.deepEqual(faults, []);
    await context.close();
}

test("every operation is shown, with a command", async () => {
    await onPage("", {}, async (page) => {
        assert.equal(await page.locator("details.operation").count(), operationCount);
        assert.equal(await page.locator("nav li").count(), operationCount);
        await page.evaluate(() => document.querySelectorAll<HTMLDetailsElement>("details.operation").forEach((one) => (one.open = true)));
        await page.waitForFunction((count) => document.querySelectorAll(".operation .code pre").length === count, operationCount);
        assert.equal(await page.locator(".operation").getByText("undefined").count(), 0);
    });
});

test("a command that is shown runs", async () => {
    await onPage("#DistributionService_ListChannels", {}, async (page) => {
        const command = await page.locator("#DistributionService_ListChannels .code pre").innerText();
        const { stdout } = await promisify(execFile)("bash", ["-c", command]);
        assert.equal((JSON.parse(stdout) as { channels: unknown[] }).channels.length, 6);
    });
    await onPage("#EventService_CreateEvent", {}, async (page) => {
        const command = await page.locator("#EventService_CreateEvent .code pre").innerText();
        const { stdout } = await promisify(execFile)("bash", ["-c", command.replace("$(uuidgen)", crypto.randomUUID())]);
        assert.equal((JSON.parse(stdout) as { event: { status: string } }).event.status, "DRAFT");
    });
});

test("a search leaves what has its words", async () => {
    await onPage("", {}, async (page) => {
        await page.keyboard.press("/");
        await page.keyboard.type("not_publish_ready");
        assert.deepEqual(await page.locator("details.operation:visible .path").allInnerTexts(), ["/api/events/{eventDraftId}/publish"]);
        assert.equal(await page.getByRole("status").innerText(), "1 operation found");
        await page.locator("#search").fill("");
        assert.equal(await page.locator("details.operation:visible").count(), operationCount);
    });
});

test("a link leads to an operation and to a schema", async () => {
    await onPage("#EventService_PublishEvent", {}, async (page) => {
        const operation = page.locator("#EventService_PublishEvent");
        assert.equal(await operation.getAttribute("open"), "");
        await operation.getByRole("link", { name: "PublishEventResponse" }).first().click();
        const schema = page.locator("#schema-PublishEventResponse");
        await schema.getByText("distributionResults").waitFor();
        assert.ok(await schema.isVisible());
    });
});

test("it fits a phone, and it has a dark side", async () => {
    await onPage("#EventService_CreateEvent", { viewport: { width: 360, height: 740 }, colorScheme: "dark" }, async (page) => {
        await page.locator("#EventService_CreateEvent .fields").first().waitFor();
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
        const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        assert.equal(await background(), "rgb(16, 20, 26)");
        await page.getByRole("button", { name: /^Theme/ }).click();
        assert.equal(await background(), "rgb(245, 246, 249)");
    });
});
