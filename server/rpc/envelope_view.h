#ifndef HERALD_RPC_ENVELOPE_VIEW_H
#define HERALD_RPC_ENVELOPE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A Request's fields in place, read in one pass without taking memory: enough to decide, on a thread of nng, what
 * becomes of a call, and for a plain envelope all that there is to know.
 */
struct bytes_view {
    const uint8_t *data;
    size_t bytes;
};

struct envelope_view {
    /* Nothing is wrong with it and nothing is left out below. Else it is read again in full, which finds the errors. */
    bool plain;
    bool two_methods;
    struct bytes_view method; /* data NULL: it names none; the last of two */
    struct bytes_view payload, call_id, idempotency_key, traceparent, auth;
    uint64_t ticket;
    uint32_t timeout_ms;
    uint32_t attempt;
    bool want_timings;
};

/** @ret_view  points into @data; filled as far as the bytes make sense. */
void envelope_look(const uint8_t *data, size_t bytes, struct envelope_view *ret_view);

#endif
