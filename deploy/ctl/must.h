#ifndef HERALD_CTL_MUST_H
#define HERALD_CTL_MUST_H

#include <stdio.h>
#include <stdlib.h>

/** Checks an allocation. NULL ends heraldctl with a message and status 1. Returns: @memory */
static inline void *ctl_must(void *memory) {
    if (memory == NULL) {
        fputs("heraldctl: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

#endif
