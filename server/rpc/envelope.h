#ifndef HERALD_RPC_ENVELOPE_H
#define HERALD_RPC_ENVELOPE_H

/*
 * The codec of the binary form: herald.rpc.v1.Request in, herald.rpc.v1.Response out. It reads heads and writes
 * replies, and knows no call. rpc_call.c, which knows the method, decodes the payload.
 * Source: proto/herald/rpc/v1/envelope.proto
 */
#include "herald/error.h"
#include "herald/schema.h"
#include "server/rpc/envelope_view.h"
#include "server/rpc/head.h"
#include "server/transport/exchange.h"

/** The schemas that the codec uses; borrowed from the generated ones. */
struct envelope_schemas {
    const struct herald_message_schema *request, *auth;
};
/** Looks them up; they are linked into every server. */
struct envelope_schemas envelope_schemas_find(void);

/** The head of an envelope, with copies of the short texts. The head points into the struct, which must not be
 *  moved. */
struct envelope_head {
    struct rpc_call_head head;
    char call_id[37];
    char idempotency_key[129];
    char traceparent[56];
};

/**
 * Reads the head of an envelope. A plain envelope's head is copied from its view. Any other envelope is read again by
 * its schema, which finds all its errors.
 *
 * @view      of the same bytes, from envelope_look()
 * @method    full name of the served method that view->method names; NULL: that method is not served
 * @memory    for the credential and for a full reading; lives as long as the head
 * @ret_head  points into @data, @memory and itself
 * @ret_text  set on failure only: true when the message is not an envelope but text, whose sender needs a readable
 *            answer
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "MALFORMED_ENVELOPE", "INVALID_FIELD") |
 *           HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY", "PAYLOAD_TOO_COMPLEX")
 */
enum herald_code envelope_read(const struct envelope_schemas *schemas, const struct envelope_view *view,
                               const char *method, ProtobufCAllocator *memory, const uint8_t *data, size_t bytes,
                               struct envelope_head *ret_head, bool *ret_text, struct herald_error *reterr);

/** The fields behind the payload of a reply. */
struct envelope_tail {
    Herald__Rpc__V1__Metadata *const *metadata;
    size_t metadata_count;
    const Herald__Rpc__V1__Timings *timings; /* NULL: the client did not ask for them */
};

/**
 * Packs a response as the exchange's reply.
 *
 * @method     for error messages
 * @max_bytes  of the whole reply, rpc.max_message_bytes
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "RESPONSE_TOO_LARGE", "OUT_OF_MEMORY") | HERALD_INTERNAL
 *          (reason "MALFORMED_RESPONSE": the handler left out a required part)
 */
enum herald_code envelope_success(const char *method, const ProtobufCMessage *response,
                                  const struct envelope_tail *tail, uint32_t max_bytes, struct exchange *exchange,
                                  struct herald_error *reterr);
/** Packs an error as the exchange's reply; without memory there is none. @done  what was done for the call */
void envelope_failure(const struct herald_error *error, Herald__Rpc__V1__Done done, const struct envelope_tail *tail,
                      struct exchange *exchange);

/** A Response made from an error; it borrows the error's texts. */
struct envelope_error {
    Herald__Rpc__V1__Response response;
    Herald__Rpc__V1__ErrorDetail details[HERALD_ERROR_DETAILS_MAX];
    Herald__Rpc__V1__ErrorDetail *detail_list[HERALD_ERROR_DETAILS_MAX];
};
void envelope_error_fill(struct envelope_error *filled, const struct herald_error *error, Herald__Rpc__V1__Done done);

#endif
