#ifndef HERALD_GATEWAY_ROUTES_H
#define HERALD_GATEWAY_ROUTES_H

/* Finds the route of a method and a path, in a table as the generator makes it. Pure functions; any thread. */
#include "herald/route.h"
#include "server/gateway/uri.h"

#include <stdbool.h>
#include <stddef.h>

struct routes {
    const struct herald_route *table;
    size_t count;
};

struct route_match {
    size_t index;                         /* of the table */
    const struct herald_route *route;     /* NULL: no route has this path and method */
    struct span values[URI_SEGMENTS_MAX]; /* parallel to route->segments: of a field its value */
    unsigned methods;                     /* bit 1 << enum herald_http_method: those of the path */
};

/** The route of a path and a method. Literals count before fields. Returns: whether there is one. */
bool routes_find(const struct routes *routes, enum herald_http_method method, const struct uri_path *path,
                 struct route_match *ret_match);
/**
 * Templates near to a path that no route has.
 *
 * @ret_templates  the nearest first; static, as the table's
 * Returns: how many, at most @most
 */
size_t routes_near(const struct routes *routes, const struct uri_path *path, size_t most, const char **ret_templates);
/** "GET". Static. */
const char *http_method_name(enum herald_http_method method);

#endif
