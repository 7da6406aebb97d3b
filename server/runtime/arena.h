#ifndef HERALD_RUNTIME_ARENA_H
#define HERALD_RUNTIME_ARENA_H

/*
 * Memory of one call: many small pieces, freed together, with a cap on the sum. Not thread-safe: one owner at a time.
 */
#include "herald/error.h"

#include <protobuf-c/protobuf-c.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t used_bytes;           /* sum of all allocations */
    size_t cap_bytes;            /* arena_alloc() returns NULL beyond it */
    size_t block_bytes;          /* of the next ordinary block */
    ProtobufCAllocator protobuf; /* allocates from this arena; its free does nothing */
};

/** Prepares an empty arena in place; it must not be moved afterwards. @cap_bytes  0: 4 MiB. */
void arena_init(struct arena *arena, size_t cap_bytes);
/** As arena_init(), for what is small and lives long: begins with little, and grows as more is needed. */
void arena_init_small(struct arena *arena, size_t cap_bytes);
/** Frees all memory; the arena may be initialised again. */
void arena_fini(struct arena *arena);
/**
 * Frees all memory but one block, for arena_give(), so that a series of short calls needs no allocation.
 *
 * Returns: the block; NULL if there is none to keep. Always NULL under AddressSanitizer, which must see late uses
 */
struct arena_block *arena_fini_keep(struct arena *arena);
/** Gives an empty arena a kept block, which it then owns. @block  NULL does nothing */
void arena_give(struct arena *arena, struct arena_block *block);
/** Frees a kept block; NULL is allowed. */
void arena_block_free(struct arena_block *block);
/** 16-byte aligned, uninitialised; NULL beyond the cap or without memory. 0 bytes give a valid pointer. */
void *arena_alloc(struct arena *arena, size_t bytes);
/** Zeroed array; NULL on overflow too. */
void *arena_calloc(struct arena *arena, size_t count, size_t bytes);
/** Copies; NULL gives NULL. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t bytes);
void *arena_memdup(struct arena *arena, const void *data, size_t bytes);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/**
 * Sets the error of a call that has used up its memory. All code that allocates from an arena reports it this way.
 *
 * @what    names the use of the memory, "the reply"; a format of printf()
 * Returns: HERALD_RESOURCE_EXHAUSTED (reason "ARENA_FULL")
 */
enum herald_code arena_full(struct herald_error *reterr, const char *what, ...) __attribute__((format(printf, 2, 3)));

#endif
