// What can be said of the sources: both languages are complete, and nothing turns data into markup.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { CONSOLE, source } from "./harness.mjs";

const catalogue = async (tag) => (await import(path.join(CONSOLE, `locales/${tag}.js`))).default;
const places = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

async function sources() {
    const names = (await readdir(CONSOLE, { recursive: true })).filter((name) => name.endsWith(".js") && !/^(vendor|locales)\//.test(name));
    return Promise.all(names.map(async (name) => [name, await source(name)]));
}

test("every text is there in English and in Korean, with the same places", async () => {
    const [en, ko] = [await catalogue("en"), await catalogue("ko")];
    assert.ok(Object.keys(en).length > 200);
    assert.deepEqual(Object.keys(ko).sort(), Object.keys(en).sort());
    for (const [key, text] of Object.entries(en)) {
        assert.ok(text.trim() && ko[key].trim(), key);
        assert.deepEqual(places(ko[key]), places(text), key);
    }
});

test("Korean texts are Korean", async () => {
    const ko = await catalogue("ko");
    const foreign = Object.entries(ko).filter(([, text]) => !/\p{Script=Hangul}/u.test(text));
    // Names, and what has no words.
    const names = ["channel.tooFew", "event.id", "party.DATABASE", "party.KAFKA", "servers.p50", "servers.p99", "step.DISTRIBUTION_COMPLETED_SENT", "step.EVENT_CREATED_SENT", "timeline.to"];
    assert.deepEqual(foreign.map(([key]) => key).sort(), names);
});

test("every key that the code names is in the catalogue", async () => {
    const en = await catalogue("en");
    let found = 0;
    for (const [name, text] of await sources()) {
        for (const [, key] of text.matchAll(/\bt\(\s*"([^"]+)"/g)) {
            assert.ok(key in en || `${key}.other` in en, `${name}: ${key}`);
            found++;
        }
    }
    assert.ok(found > 150);
});

test("every word of the schemas that the console shows has a text", async () => {
    const en = await catalogue("en");
    const schema = async (name) => readFile(path.join(process.env.HERALD_ROOT, "proto/herald", name), "utf8");
    const words = (text, name) =>
        [...new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(text)[1].matchAll(/^\s*([A-Z_]+) = \d+;/gm)].map((match) => match[1]).filter((word) => !word.endsWith("_UNSPECIFIED") && word !== "NOT_PAUSED");
    const [event, job, distribution] = [await schema("event/v1/event.proto"), await schema("job/v1/job.proto"), await schema("distribution/v1/distribution.proto")];
    const kinds = [
        [event, "EventStatus", "event"],
        [event, "Objective", "objective"],
        [event, "TimelineParty", "party"],
        [event, "TimelineState", "timelineState"],
        [job, "JobStatus", "job"],
        [job, "Style", "style"],
        [distribution, "Channel", "channel"],
        [distribution, "DeliveryState", "delivery"],
        [distribution, "ChannelPause", "pause"],
        [distribution, "Resolution", "resolve"],
    ];
    for (const [text, name, kind] of kinds) {
        for (const word of words(text, name)) {
            // A channel as a party has its own lifeline and name.
            assert.ok(word === "CHANNEL_PARTY" || `${kind}.${word}` in en, `${kind}.${word}`);
        }
    }
    const steps = /Stable upper-case word\. In the order of a publish: ([^]*?)string step/.exec(event)[1].match(/\b[A-Z_]{5,}\b/g);
    assert.ok(steps.length > 15);
    for (const step of steps) {
        assert.ok(`step.${step}` in en, step);
    }
});

test("no data becomes markup, and no code comes from texts", async () => {
    for (const [name, text] of await sources()) {
        for (const danger of ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc", "javascript:"]) {
            assert.ok(!text.includes(danger), `${name}: ${danger}`);
        }
    }
    const page = await source("index.html");
    assert.doesNotMatch(page, /<script(?![^>]*src=)|<style|\sstyle=|\son\w+=/);
});

test("the libraries are those of their packages, but for the paths of imports", async () => {
    const files = { "preact.js": "preact/dist/preact.module.js", "hooks.js": "preact/hooks/dist/hooks.module.js", "htm.js": "htm/dist/htm.module.js" };
    for (const [name, original] of Object.entries(files)) {
        const text = await readFile(new URL(`node_modules/${original}`, import.meta.url), "utf8");
        const expected = text.replace(/\/\/# sourceMappingURL.*\n?/, "").replaceAll('from"preact"', 'from"./preact.js"');
        assert.equal((await source(`vendor/${name}`)).trimEnd(), expected.trimEnd(), name);
    }
});
