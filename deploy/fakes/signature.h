#ifndef HERALD_FAKES_SIGNATURE_H
#define HERALD_FAKES_SIGNATURE_H

/* Checks signatures of Standard Webhooks 1.0.0, the receiving side. */
#include "server/outgoing/webhook.h"

#include <stddef.h>
#include <stdint.h>

/** A timestamp further away than this is refused, so that a recorded request cannot be replayed later. */
#define SIGNATURE_TOLERANCE_S 300

/**
 * Checks the three webhook headers against the body; any of them may be NULL.
 *
 * @signatures  space-separated list; one valid signature is enough
 * Returns: NULL: valid | what is wrong (static)
 */
const char *signature_check(const struct webhook_secret *secret, const char *id, const char *timestamp,
                            const char *signatures, const void *body, size_t body_bytes, int64_t now_s);

#endif
