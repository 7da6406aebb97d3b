#ifndef HERALD_CLIENT_PLAIN_URL_H
#define HERALD_CLIENT_PLAIN_URL_H

#include <stdbool.h>
#include <string.h>

/**
 * True when nng may see a URL: up to 1.5 at least its parser reads beyond the end of one whose host has a user before
 * it ("tcp://@") or a broken escape ("tcp://h/%"). We need neither.
 */
static inline bool herald_url_is_plain(const char *url) {
    bool verbatim =
        strncmp(url, "ipc://", 6) == 0 || strncmp(url, "inproc://", 9) == 0; /* nng takes the rest as it is */
    return verbatim || strpbrk(url, "@%") == NULL;
}

#endif
