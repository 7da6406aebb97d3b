#ifndef HERALD_REPLAY_CALLS_H
#define HERALD_REPLAY_CALLS_H

/* The permits of the calls in flight, oldest first. */
#include "server/breaker/breaker_core.h"

#include <stddef.h>

struct calls {
    struct breaker_permit *permits; /* ring */
    size_t capacity, first, count;
};

/** Returns: false: no memory, and nothing has changed. */
bool calls_add(struct calls *calls, const struct breaker_permit *permit);
/** Takes the oldest call. Returns: false: none is in flight */
bool calls_take(struct calls *calls, struct breaker_permit *ret_permit);

#endif
