// Texts in the viewer's language. A catalogue is a module of one object: key to text with {places}. Of a key with a number n,
// the catalogue has "key.one" and "key.other".
import { kept, store } from "./store.js";

export const LANGUAGES = { en: "English", ko: "한국어" };

export const language = store(undefined);

let messages = {};
let plurals = new Intl.PluralRules("en");

export function preferredLanguage() {
    const chosen = kept.read("herald.language");
    if (chosen in LANGUAGES) {
        return chosen;
    }
    const wanted = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in LANGUAGES);
    return wanted ?? "en";
}

/** Loads a catalogue and shows everything in it from now on. */
export async function setLanguage(tag) {
    messages = (await import(`./locales/${tag}.js`)).default;
    plurals = new Intl.PluralRules(tag);
    document.documentElement.lang = tag;
    language.set(tag);
}

export function rememberLanguage(tag) {
    kept.write("herald.language", tag);
    return setLanguage(tag);
}

export function has(key) {
    return key in messages;
}

/** The text of a key; parameters fill its places. A key that no catalogue has is shown as it is: tests find those. */
export function t(key, parameters = {}) {
    let text = messages[key];
    if (text === undefined && parameters.n !== undefined) {
        text = messages[`${key}.${plurals.select(parameters.n)}`] ?? messages[`${key}.other`];
    }
    return (text ?? key).replace(/\{(\w+)\}/g, (place, name) =>
        parameters[name] === undefined ? place : format(parameters[name]),
    );
}

/** The text of a word of the schemas, such as DRAFT; a word that is newer than this console is shown as it is. */
export function word(kind, value) {
    const key = `${kind}.${value}`;
    return has(key) ? t(key) : (value ?? "").replaceAll("_", " ").toLowerCase();
}

function format(value) {
    return typeof value === "number" ? number(value) : String(value);
}

export function number(value, options) {
    return new Intl.NumberFormat(language.get(), options).format(value);
}

export function list(items) {
    return new Intl.ListFormat(language.get(), { type: "conjunction" }).format(items);
}
