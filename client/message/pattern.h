#ifndef HERALD_MESSAGE_PATTERN_H
#define HERALD_MESSAGE_PATTERN_H

#include "herald/schema.h"

#include <stdbool.h>

/**
 * Whether the whole of @text, which must be valid UTF-8, matches. One step for each character, no memory.
 *
 * Context:  any thread
 */
bool herald_pattern_matches(const struct herald_pattern *pattern, const char *text);

#endif
