#ifndef HERALD_RPC_PROBE_H
#define HERALD_RPC_PROBE_H

/*
 * The codec of calls in plain text, for nngcat and people:
 *
 *   METHOD [JSON]                                                     herald.rpc.v1.Health/Check {"service": ""}
 *   {"method": …, "request": {…}, "timeoutMs": …, "idempotencyKey": …, "auth": {"bearer": …}}
 *   help                                                              lists services, methods and this grammar
 *   describe NAME                                                     shows a schema
 *   bearer TOKEN …                                                    one of the three in words, with a credential
 *
 * The answer is JSON on one line: the response with its defaults, or {"error": …} with the envelope's Response in it.
 * Like envelope.h, this codec reads heads and writes replies, and knows no call.
 */
#include "herald/error.h"
#include "herald/schema.h"
#include "server/rpc/head.h"
#include "server/runtime/arena.h"
#include "server/transport/exchange.h"

enum probe_kind { PROBE_CALL, PROBE_HELP, PROBE_DESCRIBE };

/** A probe that was read. The head points into the struct, which must not be moved. */
struct probe_head {
    enum probe_kind kind;
    struct rpc_call_head head; /* PROBE_HELP, PROBE_DESCRIBE: it names the method of Reflection that shows the same */
    Herald__Rpc__V1__Auth auth;
    const char *name; /* PROBE_DESCRIBE: the name to describe, may be empty */
};

/**
 * Reads the head of a probe and finds its JSON.
 *
 * @auth_schema  of herald.rpc.v1.Auth
 * @ret_head     points into @data, @arena and itself
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "MALFORMED_PROBE", "INVALID_FIELD": the credential) |
 *           HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY")
 */
enum herald_code probe_read(const struct herald_message_schema *auth_schema, struct arena *arena, const uint8_t *data,
                            size_t bytes, struct probe_head *ret_head, struct herald_error *reterr);

/** Makes the exchange's reply of @json. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "RESPONSE_TOO_LARGE",
 *  "OUT_OF_MEMORY") */
enum herald_code probe_answer(const char *json, uint32_t max_bytes, struct exchange *exchange,
                              struct herald_error *reterr);
/** Writes a response as the exchange's reply. Returns: as probe_answer() | HERALD_INTERNAL: JSON cannot hold the handler's response */
enum herald_code probe_success(const struct herald_message_schema *schema, const ProtobufCMessage *response,
                               uint32_t max_bytes, struct exchange *exchange, struct herald_error *reterr);
/** Writes an error as the exchange's reply; without memory there is none. @done  what was done for the call */
void probe_failure(const struct herald_error *error, Herald__Rpc__V1__Done done, struct exchange *exchange);

#endif
