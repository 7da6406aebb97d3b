/* A parser of the URLs of Redis. Invariant: no error message repeats the password. */
#include "server/store/redis/redis_url.h"

#include "client/base/ascii.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum herald_code bad_redis_url(struct herald_error *reterr, const char *what) {
    return herald_error_set(reterr, HERALD_REASON_REDIS_URL, "the Redis URL %s; its form is " REDIS_URL_FORMS, what);
}

static bool copy_part(char *to, size_t size, const char *from, size_t length) {
    if (length >= size) {
        return false;
    }
    memcpy(to, from, length);
    to[length] = '\0';
    return true;
}

/* Decodes %XX. Returns false: too long, cut off, or a NUL would result. */
static bool decode_part(char *to, size_t size, const char *from, size_t length) {
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char c = from[i];
        if (c == '%') {
            if (i + 2 >= length || herald_hex_value(from[i + 1]) < 0 || herald_hex_value(from[i + 2]) < 0) {
                return false;
            }
            c = (char)(herald_hex_value(from[i + 1]) * 16 + herald_hex_value(from[i + 2]));
            i += 2;
        }
        if (c == '\0' || used + 1 >= size) {
            return false;
        }
        to[used++] = c;
    }
    to[used] = '\0';
    return true;
}

/* Decimal digits only, at least one, at most @max. */
static bool parse_decimal(const char *text, size_t length, unsigned long max, unsigned long *ret_number) {
    unsigned long number = 0;
    if (length == 0 || length > 9) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!herald_is_digit(text[i])) {
            return false;
        }
        number = number * 10 + (unsigned long)(text[i] - '0');
    }
    *ret_number = number;
    return number <= max;
}

static enum herald_code parse_login(const char *text, size_t length, struct redis_url *url,
                                    struct herald_error *reterr) {
    const char *colon = memchr(text, ':', length);
    size_t user_length = colon ? (size_t)(colon - text) : 0;
    if (!colon) {
        return bad_redis_url(reterr, "has an '@' without ':password' before it");
    }
    if (!decode_part(url->user, sizeof(url->user), text, user_length) ||
        !decode_part(url->password, sizeof(url->password), colon + 1, length - user_length - 1)) {
        return bad_redis_url(reterr, "has a user or password that is too long or wrongly percent-encoded");
    }
    if (url->user[0] && !url->password[0]) {
        return bad_redis_url(reterr, "has a user without a password");
    }
    return HERALD_OK;
}

/* Letters, digits and what else names and addresses have, bytes beyond ASCII too. */
static bool is_redis_host(const char *host, size_t length, bool bracketed) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)host[i];
        if (c < 0x80 && !isalnum(c) && !strchr(bracketed ? ":.%" : "-._", c)) {
            return false;
        }
    }
    return length > 0;
}

static enum herald_code parse_address(const char *text, size_t length, unsigned long port, struct redis_host *ret_host,
                                      struct herald_error *reterr) {
    const char *host = text, *end = text + length, *after;
    size_t host_length;
    if (length && text[0] == '[') {
        const char *bracket = memchr(text, ']', length);
        if (!bracket) {
            return bad_redis_url(reterr, "has a '[' without ']'");
        }
        host = text + 1;
        host_length = (size_t)(bracket - host);
        after = bracket + 1;
    } else {
        const char *colon = memchr(text, ':', length);
        after = colon ? colon : end;
        host_length = (size_t)(after - host);
    }
    if (!is_redis_host(host, host_length, host > text)) {
        return bad_redis_url(reterr, "has no host, or one that is no name and no address");
    }
    if (!copy_part(ret_host->host, sizeof(ret_host->host), host, host_length)) {
        return bad_redis_url(reterr, "has a host that is too long");
    }
    bool good = after >= end || (*after == ':' && parse_decimal(after + 1, (size_t)(end - after - 1), 65535, &port));
    if (!good || port == 0) {
        return bad_redis_url(reterr, "has a port that is not a number from 1 to 65535");
    }
    snprintf(ret_host->port, sizeof(ret_host->port), "%hu", (unsigned short)port);
    return HERALD_OK;
}

static enum herald_code parse_hosts(const char *text, size_t length, bool sentinel, struct redis_url *url,
                                    struct herald_error *reterr) {
    const char *end = text + length;
    if (!sentinel && memchr(text, ',', length)) {
        return bad_redis_url(reterr, "names several hosts, which needs Sentinel: name one, or use redis+sentinel://");
    }
    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        size_t one = (size_t)((comma ? comma : end) - text);
        if (url->host_count == REDIS_HOSTS_MAX) {
            return bad_redis_url(reterr, "names more than 8 sentinels");
        }
        enum herald_code code = parse_address(text, one, sentinel ? 26379 : 6379, &url->hosts[url->host_count], reterr);
        if (code != HERALD_OK || !comma) {
            url->host_count++;
            return code;
        }
        url->host_count++;
        text = comma + 1;
    }
}

/* "/db", "/primary" or "/primary/db". */
static enum herald_code parse_path(const char *path, bool sentinel, struct redis_url *url,
                                   struct herald_error *reterr) {
    unsigned long database = 0;
    if (sentinel) {
        size_t length = *path ? strcspn(path + 1, "/") : 0;
        if (length == 0 || !decode_part(url->primary, sizeof(url->primary), path + 1, length)) {
            return bad_redis_url(reterr, "does not say, after its sentinels, under which name they know the primary");
        }
        path += 1 + length;
    }
    if (path[0] && path[1] && !parse_decimal(path + 1, strlen(path + 1), 65535, &database)) {
        return bad_redis_url(reterr, "has a database that is not a number from 0 to 65535");
    }
    url->database = (unsigned)database;
    return HERALD_OK;
}

/* Returns what follows the scheme; NULL: it is none of ours. */
static const char *parse_scheme(const char *text, struct redis_url *url, bool *ret_sentinel) {
    static const struct {
        const char *scheme;
        bool tls, sentinel;
    } SCHEMES[] = {
        {"redis://", false, false},
        {"rediss://", true, false},
        {"redis+sentinel://", false, true},
        {"rediss+sentinel://", true, true},
    };
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
        size_t length = strlen(SCHEMES[i].scheme);
        if (strncmp(text, SCHEMES[i].scheme, length) == 0) {
            url->tls = SCHEMES[i].tls;
            *ret_sentinel = SCHEMES[i].sentinel;
            return text + length;
        }
    }
    return NULL;
}

enum herald_code redis_url_parse(const char *text, struct redis_url *ret_url, struct herald_error *reterr) {
    struct redis_url url = {0};
    bool sentinel = false;
    const char *rest = parse_scheme(text, &url, &sentinel);
    if (!rest) {
        return bad_redis_url(reterr, "does not begin with redis:// or rediss://");
    }
    size_t length = strcspn(rest, "/?#");
    const char *path = rest + length;
    if (strchr(path, '?') || strchr(path, '#')) {
        return bad_redis_url(reterr, "has a query or fragment");
    }
    const char *at = memrchr(rest, '@', length);
    enum herald_code code = HERALD_OK;
    if (at) {
        code = parse_login(rest, (size_t)(at - rest), &url, reterr);
        length -= (size_t)(at + 1 - rest);
        rest = at + 1;
    }
    if (code == HERALD_OK) {
        code = parse_hosts(rest, length, sentinel, &url, reterr);
    }
    if (code == HERALD_OK) {
        code = parse_path(path, sentinel, &url, reterr);
    }
    if (code == HERALD_OK) {
        *ret_url = url;
    }
    explicit_bzero(&url, sizeof(url));
    return code;
}
