#include "server/gateway/routes.h"

#include "client/base/edit_distance.h"

/* A template whose parts are further away in all is not suggested. */
#define NEAR_ENOUGH 6u
/* What a part that is missing or too much counts. */
#define PART_MISSING 3u
#define NEAR_MOST    8u

const char *http_method_name(enum herald_http_method method) {
    static const char *const NAMES[] = {[HERALD_HTTP_GET] = "GET",
                                        [HERALD_HTTP_POST] = "POST",
                                        [HERALD_HTTP_PUT] = "PUT",
                                        [HERALD_HTTP_PATCH] = "PATCH",
                                        [HERALD_HTTP_DELETE] = "DELETE"};
    return NAMES[method];
}

static bool has_path(const struct herald_route *route, const struct uri_path *path) {
    if (route->segment_count != path->count) {
        return false;
    }
    for (size_t i = 0; i < path->count; i++) {
        const char *literal = route->segments[i].literal;
        if (literal != NULL && !span_is(path->segments[i], literal)) {
            return false;
        }
    }
    return true;
}

bool routes_find(const struct routes *routes, enum herald_http_method method, const struct uri_path *path,
                 struct route_match *ret_match) {
    ret_match->route = NULL;
    ret_match->methods = 0;
    for (size_t i = 0; !path->ends_with_slash && i < routes->count; i++) {
        const struct herald_route *route = &routes->table[i];
        if (!has_path(route, path)) {
            continue;
        }
        ret_match->methods |= 1u << route->http_method;
        if (route->http_method == method && ret_match->route == NULL) {
            ret_match->route = route;
            ret_match->index = i;
        }
    }
    for (size_t i = 0; i < path->count; i++) {
        ret_match->values[i] = path->segments[i];
    }
    return ret_match->route != NULL;
}

static unsigned distance_to(const struct herald_route *route, const struct uri_path *path) {
    size_t least = route->segment_count < path->count ? route->segment_count : path->count;
    size_t most = route->segment_count > path->count ? route->segment_count : path->count;
    unsigned distance = (unsigned)(most - least) * PART_MISSING;
    for (size_t i = 0; i < least; i++) {
        const char *literal = route->segments[i].literal;
        distance += literal != NULL ? herald_edit_distance(literal, path->segments[i].at) : 0;
    }
    return distance;
}

/* Keeps a template among the nearest. */
static size_t keep_near(const char *template, unsigned distance, size_t count, size_t most, unsigned *distances,
                        const char **templates) {
    size_t place = count;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(templates[i], template) == 0) {
            return count;
        }
    }
    while (place > 0 && distances[place - 1] > distance) {
        place--;
    }
    if (place == most) {
        return count;
    }
    size_t moved = (count < most ? count : most - 1) - place;
    memmove(templates + place + 1, templates + place, moved * sizeof(*templates));
    memmove(distances + place + 1, distances + place, moved * sizeof(*distances));
    templates[place] = template;
    distances[place] = distance;
    return count < most ? count + 1 : most;
}

size_t routes_near(const struct routes *routes, const struct uri_path *path, size_t most, const char **ret_templates) {
    unsigned distances[NEAR_MOST];
    size_t count = 0;
    most = most < NEAR_MOST ? most : NEAR_MOST;
    for (size_t i = 0; i < routes->count; i++) {
        unsigned distance = distance_to(&routes->table[i], path);
        if (distance <= NEAR_ENOUGH) {
            count = keep_near(routes->table[i].template, distance, count, most, distances, ret_templates);
        }
    }
    return count;
}
