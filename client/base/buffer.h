#ifndef HERALD_BASE_BUFFER_H
#define HERALD_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/** A growing array of bytes; zeroed is empty. A pooled call keeps its buffers, so the usual call allocates none. */
struct herald_buffer {
    uint8_t *bytes;
    size_t count, capacity;
};

/** Makes room for @capacity bytes. Returns: false: no memory, and nothing has changed. */
static inline bool herald_buffer_reserve(struct herald_buffer *buffer, size_t capacity) {
    if (capacity <= buffer->capacity) {
        return true;
    }
    size_t more = buffer->capacity * 2 > capacity ? buffer->capacity * 2 : capacity;
    uint8_t *bytes = realloc(buffer->bytes, more);
    if (!bytes) {
        return false;
    }
    buffer->bytes = bytes;
    buffer->capacity = more;
    return true;
}

/** Empties a buffer, and frees its memory if that is more than @keep_bytes. */
static inline void herald_buffer_reset(struct herald_buffer *buffer, size_t keep_bytes) {
    buffer->count = 0;
    if (buffer->capacity <= keep_bytes) {
        return;
    }
    free(buffer->bytes);
    buffer->bytes = NULL;
    buffer->capacity = 0;
}

#endif
