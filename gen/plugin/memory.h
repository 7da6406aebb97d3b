#ifndef HERALD_GEN_MEMORY_H
#define HERALD_GEN_MEMORY_H

/*
 * Memory of the generator. Everything that the model holds comes from one pool, which is freed at the end. Without
 * memory the program ends with a sentence, which is enough for a build tool.
 */
#include <stdarg.h>
#include <stddef.h>

struct pool {
    struct pool_block *blocks;
};

/** Zeroed memory that lives as long as the pool. */
void *pool_alloc(struct pool *pool, size_t bytes);
/** Zeroed array. */
void *pool_array(struct pool *pool, size_t count, size_t bytes_each);
/** Formatted text that lives as long as the pool. */
char *pool_printf(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *pool_vprintf(struct pool *pool, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
void pool_fini(struct pool *pool);

/** A growing text; zeroed is empty. */
struct text {
    char *data;
    size_t length, capacity;
};

void text_add_bytes(struct text *text, const char *bytes, size_t count);
void text_add(struct text *text, const char *string);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_fini(struct text *text);

#endif
