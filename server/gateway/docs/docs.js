// Shows /api/openapi.json. Everything that comes from the document becomes text, never markup.
const DOCUMENT = "/api/openapi.json";
const VERBS = ["get", "post", "put", "patch", "delete"];
const THEMES = ["auto", "light", "dark"];

/** Makes an element. @param attributes names with values; false, null and undefined are left out, functions listen */
function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (typeof value === "function") {
            element.addEventListener(name, value);
        } else if (value !== false && value != null) {
            element.setAttribute(name, value === true ? "" : value);
        }
    }
    element.append(...children.flat().filter((child) => child != null && child !== false));
    return element;
}

// ---- texts ----

/** `code` and **bold** of a line, as nodes. */
function inline(text) {
    return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
        if (part.startsWith("`") && part.length > 2) {
            return h("code", {}, part.slice(1, -1));
        }
        return part.startsWith("**") && part.length > 4 ? h("strong", {}, part.slice(2, -2)) : part;
    });
}

/** Paragraphs of a description. */
function paragraphs(text = "") {
    return text.split("\n\n").filter(Boolean).map((paragraph) =>
        h("p", {}, paragraph.split("\n").flatMap((line, i) => (i > 0 ? [h("br"), ...inline(line)] : inline(line)))));
}

async function copy(button, text) {
    try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
    } catch {
        button.textContent = "Select it, then Ctrl+C";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
}

function codeBlock(text, label) {
    const button = h("button", { type: "button", "aria-label": `Copy ${label}`, click: () => copy(button, text) }, "Copy");
    return h("div", { class: "code" }, h("pre", { tabindex: "0", role: "region", "aria-label": label }, text), button);
}

// ---- schemas ----

const nameOf = (reference) => reference.slice(reference.lastIndexOf("/") + 1);

/** What a "$ref" within the document refers to. */
function resolve(api, value) {
    if (value?.$ref === undefined) {
        return value;
    }
    return value.$ref.slice(2).split("/").reduce((at, key) => at?.[key], api) ?? {};
}

/** The type of a schema in words, as nodes. */
function typeOf(schema) {
    if (schema.$ref) {
        return [h("a", { href: `#schema-${nameOf(schema.$ref)}` }, nameOf(schema.$ref))];
    }
    if (schema.anyOf) {
        return schema.anyOf.flatMap((one, i) => (i > 0 ? [" or ", ...typeOf(one)] : typeOf(one)));
    }
    if (schema.enum) {
        return schema.enum.flatMap((value, i) => [i > 0 ? " or " : "", h("code", {}, JSON.stringify(value))]);
    }
    if (schema.const !== undefined) {
        return [h("code", {}, JSON.stringify(schema.const))];
    }
    const types = [schema.type ?? "any"].flat();
    if (types.includes("array")) {
        return ["list of ", ...typeOf(schema.items ?? {}), types.includes("null") ? " or null" : ""];
    }
    return [types.join(" or ") + (schema.format ? ` (${schema.format})` : "")];
}

/** The rules of a schema in words. */
function rulesOf(schema) {
    const rules = [];
    const between = (least, most, unit) => {
        if (least !== undefined && most !== undefined) {
            rules.push(`${least} to ${most}${unit}`);
        } else if (most !== undefined) {
            rules.push(`at most ${most}${unit}`);
        } else if (least !== undefined) {
            rules.push(`at least ${least}${unit}`);
        }
    };
    between(schema.minLength, schema.maxLength, " characters");
    between(schema.minItems, schema.maxItems, " items");
    if ([schema.type].flat().some((type) => type === "integer" || type === "number")) {
        between(schema.minimum, schema.maximum, "");
    }
    return rules.join("; ");
}

/** The pattern of a text, unless it says no more than that there is no NUL, or how a number is written. */
function patternOf(schema) {
    const isText = [schema.type].flat().every((type) => type === "string" || type === "null");
    return isText && schema.pattern && !schema.pattern.startsWith("^[^") ? schema.pattern : undefined;
}

function fieldRow(name, schema, required, description) {
    const rules = rulesOf(schema);
    const pattern = patternOf(schema);
    return h("tr", {},
        h("th", { scope: "row" }, h("span", { class: "name" }, name), required ? h("div", { class: "required" }, "required") : null),
        h("td", {},
            h("div", {}, typeOf(schema)),
            paragraphs(description ?? schema.description),
            rules ? h("div", { class: "rules" }, rules) : null,
            pattern ? h("div", { class: "rules" }, "pattern ", h("code", {}, pattern)) : null));
}

function fieldTable(rows) {
    return h("div", { class: "wrap" }, h("table", { class: "fields" }, h("tbody", {}, rows)));
}

function enumTable(schema) {
    const docs = schema["x-enum-descriptions"] ?? {};
    const names = Object.keys(docs).length > 0 ? Object.keys(docs) : schema.enum ?? [];
    return fieldTable(names.map((name) =>
        h("tr", {}, h("th", { scope: "row" }, h("span", { class: "name" }, String(name))), h("td", {}, paragraphs(docs[name])))));
}

function schemaBody(schema) {
    if (schema.properties) {
        const required = schema.required ?? [];
        const rows = Object.entries(schema.properties).map(([name, field]) => fieldRow(name, field, required.includes(name)));
        return rows.length > 0 ? fieldTable(rows) : h("p", { class: "muted" }, "No fields.");
    }
    if (schema.enum || schema["x-enum-descriptions"]) {
        return enumTable(schema);
    }
    return h("p", {}, typeOf(schema));
}

// ---- operations ----

/** A word of a shell, in quotes. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const needsCredential = (api, operation) => !(operation.security ?? api.security ?? [{}]).some((one) => Object.keys(one).length === 0);

/** A command that can be run as it is, but for a token. */
function curlOf(api, path, verb, operation) {
    const parameters = (operation.parameters ?? []).map((parameter) => resolve(api, parameter));
    const valueOf = (parameter) => encodeURIComponent([parameter.example].flat()[0]);
    const filled = parameters.filter((one) => one.in === "path").reduce((at, one) => at.replace(`{${one.name}}`, valueOf(one)), path);
    const query = parameters.filter((one) => one.in === "query" && one.example !== undefined).map((one) => `${one.name}=${valueOf(one)}`);
    const lines = [`curl ${verb === "get" ? "" : `-X ${verb.toUpperCase()} `}${quoted(location.origin + filled + (query.length > 0 ? `?${query.join("&")}` : ""))}`];
    if (needsCredential(api, operation)) {
        lines.push('-H "Authorization: Bearer $TOKEN"');
    }
    if (parameters.some((one) => one.name === "Idempotency-Key")) {
        lines.push('-H "Idempotency-Key: $(uuidgen)"');
    }
    const content = operation.requestBody?.content?.["application/json"];
    if (content) {
        lines.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(content.example ?? {}))}`);
    }
    return lines.join(" \\\n  ");
}

const EFFECTS = {
    READ: "changes nothing",
    IDEMPOTENT: "a repeat leaves the same state",
    ONCE: "takes effect once for each key",
};
const CALLERS = {
    ANYONE: "for anyone",
    IDENTIFIED: "for identified callers",
    OPERATOR: "for operators",
    SERVER: "for Herald's own servers",
};

function chips(operation) {
    const texts = [
        EFFECTS[operation["x-effect"]],
        CALLERS[operation["x-caller"]],
        operation["x-deadline-ms"] && `at most ${operation["x-deadline-ms"] / 1000} s unless asked otherwise`,
        operation["x-waits"] && "waits for a change",
    ].filter(Boolean);
    return texts.length > 0 ? h("ul", { class: "chips" }, texts.map((text) => h("li", {}, text))) : null;
}

function parametersOf(api, operation) {
    const titles = { path: "Path", query: "Query", header: "Headers" };
    const parameters = (operation.parameters ?? []).map((parameter) => resolve(api, parameter));
    return Object.entries(titles).flatMap(([place, title]) => {
        const rows = parameters.filter((one) => one.in === place).map((one) => fieldRow(one.name, one.schema, one.required, one.description));
        return rows.length > 0 ? [h("h4", {}, title), fieldTable(rows)] : [];
    });
}

function bodyOf(api, operation) {
    const content = operation.requestBody?.content?.["application/json"];
    if (!content) {
        return [];
    }
    const optional = operation.requestBody.required ? "" : " (may be left out)";
    return [
        h("h4", {}, `Body${optional}`),
        schemaBody(resolve(api, content.schema)),
    ];
}

function responsesOf(api, operation) {
    return h("ul", { class: "responses" }, Object.entries(operation.responses).map(([status, value]) => {
        const response = resolve(api, value);
        const types = Object.entries(response.content ?? {}).flatMap(([type, content], i) =>
            [i > 0 ? h("br") : null, h("code", {}, type), " ", ...(content.schema ? typeOf(content.schema) : [])]);
        return h("li", {}, h("span", { class: "status" }, status), h("div", {}, paragraphs(response.description), h("p", { class: "muted" }, types)));
    }));
}

function operationInside(api, path, verb, operation) {
    return h("div", { class: "inside" },
        paragraphs(operation.description),
        chips(operation),
        operation["x-method"] ? h("p", { class: "muted" }, "Calls ", h("code", {}, operation["x-method"])) : null,
        h("h4", {}, "With curl"),
        codeBlock(curlOf(api, path, verb, operation), `the command for ${operation.operationId}`),
        parametersOf(api, operation),
        bodyOf(api, operation),
        h("h4", {}, "Answers"),
        responsesOf(api, operation));
}

/** An element that can be opened, and gets its inside then. */
function lazyDetails(id, className, summary, makeInside) {
    const details = h("details", { id, class: className }, h("summary", {}, summary));
    details.addEventListener("toggle", () => {
        if (details.open && details.childElementCount === 1) {
            details.append(makeInside());
        }
    });
    return details;
}

/** All operations: {id, verb, path, tag, operation, text to search in}. */
function operationsOf(api) {
    return Object.entries(api.paths).flatMap(([path, verbs]) =>
        VERBS.filter((verb) => verbs[verb]).map((verb) => {
            const operation = verbs[verb];
            const words = JSON.stringify([operation, resolve(api, operation.requestBody?.content?.["application/json"]?.schema)]);
            return { id: operation.operationId, verb, path, tag: operation.tags[0], operation, text: `${verb} ${path} ${words}`.toLowerCase() };
        }));
}

// ---- the page ----

const byId = (id) => document.getElementById(id);
const badge = (verb) => h("span", { class: `verb ${verb}` }, verb.toUpperCase());

function showOperations(api, operations) {
    const groups = [];
    for (const tag of api.tags) {
        const own = operations.filter((one) => one.tag === tag.name);
        for (const one of own) {
            one.element = lazyDetails(one.id, "operation",
                [badge(one.verb), h("span", { class: "path" }, one.path), h("h3", {}, one.operation.summary)],
                () => operationInside(api, one.path, one.verb, one.operation));
            one.link = h("li", {}, h("a", { href: `#${one.id}` }, badge(one.verb), h("span", {}, one.operation.summary)));
        }
        const section = h("section", {}, h("h2", {}, tag.name), paragraphs(tag.description), own.map((one) => one.element));
        const list = h("div", {}, h("h2", {}, tag.name), h("ul", {}, own.map((one) => one.link)));
        groups.push({ own, section, list });
    }
    byId("operations").append(...groups.map((group) => group.section));
    byId("contents").append(h("details", { open: matchMedia("(min-width: 821px)").matches },
        h("summary", {}, "Operations"), h("div", { class: "groups" }, groups.map((group) => group.list))));
    return groups;
}

function showSchemas(api) {
    byId("schemas").append(h("h2", {}, "Schemas"),
        ...Object.entries(api.components.schemas).map(([name, schema]) =>
            lazyDetails(`schema-${name}`, "schema", [h("span", { class: "path" }, name)], () =>
                h("div", { class: "inside" }, paragraphs(schema.description), schemaBody(schema)))));
}

/** Leaves what has all words of the search. */
function search(groups, text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const group of groups) {
        let shown = 0;
        for (const one of group.own) {
            const fits = words.every((word) => one.text.includes(word));
            one.element.hidden = one.link.hidden = !fits;
            shown += fits ? 1 : 0;
        }
        group.section.hidden = group.list.hidden = shown === 0;
        count += shown;
    }
    byId("schemas").hidden = byId("introduction").hidden = words.length > 0;
    byId("state").textContent = words.length > 0 ? `${count} ${count === 1 ? "operation" : "operations"} found` : "";
}

/** Opens what the address names. */
function openTarget() {
    const target = location.hash.length > 1 ? byId(decodeURIComponent(location.hash.slice(1))) : null;
    for (const link of document.querySelectorAll("nav a")) {
        link.toggleAttribute("aria-current", link.getAttribute("href") === location.hash);
    }
    if (target instanceof HTMLDetailsElement) {
        if (target.hidden || target.closest("[hidden]")) {
            byId("search").value = "";
            byId("search").dispatchEvent(new Event("input"));
        }
        target.open = true;
        target.scrollIntoView();
        target.querySelector("summary").focus({ preventScroll: true });
    }
}

function setUpTheme() {
    const button = byId("theme");
    const show = (theme) => {
        document.documentElement.toggleAttribute("data-theme", theme !== "auto");
        if (theme !== "auto") {
            document.documentElement.setAttribute("data-theme", theme);
        }
        button.textContent = `Theme: ${theme}`;
    };
    let theme = THEMES.find((one) => one === localStorage.getItem("herald.theme")) ?? "auto";
    show(theme);
    button.addEventListener("click", () => {
        theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
        localStorage.setItem("herald.theme", theme);
        show(theme);
    });
}

function setUpSearch(groups) {
    const input = byId("search");
    input.addEventListener("input", () => search(groups, input.value));
    document.addEventListener("keydown", (event) => {
        if (event.key === "/" && document.activeElement !== input) {
            event.preventDefault();
            input.focus();
        }
    });
    search(groups, input.value);
}

async function start() {
    setUpTheme();
    const response = await fetch(DOCUMENT);
    if (!response.ok) {
        throw new Error(`${DOCUMENT} answers ${response.status}`);
    }
    const api = await response.json();
    byId("version").textContent = `HTTP API ${api.info.version}`;
    byId("introduction").append(...paragraphs(api.info.description));
    const groups = showOperations(api, operationsOf(api));
    showSchemas(api);
    setUpSearch(groups);
    addEventListener("hashchange", openTarget);
    openTarget();
}

start().catch((error) => {
    byId("state").textContent = `The document cannot be shown: ${error.message}. Reload the page to try again.`;
});
