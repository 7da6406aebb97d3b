#include "server/gateway/request_options.h"

#include "client/base/ascii.h"

#define TRACEPARENT_CHARS 55
/* Digits of a time-out: below 2^32 in microseconds. */
#define DIGITS_MAX 12u

bool options_idempotency_key(const struct request_head *head, char *ret_key) {
    struct span key = head->headers[HTTP_HEADER_IDEMPOTENCY_KEY];
    ret_key[0] = '\0';
    if (key.at == NULL) {
        return true;
    }
    if (key.bytes >= 2 && key.at[0] == '"' && key.at[key.bytes - 1] == '"') {
        key = (struct span){key.at + 1, key.bytes - 2};
    }
    if (key.bytes == 0 || key.bytes > OPTIONS_KEY_MAX || !herald_is_graphic(key.at, key.bytes) ||
        memchr(key.at, '"', key.bytes) != NULL || memchr(key.at, '\\', key.bytes) != NULL) {
        return false;
    }
    memcpy(ret_key, key.at, key.bytes);
    ret_key[key.bytes] = '\0';
    return true;
}

bool options_bearer(const struct request_head *head, struct span *ret_token) {
    struct span text = head->headers[HTTP_HEADER_AUTHORIZATION];
    *ret_token = (struct span){NULL, 0};
    if (text.at == NULL) {
        return true;
    }
    if (text.bytes < 8 || strncasecmp(text.at, "bearer ", 7) != 0) {
        return false;
    }
    struct span token = span_trim((struct span){text.at + 7, text.bytes - 7});
    if (token.bytes == 0 || token.bytes > OPTIONS_TOKEN_MAX || !herald_is_graphic(token.at, token.bytes)) {
        return false;
    }
    *ret_token = token;
    return true;
}

/* Reads a decimal number in thousandths of its unit; what follows the third place is passed over. */
static bool read_thousandths(struct span text, bool fraction_allowed, uint64_t *ret_value) {
    uint64_t value = 0;
    unsigned places = 0, digits = 0;
    bool in_fraction = false;
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.at[i];
        if (c == '.' && fraction_allowed && !in_fraction && digits > 0) {
            in_fraction = true;
            continue;
        }
        if (!herald_is_digit(c) || ++digits > DIGITS_MAX) {
            return false;
        }
        if (!in_fraction || places < 3) {
            value = value * 10 + (uint64_t)(c - '0');
            places += in_fraction;
        }
    }
    for (; places < 3; places++) {
        value *= 10;
    }
    *ret_value = value;
    return digits > 0;
}

bool options_timeout(const struct request_head *head, uint32_t most_ms, uint32_t *ret_ms) {
    struct span ms = head->headers[HTTP_HEADER_X_REQUEST_TIMEOUT_MS];
    struct span seconds = head->headers[HTTP_HEADER_REQUEST_TIMEOUT];
    uint64_t value = 0;
    *ret_ms = 0;
    if (ms.at == NULL && seconds.at == NULL) {
        return true;
    }
    if (!read_thousandths(ms.at != NULL ? ms : seconds, ms.at == NULL, &value)) {
        return false;
    }
    value = ms.at != NULL ? value / 1000 : value;
    if (value == 0 || value > most_ms) {
        return false;
    }
    *ret_ms = (uint32_t)value;
    return true;
}

bool options_is_traceparent(struct span text) {
    if (text.bytes != TRACEPARENT_CHARS || memcmp(text.at, "00-", 3) != 0 || text.at[35] != '-' || text.at[52] != '-') {
        return false;
    }
    for (size_t i = 3; i < TRACEPARENT_CHARS; i++) {
        char c = text.at[i];
        if (i != 35 && i != 52 && !herald_is_digit(c) && (c < 'a' || c > 'f')) {
            return false;
        }
    }
    return true;
}

/* The type without its parameters. */
static struct span bare_type(struct span type) {
    struct span bare = {"", 0};
    (void)span_next(&type, ';', &bare);
    return span_trim(bare);
}

bool options_is_json(struct span type) {
    struct span bare = bare_type(type);
    return span_is_word(bare, "application/json") ||
           (bare.bytes > 17 && strncasecmp(bare.at, "application/", 12) == 0 &&
            strncasecmp(bare.at + bare.bytes - 5, "+json", 5) == 0);
}

bool options_accepts(const struct request_head *head, const char *type) {
    struct span list = head->headers[HTTP_HEADER_ACCEPT], item;
    size_t main_bytes = strcspn(type, "/") + 1;
    if (list.at == NULL) {
        return true;
    }
    while (span_next(&list, ',', &item)) {
        struct span bare = bare_type(item);
        if (span_is_word(bare, type) || span_is(bare, "*/*") ||
            (bare.bytes == main_bytes + 1 && strncasecmp(bare.at, type, main_bytes) == 0 &&
             bare.at[main_bytes] == '*')) {
            return true;
        }
    }
    return false;
}
