// Signing in: with a token, and with the user to work as where the token names none or none is required.
import { askSession } from "../calls.js";
import { html, useState } from "../html.js";
import { t } from "../i18n.js";
import { chooseUser, openSession, session, setToken } from "../session.js";
import { useStore } from "../store.js";
import { ProblemBox, TextField } from "../ui.js";

export function SignIn() {
    const known = useStore(session);
    const required = Boolean(known?.signInRequired);
    const [values, setValues] = useState({ token: "", user: known?.user ?? "" });
    const [problem, setProblem] = useState();
    const [errors, setErrors] = useState({});
    const [busy, setBusy] = useState(false);
    const set = (name) => (value) => setValues((before) => ({ ...before, [name]: value }));

    async function submit(event) {
        event.preventDefault();
        const token = values.token.trim();
        const user = values.user.trim();
        setProblem(undefined);
        if (!token && (required || !user)) {
            setErrors(required ? { token: t("signin.tokenMissing") } : { user: t("signin.userMissing") });
            return;
        }
        setErrors({});
        setToken(token);
        setBusy(true);
        try {
            const [answer, operates] = await askSession();
            if (token && !answer.authenticated) {
                throw Object.assign(new Error(), { status: 401 });
            }
            chooseUser(user);
            openSession(answer, operates);
        } catch (caught) {
            setToken(undefined);
            setBusy(false);
            if (caught.status === 401) {
                setErrors({ token: t("signin.tokenRefused") });
            } else {
                setProblem(caught);
            }
        }
    }

    const tokenField = html`<${TextField} label=${t(required ? "signin.token" : "signin.tokenOptional")} hint=${t("signin.tokenHint")} error=${errors.token} value=${values.token} set=${set("token")} type="password" name="token" spellcheck="false" />`;
    const userField = html`<${TextField} label=${t("signin.user")} hint=${t(required ? "signin.userOptional" : "signin.userHint")} error=${errors.user} value=${values.user} set=${set("user")} name="user" autocomplete="username" spellcheck="false" />`;
    return html`<section class="card signin">
        <h1 tabindex="-1">${t("signin.title")}</h1>
        <form onSubmit=${submit} novalidate>
            <p>${t(required ? "signin.withToken" : "signin.open")}</p>
            ${required ? [tokenField, userField] : [userField, tokenField]}
            <${ProblemBox} problem=${problem} />
            <button type="submit" class="button primary wide" disabled=${busy}>${t("signin.submit")}</button>
            <details class="command">
                <summary>${t("signin.where")}</summary>
                <code class="mono block" tabindex="0">heraldctl token --caller operator --user u-1 --ttl 1h</code>
            </details>
        </form>
    </section>`;
}
