#ifndef HERALD_CTL_METHODS_H
#define HERALD_CTL_METHODS_H

#include "deploy/ctl/ctl.h"
#include "herald/error.h"
#include "herald/schema.h"

/**
 * Finds a method by its full name, or by a short one ("EventService/PublishEvent", "PublishEvent") if only one ends in
 * it. "Service.Method" is read too.
 *
 * Returns:  HERALD_OK | HERALD_NOT_FOUND (lists near names) | HERALD_INVALID_ARGUMENT (ambiguous; lists all)
 */
enum herald_code methods_find(const char *name, const struct herald_method_schema **ret_method,
                              struct herald_error *reterr);

#define METHODS_PATTERN_BYTES 256
/**
 * Writes out what a token is narrowed to: a method by a name as above, "Service/" and a star with a name of a service
 * of the same kind, or "*".
 *
 * @ret_full  what a server compares with; METHODS_PATTERN_BYTES are enough; set only on success
 * Returns:   HERALD_OK | HERALD_NOT_FOUND | HERALD_INVALID_ARGUMENT: the name is of more than one
 */
enum herald_code methods_find_pattern(const char *pattern, char *ret_full, size_t bytes, struct herald_error *reterr);

/** URL of the server that serves the method: --url, --server, else by package; herald.rpc.v1 is on all: event's. */
const char *methods_url(const struct ctl_arguments *arguments, const struct settings *settings,
                        const struct herald_method_schema *method);

#endif
