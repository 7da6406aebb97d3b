#ifndef HERALD_CTL_MUST_H
#define HERALD_CTL_MUST_H

#include <stdio.h>
#include <stdlib.h>

/** Memory that heraldctl cannot go on without: NULL ends it, with a line and status 1. Returns: @memory */
static inline void *ctl_must(void *memory) {
    if (memory == NULL) {
        fputs("heraldctl: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

#endif
