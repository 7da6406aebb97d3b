#ifndef HERALD_GATEWAY_HINTS_H
#define HERALD_GATEWAY_HINTS_H

/* Words for callers over HTTP: the servers speak of methods and messages, these of routes and parameters. Pure functions;
 * any thread. A route may be NULL: then nothing is known of it. */
#include "server/gateway/routes.h"

#include <jansson.h>
#include <stdbool.h>

/** Room for a path with its names. */
#define HINTS_PATH_BYTES 192u

/** Writes a template with names as JSON and the OpenAPI document have them: "/api/events/{eventDraftId}". */
void hints_path(const char *template, char ret_path[HINTS_PATH_BYTES]);
/**
 * Finds the routes of the methods that a text names ("use SelectObjective").
 *
 * @route    whose service's methods count first
 * Returns:  a list of "PUT /api/events/{eventDraftId}/objective", in the order of the text; NULL: there is none
 */
json_t *hints_see(const struct routes *routes, const struct herald_route *route, const char *text);
/** A text without the name of the route's request at its beginning: "userId must be set". Within @text. */
const char *hints_plain(const struct herald_route *route, const char *text);
/** Whether a field of the request is given as a parameter of the query. @field  by its JSON name */
bool hints_in_query(const struct herald_route *route, const char *field);

#endif
