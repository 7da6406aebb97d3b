#include "client/json/reader.h"

#include "herald/unpack.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *system_alloc(void *user, size_t bytes) {
    (void)user;
    return malloc(bytes);
}

static void system_free(void *user, void *piece) {
    (void)user;
    free(piece);
}

static ProtobufCAllocator system_allocator = {.alloc = system_alloc, .free = system_free};

void herald_reader_init(struct reader *ret_reader, const struct herald_message_schema *root, const char *json,
                        size_t json_bytes, ProtobufCAllocator *allocator, struct herald_error *reterr) {
    *ret_reader = (struct reader){
        .reterr = reterr,
        .root = root,
        .allocator = allocator ? allocator : &system_allocator,
        .memory_bytes = HERALD_UNPACK_BASE_MEMORY_BYTES + HERALD_UNPACK_MEMORY_FACTOR * json_bytes,
        .at = json,
    };
}

enum herald_code herald_reader_fail(const struct reader *reader, const struct herald_path *path, const char *format,
                                    ...) {
    char field[sizeof(((struct herald_error_detail *)0)->field)];
    char what[sizeof(((struct herald_error *)0)->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    herald_path_render(path, field, sizeof(field));
    herald_error_set(reader->reterr, HERALD_REASON_INVALID_JSON, "%s: %s%s%s", reader->root->full_name, field,
                     field[0] ? ": " : "", what);
    herald_error_add_detail(reader->reterr, field, HERALD_REASON_INVALID_JSON, "%s", what);
    return HERALD_INVALID_ARGUMENT;
}

void *herald_reader_alloc(struct reader *reader, size_t bytes) {
    if (bytes > reader->memory_bytes) {
        herald_error_set(reader->reterr, HERALD_REASON_PAYLOAD_TOO_COMPLEX,
                         "%s: it would take too much memory for the length of its JSON; send fewer, larger parts",
                         reader->root->full_name);
        return NULL;
    }
    reader->memory_bytes -= bytes;
    void *piece = reader->allocator->alloc(reader->allocator->allocator_data, bytes);
    if (!piece) {
        herald_error_no_memory(reader->reterr, "a %s read from JSON", reader->root->full_name);
    }
    return piece;
}
