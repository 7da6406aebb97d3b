#ifndef HERALD_RPC_REPLY_METADATA_H
#define HERALD_RPC_REPLY_METADATA_H

#include "herald/error.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "server/runtime/arena.h"

#include <stddef.h>

/* The pairs that a reply carries beside its payload. All zero: none; they live in the call's arena. */
struct reply_metadata {
    Herald__Rpc__V1__Metadata **pairs;
    size_t count;
};

/** Adds a pair, copied into @arena. Limits and Returns: as rpc_call_add_reply_metadata() */
enum herald_code reply_metadata_add(struct reply_metadata *metadata, struct arena *arena, const char *key,
                                    const void *value, size_t bytes, struct herald_error *reterr);

#endif
