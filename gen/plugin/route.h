#ifndef HERALD_GEN_ROUTE_H
#define HERALD_GEN_ROUTE_H

/*
 * The routes of a method: option (google.api.http), taken apart. herald/route.h says what the parts mean.
 */
#include "gen/plugin/memory.h"

#include <stdbool.h>

struct model_field;
struct model_message;
typedef struct Google__Api__HttpRule route_rule;

enum route_method { ROUTE_GET, ROUTE_POST, ROUTE_PUT, ROUTE_PATCH, ROUTE_DELETE, ROUTE_METHOD_NONE };

/** Fields that one template may bind. */
#define ROUTE_SEGMENTS_MAX 16

struct route_segment {
    const char *literal;             /* NULL: it binds a field */
    const struct model_field *field; /* NULL: a literal */
};

struct route {
    enum route_method method;
    const char *text; /* the template; "" where the rule names none */
    struct route_segment segments[ROUTE_SEGMENTS_MAX];
    size_t segment_count;
    const char *body;                     /* "", "*" or a field's name */
    const struct model_field *body_field; /* the field that @body names, else NULL */
    const char *problem;                  /* why the route cannot work; NULL: it can, and only then the rest is whole */
};

/** Takes apart the binding @rule, without its additional ones, of a method whose request is @request. */
void route_read(struct pool *pool, const route_rule *rule, const struct model_message *request, struct route *route);
/** "GET", …; never NULL. */
const char *route_method_name(enum route_method method);
/** Whether the path, a segment of it, binds the field. */
bool route_binds(const struct route *route, const struct model_field *field);
/** Whether the field is neither bound by the path nor in the body. */
bool route_queries(const struct route *route, const struct model_field *field);
/** Order by template, then method: that of the table of routes. */
int route_compare(const struct route *left, const struct route *right);
/** Whether the same method and paths belong to both: their templates differ in the names of fields at most. */
bool route_equals(const struct route *left, const struct route *right);

#endif
