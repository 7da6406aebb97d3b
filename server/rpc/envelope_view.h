#ifndef HERALD_RPC_ENVELOPE_VIEW_H
#define HERALD_RPC_ENVELOPE_VIEW_H

/*
 * A view of a Request's fields in place, read in one pass without allocation. A thread of nng uses it to route a call.
 * Of a plain envelope it holds everything.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes_view {
    const uint8_t *data;
    size_t bytes;
};

struct envelope_view {
    /* The envelope has no error, and all its fields are below. Otherwise envelope_read() reads it again in full. */
    bool plain;
    bool two_methods;
    struct bytes_view method; /* data NULL: the envelope names none; of two, the last */
    struct bytes_view payload, call_id, idempotency_key, traceparent, auth;
    uint64_t ticket;
    uint32_t timeout_ms;
    uint32_t attempt;
    bool want_timings;
};

/** Reads the view. @ret_view  points into @data; filled up to the first malformed byte */
void envelope_look(const uint8_t *data, size_t bytes, struct envelope_view *ret_view);

#endif
