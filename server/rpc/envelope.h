#ifndef HERALD_RPC_ENVELOPE_H
#define HERALD_RPC_ENVELOPE_H

#include "herald/rpc/v1/envelope.pb-c.h"
#include "server/rpc/rpc_call.h"

/*
 * The envelope in binary: herald.rpc.v1.Request in, herald.rpc.v1.Response out.
 * Source: proto/herald/rpc/v1/envelope.proto
 */

/**
 * Decodes and validates an envelope, whose view is in the call's exchange, and its payload into the call.
 *
 * What is no envelope but is text makes the call a probe, so that its sender gets a readable answer.
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "MALFORMED_ENVELOPE", "MALFORMED_PAYLOAD", "INVALID_FIELD")
 *           | HERALD_RESOURCE_EXHAUSTED | as rpc_call_accept(); details in call->error
 */
enum herald_code envelope_read(struct rpc_call *call, const uint8_t *data, size_t bytes);

/** Packs the response. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (too long) | HERALD_INTERNAL (not packable) */
enum herald_code envelope_success(const struct rpc_call *call, nng_msg **ret_reply, struct herald_error *reterr);
/** Packs the call's error; NULL without memory. */
nng_msg *envelope_failure(const struct rpc_call *call);

/** A Response made from an error, which it borrows from. */
struct envelope_error {
    Herald__Rpc__V1__Response response;
    Herald__Rpc__V1__ErrorDetail details[HERALD_ERROR_DETAILS_MAX];
    Herald__Rpc__V1__ErrorDetail *detail_list[HERALD_ERROR_DETAILS_MAX];
};
void envelope_error_fill(struct envelope_error *filled, const struct herald_error *error);

#endif
