// Who is signed in. The token stays in this tab only and is sent as a bearer token; there is no cookie that a foreign page could use.
import { keptForTab, store } from "./store.js";

/** { authenticated, signInRequired, user, class, version, fixedUser, operator } or undefined before the gateway has answered. */
export const session = store(undefined);

export function token() {
    return keptForTab.read("herald.token");
}

export function setToken(text) {
    keptForTab.write("herald.token", text || undefined);
}

export function chosenUser() {
    return keptForTab.read("herald.user");
}

export function chooseUser(user) {
    keptForTab.write("herald.user", user || undefined);
    const known = session.get();
    if (known) {
        session.set({ ...known, user: known.fixedUser ? known.user : (user ?? "") });
    }
}

/**
 * Takes the gateway's answer. A credential that names a user acts for that user; else the user is chosen here.
 * @param operates whether the servers let this caller do what operators do
 */
export function openSession(answer, operates) {
    const fixedUser = Boolean(answer.authenticated && answer.user);
    session.set({ ...answer, fixedUser, user: fixedUser ? answer.user : (chosenUser() ?? ""), operator: operates });
}

export function signOut() {
    setToken(undefined);
    keptForTab.write("herald.user", undefined);
    session.set(undefined);
}

/** Whether the session may be used: somebody signed in, or chose a user where no credential is required. */
export function isOpen(known) {
    return Boolean(known && (known.authenticated || (!known.signInRequired && known.user)));
}

/** Operators see what concerns all users. */
export function isOperator(known) {
    return Boolean(known.operator);
}
