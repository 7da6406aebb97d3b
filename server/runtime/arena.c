/*
 * An arena is a list of malloc'ed blocks. Allocations are cut from the first block. A large one
 * gets a block of its own, linked behind the first, so that the rest of the first is not wasted.
 */
#include "server/runtime/arena.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGN             16
#define ARENA_BLOCK_BYTES       8192
#define ARENA_SMALL_BYTES       1024 /* the first block of a small one */
#define ARENA_LARGE_PART        4    /* a piece above this part of a block has a block of its own */
#define ARENA_DEFAULT_CAP_BYTES ((size_t)4 << 20)

struct arena_block {
    struct arena_block *next;
    size_t size_bytes; /* of data */
    size_t used_bytes;
    _Alignas(ARENA_ALIGN) unsigned char data[];
};

static void *protobuf_alloc(void *arena, size_t bytes) {
    return arena_alloc(arena, bytes);
}

static void protobuf_free(void *arena, void *piece) {
    (void)arena;
    (void)piece;
}

void arena_init(struct arena *arena, size_t cap_bytes) {
    *arena = (struct arena){
        .cap_bytes = cap_bytes != 0 ? cap_bytes : ARENA_DEFAULT_CAP_BYTES,
        .block_bytes = ARENA_BLOCK_BYTES,
        .protobuf = {.alloc = protobuf_alloc, .free = protobuf_free, .allocator_data = arena},
    };
}

void arena_init_small(struct arena *arena, size_t cap_bytes) {
    arena_init(arena, cap_bytes);
    arena->block_bytes = ARENA_SMALL_BYTES;
}

void arena_fini(struct arena *arena) {
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena->blocks = NULL;
    arena->used_bytes = 0;
}

#ifdef __SANITIZE_ADDRESS__
#define ARENA_KEEPS_BLOCKS false
#else
#define ARENA_KEEPS_BLOCKS true
#endif

struct arena_block *arena_fini_keep(struct arena *arena) {
    struct arena_block *block = arena->blocks;
    if (!ARENA_KEEPS_BLOCKS || block == NULL || block->size_bytes != ARENA_BLOCK_BYTES) {
        arena_fini(arena);
        return NULL;
    }
    arena->blocks = block->next;
    arena_fini(arena);
    block->next = NULL;
    block->used_bytes = 0;
    return block;
}

void arena_give(struct arena *arena, struct arena_block *block) {
    arena->blocks = block;
}

void arena_block_free(struct arena_block *block) {
    free(block);
}

static struct arena_block *block_new(size_t size_bytes) {
    struct arena_block *block = malloc(sizeof(*block) + size_bytes);
    if (block != NULL) {
        block->next = NULL;
        block->size_bytes = size_bytes;
        block->used_bytes = 0;
    }
    return block;
}

/* The block that has room for @bytes (already rounded up); NULL without memory. */
static struct arena_block *block_with_room(struct arena *arena, size_t bytes) {
    struct arena_block *first = arena->blocks;
    if (first != NULL && first->size_bytes - first->used_bytes >= bytes) {
        return first;
    }
    bool large = bytes > arena->block_bytes / ARENA_LARGE_PART;
    struct arena_block *block = block_new(large ? bytes : arena->block_bytes);
    if (block == NULL) {
        return NULL;
    }
    if (!large && arena->block_bytes < ARENA_BLOCK_BYTES) {
        arena->block_bytes *= 2;
    }
    if (large && first != NULL) {
        block->next = first->next;
        first->next = block;
    } else {
        block->next = first;
        arena->blocks = block;
    }
    return block;
}

void *arena_alloc(struct arena *arena, size_t bytes) {
    if (bytes > arena->cap_bytes) {
        return NULL;
    }
    size_t rounded = bytes == 0 ? ARENA_ALIGN : (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (rounded < bytes || rounded > arena->cap_bytes - arena->used_bytes) {
        return NULL;
    }
    struct arena_block *block = block_with_room(arena, rounded);
    if (block == NULL) {
        return NULL;
    }
    void *piece = block->data + block->used_bytes;
    block->used_bytes += rounded;
    arena->used_bytes += rounded;
    return piece;
}

void *arena_calloc(struct arena *arena, size_t count, size_t bytes) {
    size_t sum = 0;
    if (__builtin_mul_overflow(count, bytes, &sum)) {
        return NULL;
    }
    void *piece = arena_alloc(arena, sum);
    if (piece != NULL) {
        memset(piece, 0, sum);
    }
    return piece;
}

void *arena_memdup(struct arena *arena, const void *data, size_t bytes) {
    if (data == NULL) {
        return NULL;
    }
    void *copy = arena_alloc(arena, bytes);
    if (copy != NULL && bytes != 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

char *arena_strndup(struct arena *arena, const char *text, size_t bytes) {
    if (text == NULL) {
        return NULL;
    }
    size_t length = strnlen(text, bytes);
    if (length == SIZE_MAX) {
        return NULL;
    }
    char *copy = arena_alloc(arena, length + 1);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text) {
    return text == NULL ? NULL : arena_memdup(arena, text, strlen(text) + 1);
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return text;
}

enum herald_code arena_full(struct herald_error *reterr, const char *what, ...) {
    char text[sizeof(reterr->message)] = ""; /* as long as the message, so that only herald_error_set() cuts the text */
    va_list args;
    va_start(args, what);
    (void)vsnprintf(text, sizeof(text), what, args);
    va_end(args);
    return herald_error_set(reterr, HERALD_REASON_ARENA_FULL,
                            "the memory of the call (setting rpc.arena_bytes) does not suffice for %s", text);
}
