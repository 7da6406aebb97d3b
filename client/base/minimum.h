#ifndef HERALD_BASE_MINIMUM_H
#define HERALD_BASE_MINIMUM_H

/* The smaller of two numbers, and the greater. Each type has its own function, so that no argument is converted silently. */
#include <stddef.h>
#include <stdint.h>

static inline uint32_t herald_min_u32(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static inline uint32_t herald_max_u32(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static inline uint64_t herald_min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static inline uint64_t herald_max_u64(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static inline int64_t herald_min_i64(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t herald_max_i64(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static inline size_t herald_min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

#endif
