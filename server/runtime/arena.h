#ifndef HERALD_RUNTIME_ARENA_H
#define HERALD_RUNTIME_ARENA_H

#include "herald/error.h"

#include <protobuf-c/protobuf-c.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Memory of one call: many small pieces, freed together, with a cap on the sum. Not thread-safe: one owner at a time.
 */
struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t used_bytes;           /* sum of what was handed out */
    size_t cap_bytes;            /* arena_alloc() returns NULL beyond it */
    ProtobufCAllocator protobuf; /* allocates from this arena; its free does nothing */
};

/** Prepares an empty arena in place; it must not be moved afterwards. @cap_bytes  0: 4 MiB. */
void arena_init(struct arena *arena, size_t cap_bytes);
/** Frees all memory; the arena may be initialised again. */
void arena_fini(struct arena *arena);
/**
 * Frees all memory but one block, for arena_give(), so that short calls, one after the other, need no allocation.
 * Returns: NULL if there is none to keep. Under AddressSanitizer always: it has to see what is used too late.
 */
struct arena_block *arena_fini_keep(struct arena *arena);
/** Lets an empty arena begin with a kept block, which it then owns. @block  NULL does nothing */
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
 * The one way to say that a call has used up its memory: RESOURCE_EXHAUSTED, ARENA_FULL.
 *
 * @what    what the memory was for, "the reply"; a format as printf() takes it
 * Returns: HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code arena_full(struct herald_error *reterr, const char *what, ...) __attribute__((format(printf, 2, 3)));

#endif
