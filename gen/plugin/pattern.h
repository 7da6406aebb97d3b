#ifndef HERALD_GEN_PATTERN_H
#define HERALD_GEN_PATTERN_H

#include "gen/plugin/memory.h"
#include "herald/schema.h"

#include <stdbool.h>

/* Most states of a compiled pattern, the dead one included: they are numbered in a byte. */
#define PATTERN_STATES_MAX 255

/** A compiled pattern; its table lives in the pool. */
struct pattern {
    struct herald_pattern table;
    unsigned state_count;
};

/**
 * Compiles a POSIX extended regular expression to a table that matches a whole text in one step for each character.
 * options.proto names the accepted subset.
 *
 * @ret_problem  set only on failure: the problem, as the end of a sentence; lives in the pool
 * Returns: whether @text is such an expression and within the limits
 */
bool pattern_compile(struct pool *pool, const char *text, struct pattern *ret_pattern, const char **ret_problem);

#endif
