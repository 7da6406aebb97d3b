#ifndef HERALD_BASE_OR_DEFAULT_H
#define HERALD_BASE_OR_DEFAULT_H

#include <stdint.h>

/** An option's value, or its default where it was left 0. */
static inline uint32_t herald_or_default(uint32_t value, uint32_t default_value) {
    return value != 0 ? value : default_value;
}

#endif
