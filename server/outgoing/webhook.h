#ifndef HERALD_OUTGOING_WEBHOOK_H
#define HERALD_OUTGOING_WEBHOOK_H

/* Standard Webhooks 1.0.0, the sending side. */

#include "herald/error.h"
#include "server/outgoing/http.h"

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

#endif
