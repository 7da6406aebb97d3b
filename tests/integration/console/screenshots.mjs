// Makes docs/screenshots from a publish on a stack of its own: `tests/integration/console/run --screenshots`.
import path from "node:path";
import { after, before, test } from "node:test";
import { arrows, behave, close, draft, heal, open, publish, readyDraft, until } from "./harness.mjs";

const FOLDER = process.env.HERALD_PICTURES;
const shot = (page, name, more) => page.screenshot({ path: path.join(FOLDER, `${name}.png`), animations: "disabled", ...more });
const TITLES = ["카페 온도 · 오픈 1주년, 커피 한 잔 더!", "봄맞이 감사 이벤트", "여름 한정 수박주스 1+1", "단골 손님 쿠키 증정"];
let ids;

before(async () => {
    await heal();
    ids = [];
    for (const title of TITLES) {
        ids.push(await readyDraft({ title }));
    }
    await draft({ title: "가을 신메뉴 시식회" });
    await publish(ids[1]);
    await publish(ids[2], ["WOORIDONGNE_TV", "INSTAGRAM", "KAKAO_CHANNEL"]);
    await behave("WOORIDONGNE_TV", { mode: "reset_after", count: 1 });
    await publish(ids[3], ["WOORIDONGNE_TV", "RINGO_BIZ"]);
});
after(heal);

test("a publish while it runs, with one channel that fails", async () => {
    await behave("GENIE_TV", { mode: "fail", status: 503 });
    await behave("INSTAGRAM", { mode: "slow", step: "media_publish", delayMs: 30_000 });
    const page = await open(`#/events/${ids[0]}/live`, { viewport: { width: 1320, height: 1000 } });
    const call = publish(ids[0]).catch(() => {});
    await until(async () => {
        const all = await arrows(page);
        return all.some((one) => one.channel === "GENIE_TV" && one.state === "FAILED_STEP") && all.some((one) => one.channel === "INSTAGRAM" && one.step === "POSTED" && one.state === "UNDER_WAY");
    }, "a failed post and one under way");
    await page.evaluate(() => scrollTo(0, 0));
    await shot(page, "live");
    const dark = await open(`#/events/${ids[0]}`, { viewport: { width: 1320, height: 1000 }, colorScheme: "dark", lang: "ko" });
    await dark.locator(".delivery").first().waitFor();
    await until(() => dark.locator("img.picture").first().evaluate((image) => image.complete), "picture");
    await shot(dark, "event-ko-dark");
    const phone = await open(`#/events/${ids[0]}/live`, { viewport: { width: 390, height: 844 }, lang: "ko", isMobile: true, hasTouch: true });
    await phone.locator(".diagram .arrow").first().waitFor();
    await phone.evaluate(() => document.querySelector(".diagram").scrollIntoView());
    await shot(phone, "phone");
    await behave("INSTAGRAM", { mode: "ok" });
    await call;
    for (const one of [page, dark, phone]) {
        await close(one);
    }
});

test("lists, channels and servers", async () => {
    const page = await open("#/events", { operator: true, viewport: { width: 1320, height: 760 } });
    await until(async () => (await page.locator(".row .dot.tone-done").count()) > 4, "dots");
    await shot(page, "events");
    await page.evaluate(() => (location.hash = "#/channels"));
    await page.locator(".channel").first().waitFor();
    await shot(page, "channels");
    await close(page);
});
