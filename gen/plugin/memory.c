/* The pool and the growing text of the generator: memory.h. */
#include "gen/plugin/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_block {
    struct pool_block *next;
    max_align_t data[];
};

static void *must(void *memory) {
    if (memory == NULL) {
        fputs("protoc-gen-herald: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

void *pool_alloc(struct pool *pool, size_t bytes) {
    struct pool_block *block = must(calloc(1, sizeof(*block) + bytes));
    block->next = pool->blocks;
    pool->blocks = block;
    return block->data;
}

void *pool_array(struct pool *pool, size_t count, size_t bytes_each) {
    if (bytes_each != 0 && count > SIZE_MAX / 2 / bytes_each) {
        must(NULL);
    }
    return pool_alloc(pool, count * bytes_each);
}

char *pool_vprintf(struct pool *pool, const char *format, va_list args) {
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    if (length < 0) {
        must(NULL);
    }
    char *string = pool_alloc(pool, (size_t)length + 1);
    memcpy(string, text, (size_t)length + 1);
    free(text);
    return string;
}

char *pool_printf(struct pool *pool, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *string = pool_vprintf(pool, format, args);
    va_end(args);
    return string;
}

void pool_fini(struct pool *pool) {
    while (pool->blocks != NULL) {
        struct pool_block *block = pool->blocks;
        pool->blocks = block->next;
        free(block);
    }
}

static void text_reserve(struct text *text, size_t more) {
    if (text->capacity - text->length > more) {
        return;
    }
    size_t capacity = text->capacity == 0 ? 4096 : text->capacity;
    while (capacity - text->length <= more) {
        capacity *= 2;
    }
    text->data = must(realloc(text->data, capacity));
    text->capacity = capacity;
}

void text_add_bytes(struct text *text, const char *bytes, size_t count) {
    text_reserve(text, count);
    memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void text_add(struct text *text, const char *string) {
    text_add_bytes(text, string, strlen(string));
}

void text_addf(struct text *text, const char *format, ...) {
    struct pool scratch = {0};
    va_list args;
    va_start(args, format);
    text_add(text, pool_vprintf(&scratch, format, args));
    va_end(args);
    pool_fini(&scratch);
}

void text_fini(struct text *text) {
    free(text->data);
    *text = (struct text){0};
}
