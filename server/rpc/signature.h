#ifndef HERALD_RPC_SIGNATURE_H
#define HERALD_RPC_SIGNATURE_H

/*
 * The signature of a call, for those who remember signatures beyond this process: server/durable/signatures.h. This room
 * knows no store, so it is given a function.
 */
#include "client/base/task_fn.h"
#include "herald/error.h"

#include <stdint.h>

#define RPC_SIGNATURE_ID_BYTES 16u

struct rpc_signature {
    uint8_t id[RPC_SIGNATURE_ID_BYTES]; /* the first bytes of its MAC: another for each nonce, key and call */
    int64_t time_ms;                    /* when it was made, by the signer's clock, since 1970 UTC; 0: there is none */
};

/** Takes each signature once. */
struct rpc_signature_taker {
    /** Full name of the method whose handler takes the signature itself, with its first effect: rpc_call_signature_left().
     *  NULL: none. */
    const char *own_method;
    /**
     * Called for a signed call that changes something and whose repeat no idempotency key holds back, before its handler.
     * May be NULL: this process alone remembers its signatures.
     *
     * Returns: HERALD_OK: it is new | any code, which ends the call; nothing was done for it
     * Context: the call's task, on loop number @loop_index
     */
    TASK_FN enum herald_code (*take_signature)(void *self, unsigned loop_index, const struct rpc_signature *signature,
                                               struct herald_error *reterr);
    void *self;
};

#endif
