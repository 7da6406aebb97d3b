// Icons, drawn in 24 x 24 with the text's colour. They stand beside words or carry a title; they never speak alone.
import { html } from "./html.js";

const PATHS = {
    events: "M4 5h16v15H4zM4 9.5h16M8.5 3v4M15.5 3v4M8 13.5h3M8 16.5h6",
    plus: "M12 5v14M5 12h14",
    jobs: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.2h.01",
    channels: "M12 12.5v8M8.5 20.5h7M7.8 15.7a6 6 0 1 1 8.4 0M5 18.5a10 10 0 1 1 14 0M12 11.5h.01",
    unknown: "M9.2 9a3 3 0 1 1 4.3 2.7c-1 .5-1.5 1.1-1.5 2.3M12 17.5h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
    servers: "M4 4.5h16v6H4zM4 13.5h16v6H4zM7.5 7.5h.01M7.5 16.5h.01M11 7.5h6M11 16.5h6",
    check: "M5 12.5l4.5 4.5L19 7.5",
    cross: "M6.5 6.5l11 11M17.5 6.5l-11 11",
    clock: "M12 7v5.2l3.4 2M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z",
    go: "M5 12h13M12.5 6.5L18 12l-5.5 5.5",
    hand: "M12 12.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c.8-3.6 3.8-5.3 7.5-5.3s6.7 1.7 7.5 5.3",
    question: "M8.8 8.8a3.3 3.3 0 1 1 4.8 3c-1.1.6-1.6 1.3-1.6 2.6M12 18.5h.01",
    key: "M14.5 9.5a5 5 0 1 0-2 4l1 1h2v2h2v2h3v-3l-5.4-5.4M8 8h.01",
    search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L20 20",
    minus: "M6 12h12",
    pause: "M8.5 5.5v13M15.5 5.5v13",
    warn: "M12 4L2.8 19.5h18.4zM12 10v4.5M12 17h.01",
    copy: "M9 9h11v11H9zM5 15H4V4h11v1",
    terminal: "M4 5h16v14H4zM7.5 9.5l3 2.5-3 2.5M12.5 15h4",
    sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
    moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
    out: "M14 4h6v16h-6M4 12h11M11 7.5l4.5 4.5-4.5 4.5",
    live: "M3 12h4l2.5-6.5 5 13L17 12h4",
    back: "M15 5l-7 7 7 7",
    link: "M10 14l8.5-8.5M13 5h6v6M18 14v5H5V6h5",
};

export function Icon({ name, title }) {
    return html`<svg
        class="icon"
        viewBox="0 0 24 24"
        role=${title ? "img" : undefined}
        aria-label=${title}
        aria-hidden=${title ? undefined : "true"}
    >
        <path d=${PATHS[name]} />
    </svg>`;
}

/** The path alone, for drawings. */
export function iconPath(name) {
    return PATHS[name];
}
