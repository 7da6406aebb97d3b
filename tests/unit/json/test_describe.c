#include "herald/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *describe(const char *name, const char *expected_name) {
    const char *full_name = NULL;
    const struct herald_file_schema *file = NULL;
    char *text = NULL;
    struct herald_error error;
    if (herald_describe(name, &full_name, &file, &text, &error) != HERALD_OK) {
        fail_msg("%s: %s", name, error.message);
    }
    assert_string_equal(full_name, expected_name);
    assert_non_null(file);
    return text;
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) {
        fail_msg("no \"%s\" in:\n%s", part, text);
    }
}

static void test_describe_message_shows_docs_and_rules(void **state) {
    (void)state;
    char *text = describe("StoreInfo", "herald.job.v1.StoreInfo");
    assert_string_equal(text, "// The shop that an event is for.\n"
                              "message StoreInfo {\n"
                              "  // Name on the sign.\n"
                              "  string name = 1 [(herald.rpc.v1.rules) = {required: true, max_len: 60}];\n"
                              "  // Street address.\n"
                              "  string address = 2 [(herald.rpc.v1.rules) = {max_len: 120}];\n"
                              "  // Telephone number as people write it.\n"
                              "  string phone = 3 [(herald.rpc.v1.rules) = {max_len: 30}];\n"
                              "}\n");
    free(text);
}

static void test_describe_message_shows_patterns_and_acting_users(void **state) {
    (void)state;
    char *text = describe("Metadata", "herald.rpc.v1.Metadata");
    assert_has(text, "string key = 1 [(herald.rpc.v1.rules) = {required: true, max_len: 128, pattern: "
                     "\"[a-z0-9._-]+\"}];\n");
    free(text);
    text = describe("GetEventRequest", "herald.event.v1.GetEventRequest");
    assert_has(text, "string user_id = 2 [(herald.rpc.v1.rules) = {required: true, max_len: 64, format: TOKEN, "
                     "acting_user: true}];\n");
    free(text);
}

static void test_find_message_takes_full_and_short_names_of_messages_only(void **state) {
    (void)state;
    const struct herald_message_schema *schema = NULL;
    struct herald_error error;
    assert_int_equal(herald_find_message("rpc.v1.Request", &schema, &error), HERALD_OK);
    assert_string_equal(schema->full_name, "herald.rpc.v1.Request");
    assert_int_equal(herald_find_message("PublishEventRequest", &schema, &error), HERALD_OK);
    assert_string_equal(schema->full_name, "herald.event.v1.PublishEventRequest");
    schema = NULL;
    assert_int_equal(herald_find_message("PublishEvent", &schema, &error), HERALD_NOT_FOUND);
    assert_int_equal(herald_find_message("EventStatus", &schema, &error), HERALD_NOT_FOUND);
    assert_int_equal(herald_find_message("Distribut", &schema, &error), HERALD_NOT_FOUND);
    assert_null(schema);
}

static void test_describe_message_shows_types(void **state) {
    (void)state;
    char *text = describe("herald.event.v1.EventDraft", "herald.event.v1.EventDraft");
    assert_has(text, "  herald.job.v1.StoreInfo store_info = 8;\n");
    assert_has(text, "  repeated herald.distribution.v1.Channel selected_channels = 13;\n");
    assert_has(text, "  google.protobuf.Timestamp created_at = 14;\n");
    assert_has(text, "  herald.event.v1.EventStatus status = 3;\n");
    free(text);
    text = describe("GetDistributionResponse", "herald.distribution.v1.GetDistributionResponse");
    assert_has(text, "  repeated herald.distribution.v1.DeliveryAttempt attempts = 7 [(herald.rpc.v1.rules) = "
                     "{max_items: 100}];\n");
    free(text);
}

static void test_describe_enum_shows_values(void **state) {
    (void)state;
    char *text = describe("Style", "herald.job.v1.Style");
    assert_has(text, "enum Style {\n");
    assert_has(text, "  // 심플: quiet, much white.\n  SIMPLE = 1;\n");
    free(text);
}

static void test_describe_method_shows_request_and_response(void **state) {
    (void)state;
    char *text = describe("PublishEvent", "herald.event.v1.EventService/PublishEvent");
    assert_has(text, "rpc PublishEvent(herald.event.v1.PublishEventRequest) returns "
                     "(herald.event.v1.PublishEventResponse) {\n  option (herald.rpc.v1.policy) = {effect: ONCE, "
                     "deadline_ms: 80000, caller: IDENTIFIED, reasons: [\n");
    assert_has(text, "\nmessage PublishEventRequest {\n");
    assert_has(text, "\nmessage PublishEventResponse {\n");
    free(text);
}

static void test_describe_method_shows_reasons_with_code_and_meaning(void **state) {
    (void)state;
    char *text = describe("ListEvents", "herald.event.v1.EventService/ListEvents");
    assert_has(text,
               "  option (herald.rpc.v1.policy) = {effect: READ, deadline_ms: 5000, caller: IDENTIFIED, reasons: [\n"
               "    \"BAD_PAGE_TOKEN\" // INVALID_ARGUMENT: the page token is none that ListEvents gave\n"
               "  ]};\n"
               "}\n");
    free(text);
    text = describe("EventService", "herald.event.v1.EventService");
    assert_has(text, "      \"EVENT_NOT_FOUND\", // NOT_FOUND: there is no such event, or it is another user's\n"
                     "      \"WRONG_STATE\" // FAILED_PRECONDITION: the event is in a state that does not allow this\n"
                     "    ]};\n"
                     "  }\n");
    free(text);
}

static void test_describe_method_without_reasons_shows_no_list(void **state) {
    (void)state;
    char *text = describe("GetPurpose", "herald.event.v1.EventService/GetPurpose");
    assert_has(text, "caller: IDENTIFIED};\n}\n");
    assert_null(strstr(text, "reasons"));
    free(text);
}

static void test_describe_service_shows_methods(void **state) {
    (void)state;
    char *text = describe("rpc.v1.Health", "herald.rpc.v1.Health");
    assert_has(text, "service Health {\n  // Tells what works, now, from memory.");
    assert_has(text, "answer_inline: true");
    free(text);
}

static void assert_refused(const char *name, enum herald_code code, const char *reason, const char *part) {
    const char *full_name = NULL;
    const struct herald_file_schema *file = NULL;
    char *text = NULL;
    struct herald_error error;
    assert_int_equal(herald_describe(name, &full_name, &file, &text, &error), code);
    assert_string_equal(error.reason, reason);
    if (part) {
        assert_has(error.message, part);
    }
    assert_null(full_name);
    assert_null(file);
    assert_null(text);
}

static void test_describe_unknown_name_lists_near_ones(void **state) {
    (void)state;
    assert_refused("PublishEvnt", HERALD_NOT_FOUND, "NO_SUCH_NAME", "herald.event.v1.EventService/PublishEvent");
    assert_refused("eventdraft", HERALD_NOT_FOUND, "NO_SUCH_NAME", "herald.event.v1.EventDraft");
    assert_refused("qqqqqqqqqqqqqqqq", HERALD_NOT_FOUND, "NO_SUCH_NAME", "nothing is called");
    assert_refused("", HERALD_NOT_FOUND, "NO_SUCH_NAME", NULL);
    assert_refused("ublishEvent", HERALD_NOT_FOUND, "NO_SUCH_NAME", NULL);
}

static void test_describe_long_name_is_not_found(void **state) {
    (void)state;
    char name[5000];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_refused(name, HERALD_NOT_FOUND, "NO_SUCH_NAME", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe_message_shows_docs_and_rules),
        cmocka_unit_test(test_describe_message_shows_patterns_and_acting_users),
        cmocka_unit_test(test_find_message_takes_full_and_short_names_of_messages_only),
        cmocka_unit_test(test_describe_message_shows_types),
        cmocka_unit_test(test_describe_enum_shows_values),
        cmocka_unit_test(test_describe_method_shows_request_and_response),
        cmocka_unit_test(test_describe_method_shows_reasons_with_code_and_meaning),
        cmocka_unit_test(test_describe_method_without_reasons_shows_no_list),
        cmocka_unit_test(test_describe_service_shows_methods),
        cmocka_unit_test(test_describe_unknown_name_lists_near_ones),
        cmocka_unit_test(test_describe_long_name_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
