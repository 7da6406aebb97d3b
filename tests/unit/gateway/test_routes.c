#include "server/gateway/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define LITERAL(text) {.literal = (text)}
#define FIELD(name)   {.field = (name)}

static const struct herald_route_segment ITEMS[] = {LITERAL("api"), LITERAL("items")};
static const struct herald_route_segment NEW_ITEM[] = {LITERAL("api"), LITERAL("items"), LITERAL("new")};
static const struct herald_route_segment ITEM[] = {LITERAL("api"), LITERAL("items"), FIELD("item_id")};
static const struct herald_route_segment PUBLISH[] = {LITERAL("api"), LITERAL("items"), FIELD("item_id"),
                                                      LITERAL("publish")};
/* As the generator sorts it. */
static const struct herald_route TABLE[] = {
    {.http_method = HERALD_HTTP_GET, .template = "/api/items", .segments = ITEMS, .segment_count = 2},
    {.http_method = HERALD_HTTP_POST, .template = "/api/items", .segments = ITEMS, .segment_count = 2},
    {.http_method = HERALD_HTTP_GET, .template = "/api/items/new", .segments = NEW_ITEM, .segment_count = 3},
    {.http_method = HERALD_HTTP_GET, .template = "/api/items/{item_id}", .segments = ITEM, .segment_count = 3},
    {.http_method = HERALD_HTTP_POST,
     .template = "/api/items/{item_id}/publish",
     .segments = PUBLISH,
     .segment_count = 4},
};
static const struct routes ROUTES = {TABLE, sizeof(TABLE) / sizeof(TABLE[0])};

static struct arena arena;
static struct uri_path path;
static struct route_match match;

static bool find(enum herald_http_method method, const char *text) {
    const char *why;
    arena_init(&arena, 0);
    assert_true(uri_path_read(span_of(text), &arena, &path, &why));
    return routes_find(&ROUTES, method, &path, &match);
}

static void test_route_binds_the_field(void **state) {
    (void)state;
    assert_true(find(HERALD_HTTP_POST, "/api/items/i%201/publish"));
    assert_int_equal(match.index, 4);
    assert_string_equal(match.values[2].at, "i 1");
    arena_fini(&arena);
}

static void test_route_literal_counts_before_field(void **state) {
    (void)state;
    assert_true(find(HERALD_HTTP_GET, "/api/items/new"));
    assert_string_equal(match.route->template, "/api/items/new");
    arena_fini(&arena);
    assert_true(find(HERALD_HTTP_GET, "/api/items/old"));
    assert_string_equal(match.route->template, "/api/items/{item_id}");
    arena_fini(&arena);
}

static void test_route_of_another_method_is_told(void **state) {
    (void)state;
    assert_false(find(HERALD_HTTP_DELETE, "/api/items"));
    assert_int_equal(match.methods, 1u << HERALD_HTTP_GET | 1u << HERALD_HTTP_POST);
    arena_fini(&arena);
    assert_false(find(HERALD_HTTP_GET, "/api/items/"));
    assert_int_equal(match.methods, 0);
    arena_fini(&arena);
}

static void test_route_near_ones_are_named_nearest_first(void **state) {
    const char *near[3];
    (void)state;
    assert_false(find(HERALD_HTTP_GET, "/api/itms"));
    assert_true(routes_near(&ROUTES, &path, 3, near) >= 2);
    assert_string_equal(near[0], "/api/items");
    assert_string_not_equal(near[1], near[0]);
    arena_fini(&arena);
    assert_false(find(HERALD_HTTP_GET, "/wp-admin/setup-config.php"));
    assert_int_equal(routes_near(&ROUTES, &path, 3, near), 0);
    arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route_binds_the_field),
        cmocka_unit_test(test_route_literal_counts_before_field),
        cmocka_unit_test(test_route_of_another_method_is_told),
        cmocka_unit_test(test_route_near_ones_are_named_nearest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
