#ifndef HERALD_RPC_PROBE_OBJECT_H
#define HERALD_RPC_PROBE_OBJECT_H

#include "herald/error.h"
#include "server/runtime/arena.h"

#include <stddef.h>
#include <stdint.h>

/* A probe in the form of an object: {"method": …, "request": {…}, …}. Its request stays JSON text, so that the same
 * code reads it as a request of a probe in words, with the same result. */
struct probe_object {
    const char *method;
    const char *request; /* JSON text, not checked; "{}" when absent */
    size_t request_bytes;
    const char *idempotency_key; /* NULL: absent */
    char *bearer;                /* NULL: absent */
    uint32_t timeout_ms;         /* 0: absent */
};

/**
 * Reads the members of the object but its request. If the request is malformed so that its end cannot be found, the
 * members before it count, and the request is the rest of the text.
 *
 * @text        UTF-8 that begins with '{'; @ret_object points into it, and into @arena
 * @ret_object  set only on success
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "MALFORMED_PROBE") | HERALD_RESOURCE_EXHAUSTED (reason
 *           "OUT_OF_MEMORY")
 */
enum herald_code probe_object_read(struct arena *arena, const char *text, size_t bytes, struct probe_object *ret_object,
                                   struct herald_error *reterr);

#endif
