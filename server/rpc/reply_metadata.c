#include "server/rpc/reply_metadata.h"

#include <string.h>

/* Limits of proto/herald/rpc/v1/envelope.proto. */
#define METADATA_KEY_MAX_BYTES   128u
#define METADATA_VALUE_MAX_BYTES 4096u
#define METADATA_PAIRS_MAX       32u

static bool is_metadata_key(const char *key) {
    size_t bytes = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-_.");
    return bytes > 0 && bytes <= METADATA_KEY_MAX_BYTES && key[bytes] == '\0';
}

static Herald__Rpc__V1__Metadata *new_pair(struct arena *arena, const char *key, const void *value, size_t bytes) {
    Herald__Rpc__V1__Metadata *pair = arena_alloc(arena, sizeof(*pair));
    if (!pair) {
        return NULL;
    }
    herald__rpc__v1__metadata__init(pair);
    pair->key = arena_strdup(arena, key);
    pair->value.len = bytes;
    pair->value.data = bytes > 0 ? arena_memdup(arena, value, bytes) : NULL;
    return pair->key && (pair->value.data || bytes == 0) ? pair : NULL;
}

enum herald_code reply_metadata_add(struct reply_metadata *metadata, struct arena *arena, const char *key,
                                    const void *value, size_t bytes, struct herald_error *reterr) {
    if (!is_metadata_key(key) || bytes > METADATA_VALUE_MAX_BYTES) {
        return herald_error_set(reterr, HERALD_REASON_METADATA,
                                "metadata has keys of lower-case letters, digits, '-', '_' and '.', at most %u, and "
                                "values of at most %u bytes",
                                METADATA_KEY_MAX_BYTES, METADATA_VALUE_MAX_BYTES);
    }
    if (metadata->count == METADATA_PAIRS_MAX) {
        return herald_error_set(reterr, HERALD_REASON_TOO_MUCH_METADATA, "a reply has at most %u pairs",
                                METADATA_PAIRS_MAX);
    }
    if (!metadata->pairs) {
        metadata->pairs = arena_calloc(arena, METADATA_PAIRS_MAX, sizeof(*metadata->pairs));
    }
    Herald__Rpc__V1__Metadata *pair = metadata->pairs ? new_pair(arena, key, value, bytes) : NULL;
    if (!pair) {
        return arena_full(reterr, "the reply's metadata");
    }
    metadata->pairs[metadata->count++] = pair;
    return HERALD_OK;
}
