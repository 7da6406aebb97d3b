#ifndef HERALD_RPC_PROBE_OBJECT_H
#define HERALD_RPC_PROBE_OBJECT_H

#include "herald/error.h"
#include "server/runtime/arena.h"

#include <stddef.h>
#include <stdint.h>

/* A probe's form as an object: {"method": …, "request": {…}, …}. Its request stays JSON text, so that it is read by
 * what reads the request of a probe in words, with the same verdict. */
struct probe_object {
    const char *method;
    const char *request; /* its text, not checked; "{}" when absent */
    size_t request_bytes;
    const char *idempotency_key; /* NULL: absent */
    char *bearer;                /* NULL: absent */
    uint32_t timeout_ms;         /* 0: absent */
};

/**
 * Reads the object, all but its request. When nothing tells where a wrong request ends, what is before it counts, and
 * the request is the rest of the text.
 *
 * @text        UTF-8 that begins with '{'; @ret_object points into it, and into @arena
 * @ret_object  set only on success
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "MALFORMED_PROBE") | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code probe_object_read(struct arena *arena, const char *text, size_t bytes, struct probe_object *ret_object,
                                   struct herald_error *reterr);

#endif
