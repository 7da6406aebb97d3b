#include "herald/event/v1/event.pb-c.h"
#include "herald/event/v1/event.schema.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "herald/rpc/v1/envelope.schema.h"
#include "herald/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID "0192f0c1-2345-7abc-8def-0123456789AB"

/* A request that nothing is wrong with; the tests each spoil something. */
struct create {
    Herald__Event__V1__CreateEventRequest request;
    Herald__Job__V1__StoreInfo store;
};

static void create_init(struct create *create) {
    herald__event__v1__create_event_request__init(&create->request);
    herald__job__v1__store_info__init(&create->store);
    create->request.user_id = (char *)"shop-1";
    create->request.title = (char *)"새해 이벤트";
    create->request.store_info = &create->store;
    create->store.name = (char *)"동네 빵집";
}

static enum herald_code validate_create(const struct create *create, struct herald_error *error) {
    return herald_validate(&herald_event_v1_create_event_request_schema, &create->request.base, error);
}

static void assert_violation(const struct create *create, const char *field, const char *reason) {
    struct herald_error error;
    assert_int_equal(validate_create(create, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "INVALID_FIELD");
    assert_int_equal(error.detail_count, 1);
    assert_string_equal(error.details[0].field, field);
    assert_string_equal(error.details[0].reason, reason);
    assert_non_null(strstr(error.message, field));
    assert_int_equal(validate_create(create, NULL), HERALD_INVALID_ARGUMENT);
}

static void test_validate_good_request_is_ok(void **state) {
    (void)state;
    struct create create;
    struct herald_error error;
    memset(&error, 0x5a, sizeof(error));
    struct herald_error before = error;
    create_init(&create);
    assert_int_equal(validate_create(&create, &error), HERALD_OK);
    assert_memory_equal(&error, &before, sizeof(error)); /* untouched */
    create.request.brand_color = (char *)"#12aBcF";
    create.request.logo_url = (char *)"HTTPS://example.com:8443/logo.png?x=1#f";
    assert_int_equal(validate_create(&create, &error), HERALD_OK);
}

static void test_validate_more_than_sixteen_violations_are_counted(void **state) {
    (void)state;
    Herald__Rpc__V1__Metadata pair = HERALD__RPC__V1__METADATA__INIT; /* without its key */
    Herald__Rpc__V1__Metadata *pairs[HERALD_ERROR_DETAILS_MAX + 1];
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    request.method = (char *)"a.B/C";
    request.metadata = pairs;
    for (size_t i = 0; i <= HERALD_ERROR_DETAILS_MAX; i++) {
        pairs[i] = &pair;
    }
    for (request.n_metadata = HERALD_ERROR_DETAILS_MAX; request.n_metadata <= HERALD_ERROR_DETAILS_MAX + 1;
         request.n_metadata++) {
        struct herald_error error;
        assert_int_equal(herald_validate(&herald_rpc_v1_request_schema, &request.base, &error),
                         HERALD_INVALID_ARGUMENT);
        assert_int_equal(error.detail_count, HERALD_ERROR_DETAILS_MAX);
        const char *counted = strstr(error.message, "17 things are wrong, the first 16 are listed");
        assert_int_equal(counted != NULL, request.n_metadata > HERALD_ERROR_DETAILS_MAX);
    }
}

static void test_validate_missing_fields_are_all_listed(void **state) {
    (void)state;
    struct create create;
    struct herald_error error;
    create_init(&create);
    create.request.user_id = (char *)"";
    create.request.title = NULL;
    create.store.name = (char *)protobuf_c_empty_string;
    assert_int_equal(validate_create(&create, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(error.detail_count, 3);
    assert_string_equal(error.details[0].field, "userId");
    assert_string_equal(error.details[1].field, "title");
    assert_string_equal(error.details[2].field, "storeInfo.name");
    for (int i = 0; i < 3; i++) {
        assert_string_equal(error.details[i].reason, "REQUIRED");
    }
    create_init(&create);
    create.request.store_info = NULL;
    assert_violation(&create, "storeInfo", "REQUIRED");
}

/* "가" repeated. */
static char *korean(size_t chars) {
    char *text = malloc(chars * 3 + 1);
    for (size_t i = 0; i < chars; i++) {
        memcpy(text + 3 * i, "가", 3);
    }
    text[chars * 3] = '\0';
    return text;
}

static void test_validate_length_counts_characters_not_bytes(void **state) {
    (void)state;
    struct create create;
    create_init(&create);
    char *at_limit = korean(80);
    char *beyond = korean(81);
    create.request.title = at_limit;
    assert_int_equal(validate_create(&create, NULL), HERALD_OK);
    create.request.title = beyond;
    assert_violation(&create, "title", "TOO_LONG");
    free(at_limit);
    free(beyond);
}

static void test_validate_field_without_rules_has_general_limit(void **state) {
    (void)state;
    Herald__Event__V1__EventDraft draft = HERALD__EVENT__V1__EVENT_DRAFT__INIT;
    struct herald_error error;
    char *at_limit = korean(1024);
    char *beyond = korean(1025);
    draft.title = at_limit;
    assert_int_equal(herald_validate(&herald_event_v1_event_draft_schema, &draft.base, &error), HERALD_OK);
    draft.title = beyond;
    assert_int_equal(herald_validate(&herald_event_v1_event_draft_schema, &draft.base, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].reason, "TOO_LONG");
    free(at_limit);
    free(beyond);
}

static void test_validate_invalid_utf8_is_named(void **state) {
    (void)state;
    static const char *const texts[] = {"\xff",        "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                        "abcdefgh\x80"};
    struct create create;
    create_init(&create);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        create.store.address = (char *)(uintptr_t)texts[i];
        assert_violation(&create, "storeInfo.address", "INVALID_UTF8");
    }
}

static void test_validate_formats(void **state) {
    (void)state;
    static const char *const colors[] = {"#12345", "#1234567", "123456", "#12345g", "red"};
    static const char *const urls[] = {"ftp://a/b",        "http://",        "//a/b",         "https:///b",
                                       "https://u:p@a/b",  "https://a@b",    "https://a b/c", "https://:80/",
                                       "https://a/\u00e9", "javascript:x()", "https://a/<b>"};
    static const char *const tokens[] = {"a b", "a\tb", "\u00e9", "a\x7f"};
    struct create create;
    for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++) {
        create_init(&create);
        create.request.brand_color = (char *)(uintptr_t)colors[i];
        assert_violation(&create, "brandColor", "INVALID_FORMAT");
    }
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        create_init(&create);
        create.request.logo_url = (char *)(uintptr_t)urls[i];
        assert_violation(&create, "logoUrl", "INVALID_FORMAT");
    }
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        create_init(&create);
        create.request.user_id = (char *)(uintptr_t)tokens[i];
        assert_violation(&create, "userId", "INVALID_FORMAT");
    }
}

static void test_validate_uuid(void **state) {
    (void)state;
    static const char *const bad[] = {"x", "0192f0c1-2345-7abc-8def-0123456789a",
                                      "0192f0c1-2345-7abc-8def-0123456789abc", "0192f0c1x2345-7abc-8def-0123456789ab",
                                      "g192f0c1-2345-7abc-8def-0123456789ab"};
    Herald__Event__V1__GetEventRequest request = HERALD__EVENT__V1__GET_EVENT_REQUEST__INIT;
    struct herald_error error;
    request.user_id = (char *)"u";
    request.event_draft_id = (char *)UUID;
    assert_int_equal(herald_validate(&herald_event_v1_get_event_request_schema, &request.base, &error), HERALD_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        request.event_draft_id = (char *)(uintptr_t)bad[i];
        assert_int_equal(herald_validate(&herald_event_v1_get_event_request_schema, &request.base, &error),
                         HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.details[0].field, "eventDraftId");
        assert_string_equal(error.details[0].reason, "INVALID_FORMAT");
    }
}

static enum herald_code validate_publish(Herald__Distribution__V1__Channel *channels, size_t count,
                                         struct herald_error *error) {
    Herald__Event__V1__PublishEventRequest request = HERALD__EVENT__V1__PUBLISH_EVENT_REQUEST__INIT;
    request.user_id = (char *)"u";
    request.event_draft_id = (char *)UUID;
    request.selected_channels = channels;
    request.n_selected_channels = count;
    return herald_validate(&herald_event_v1_publish_event_request_schema, &request.base, error);
}

static void test_validate_lists(void **state) {
    (void)state;
    Herald__Distribution__V1__Channel channels[HERALD_DEFAULT_MAX_ITEMS + 1];
    struct herald_error error;
    for (size_t i = 0; i < HERALD_DEFAULT_MAX_ITEMS + 1; i++) {
        channels[i] = (Herald__Distribution__V1__Channel)(1 + i % 6);
    }
    assert_int_equal(validate_publish(channels, HERALD_DEFAULT_MAX_ITEMS, &error), HERALD_OK);
    assert_int_equal(validate_publish(channels, HERALD_DEFAULT_MAX_ITEMS + 1, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].field, "selectedChannels");
    assert_string_equal(error.details[0].reason, "TOO_MANY");
    channels[2] = (Herald__Distribution__V1__Channel)0;
    assert_int_equal(validate_publish(channels, 6, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].field, "selectedChannels[2]");
    assert_string_equal(error.details[0].reason, "REQUIRED");
    channels[2] = (Herald__Distribution__V1__Channel)77;
    assert_int_equal(validate_publish(channels, 6, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].field, "selectedChannels[2]");
    assert_string_equal(error.details[0].reason, "UNKNOWN_VALUE");
}

static void test_validate_more_violations_than_details_are_cut(void **state) {
    (void)state;
    Herald__Rpc__V1__Metadata pairs[32];
    Herald__Rpc__V1__Metadata *pointers[32];
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    struct herald_error error;
    for (int i = 0; i < 32; i++) {
        herald__rpc__v1__metadata__init(&pairs[i]);
        pointers[i] = &pairs[i];
    }
    request.n_metadata = 32;
    request.metadata = pointers;
    assert_int_equal(herald_validate(&herald_rpc_v1_request_schema, &request.base, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(error.detail_count, HERALD_ERROR_DETAILS_MAX);
    assert_string_equal(error.details[15].field, "metadata[15].key");
    assert_string_equal(error.details[15].reason, "REQUIRED");
}

static void test_validate_numbers(void **state) {
    (void)state;
    Herald__Event__V1__ListEventsRequest request = HERALD__EVENT__V1__LIST_EVENTS_REQUEST__INIT;
    struct herald_error error;
    request.user_id = (char *)"u";
    request.page_size = 100;
    assert_int_equal(herald_validate(&herald_event_v1_list_events_request_schema, &request.base, &error), HERALD_OK);
    request.page_size = 101;
    assert_int_equal(herald_validate(&herald_event_v1_list_events_request_schema, &request.base, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].field, "pageSize");
    assert_string_equal(error.details[0].reason, "OUT_OF_RANGE");
}

static void test_validate_enums(void **state) {
    (void)state;
    Herald__Event__V1__SelectObjectiveRequest request = HERALD__EVENT__V1__SELECT_OBJECTIVE_REQUEST__INIT;
    struct herald_error error;
    request.user_id = (char *)"u";
    request.event_draft_id = (char *)UUID;
    assert_int_equal(herald_validate(&herald_event_v1_select_objective_request_schema, &request.base, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].reason, "REQUIRED");
    request.objective = (Herald__Event__V1__Objective)-5;
    assert_int_equal(herald_validate(&herald_event_v1_select_objective_request_schema, &request.base, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].field, "objective");
    assert_string_equal(error.details[0].reason, "UNKNOWN_VALUE");
}

static void test_validate_timestamps(void **state) {
    (void)state;
    Herald__Event__V1__EventDraft draft = HERALD__EVENT__V1__EVENT_DRAFT__INIT;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct herald_error error;
    draft.approved_at = &time;
    time.seconds = INT64_C(253402300799);
    time.nanos = 999999999;
    assert_int_equal(herald_validate(&herald_event_v1_event_draft_schema, &draft.base, &error), HERALD_OK);
    time.nanos = 1000000000;
    assert_int_equal(herald_validate(&herald_event_v1_event_draft_schema, &draft.base, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].field, "approvedAt");
    assert_string_equal(error.details[0].reason, "OUT_OF_RANGE");
    time.nanos = 0;
    time.seconds = INT64_MIN;
    assert_int_equal(herald_validate(&herald_event_v1_event_draft_schema, &draft.base, &error),
                     HERALD_INVALID_ARGUMENT);
}

static void test_validate_bytes(void **state) {
    (void)state;
    static uint8_t value[4097];
    Herald__Rpc__V1__Metadata pair = HERALD__RPC__V1__METADATA__INIT;
    struct herald_error error;
    pair.key = (char *)"k";
    pair.value.data = value;
    pair.value.len = 4096;
    assert_int_equal(herald_validate(&herald_rpc_v1_metadata_schema, &pair.base, &error), HERALD_OK);
    pair.value.len = 4097;
    assert_int_equal(herald_validate(&herald_rpc_v1_metadata_schema, &pair.base, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].field, "value");
    assert_string_equal(error.details[0].reason, "TOO_LONG");
}

static bool takes_traceparent(const char *text) {
    Herald__Rpc__V1__Request request = HERALD__RPC__V1__REQUEST__INIT;
    struct herald_error error;
    request.traceparent = (char *)(uintptr_t)text;
    if (herald_validate(&herald_rpc_v1_request_schema, &request.base, &error) == HERALD_OK) {
        return true;
    }
    assert_string_equal(error.details[0].field, "traceparent");
    assert_string_equal(error.details[0].reason, "INVALID_FORMAT");
    assert_non_null(strstr(error.details[0].message, "must match \"("));
    return false;
}

/* The 32 and 16 digits that follow the version. */
#define IDS "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"

static void test_validate_traceparent_of_this_and_later_versions(void **state) {
    (void)state;
    assert_true(takes_traceparent(""));
    assert_true(takes_traceparent("00" IDS "-01"));
    assert_true(takes_traceparent("01" IDS "-01"));
    assert_true(takes_traceparent("fe" IDS "-ff-what-comes/later"));
    assert_false(takes_traceparent("00" IDS "-01-what-comes-later"));
    assert_false(takes_traceparent("ff" IDS "-01"));
    assert_false(takes_traceparent("01" IDS "-01x"));
    assert_false(takes_traceparent("01" IDS "-01-a b"));
    assert_false(takes_traceparent("0" IDS "-01"));
    assert_false(takes_traceparent("00" IDS "-0"));
    assert_false(takes_traceparent("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
    assert_false(takes_traceparent("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01"));
}

static void test_validate_metadata_keys_are_lower_case(void **state) {
    (void)state;
    static const struct {
        const char *key;
        bool good;
    } cases[] = {{"x-shop.id_2", true}, {"X-Shop", false}, {"a b", false}, {"é", false}, {"a:b", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Herald__Rpc__V1__Metadata pair = HERALD__RPC__V1__METADATA__INIT;
        struct herald_error error;
        pair.key = (char *)(uintptr_t)cases[i].key;
        enum herald_code code = herald_validate(&herald_rpc_v1_metadata_schema, &pair.base, &error);
        assert_int_equal(code, cases[i].good ? HERALD_OK : HERALD_INVALID_ARGUMENT);
        if (!cases[i].good) {
            assert_string_equal(error.details[0].reason, "INVALID_FORMAT");
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validate_good_request_is_ok),
        cmocka_unit_test(test_validate_missing_fields_are_all_listed),
        cmocka_unit_test(test_validate_length_counts_characters_not_bytes),
        cmocka_unit_test(test_validate_field_without_rules_has_general_limit),
        cmocka_unit_test(test_validate_invalid_utf8_is_named),
        cmocka_unit_test(test_validate_formats),
        cmocka_unit_test(test_validate_uuid),
        cmocka_unit_test(test_validate_lists),
        cmocka_unit_test(test_validate_more_violations_than_details_are_cut),
        cmocka_unit_test(test_validate_numbers),
        cmocka_unit_test(test_validate_enums),
        cmocka_unit_test(test_validate_timestamps),
        cmocka_unit_test(test_validate_bytes),
        cmocka_unit_test(test_validate_more_than_sixteen_violations_are_counted),
        cmocka_unit_test(test_validate_traceparent_of_this_and_later_versions),
        cmocka_unit_test(test_validate_metadata_keys_are_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
