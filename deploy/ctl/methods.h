#ifndef HERALD_CTL_METHODS_H
#define HERALD_CTL_METHODS_H

#include "deploy/ctl/ctl.h"
#include "herald/error.h"
#include "herald/schema.h"

/**
 * Finds a method by its full name, or by a short one ("EventService/PublishEvent", "PublishEvent") if only one ends in
 * it. "Service.Method" is accepted too.
 *
 * Returns:  HERALD_OK | HERALD_NOT_FOUND (METHOD_NOT_FOUND; the message lists near names)
 *           | HERALD_INVALID_ARGUMENT (AMBIGUOUS_NAME; the message lists the names)
 */
enum herald_code methods_find(const char *name, const struct herald_method_schema **ret_method,
                              struct herald_error *reterr);

#define METHODS_PATTERN_BYTES 256
/**
 * Expands a pattern of methods that a token is limited to. It is a method's name as for methods_find(), a service's
 * full or short name with a slash and a star, or a star alone.
 *
 * @ret_full  the pattern that a server compares; METHODS_PATTERN_BYTES are enough; set only on success
 * Returns:   HERALD_OK | HERALD_NOT_FOUND (METHOD_NOT_FOUND, SERVICE_NOT_FOUND)
 *            | HERALD_INVALID_ARGUMENT (AMBIGUOUS_NAME)
 */
enum herald_code methods_find_pattern(const char *pattern, char *ret_full, size_t bytes, struct herald_error *reterr);

/** URL of the server to call: --url, else --server's, else the one of the method's package, else the event server's. */
const char *methods_url(const struct ctl_arguments *arguments, const struct settings *settings,
                        const struct herald_method_schema *method);

#endif
