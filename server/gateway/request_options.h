#ifndef HERALD_GATEWAY_REQUEST_OPTIONS_H
#define HERALD_GATEWAY_REQUEST_OPTIONS_H

/* What a request's headers say of its call. Pure functions. */
#include "server/gateway/request_head.h"

#include <stdbool.h>

/** Longest idempotency key and bearer token, as the servers take them. */
#define OPTIONS_KEY_MAX   128u
#define OPTIONS_TOKEN_MAX 2048u

/**
 * Reads Idempotency-Key: a string of structured fields, "…", or the bare text.
 *
 * @ret_key  empty when there is none; OPTIONS_KEY_MAX + 1 bytes
 * Returns:  false: it is none that a server takes
 */
bool options_idempotency_key(const struct request_head *head, char *ret_key);
/** Reads "Authorization: Bearer …". @ret_token  at NULL when there is none. Returns: false: it is of another kind. */
bool options_bearer(const struct request_head *head, struct span *ret_token);
/**
 * Reads X-Request-Timeout-Ms (milliseconds), else Request-Timeout (seconds, which may have a fraction).
 *
 * @ret_ms   0 when there is none
 * Returns:  false: it is no number, 0, or more than @most_ms
 */
bool options_timeout(const struct request_head *head, uint32_t most_ms, uint32_t *ret_ms);
/** Whether a text is a traceparent of version 00 (W3C Trace Context). */
bool options_is_traceparent(struct span text);
/** Whether a content type is JSON, "application/json" or "application/…+json". */
bool options_is_json(struct span type);
/** Whether Accept names a type, by itself or with a star; @type "application/json". Not given: true. */
bool options_accepts(const struct request_head *head, const char *type);

#endif
