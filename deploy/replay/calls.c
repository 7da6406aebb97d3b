#include "deploy/replay/calls.h"

#include <stdlib.h>

static bool calls_grow(struct calls *calls) {
    size_t capacity = calls->capacity == 0 ? 64 : 2 * calls->capacity;
    struct breaker_permit *permits = malloc(capacity * sizeof(*permits));
    if (permits == NULL) {
        return false;
    }
    for (size_t i = 0; i < calls->count; i++) {
        permits[i] = calls->permits[(calls->first + i) % calls->capacity];
    }
    free(calls->permits);
    *calls = (struct calls){.permits = permits, .capacity = capacity, .count = calls->count};
    return true;
}

bool calls_add(struct calls *calls, const struct breaker_permit *permit) {
    if (calls->count == calls->capacity && !calls_grow(calls)) {
        return false;
    }
    calls->permits[(calls->first + calls->count++) % calls->capacity] = *permit;
    return true;
}

bool calls_take(struct calls *calls, struct breaker_permit *ret_permit) {
    if (calls->count == 0) {
        return false;
    }
    *ret_permit = calls->permits[calls->first];
    calls->first = (calls->first + 1) % calls->capacity;
    calls->count--;
    return true;
}
