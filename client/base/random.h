#ifndef HERALD_BASE_RANDOM_H
#define HERALD_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * The one source of random numbers: libcrypto's generator, which the kernel seeds for each process. random() and rand()
 * are not used: without a seed of its own each process draws the same numbers from them.
 */

/** Random bytes that no other process has, at most 1024, cheaply. Any thread. */
void herald_random_bytes(unsigned char *ret_bytes, size_t bytes);
/** A random number, every value as likely. Any thread. */
uint64_t herald_random(void);

#endif
