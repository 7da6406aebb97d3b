#ifndef HERALD_REDIS_REDIS_FAULT_H
#define HERALD_REDIS_REDIS_FAULT_H

#include <stdbool.h>

/** What an error reply says about the Redis, rather than about the command. */
struct redis_fault {
    const char *reply; /* how the error begins */
    bool retire;       /* another connection may be better: this one is given up */
    const char *cure;  /* what ends it, for health and doctor */
};

/** The row of an error reply; NULL: it concerns the command alone, and Redis is well. */
const struct redis_fault *redis_fault_find(const char *reply);

#endif
