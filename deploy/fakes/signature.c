#include "deploy/fakes/signature.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool read_signed_time(const char *text, int64_t *ret_s) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) {
        return false;
    }
    *ret_s = value;
    return true;
}

static bool matches_one(const char *signatures, const char *expected) {
    size_t expected_bytes = strlen(expected);
    bool found = false;
    for (const char *at = signatures; *at != '\0';) {
        size_t spaces = strspn(at, " "), bytes = strcspn(at + spaces, " ");
        if (bytes == expected_bytes && CRYPTO_memcmp(at + spaces, expected, bytes) == 0) {
            found = true;
        }
        at += spaces + bytes;
    }
    return found;
}

const char *signature_check(const struct webhook_secret *secret, const char *id, const char *timestamp,
                            const char *signatures, const void *body, size_t body_bytes, int64_t now_s) {
    int64_t sent_s;
    char expected[64];
    if (timestamp == NULL) {
        return "the header webhook-timestamp is missing";
    }
    if (signatures == NULL) {
        return "the header webhook-signature is missing";
    }
    if (!read_signed_time(timestamp, &sent_s)) {
        return "webhook-timestamp is not a count of seconds";
    }
    if (sent_s < now_s - SIGNATURE_TOLERANCE_S || sent_s > now_s + SIGNATURE_TOLERANCE_S) {
        return "webhook-timestamp is more than 5 minutes away";
    }
    webhook_sign(secret, id, sent_s, body, body_bytes, expected, sizeof(expected));
    return matches_one(signatures, expected) ? NULL : "no signature in webhook-signature is right";
}
