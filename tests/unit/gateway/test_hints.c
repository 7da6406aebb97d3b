#include "server/gateway/hints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct routes routes;

static const struct herald_route *route_at(enum herald_http_method method, const char *template) {
    for (size_t i = 0; i < herald_route_count; i++) {
        if (herald_routes[i].http_method == method && strcmp(herald_routes[i].template, template) == 0) {
            return &herald_routes[i];
        }
    }
    fail_msg("no route %s", template);
    return NULL;
}

static void test_path_has_the_names_of_json(void **state) {
    (void)state;
    char path[HINTS_PATH_BYTES];
    hints_path("/api/some_thing/{event_draft_id}/a_b", path);
    assert_string_equal(path, "/api/some_thing/{eventDraftId}/a_b");
}

static void assert_sees(const struct herald_route *route, const char *text, const char *expected) {
    json_t *see = hints_see(&routes, route, text);
    char *said = see != NULL ? json_dumps(see, JSON_COMPACT) : NULL;
    assert_string_equal(said != NULL ? said : "", expected);
    free(said);
    json_decref(see);
}

static void test_methods_in_a_text_are_told_as_routes(void **state) {
    (void)state;
    assert_sees(NULL, "no picture is chosen; use RequestImageGeneration, then SelectContent",
                "[\"POST /api/events/{eventDraftId}/content-generation\",\"PUT /api/events/{eventDraftId}/content\"]");
    assert_sees(NULL, "SelectContents, MySelectContent: no picture", "");
    assert_sees(route_at(HERALD_HTTP_POST, "/api/events/{event_draft_id}/publish"), "RetryDelivery begins anew",
                "[\"POST /api/events/{eventDraftId}/retry\"]");
    assert_sees(route_at(HERALD_HTTP_GET, "/api/distributions/{event_id}"), "RetryDelivery begins anew",
                "[\"POST /api/distributions/{eventId}/retry\"]");
}

static void test_plain_text_does_not_name_the_message(void **state) {
    (void)state;
    const struct herald_route *list = route_at(HERALD_HTTP_GET, "/api/events");
    assert_string_equal(hints_plain(list, "herald.event.v1.ListEventsRequest: userId must be set"),
                        "userId must be set");
    assert_string_equal(hints_plain(list, "herald.event.v1.GetEventRequest: x"), "herald.event.v1.GetEventRequest: x");
    assert_string_equal(hints_plain(NULL, "a: b"), "a: b");
}

static void test_query_has_what_neither_path_nor_body_has(void **state) {
    (void)state;
    const struct herald_route *get = route_at(HERALD_HTTP_GET, "/api/events/{event_draft_id}");
    assert_true(hints_in_query(get, "userId"));
    assert_false(hints_in_query(get, "eventDraftId"));
    assert_false(hints_in_query(get, "nothing"));
    assert_false(hints_in_query(route_at(HERALD_HTTP_POST, "/api/events"), "userId"));
    assert_false(hints_in_query(NULL, "userId"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_has_the_names_of_json),
        cmocka_unit_test(test_methods_in_a_text_are_told_as_routes),
        cmocka_unit_test(test_plain_text_does_not_name_the_message),
        cmocka_unit_test(test_query_has_what_neither_path_nor_body_has),
    };
    routes = (struct routes){herald_routes, herald_route_count};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
