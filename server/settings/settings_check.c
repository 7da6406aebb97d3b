#include "server/settings/settings_check.h"

#include "server/settings/settings_private.h"

#include <ctype.h>
#include <stdbool.h>
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

/* A URL in its parts; each may be empty. */
struct url_parts {
    const char *authority, *rest; /* rest: from the first of / ? # on */
    size_t authority_bytes, rest_bytes;
};

static struct url_parts url_parts_of(const char *url, size_t url_bytes) {
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
    return (struct url_parts){from, from + bytes, bytes, (size_t)(end - from) - bytes};
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

/* Letters, digits and what else names and addresses have, bytes beyond ASCII too. */
static bool is_url_host(const char *host, size_t chars, bool bracketed) {
    for (size_t i = 0; i < chars; i++) {
        unsigned char c = (unsigned char)host[i];
        if (c < 0x80 && !isalnum(c) && !strchr(bracketed ? ":.%" : "-._*", c)) {
            return false;
        }
    }
    return !bracketed || chars > 0;
}

/* What is wrong with "host:port", where a base needs no port; NULL: nothing. */
static const char *authority_problem(const char *authority, size_t bytes, enum settings_url_form form) {
    bool bracketed = bytes > 0 && *authority == '[';
    const char *end = authority + bytes, *host = authority + (bracketed ? 1 : 0);
    const char *host_end = memchr(host, bracketed ? ']' : ':', (size_t)(end - host));
    if (bracketed && !host_end) {
        return "has a host that begins with [ and does not end with ]";
    }
    host_end = host_end ? host_end : end;
    const char *colon = host_end + (bracketed ? 1 : 0);
    if (colon < end && *colon == ':' && memchr(colon + 1, ':', (size_t)(end - colon - 1))) {
        return "has several colons: write an IPv6 address in brackets, [::1]:port";
    }
    if (!is_url_host(host, (size_t)(host_end - host), bracketed)) {
        return "has a host that is no name and no address: write host:port";
    }
    if (form != SETTINGS_URL_LISTEN && (host_end == host || (host_end == host + 1 && *host == '*'))) {
        return "names no host: write host:port";
    }
    if (colon == end) {
        return form == SETTINGS_URL_BASE || form == SETTINGS_URL_WHOLE ? NULL : "names no port: write host:port";
    }
    if (*colon != ':' || !is_port_number(colon + 1, (size_t)(end - colon - 1))) {
        return "must have a port from 0 to 65535";
    }
    bool zero = strspn(colon + 1, "0") >= (size_t)(end - colon - 1);
    return zero && form != SETTINGS_URL_LISTEN ? "has port 0, where nobody is: write the port of the server" : NULL;
}

/* What is wrong behind host and port; NULL: nothing. */
static const char *rest_problem(const char *rest, size_t bytes, enum settings_url_form form) {
    for (size_t i = 0; i < bytes; i++) {
        if (isspace((unsigned char)rest[i])) {
            return "has a blank";
        }
    }
    if (form == SETTINGS_URL_LISTEN || form == SETTINGS_URL_CALL) {
        return bytes > 0 ? "goes on behind host:port: remove the path, query or fragment" : NULL;
    }
    if (form == SETTINGS_URL_BASE && (memchr(rest, '#', bytes) || memchr(rest, '?', bytes))) {
        return "has a query or fragment, and paths are added to it: end it before the ? or #";
    }
    return memchr(rest, '#', bytes) ? "has a fragment, which is never sent: end it before the #" : NULL;
}

/* What is wrong with a URL; NULL: nothing. */
static const char *url_problem(const char *url, size_t url_bytes, enum settings_url_form form) {
    if (has_scheme(url, url_bytes, "ipc:// inproc://")) {
        return NULL;
    }
    struct url_parts parts = url_parts_of(url, url_bytes);
    const char *at = memrchr(parts.authority, '@', parts.authority_bytes);
    if (at && form != SETTINGS_URL_WHOLE) {
        return "has user information before an @, and none is used here: remove it";
    }
    if (at) {
        parts.authority_bytes -= (size_t)(at + 1 - parts.authority);
        parts.authority = at + 1;
    }
    const char *wrong = authority_problem(parts.authority, parts.authority_bytes, form);
    return wrong ? wrong : rest_problem(parts.rest, parts.rest_bytes, form);
}

void settings_check_url(struct settings_reading *reading, char *const *member, const char *schemes,
                        enum settings_url_form form) {
    char what[112];
    if (has_scheme(*member, strlen(*member), schemes)) {
        const char *wrong = url_problem(*member, strlen(*member), form);
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
        const char *wrong = url_problem(url, length, SETTINGS_URL_CALL);
        if (wrong) {
            settings_bad(reading, member, HERALD_REASON_BAD_URL, wrong);
            return;
        }
        url += length + (url[length] == ',');
    }
}

void settings_check_endpoints(struct settings_reading *reading, char *const *member) {
    for (const char *at = *member;;) {
        at += strspn(at, " ");
        size_t length = strcspn(at, ","), bytes = length;
        while (bytes > 0 && at[bytes - 1] == ' ') {
            bytes--;
        }
        if (authority_problem(at, bytes, SETTINGS_URL_CALL)) {
            settings_bad(reading, member, HERALD_REASON_BAD_ENDPOINT,
                         "must be host:port, or several with commas between them, without scheme or path");
            return;
        }
        if (at[length] == '\0') {
            return;
        }
        at += length + 1;
    }
}

void settings_check_not_empty(struct settings_reading *reading, char *const *member) {
    if (**member == '\0') {
        settings_bad(reading, member, HERALD_REASON_BAD_VALUE, "must not be empty");
    }
}
