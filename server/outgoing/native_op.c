/* The memory of operations: a call's cancellation may come to its loop when the call is gone. */
#include "server/outgoing/native_calls_private.h"

#include <stdlib.h>

struct op *op_new(struct herald_call *call) {
    struct op *op = calloc(1, sizeof(*op));
    if (op == NULL) {
        return NULL;
    }
    op->call = call;
    atomic_store(&op->shares, 1);
    (void)pthread_mutex_init(&op->mutex, NULL);
    (void)pthread_cond_init(&op->done, NULL);
    return op;
}

void op_share(struct op *op) {
    atomic_fetch_add_explicit(&op->shares, 1, memory_order_relaxed);
}

void op_unshare(struct op *op) {
    if (atomic_fetch_sub(&op->shares, 1) != 1) {
        return;
    }
    (void)pthread_cond_destroy(&op->done);
    (void)pthread_mutex_destroy(&op->mutex);
    nng_msg_free(op->msg);
    nng_msg_free(op->kept);
    free(op);
}
