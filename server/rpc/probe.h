#ifndef HERALD_RPC_PROBE_H
#define HERALD_RPC_PROBE_H

#include "server/rpc/rpc_call.h"

/*
 * Calls in plain text, for nngcat and people:
 *
 *   METHOD [JSON]                                                     herald.rpc.v1.Health/Check {"service": ""}
 *   {"method": …, "request": {…}, "timeoutMs": …, "idempotencyKey": …, "auth": {"bearer": …}}
 *   help                                                              lists services, methods and this grammar
 *   describe NAME                                                     shows a schema
 *   bearer TOKEN …                                                    one of the three in words, with a credential
 *
 * Answered with JSON on one line: the response with its defaults, or {"error": …} with the envelope's Response in it.
 */

/** True when a message is a probe: its first byte is a lower-case letter or '{'. No envelope starts like that. */
bool probe_is(const uint8_t *data, size_t bytes);
/** True when all of it is printable text in UTF-8, and there is some: no control characters but white space, and DEL
 * and U+0080 to U+009F in strings of JSON. */
bool probe_is_text(const uint8_t *data, size_t bytes);
/** Reads a probe into the call: a method and its request, or call->text. Returns as envelope_read(), and
 *  HERALD_NOT_FOUND for a name that cannot be described. */
enum herald_code probe_read(struct rpc_call *call, const uint8_t *data, size_t bytes);
/** Writes the response, or call->text. Returns as envelope_success(). */
enum herald_code probe_success(const struct rpc_call *call, nng_msg **ret_reply, struct herald_error *reterr);
/** Writes an error; NULL without memory. */
nng_msg *probe_failure(const struct herald_error *error);

#endif
