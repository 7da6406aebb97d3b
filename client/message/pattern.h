#ifndef HERALD_MESSAGE_PATTERN_H
#define HERALD_MESSAGE_PATTERN_H

#include "herald/schema.h"

#include <stdbool.h>

/**
 * Whether the whole of @text matches. Takes one step for each character and no memory.
 *
 * @text     valid UTF-8
 * Context:  any thread
 */
bool herald_pattern_matches(const struct herald_pattern *pattern, const char *text);

#endif
