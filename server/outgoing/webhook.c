/* Signatures of webhooks: HMAC-SHA256 as Standard Webhooks 1.0.0 defines it, and the secret in its text form. */
#include "server/outgoing/webhook.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define SECRET_PREFIX    "whsec_"
#define SECRET_MIN_BYTES 24

static int digit_of(char c) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(DIGITS, c) : NULL;
    return at != NULL ? (int)(at - DIGITS) : -1;
}

/* Strict base64 with padding. Returns the count of bytes; -1 for other text or for more than @room bytes. */
static int decode_base64(const char *text, unsigned char *out, size_t room) {
    size_t length = strlen(text), padding = 0, bytes = 0;
    if (length == 0 || length % 4 != 0) {
        return -1;
    }
    while (padding < 2 && text[length - 1 - padding] == '=') {
        padding++;
    }
    unsigned long group = 0;
    for (size_t i = 0; i < length - padding; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0) {
            return -1;
        }
        group = group << 6 | (unsigned long)digit;
        if (i % 4 == 0) {
            continue;
        }
        if (bytes == room) {
            return -1;
        }
        out[bytes++] = (unsigned char)(group >> (6 - 2 * (i % 4)));
    }
    return (int)bytes;
}

static enum herald_code bad_secret(struct webhook_secret *secret, struct herald_error *reterr) {
    OPENSSL_cleanse(secret, sizeof(*secret));
    return herald_error_set(reterr, HERALD_REASON_BAD_WEBHOOK_SECRET,
                            "the webhook secret must be \"whsec_\" followed by the base64 of %d to %zu bytes; make one "
                            "with: echo whsec_$(openssl rand -base64 24)",
                            SECRET_MIN_BYTES, sizeof(secret->key));
}

enum herald_code webhook_secret_parse(const char *text, struct webhook_secret *ret_secret,
                                      struct herald_error *reterr) {
    struct webhook_secret secret = {0};
    if (strncmp(text, SECRET_PREFIX, strlen(SECRET_PREFIX)) != 0) {
        return bad_secret(&secret, reterr);
    }
    int bytes = decode_base64(text + strlen(SECRET_PREFIX), secret.key, sizeof(secret.key));
    if (bytes < SECRET_MIN_BYTES) {
        return bad_secret(&secret, reterr);
    }
    secret.key_bytes = (size_t)bytes;
    *ret_secret = secret;
    OPENSSL_cleanse(&secret, sizeof(secret));
    return HERALD_OK;
}

/* HMAC-SHA256 of "{id}.{timestamp}.{body}". Returns false: no memory. */
static bool digest_of(const struct webhook_secret *secret, const char *id, int64_t timestamp_s, const void *body,
                      size_t body_bytes, unsigned char digest[32]) {
    char stamp[32];
    int stamp_length = snprintf(stamp, sizeof(stamp), ".%" PRId64 ".", timestamp_s);
    size_t id_bytes = strlen(id), total = id_bytes + (size_t)stamp_length + body_bytes;
    unsigned char *content = OPENSSL_malloc(total);
    if (content == NULL) {
        return false;
    }
    memcpy(content, id, id_bytes);
    memcpy(content + id_bytes, stamp, (size_t)stamp_length);
    if (body_bytes > 0) {
        memcpy(content + id_bytes + stamp_length, body, body_bytes);
    }
    bool made = HMAC(EVP_sha256(), secret->key, (int)secret->key_bytes, content, total, digest, NULL) != NULL;
    OPENSSL_free(content);
    return made;
}

void webhook_sign(const struct webhook_secret *secret, const char *id, int64_t timestamp_s, const void *body,
                  size_t body_bytes, char *ret_signature, size_t signature_bytes) {
    unsigned char digest[32], base64[48] = "";
    /* Without memory the signature is empty; every receiver refuses it. */
    if (digest_of(secret, id, timestamp_s, body, body_bytes, digest)) {
        EVP_EncodeBlock(base64, digest, sizeof(digest));
    }
    snprintf(ret_signature, signature_bytes, "v1,%s", (char *)base64);
}
