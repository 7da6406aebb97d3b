/* A parser of redis:// URLs. Invariant: no error message repeats the password. */
#include "server/store/redis/redis_url.h"

#include "client/base/ascii.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum herald_code bad_redis_url(struct herald_error *reterr, const char *what) {
    return herald_error_set(reterr, HERALD_REASON_REDIS_URL,
                            "the Redis URL %s; it has the form redis://[:password@]host:port/db", what);
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

static enum herald_code parse_address(const char *text, size_t length, struct redis_url *url,
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
    if (host_length == 0 || !copy_part(url->host, sizeof(url->host), host, host_length)) {
        return bad_redis_url(reterr, "has no host, or one that is too long");
    }
    unsigned long port = 6379;
    if (after < end && (*after != ':' || !parse_decimal(after + 1, (size_t)(end - after - 1), 65535, &port))) {
        return bad_redis_url(reterr, "has a port that is not a number from 1 to 65535");
    }
    if (port == 0) {
        return bad_redis_url(reterr, "has a port that is not a number from 1 to 65535");
    }
    snprintf(url->port, sizeof(url->port), "%hu", (unsigned short)port);
    return HERALD_OK;
}

enum herald_code redis_url_parse(const char *text, struct redis_url *ret_url, struct herald_error *reterr) {
    static const char SCHEME[] = "redis://";
    struct redis_url url = {0};
    if (strncmp(text, "rediss://", 9) == 0) {
        return bad_redis_url(reterr,
                             "asks for TLS (rediss://), which this client does not speak: put a TLS tunnel in between");
    }
    if (strncmp(text, SCHEME, sizeof(SCHEME) - 1) != 0) {
        return bad_redis_url(reterr, "does not begin with redis://");
    }
    const char *rest = text + sizeof(SCHEME) - 1;
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
        code = parse_address(rest, length, &url, reterr);
    }
    unsigned long database = 0;
    if (code == HERALD_OK && path[0] && path[1] && !parse_decimal(path + 1, strlen(path + 1), 65535, &database)) {
        return bad_redis_url(reterr, "has a database that is not a number from 0 to 65535");
    }
    if (code == HERALD_OK) {
        url.database = (unsigned)database;
        *ret_url = url;
    }
    return code;
}
