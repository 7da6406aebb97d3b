// The shell: who is signed in, where the pages are, in which language and colours.
import { connection, refused } from "./api.js";
import { askSession } from "./calls.js";
import { classes, html, render, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { LANGUAGES, language, preferredLanguage, rememberLanguage, setLanguage, t } from "./i18n.js";
import { Icon } from "./icons.js";
import { useConnection } from "./live.js";
import { ChannelsPage } from "./pages/channels.js";
import { DraftPage } from "./pages/draft.js";
import { EventPage } from "./pages/event.js";
import { EventsPage } from "./pages/events.js";
import { JobPage, JobsPage } from "./pages/jobs.js";
import { LivePage } from "./pages/live.js";
import { ServersPage } from "./pages/servers.js";
import { SignIn } from "./pages/signin.js";
import { UnknownPage } from "./pages/unknown.js";
import { link, route } from "./router.js";
import { chooseUser, isOpen, isOperator, openSession, session, signOut, token } from "./session.js";
import { kept, useStore } from "./store.js";
import { ProblemBox, Loading } from "./ui.js";

const NAV = [
    { path: "/events", icon: "events", text: "nav.events" },
    { path: "/new", icon: "plus", text: "nav.new" },
    { path: "/jobs", icon: "jobs", text: "nav.jobs" },
    { path: "/channels", icon: "channels", text: "nav.channels" },
    { path: "/unknown", icon: "unknown", text: "nav.unknown", operator: true },
    { path: "/servers", icon: "servers", text: "nav.servers", operator: true },
];

/** The page of an address: [component, properties, title]. */
function pageOf({ parts, query }) {
    const [first, id, part] = parts;
    if (first === "events" && id && part === "live") {
        return [LivePage, { id }, "live.title"];
    }
    if (first === "events" && id && part === "draft") {
        return [DraftPage, { id, query }, "draft.title"];
    }
    if (first === "events" && id) {
        return [EventPage, { id }, "event.title"];
    }
    if (first === "jobs" && id) {
        return [JobPage, { id }, "job.title"];
    }
    const plain = {
        events: [EventsPage, { query }, "events.title"],
        new: [DraftPage, { query }, "draft.new"],
        jobs: [JobsPage, { query }, "jobs.title"],
        channels: [ChannelsPage, {}, "channels.title"],
        unknown: [UnknownPage, { query }, "unknown.title"],
        servers: [ServersPage, {}, "servers.title"],
    };
    return plain[first] ?? [NotFound, {}, "notFound.title"];
}

function NotFound() {
    return html`<h1 tabindex="-1">${t("notFound.title")}</h1>
        <p>${t("notFound.text")} <a href=${link("/events")}>${t("nav.events")}</a></p>`;
}

function Nav({ path, known }) {
    return html`<nav class="nav" aria-label=${t("nav.label")}>
        ${NAV.filter((item) => !item.operator || isOperator(known)).map((item) => {
            const here = path === item.path || (item.path !== "/" && path.startsWith(`${item.path}/`));
            return html`<a href=${link(item.path)} aria-current=${here ? "page" : undefined} class=${classes(here && "here")}>
                <${Icon} name=${item.icon} /><span>${t(item.text)}</span></a
            >`;
        })}
    </nav>`;
}

function Connection() {
    const state = useConnection();
    return html`<span class=${`connection ${state}`} role="status"
        ><span class="pulse" aria-hidden="true"></span>${t(`connection.${state}`)}</span
    >`;
}

const THEMES = ["system", "light", "dark"];

function applyTheme(theme) {
    if (theme === "system") {
        delete document.documentElement.dataset.theme;
    } else {
        document.documentElement.dataset.theme = theme;
    }
}

function Settings() {
    const [theme, setTheme] = useState(kept.read("herald.theme") ?? "system");
    const tag = useStore(language);
    function choose(next) {
        kept.write("herald.theme", next);
        applyTheme(next);
        setTheme(next);
    }
    return html`<div class="settings">
        <label
            ><span class="sr">${t("settings.language")}</span>
            <select name="language" value=${tag} onChange=${(event) => rememberLanguage(event.currentTarget.value)}>
                ${Object.entries(LANGUAGES).map(([code, name]) => html`<option value=${code} lang=${code} selected=${code === tag}>${name}</option>`)}
            </select></label
        >
        <label
            ><span class="sr">${t("settings.theme")}</span>
            <select name="theme" value=${theme} onChange=${(event) => choose(event.currentTarget.value)}>
                ${THEMES.map((name) => html`<option value=${name} selected=${name === theme}>${t(`theme.${name}`)}</option>`)}
            </select></label
        >
    </div>`;
}

function Person({ known }) {
    return html`<div class="person">
        <span class="who" title=${t("person.acting", { user: known.user || t("person.nobody") })}
            ><${Icon} name="hand" /><span class="name">${known.user || t("person.nobody")}</span
            ><span class="class">${t(`class.${known.authenticated ? known.class : known.operator ? "open" : "anonymous"}`)}</span></span
        >
        <button type="button" class="button small quiet" onClick=${signOut}><${Icon} name="out" /><span>${t(known.authenticated ? "person.signOut" : "person.change")}</span></button>
    </div>`;
}

function App() {
    const tag = useStore(language);
    const known = useStore(session);
    const refusals = useStore(refused);
    const where = useStore(route);
    const main = useRef();
    const [problem, setProblem] = useState();
    const [round, setRound] = useState(0);

    // The gateway says who this is: at the start, after signing in and out, and when it refused the credential.
    useEffect(() => {
        if (known) {
            return;
        }
        setProblem(undefined);
        askSession().then(
            (answers) => openSession(...answers),
            (caught) => {
                if (caught.status === 401 && token()) {
                    signOut();
                    setRound((before) => before + 1);
                }
                setProblem(caught);
            },
        );
    }, [known, round]);
    useEffect(() => {
        if (refusals > 0) {
            signOut();
        }
    }, [refusals]);
    // A link may name the user whose event it shows.
    useEffect(() => {
        if (known && where.query.user && !known.fixedUser && where.query.user !== known.user) {
            chooseUser(where.query.user);
        }
    }, [known, where]);

    const open = isOpen(known);
    const [Page, properties, title] = open ? pageOf(where) : [SignIn, {}, "signin.title"];
    useEffect(() => {
        document.title = `${t(title)} · Herald`;
    }, [title, tag, where]);
    // A new page begins at its heading, for the keyboard and for screen readers.
    const shown = useRef(where.path);
    useLayoutEffect(() => {
        if (shown.current !== where.path) {
            shown.current = where.path;
            scrollTo(0, 0);
            main.current?.querySelector("h1")?.focus({ preventScroll: true });
        }
    }, [where.path]);

    return html`<a class="skip" href="#main" onClick=${(event) => {
            event.preventDefault();
            main.current?.focus();
        }}>${t("skip")}</a>
        <header class="top">
            <a class="brand" href=${link("/events")}><img src="/console/icon.svg" alt="" width="26" height="26" />Herald</a>
            ${open && html`<${Connection} />`}
            <span class="space"></span>
            <${Settings} />
            ${open && html`<${Person} known=${known} />`}
        </header>
        <div class=${classes("frame", open && "with-nav")}>
            ${open && html`<${Nav} path=${where.path} known=${known} />`}
            <main ref=${main} id="main" tabindex="-1" key=${tag}>
                ${known === undefined
                    ? problem
                        ? html`<${ProblemBox} problem=${problem} retry=${() => setRound(round + 1)} />`
                        : html`<${Loading} />`
                    : html`<${Page} key=${title} ...${properties} />`}
            </main>
        </div>
        <div id="announcements" class="sr" aria-live="polite"></div>`;
}

applyTheme(kept.read("herald.theme") ?? "system");
connection.set("live");
await setLanguage(preferredLanguage());
render(html`<${App} />`, document.getElementById("app"));
