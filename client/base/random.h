#ifndef HERALD_BASE_RANDOM_H
#define HERALD_BASE_RANDOM_H

/*
 * The one source of random numbers: libcrypto's generator, which the kernel seeds for each process. random() and rand()
 * are not used: unseeded, they give every process the same numbers.
 */
#include <stddef.h>
#include <stdint.h>

/** Fills @ret_bytes with random bytes, at most 1024; cheap. No other process has the same ones. Any thread. */
void herald_random_bytes(unsigned char *ret_bytes, size_t bytes);
/** A uniform random number of 64 bits. Any thread. */
uint64_t herald_random(void);

#endif
