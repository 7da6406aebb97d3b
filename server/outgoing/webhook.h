#ifndef HERALD_OUTGOING_WEBHOOK_H
#define HERALD_OUTGOING_WEBHOOK_H

/* Standard Webhooks 1.0.0, the sending side. */

#include "herald/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The secret, decoded; holds no pointer into its text. */
struct webhook_secret {
    unsigned char key[64];
    size_t key_bytes;
};
/** Reads "whsec_" + base64 of 24..64 bytes. Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_WEBHOOK_SECRET). */
enum herald_code webhook_secret_parse(const char *text, struct webhook_secret *ret_secret, struct herald_error *reterr);
/** Writes "v1,<base64 HMAC-SHA256 of {id}.{timestamp}.{body}>". @ret_signature  at least 64 bytes. */
void webhook_sign(const struct webhook_secret *secret, const char *id, int64_t timestamp_s, const void *body,
                  size_t body_bytes, char *ret_signature, size_t signature_bytes);

#define WEBHOOK_SECRETS_MAX 4
/* Room for the signatures of that many secrets: "v1," and 44 characters each, a blank or the terminator after it. */
#define WEBHOOK_SIGNATURES_BYTES (WEBHOOK_SECRETS_MAX * 48)

/**
 * The secrets of one receiver, the newest first. During a rotation there are several: each request is signed with all
 * of them, so the receiver may know any.
 */
struct webhook_secrets {
    struct webhook_secret secrets[WEBHOOK_SECRETS_MAX];
    size_t count; /* 1..WEBHOOK_SECRETS_MAX */
};
/**
 * Reads 1 to WEBHOOK_SECRETS_MAX secrets, separated by white space and commas; the first is the newest.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_WEBHOOK_SECRET): the message does not show the text
 * On error: @ret_secrets is untouched
 */
enum herald_code webhook_secrets_parse(const char *text, struct webhook_secrets *ret_secrets,
                                       struct herald_error *reterr);
/**
 * Writes the value of the header webhook-signature: a signature of each secret, as webhook_sign(), with blanks between
 * them.
 *
 * Returns: true | false: no memory, and @ret_signatures is untouched; the request must not be sent
 */
bool webhook_sign_all(const struct webhook_secrets *secrets, const char *id, int64_t timestamp_s, const void *body,
                      size_t body_bytes, char ret_signatures[WEBHOOK_SIGNATURES_BYTES]);

#endif
