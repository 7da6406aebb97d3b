#ifndef HERALD_ROUTE_H
#define HERALD_ROUTE_H

/*
 * The routes that the option (google.api.http) gives methods, as a table that the generator makes: gen/herald/routes.c,
 * a library of its own (herald_gen_routes), because only a server of HTTP needs it.
 *
 * A path matches a template with as many segments, whose literals equal the path's segments. A field matches any
 * segment that is not empty.
 */
#include "herald/decls.h"
#include "herald/schema.h"

#include <stddef.h>
#include <stdint.h>

HERALD_BEGIN_DECLS

enum herald_http_method {
    HERALD_HTTP_GET,
    HERALD_HTTP_POST,
    HERALD_HTTP_PUT,
    HERALD_HTTP_PATCH,
    HERALD_HTTP_DELETE,
};

/** Values of struct herald_route's body besides a field's name. */
#define HERALD_BODY_NONE ""
#define HERALD_BODY_ALL  "*"

/** A part of a path between two '/'. */
struct herald_route_segment {
    const char *literal; /* NULL: the segment binds a field. Letters, digits, '-', '_' and '.' */
    const char *field;   /* proto name of the field of the request that the segment binds: one string, integer, bool or
                            enum; NULL: a literal */
};

/**
 * A route of a method. What of the request is neither bound by the path nor in the body comes as query parameters:
 * fields of messages in it by dots ("content.title"), repeated ones by repeated parameters. No message that is repeated,
 * no member of a oneof and no bytes are left to them.
 */
struct herald_route {
    enum herald_http_method http_method;
    const char *template;                        /* "/api/events/{event_draft_id}/publish" */
    const struct herald_route_segment *segments; /* {"api"}, {"events"}, {NULL, "event_draft_id"}, {"publish"} */
    size_t segment_count;
    const char *body; /* HERALD_BODY_NONE, HERALD_BODY_ALL: the request without what the path binds; or the proto name
                         of the field that the body holds, a message */
    uint16_t status;  /* of an answer to a call that ended with HERALD_OK, 200..299 */
    const char *location; /* with 201 or 202, the path of what the call made, "/api/events/{event.eventDraftId}": the
                             braces hold the way to a text in the reply's JSON; NULL: no GET route takes such a field */
    const struct herald_service_schema *service;
    const struct herald_method_schema *method;
};

/**
 * All routes, sorted by template, then method. No two match the same path by the same literals. Of several that match a
 * path the first one in the table counts: literals stand before fields.
 */
extern const struct herald_route herald_routes[];
extern const size_t herald_route_count;

HERALD_END_DECLS

#endif
