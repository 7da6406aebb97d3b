#ifndef HERALD_GATEWAY_URI_H
#define HERALD_GATEWAY_URI_H

/* The path and the query of a request, decoded (RFC 3986). */
#include "server/gateway/span.h"
#include "server/runtime/arena.h"

/** Most segments of a path. */
#define URI_SEGMENTS_MAX 12u

/** A path that was split and decoded. Its texts are UTF-8, not empty but the last, without control characters. */
struct uri_path {
    struct span segments[URI_SEGMENTS_MAX]; /* NUL-terminated too */
    size_t count;                           /* 0: "/" */
    bool ends_with_slash;
};

/**
 * Splits a path at its slashes and decodes the parts. What could mean another path to another reader is refused: empty
 * parts, "." and "..", a slash, backslash or control character behind a percent sign, and what is no UTF-8.
 *
 * @path      begins with a slash
 * @ret_why   what is wrong with it; static
 * Returns:   false: it is not well-formed, too long, or there is no memory
 */
bool uri_path_read(struct span path, struct arena *arena, struct uri_path *ret_path, const char **ret_why);

struct uri_parameter {
    const char *name, *value; /* NUL-terminated UTF-8 */
};
/**
 * Takes the next parameter off a query; '+' stands for a blank.
 *
 * @rest     at NULL after the last one
 * @ret_parameter  name NULL: there is none left, or the name is what is wrong
 * Returns:  false: it is not well-formed, or there is no memory
 */
bool uri_query_next(struct span *rest, struct arena *arena, struct uri_parameter *ret_parameter, const char **ret_why);

#endif
