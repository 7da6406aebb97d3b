#ifndef HERALD_RPC_PROBE_H
#define HERALD_RPC_PROBE_H

#include "herald/error.h"
#include "herald/schema.h"
#include "server/rpc/head.h"
#include "server/runtime/arena.h"
#include "server/transport/message.h"

/*
 * The codec of calls in plain text, for nngcat and people:
 *
 *   METHOD [JSON]                                                     herald.rpc.v1.Health/Check {"service": ""}
 *   {"method": …, "request": {…}, "timeoutMs": …, "idempotencyKey": …, "auth": {"bearer": …}}
 *   help                                                              lists services, methods and this grammar
 *   describe NAME                                                     shows a schema
 *   bearer TOKEN …                                                    one of the three in words, with a credential
 *
 * Answered with JSON on one line: the response with its defaults, or {"error": …} with the envelope's Response in it.
 * Like envelope.h it reads heads and writes replies, and knows no call.
 */

enum probe_kind { PROBE_CALL, PROBE_HELP, PROBE_DESCRIBE };

/** What a probe asks. The head points into it: it must not be moved. */
struct probe_head {
    enum probe_kind kind;
    struct rpc_call_head head; /* of PROBE_HELP and PROBE_DESCRIBE: of the method of Reflection that shows the same */
    Herald__Rpc__V1__Auth auth;
    const char *name; /* PROBE_DESCRIBE: what is to be described, may be empty */
};

/**
 * Reads the head of a probe, and where its JSON is.
 *
 * @auth_schema  of herald.rpc.v1.Auth
 * @ret_head     points into @data, @arena and itself
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "MALFORMED_PROBE", "INVALID_FIELD": the credential) |
 *           HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code probe_read(const struct herald_message_schema *auth_schema, struct arena *arena, const uint8_t *data,
                            size_t bytes, struct probe_head *ret_head, struct herald_error *reterr);

/** A reply of this JSON. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "RESPONSE_TOO_LARGE", "NO_MEMORY") */
enum herald_code probe_answer(const char *json, uint32_t max_bytes, struct nng_msg **ret_reply,
                              struct herald_error *reterr);
/** Writes a response. Returns: as probe_answer() | HERALD_INTERNAL (it cannot be written) */
enum herald_code probe_success(const struct herald_message_schema *schema, const ProtobufCMessage *response,
                               uint32_t max_bytes, struct nng_msg **ret_reply, struct herald_error *reterr);
/** Writes an error; NULL without memory. */
struct nng_msg *probe_failure(const struct herald_error *error);

#endif
