#ifndef HERALD_CLIENT_PLAIN_URL_H
#define HERALD_CLIENT_PLAIN_URL_H

#include <stdbool.h>
#include <string.h>

/**
 * Whether a URL is safe to pass to nng. In nng 1.5 and before, the parser reads beyond the end of a URL with user
 * information ("tcp://@") or a broken escape ("tcp://h/%"). Herald's URLs need neither.
 */
static inline bool herald_url_is_plain(const char *url) {
    bool verbatim =
        strncmp(url, "ipc://", 6) == 0 || strncmp(url, "inproc://", 9) == 0; /* nng takes the rest as it is */
    return verbatim || strpbrk(url, "@%") == NULL;
}

#endif
