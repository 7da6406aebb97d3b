// A web team's client: types that openapi-typescript makes of the document, and openapi-fetch, which calls by them. Drafts an
// event, has its pictures made and publishes it, through the gateway at HERALD_HTTP_URL. That this compiles is a test too.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];

const base = process.env["HERALD_HTTP_URL"] ?? assert.fail("HERALD_HTTP_URL is not set");
// Only these types: without them an answer of an operation that waits could be a stream of events, too.
const client = createClient<paths, "application/json" | "application/problem+json">({ baseUrl: base });
const userId = `owner-${randomUUID()}`;
const storeInfo = { name: "행복 빙수", address: "서울시 마포구 월드컵로 1" };

/** The data of an answer that went well. */
function good<T>(answer: { data?: T; error?: Schemas["Problem"]; response: Response }, status = 200): T {
    assert.equal(answer.error, undefined, JSON.stringify(answer.error));
    assert.equal(answer.response.status, status);
    return answer.data ?? assert.fail("no data");
}

/** The problem of an answer that did not. */
function problem(answer: { error?: Schemas["Problem"]; response: Response }, status: number): Schemas["Problem"] {
    assert.equal(answer.response.status, status, JSON.stringify(answer.error));
    assert.match(answer.response.headers.get("content-type") ?? "", /^application\/problem\+json/);
    const found = answer.error ?? assert.fail("no problem");
    assert.equal(found.status, status);
    return found;
}

async function draft(): Promise<{ path: { eventDraftId: string } }> {
    const body = { userId, title: "여름 빙수 잔치", prize: "빙수 1+1", brandColor: "#FF5A5F", storeInfo };
    const header = { "Idempotency-Key": `"${randomUUID()}"` };
    const made = await client.POST("/api/events", { params: { header }, body });
    const { event } = good(made, 201);
    assert.equal(made.response.headers.get("idempotency-key"), header["Idempotency-Key"]);
    assert.ok(event);
    assert.equal(event.status, "DRAFT");
    assert.equal(event.logoUrl, "", "an empty text is there");
    assert.equal(event.recommendation, undefined, "what is not set is not there");
    const again = good(await client.POST("/api/events", { params: { header }, body }), 201);
    assert.deepEqual(again.event, event, "a repeat under the same key gets the same answer");
    const other = await client.POST("/api/events", { params: { header }, body: { ...body, title: "다른 이벤트" } });
    assert.equal(problem(other, 422).reason, "IDEMPOTENCY_KEY_REUSED");
    return { path: { eventDraftId: event.eventDraftId } };
}

async function choose(path: { eventDraftId: string }): Promise<void> {
    const objective = await client.PUT("/api/events/{eventDraftId}/objective", {
        params: { path },
        body: { userId, objective: "NEW_CUSTOMERS" },
    });
    assert.equal(good(objective).event?.objective, "NEW_CUSTOMERS");
    const recommendation = { recommendationId: "rec-7", title: "여름밤 빙수 잔치", summary: "한 그릇 더 드려요." };
    const chosen = await client.PUT("/api/events/{eventDraftId}/recommendation", { params: { path }, body: { userId, recommendation } });
    assert.deepEqual(good(chosen).event?.recommendation, recommendation);
}

async function makePictures(path: { eventDraftId: string }): Promise<void> {
    const asked = good(await client.POST("/api/events/{eventDraftId}/content-generation", { params: { path }, body: { userId } }), 202);
    assert.deepEqual(asked, { jobId: asked.jobId, status: "PENDING" });
    let job: Schemas["Job"] | undefined;
    while (job === undefined || job.status === "PENDING" || job.status === "RUNNING") {
        const params = { path: { jobId: asked.jobId }, query: { version: Number(job?.version ?? 0), waitMs: 20_000 } };
        job = good(await client.GET("/api/jobs/{jobId}/wait", { params })).job;
    }
    assert.equal(job.status, "COMPLETED", job.failure);
    assert.deepEqual(job.pictures.map((picture) => picture.style).sort(), ["FANCY", "SIMPLE", "TRENDY"]);
    const body = { userId, jobId: job.jobId, style: "FANCY" } as const;
    assert.equal(good(await client.PUT("/api/events/{eventDraftId}/content", { params: { path }, body })).event?.content?.style, "FANCY");
}

async function publish(path: { eventDraftId: string }): Promise<void> {
    const params = { path, header: { "Idempotency-Key": randomUUID() } };
    const body = { userId, selectedChannels: ["INSTAGRAM", "KAKAO_CHANNEL"] } satisfies Schemas["PublishEventRequest"];
    const published = good(await client.POST("/api/events/{eventDraftId}/publish", { params, body }));
    assert.equal(published.eventId, path.eventDraftId);
    assert.equal(published.status, "ACTIVE", published.message);
    assert.deepEqual(published.distributionResults.map((result) => [result.channel, result.accepted]), [
        ["INSTAGRAM", true],
        ["KAKAO_CHANNEL", true],
    ]);
    assert.deepEqual(good(await client.POST("/api/events/{eventDraftId}/publish", { params, body })), published);
    const listed = good(await client.GET("/api/events", { params: { query: { userId, status: "ACTIVE", pageSize: 5 } } }));
    assert.deepEqual(listed.events.map((event) => event.eventDraftId), [path.eventDraftId]);
    const read = await client.GET("/api/events/{eventDraftId}", { params: { path, query: { userId } } });
    const tag = read.response.headers.get("etag") ?? assert.fail("a read has an ETag");
    const unchanged = await client.GET("/api/events/{eventDraftId}", {
        params: { path, query: { userId }, header: { "If-None-Match": tag } },
    });
    assert.equal(unchanged.response.status, 304);
    assert.ok(good(await client.POST("/api/events/{eventDraftId}/end", { params: { path }, body: { userId } })).event?.endedAt);
}

test("an event is drafted and published", async () => {
    const { path } = await draft();
    const early = await client.POST("/api/events/{eventDraftId}/publish", { params: { path }, body: { userId, selectedChannels: [1] } });
    const missing = problem(early, 400);
    assert.equal(missing.reason, "NOT_PUBLISH_READY");
    assert.ok((missing.errors ?? []).length > 0, "all that is missing is listed");
    await choose(path);
    await makePictures(path);
    await publish(path);
});

test("wrong fields are named", async () => {
    const answer = await client.POST("/api/events", { body: { userId, title: "", brandColor: "red", storeInfo: { name: "" } } });
    const found = problem(answer, 400);
    assert.equal(found.code, "INVALID_ARGUMENT");
    assert.deepEqual((found.errors ?? []).map((error) => [error.field, error.reason]).sort(), [
        ["brandColor", "INVALID_FORMAT"],
        ["storeInfo.name", "REQUIRED"],
        ["title", "REQUIRED"],
    ]);
    // @ts-expect-error: no such style
    const style: Schemas["StyleInput"] = "PLAIN";
    // @ts-expect-error: no such field
    await client.POST("/api/events", { body: { title: style, storeInfo, titel: "" } }).then((refused) => problem(refused, 400));
});

test("what is not there is not found", async () => {
    const path = { eventDraftId: randomUUID() };
    const found = problem(await client.GET("/api/events/{eventDraftId}", { params: { path, query: { userId } } }), 404);
    assert.deepEqual([found.reason, found.type, found.mayRepeat], ["EVENT_NOT_FOUND", "/api/problems/EVENT_NOT_FOUND", false]);
    const meaning = good(await client.GET("/api/problems/{reason}", { params: { path: { reason: found.reason } } }));
    assert.equal(meaning.code, "NOT_FOUND");
});

test("the document is the one that the client was made of", async () => {
    const { openapi, paths } = good(await client.GET("/api/openapi.json")) as { openapi: string; paths: Record<string, unknown> };
    assert.match(openapi, /^3\.1\./);
    assert.ok("/api/events/{eventDraftId}/publish" in paths);
});
