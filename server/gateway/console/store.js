// Small values that several components show: a store tells its listeners of each change.
import { useEffect, useState } from "./html.js";

export function store(value) {
    const listeners = new Set();
    return {
        get: () => value,
        set(next) {
            if (next !== value) {
                value = next;
                listeners.forEach((listener) => listener(value));
            }
        },
        listen(listener) {
            listeners.add(listener);
            return () => listeners.delete(listener);
        },
    };
}

/** The store's value; the component is drawn again when it changes. */
export function useStore(source) {
    const [value, setValue] = useState(source.get());
    useEffect(() => {
        setValue(source.get());
        return source.listen(setValue);
    }, [source]);
    return value;
}

// Storage may be switched off in a browser: then nothing is remembered, and all else works.
function storage(kind) {
    return {
        read(key) {
            try {
                return window[kind].getItem(key) ?? undefined;
            } catch {
                return undefined;
            }
        },
        write(key, value) {
            try {
                if (value === undefined) {
                    window[kind].removeItem(key);
                } else {
                    window[kind].setItem(key, value);
                }
            } catch {
                // Not remembered.
            }
        },
    };
}

/** Kept for this browser: language, colours. */
export const kept = storage("localStorage");
/** Kept for this tab: the credential. */
export const keptForTab = storage("sessionStorage");
