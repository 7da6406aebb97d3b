/* Signatures of webhooks: HMAC-SHA256 as Standard Webhooks 1.0.0 defines it, and the secret in its text form. */
#include "server/outgoing/webhook.h"

#include "client/base/digest.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define SECRET_PREFIX    "whsec_"
#define SECRET_MIN_BYTES 24
#define SECRET_MAX_BYTES sizeof(((struct webhook_secret *)NULL)->key)

/*
 * Strict base64 with padding, of @length characters. Returns the count of bytes; -1 for other text or for more than
 * @room bytes.
 */
static int decode_base64(const char *text, size_t length, unsigned char *out, size_t room) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char decoded[SECRET_MAX_BYTES + 2]; /* whole groups of three */
    size_t plain = strspn(text, digits), bytes = length / 4 * 3;
    size_t padding = length > plain ? length - plain : 0;
    if (length == 0 || length % 4 != 0 || padding > 2 || memcmp(text + length - padding, "==", padding) != 0 ||
        bytes > sizeof(decoded) || bytes - padding > room) {
        return -1;
    }
    /* It takes other text too, such as blanks, so the digits are looked at above. */
    if (EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)length) < 0) {
        return -1;
    }
    bytes -= padding;
    memcpy(out, decoded, bytes);
    OPENSSL_cleanse(decoded, sizeof(decoded));
    return (int)bytes;
}

static enum herald_code bad_secret(struct webhook_secret *secret, struct herald_error *reterr) {
    OPENSSL_cleanse(secret, sizeof(*secret));
    return herald_error_set(reterr, HERALD_REASON_BAD_WEBHOOK_SECRET,
                            "the webhook secret must be \"whsec_\" followed by the base64 of %d to %zu bytes; make one "
                            "with: echo whsec_$(openssl rand -base64 24)",
                            SECRET_MIN_BYTES, sizeof(secret->key));
}

/* The same of @length characters of @text. */
static enum herald_code parse_secret(const char *text, size_t length, struct webhook_secret *ret_secret,
                                     struct herald_error *reterr) {
    enum { PREFIX_LENGTH = sizeof(SECRET_PREFIX) - 1 };
    struct webhook_secret secret = {0};
    if (length < PREFIX_LENGTH || memcmp(text, SECRET_PREFIX, PREFIX_LENGTH) != 0) {
        return bad_secret(&secret, reterr);
    }
    int bytes = decode_base64(text + PREFIX_LENGTH, length - PREFIX_LENGTH, secret.key, sizeof(secret.key));
    if (bytes < SECRET_MIN_BYTES) {
        return bad_secret(&secret, reterr);
    }
    secret.key_bytes = (size_t)bytes;
    *ret_secret = secret;
    OPENSSL_cleanse(&secret, sizeof(secret));
    return HERALD_OK;
}

enum herald_code webhook_secret_parse(const char *text, struct webhook_secret *ret_secret,
                                      struct herald_error *reterr) {
    return parse_secret(text, strlen(text), ret_secret, reterr);
}

enum herald_code webhook_secrets_parse(const char *text, struct webhook_secrets *ret_secrets,
                                       struct herald_error *reterr) {
    static const char separators[] = " \t\r\n,";
    struct webhook_secrets secrets = {0};
    enum herald_code code = HERALD_OK;
    for (const char *at = text + strspn(text, separators); code == HERALD_OK && *at != '\0';) {
        size_t length = strcspn(at, separators);
        if (secrets.count == WEBHOOK_SECRETS_MAX) {
            code = herald_error_set(reterr, HERALD_REASON_BAD_WEBHOOK_SECRET,
                                    "there may be at most %d webhook secrets, the newest first", WEBHOOK_SECRETS_MAX);
        } else {
            code = parse_secret(at, length, &secrets.secrets[secrets.count], reterr);
            secrets.count++;
        }
        at += length;
        at += strspn(at, separators);
    }
    if (code == HERALD_OK && secrets.count == 0) {
        code = bad_secret(&secrets.secrets[0], reterr);
    }
    if (code == HERALD_OK) {
        *ret_secrets = secrets;
    }
    OPENSSL_cleanse(&secrets, sizeof(secrets));
    return code;
}

/* HMAC-SHA256 of "{id}.{timestamp}.{body}". Returns false: no memory. */
static bool digest_of(const struct webhook_secret *secret, const char *id, int64_t timestamp_s, const void *body,
                      size_t body_bytes, unsigned char digest[32]) {
    char stamp[32];
    int stamp_length = snprintf(stamp, sizeof(stamp), ".%" PRId64 ".", timestamp_s);
    const struct herald_piece content[] = {{id, strlen(id)}, {stamp, (size_t)stamp_length}, {body, body_bytes}};
    return herald_hmac_sha256(secret->key, secret->key_bytes, content, sizeof(content) / sizeof(content[0]), digest);
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

bool webhook_sign_all(const struct webhook_secrets *secrets, const char *id, int64_t timestamp_s, const void *body,
                      size_t body_bytes, char ret_signatures[WEBHOOK_SIGNATURES_BYTES]) {
    char signatures[WEBHOOK_SIGNATURES_BYTES];
    size_t length = 0;
    for (size_t i = 0; i < secrets->count; i++) {
        unsigned char digest[32], base64[48];
        if (!digest_of(&secrets->secrets[i], id, timestamp_s, body, body_bytes, digest)) {
            return false;
        }
        EVP_EncodeBlock(base64, digest, sizeof(digest));
        length += (size_t)snprintf(signatures + length, sizeof(signatures) - length, "%sv1,%s", i > 0 ? " " : "",
                                   (char *)base64);
    }
    memcpy(ret_signatures, signatures, length + 1);
    return true;
}
