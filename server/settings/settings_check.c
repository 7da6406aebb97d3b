#include "server/settings/settings_check.h"

#include "server/settings/settings_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct setting_row *setting_row_of(const void *member, const struct settings_reading *reading) {
    size_t offset = (size_t)((const char *)member - (const char *)reading->settings);
    for (size_t i = 0; i < reading->table->row_count; i++) {
        if (reading->table->rows[i].offset == offset) {
            return &reading->table->rows[i];
        }
    }
    abort(); /* each member has its row */
}

void settings_bad(struct settings_reading *reading, const void *member, enum herald_reason reason, const char *what) {
    const struct setting_row *row = setting_row_of(member, reading);
    char origin[112];
    settings_origin(reading, row, origin, sizeof(origin));
    settings_problem(reading, row, reason, "%s: %s", origin, what);
}

void settings_bad_entry(struct settings_reading *reading, const void *member, const char *name,
                        enum herald_reason reason, const char *what) {
    const struct setting_row *row = setting_row_of(member, reading);
    char origin[176];
    settings_map_origin(reading, row, name, origin, sizeof(origin));
    settings_problem(reading, row, reason, "%s: %s", origin, what);
}

/* True when the URL begins with one of the schemes, "tcp:// ipc://", and is longer than it. */
static bool has_scheme(const char *url, size_t url_bytes, const char *schemes) {
    for (const char *scheme = schemes; *scheme != '\0';) {
        size_t length = strcspn(scheme, " ");
        if (url_bytes > length && strncmp(url, scheme, length) == 0) {
            return true;
        }
        scheme += length;
        scheme += strspn(scheme, " ");
    }
    return false;
}

/* The part of a URL that names host and port, without user information. */
static const char *authority_of(const char *url, size_t url_bytes, size_t *ret_bytes) {
    const char *end = url + url_bytes, *from = url;
    for (const char *at = url; at + 3 <= end; at++) {
        if (memcmp(at, "://", 3) == 0) {
            from = at + 3;
            break;
        }
    }
    size_t bytes = 0;
    while (from + bytes < end && !strchr("/?#", from[bytes])) {
        bytes++;
    }
    for (const char *at = memchr(from, '@', bytes); at; at = memchr(from, '@', bytes)) {
        bytes -= (size_t)(at + 1 - from);
        from = at + 1;
    }
    *ret_bytes = bytes;
    return from;
}

static bool is_port_number(const char *text, size_t chars) {
    unsigned long port = 0;
    for (size_t i = 0; i < chars; i++) {
        if (text[i] < '0' || text[i] > '9' || chars > 5) {
            return false;
        }
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    return chars > 0 && port <= 65535;
}

/* What is wrong with the port of a URL; NULL: nothing. Only URLs of RPC must have one. */
static const char *port_problem(const char *url, size_t url_bytes) {
    bool rpc = has_scheme(url, url_bytes, "tcp:// tls+tcp://");
    size_t bytes = 0;
    if (has_scheme(url, url_bytes, "ipc:// inproc://")) {
        return NULL;
    }
    const char *authority = authority_of(url, url_bytes, &bytes);
    const char *host_end = bytes > 0 && *authority == '[' ? memchr(authority, ']', bytes) : authority;
    if (!host_end) {
        return "has a host that begins with [ and does not end with ]";
    }
    const char *colon = memchr(host_end, ':', bytes - (size_t)(host_end - authority));
    if (!colon) {
        return rpc ? "names no port: write host:port" : NULL;
    }
    size_t port_chars = bytes - (size_t)(colon + 1 - authority);
    if (memchr(colon + 1, ':', port_chars)) {
        return "has several colons: write an IPv6 address in brackets, [::1]:port";
    }
    return is_port_number(colon + 1, port_chars) ? NULL : "must have a port from 0 to 65535";
}

void settings_check_url(struct settings_reading *reading, char *const *member, const char *schemes) {
    char what[112];
    if (has_scheme(*member, strlen(*member), schemes)) {
        const char *wrong = port_problem(*member, strlen(*member));
        if (wrong) {
            settings_bad(reading, member, HERALD_REASON_BAD_URL, wrong);
        }
        return;
    }
    (void)snprintf(what, sizeof(what), "must be a URL that begins with one of %s", schemes);
    settings_bad(reading, member, HERALD_REASON_BAD_URL, what);
}

void settings_check_urls(struct settings_reading *reading, char *const *member, const char *schemes) {
    char what[128];
    for (const char *url = *member; *url != '\0';) {
        size_t length = strcspn(url, ",");
        if (!has_scheme(url, length, schemes)) {
            (void)snprintf(what, sizeof(what), "must be URLs with commas between them, each begins with one of %s",
                           schemes);
            settings_bad(reading, member, HERALD_REASON_BAD_URL, what);
            return;
        }
        const char *wrong = port_problem(url, length);
        if (wrong) {
            settings_bad(reading, member, HERALD_REASON_BAD_URL, wrong);
            return;
        }
        url += length + (url[length] == ',');
    }
}

void settings_check_not_empty(struct settings_reading *reading, char *const *member) {
    if (**member == '\0') {
        settings_bad(reading, member, HERALD_REASON_BAD_VALUE, "must not be empty");
    }
}
