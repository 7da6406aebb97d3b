#ifndef HERALD_RPC_HEAD_H
#define HERALD_RPC_HEAD_H

#include "herald/rpc/v1/envelope.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The longest time that a call may be given. Source: proto/herald/rpc/v1/envelope.proto, Request.timeout_ms */
#define RPC_TIMEOUT_MAX_MS 600000u

/** The head of a call, as a codec reads it: all fields but the payload, and where the payload is. Strings are
 *  terminated; NULL or empty: absent. */
struct rpc_call_head {
    const char *method;
    const char *call_id;
    const char *idempotency_key;
    const char *traceparent;
    uint32_t timeout_ms;
    const Herald__Rpc__V1__Auth *auth; /* NULL: none */
    const uint8_t *payload;            /* not decoded: packed, or JSON of a probe */
    size_t payload_bytes;
    Herald__Rpc__V1__Metadata *const *metadata;
    size_t metadata_count;
    bool want_timings;
    uint64_t ticket;
    uint32_t attempt;
};

#endif
