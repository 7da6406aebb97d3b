#ifndef HERALD_BASE_RANDOM_H
#define HERALD_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** Random bytes that no other process has, at most 1024, cheaply. Any thread. */
void herald_random_bytes(unsigned char *ret_bytes, size_t bytes);
uint64_t herald_random(void);

#endif
