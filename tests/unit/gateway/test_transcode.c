#include "client/json/parameter.h"
#include "herald/event/v1/event.pb-c.h"
#include "herald/event/v1/event.schema.h"
#include "server/gateway/transcode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define EVENT_ID "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e"

static const struct routes ROUTES = {herald_routes, 0};
static struct request request;
static struct herald_error error;
static bool in_query;

static int begin(void **state) {
    (void)state;
    memset(&request, 0, sizeof(request));
    call_init(&request.call, "", NULL, 0, 0);
    return 0;
}

static int end(void **state) {
    (void)state;
    call_fini(&request.call);
    return 0;
}

/* Makes the message of a request. @query  NULL: none */
static enum herald_code transcode(enum herald_http_method method, const char *path_text, const char *query,
                                  const char *body, void *ret_message) {
    struct routes routes = ROUTES;
    struct route_match match;
    struct uri_path path;
    const char *why;
    routes.count = herald_route_count;
    assert_true(uri_path_read(span_of(path_text), &request.call.arena, &path, &why));
    assert_true(routes_find(&routes, method, &path, &match));
    request.head.query = query != NULL ? span_of(query) : (struct span){NULL, 0};
    request.body = span_of(body);
    return transcode_request(&match, &request, (ProtobufCMessage **)ret_message, &in_query, &error);
}

static void assert_refused(enum herald_code code, const char *field) {
    assert_int_equal(code, HERALD_INVALID_ARGUMENT);
    assert_int_equal(error.detail_count, 1);
    assert_string_equal(error.details[0].field, field);
}

static void test_path_and_body_make_one_message(void **state) {
    Herald__Event__V1__PublishEventRequest *message;
    (void)state;
    assert_int_equal(transcode(HERALD_HTTP_POST, "/api/events/" EVENT_ID "/publish", NULL,
                               "{\"userId\":\"u-1\",\"selectedChannels\":[\"INSTAGRAM\"]}", &message),
                     HERALD_OK);
    assert_string_equal(message->event_draft_id, EVENT_ID);
    assert_string_equal(message->user_id, "u-1");
    assert_int_equal(message->n_selected_channels, 1);
}

static void test_path_alone_is_enough_without_a_body(void **state) {
    Herald__Event__V1__PublishEventRequest *message;
    (void)state;
    assert_int_equal(transcode(HERALD_HTTP_POST, "/api/events/" EVENT_ID "/publish", NULL, "", &message), HERALD_OK);
    assert_string_equal(message->event_draft_id, EVENT_ID);
    assert_string_equal(message->user_id, "");
}

static void test_path_and_body_that_differ_are_refused(void **state) {
    void *message;
    (void)state;
    assert_refused(
        transcode(HERALD_HTTP_POST, "/api/events/" EVENT_ID "/publish", NULL, "{\"eventDraftId\":\"x\"}", &message),
        "eventDraftId");
    assert_int_equal(transcode(HERALD_HTTP_POST, "/api/events/" EVENT_ID "/publish", NULL,
                               "{\"eventDraftId\":\"" EVENT_ID "\"}", &message),
                     HERALD_OK);
}

static void test_query_gives_the_other_fields(void **state) {
    Herald__Event__V1__ListEventsRequest *message;
    (void)state;
    assert_int_equal(transcode(HERALD_HTTP_GET, "/api/events", "userId=u%201&page_size=20&status=ACTIVE", "", &message),
                     HERALD_OK);
    assert_string_equal(message->user_id, "u 1");
    assert_int_equal(message->page_size, 20);
    assert_int_equal(message->status, HERALD__EVENT__V1__EVENT_STATUS__ACTIVE);
}

static void assert_query_refused(const char *query, const char *field) {
    void *message;
    assert_refused(transcode(HERALD_HTTP_GET, "/api/events", query, "", &message), field);
    assert_true(in_query);
}

static void test_query_that_is_wrong_names_the_parameter(void **state) {
    void *message;
    (void)state;
    assert_query_refused("userld=a", "userld");
    assert_non_null(strstr(error.message, "userId"));
    assert_query_refused("pageSize=-1", "pageSize");
    assert_query_refused("pageSize=", "pageSize");
    assert_query_refused("status=NONE", "status");
    assert_query_refused("userId=a&userId=b", "userId");
    assert_query_refused("userId=a&%", "");
    assert_query_refused("%00=a", "");
    assert_query_refused("userId=%00", "userId");
    assert_query_refused("userId=%f", "userId");
    assert_refused(transcode(HERALD_HTTP_POST, "/api/events", "userId=a", "", &message), "userId");
    assert_true(in_query);
    assert_refused(transcode(HERALD_HTTP_POST, "/api/events", NULL, "{\"title\":1}", &message), "title");
    assert_false(in_query);
}

static enum herald_code set(ProtobufCMessage *message, const char *name, const char *text) {
    return herald_json_set_parameter(&herald_event_v1_publish_event_request_schema, message, name, text,
                                     &request.call.arena.protobuf, &error);
}

static void test_parameter_sets_each_kind_of_field(void **state) {
    Herald__Event__V1__PublishEventRequest message = HERALD__EVENT__V1__PUBLISH_EVENT_REQUEST__INIT;
    (void)state;
    assert_int_equal(set(&message.base, "selectedChannels", "INSTAGRAM"), HERALD_OK);
    assert_int_equal(set(&message.base, "selected_channels", "3"), HERALD_OK);
    assert_int_equal(message.n_selected_channels, 2);
    assert_int_equal(message.selected_channels[1], 3);
    assert_int_equal(set(&message.base, "scheduledAt", "2026-01-31T12:00:00Z"), HERALD_OK);
    assert_int_equal(message.scheduled_at->seconds, 1769860800);
    assert_int_equal(set(&message.base, "userId", "\"\\\n가"), HERALD_OK);
    assert_string_equal(message.user_id, "\"\\\n가");
    assert_refused(set(&message.base, "scheduledAt", "tomorrow"), "scheduledAt");
    assert_refused(set(&message.base, "userId.name", "x"), "userId.name");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_path_and_body_make_one_message, begin, end),
        cmocka_unit_test_setup_teardown(test_path_alone_is_enough_without_a_body, begin, end),
        cmocka_unit_test_setup_teardown(test_path_and_body_that_differ_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_query_gives_the_other_fields, begin, end),
        cmocka_unit_test_setup_teardown(test_query_that_is_wrong_names_the_parameter, begin, end),
        cmocka_unit_test_setup_teardown(test_parameter_sets_each_kind_of_field, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
