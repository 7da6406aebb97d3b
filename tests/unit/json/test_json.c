#include "google/protobuf/timestamp.schema.h"
#include "herald/event/v1/event.pb-c.h"
#include "herald/event/v1/event.schema.h"
#include "herald/job/v1/job.pb-c.h"
#include "herald/job/v1/job.schema.h"
#include "herald/json.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "herald/rpc/v1/envelope.schema.h"
#include "herald/unpack.h"
#include "tests/unit/json/random_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t pack(const ProtobufCMessage *message, uint8_t **ret_bytes) {
    size_t bytes = protobuf_c_message_get_packed_size(message);
    *ret_bytes = malloc(bytes + 1);
    return protobuf_c_message_pack(message, *ret_bytes);
}

static void assert_same_message(const ProtobufCMessage *a, const ProtobufCMessage *b) {
    uint8_t *a_bytes, *b_bytes;
    size_t a_count = pack(a, &a_bytes);
    size_t b_count = pack(b, &b_bytes);
    assert_int_equal(a_count, b_count);
    assert_memory_equal(a_bytes, b_bytes, a_count);
    free(a_bytes);
    free(b_bytes);
}

/* --- all types --- */

static void round_trip(const struct herald_message_schema *schema, uint64_t *seed) {
    ProtobufCMessage *message = random_message(schema, seed);
    struct herald_json_write_options options = {.indent = random_next(seed) % 2,
                                                .with_defaults = random_next(seed) % 2};
    char *json = NULL;
    struct herald_error error = {0};
    ProtobufCMessage *back = NULL;
    enum herald_code code = herald_json_write(schema, message, &options, &json, &error);
    if (code == HERALD_OK) {
        code = herald_json_read(schema, json, strlen(json), NULL, NULL, &back, &error);
    }
    if (code != HERALD_OK) {
        fail_msg("%s: %s\n%s", schema->full_name, error.message, json ? json : "");
    }
    assert_same_message(message, back);
    protobuf_c_message_free_unpacked(message, NULL);
    protobuf_c_message_free_unpacked(back, NULL);
    free(json);
}

static void test_json_random_messages_of_all_types_survive_round_trip(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (size_t f = 0; f < herald_schema_count; f++) {
        for (size_t m = 0; m < herald_schemas[f]->message_count; m++) {
            for (int round = 0; round < 30; round++) {
                round_trip(herald_schemas[f]->messages[m], &seed);
            }
        }
    }
}

/* --- writing --- */

static void assert_json(const struct herald_message_schema *schema, const ProtobufCMessage *message,
                        const struct herald_json_write_options *options, const char *expected) {
    char *json = NULL;
    struct herald_error error;
    assert_int_equal(herald_json_write(schema, message, options, &json, &error), HERALD_OK);
    assert_string_equal(json, expected);
    free(json);
}

static void test_json_write_names_enums_lists_and_times(void **state) {
    (void)state;
    Herald__Event__V1__EventDraft draft = HERALD__EVENT__V1__EVENT_DRAFT__INIT;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Herald__Distribution__V1__Channel channels[] = {HERALD__DISTRIBUTION__V1__CHANNEL__GENIE_TV, 77};
    time.seconds = 1767225600;
    time.nanos = 120000000;
    draft.event_draft_id = (char *)"e1";
    draft.title = (char *)"새해 \"할인\"\n";
    draft.status = HERALD__EVENT__V1__EVENT_STATUS__ACTIVE;
    draft.store_info = &store;
    draft.n_selected_channels = 2;
    draft.selected_channels = channels;
    draft.created_at = &time;
    assert_json(&herald_event_v1_event_draft_schema, &draft.base, NULL,
                "{\"eventDraftId\":\"e1\",\"status\":\"ACTIVE\",\"title\":\"새해 \\\"할인\\\"\\n\",\"storeInfo\":{},"
                "\"selectedChannels\":[\"GENIE_TV\",77],\"createdAt\":\"2026-01-01T00:00:00.120Z\"}");
}

static void test_json_write_with_defaults_and_indent(void **state) {
    (void)state;
    Herald__Job__V1__Job job = HERALD__JOB__V1__JOB__INIT;
    struct herald_json_write_options options = {.indent = true, .with_defaults = true};
    job.version = UINT64_MAX;
    assert_json(&herald_job_v1_job_schema, &job.base, &options,
                "{\n  \"jobId\": \"\",\n  \"eventDraftId\": \"\",\n  \"status\": \"JOB_STATUS_UNSPECIFIED\",\n"
                "  \"progressPercent\": 0,\n  \"pictures\": [],\n  \"failure\": \"\",\n"
                "  \"version\": \"18446744073709551615\",\n  \"warnings\": [],\n  \"attempts\": 0,\n"
                "  \"deadLetter\": false\n}");
    options = (struct herald_json_write_options){.indent = true};
    assert_json(&herald_job_v1_job_schema, &job.base, &options, "{\n  \"version\": \"18446744073709551615\"\n}");
    job.version = 0;
    assert_json(&herald_job_v1_job_schema, &job.base, &options, "{}");
}

static void test_json_write_bytes_as_base64(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *json;
    } cases[] = {{"f", "{\"value\":\"Zg==\"}"},
                 {"fo", "{\"value\":\"Zm8=\"}"},
                 {"foo", "{\"value\":\"Zm9v\"}"},
                 {"\xff\xfe\xfd\xfc", "{\"value\":\"//79/A==\"}"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Herald__Rpc__V1__Metadata pair = HERALD__RPC__V1__METADATA__INIT;
        pair.value.data = (uint8_t *)(uintptr_t)cases[i].bytes;
        pair.value.len = strlen(cases[i].bytes);
        assert_json(&herald_rpc_v1_metadata_schema, &pair.base, NULL, cases[i].json);
    }
}

static void test_json_write_invalid_utf8_is_refused_with_path(void **state) {
    (void)state;
    Herald__Event__V1__EventDraft draft = HERALD__EVENT__V1__EVENT_DRAFT__INIT;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    char *json = (char *)"untouched";
    struct herald_error error;
    store.name = (char *)"\xed\xa0\x80"; /* a surrogate */
    draft.store_info = &store;
    assert_int_equal(herald_json_write(&herald_event_v1_event_draft_schema, &draft.base, NULL, &json, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.details[0].field, "storeInfo.name");
    assert_string_equal(json, "untouched");
}

static void test_json_write_timestamp_out_of_range_is_refused(void **state) {
    (void)state;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    char *json = NULL;
    struct herald_error error;
    time.seconds = INT64_C(253402300800);
    assert_int_equal(herald_json_write(&google_protobuf_timestamp_schema, &time.base, NULL, &json, &error),
                     HERALD_INVALID_ARGUMENT);
    time.seconds = 0;
    time.nanos = -1;
    assert_int_equal(herald_json_write(&google_protobuf_timestamp_schema, &time.base, NULL, &json, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_null(json);
}

/* --- reading --- */

static ProtobufCMessage *read_json(const struct herald_message_schema *schema, const char *json) {
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    if (herald_json_read(schema, json, strlen(json), NULL, NULL, &message, &error) != HERALD_OK) {
        fail_msg("%s: %s", json, error.message);
    }
    return message;
}

static void test_json_read_takes_both_names_and_both_kinds_of_numbers(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"jobId\":\"j\",\"version\":\"7\",\"progressPercent\":50,\"status\":\"RUNNING\"}",
        " { \"job_id\" : \"j\", \"version\": 7, \"progress_percent\": \"50\", \"status\": 2, \"failure\": null }\n",
        "{\"jobId\":\"j\",\"version\":7.0,\"progressPercent\":5e1,\"status\":\"RUNNING\",\"createdAt\":null}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        Herald__Job__V1__Job *job = (Herald__Job__V1__Job *)read_json(&herald_job_v1_job_schema, texts[i]);
        assert_string_equal(job->job_id, "j");
        assert_true(job->version == 7);
        assert_int_equal(job->progress_percent, 50);
        assert_int_equal(job->status, HERALD__JOB__V1__JOB_STATUS__RUNNING);
        assert_null(job->created_at);
        protobuf_c_message_free_unpacked(&job->base, NULL);
    }
}

static void test_json_read_base64_in_every_spelling(void **state) {
    (void)state;
    static const char *const texts[] = {"//79+A==", "//79+A", "__79-A==", "__79-A"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char json[64];
        snprintf(json, sizeof(json), "{\"value\":\"%s\"}", texts[i]);
        Herald__Rpc__V1__Metadata *pair = (Herald__Rpc__V1__Metadata *)read_json(&herald_rpc_v1_metadata_schema, json);
        assert_int_equal(pair->value.len, 4);
        assert_memory_equal(pair->value.data, "\xff\xfe\xfd\xf8", 4);
        protobuf_c_message_free_unpacked(&pair->base, NULL);
    }
}

static void test_json_read_times_in_every_spelling(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800), 0},
        {"9999-12-31T23:59:59.999999999Z", INT64_C(253402300799), 999999999},
        {"2026-01-01T09:00:00+09:00", 1767225600, 0},
        {"2025-12-31t19:30:00.5-04:30", 1767225600, 500000000},
        {"2024-02-29T12:00:00.000001z", 1709208000, 1000},
        {"1969-12-31T23:59:59.25Z", -1, 250000000},
        {"2000-02-29T00:00:00Z", 951782400, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char json[64];
        snprintf(json, sizeof(json), "\"%s\"", cases[i].text);
        Google__Protobuf__Timestamp *time =
            (Google__Protobuf__Timestamp *)read_json(&google_protobuf_timestamp_schema, json);
        assert_true(time->seconds == cases[i].seconds);
        assert_int_equal(time->nanos, cases[i].nanos);
        protobuf_c_message_free_unpacked(&time->base, NULL);
    }
}

static void test_json_read_bad_times_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00Z ",
        "0000-12-31T23:59:59Z",
        "0001-01-01T00:00:00+00:01",
        "2026-01-01 00:00:00Z",
        "+026-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char json[64];
        ProtobufCMessage *message = NULL;
        struct herald_error error;
        snprintf(json, sizeof(json), "\"%s\"", texts[i]);
        assert_int_equal(
            herald_json_read(&google_protobuf_timestamp_schema, json, strlen(json), NULL, NULL, &message, &error),
            HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "INVALID_JSON");
        assert_null(message);
    }
}

static void test_json_read_bad_input_names_the_place(void **state) {
    (void)state;
    static const struct {
        const char *json, *field, *text;
    } cases[] = {
        {"", "", "line 1, column 1: a value is missing"},
        {"{", "", "line 1, column 2: a name in quotes"},
        {"{\"title\":\"a\"\n \"prize\":\"b\"}", "", "line 2, column 2: a ',' or '}' is missing"},
        {"{} x", "", "line 1, column 4: something follows"},
        {"{\"title\" \"a\"}", "", "column 10: a ':' is missing"},
        {"{\"title\":\"a\",}", "", "a name in quotes is missing"},
        {"{\"selectedChannels\":[1,]}", "", "no JSON value"},
        {"{\"selectedChannels\":[1 2]}", "", "a ',' or ']' is missing"},
        {"{\"selectedChannels\":[01]}", "", "no JSON number"},
        {"{\"selectedChannels\":[1.]}", "", "no JSON number"},
        {"{\"selectedChannels\":[+1]}", "", "no JSON value"},
        {"{\"selectedChannels\":[-]}", "", "no JSON number"},
        {"{\"selectedChannels\":[1e]}", "", "no JSON number"},
        {"{\"selectedChannels\":[NaN]}", "", "no JSON value"},
        {"{'title':1}", "", "a name in quotes is missing"},
        {"{\"title\":nul}", "", "no JSON value"},
        {"{\"title\":\"a", "", "a string is not closed"},
        {"{\"title\":\"a\\", "", "a string is not closed"},
        {"{\"title\":\"a\\x\"}", "", "no such escape"},
        {"{\"title\":\"a\tb\"}", "", "must be escaped"},
        {"{\"title\":\"\\u12g4\"}", "", "four hexadecimal digits"},
        {"{\"title\":\"\\ud800\"}", "", "high surrogate stands alone"},
        {"{\"title\":\"\\ud800\\ud800\"}", "", "high surrogate stands alone"},
        {"{\"title\":\"\\udc00\"}", "", "low surrogate stands alone"},
        {"{\"title\":\"\xed\xa0\x80\"}", "", "not valid UTF-8"},
        {"\xef\xbb\xbf{}", "", "no JSON value"},
        {"null", "", "must be an object, not null"},
        {"\"a\"", "", "must be an object, not a string"},
        {"[]", "", "must be an object"},
        {"{\"titel\":\"a\"}", "titel", "did you mean \"title\"?; its fields are eventDraftId"},
        {"{\"storeInfo\":{\"nam\":1}}", "storeInfo.nam", "name, address, phone"},
        {"{\"title\":1}", "title", "must be a string, not a number"},
        {"{\"title\":[\"a\"]}", "title", "not an array"},
        {"{\"title\":\"a\",\"title\":\"b\"}", "title", "is given twice"},
        {"{\"storeInfo\":{\"name\":\"a\",\"name\":null}}", "storeInfo.name", "is given twice"},
        {"{\"brandColor\":\"a\",\"brand_color\":\"b\"}", "brandColor", "is given twice"},
        {"{\"status\":\"PUBLISHED\"}", "status", "DRAFT, APPROVED, ACTIVE"},
        {"{\"status\":true}", "status", "the name of a value"},
        {"{\"status\":3000000000}", "status", "2147483647"},
        {"{\"selectedChannels\":\"GENIE_TV\"}", "selectedChannels", "must be an array"},
        {"{\"selectedChannels\":[\"GENIE_TV\",\"TV\"]}", "selectedChannels[1]", "GENIE_TV"},
        {"{\"selectedChannels\":[null]}", "selectedChannels[0]", "must not be null"},
        {"{\"createdAt\":{\"seconds\":1}}", "createdAt", "2026-01-31T12:00:00Z"},
        {"{\"title\":\"a\\u0000b\"}", "", "\\u0000"},
        {"{\"title\":\"\xff\"}", "", "not valid UTF-8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ProtobufCMessage *message = NULL;
        struct herald_error error;
        assert_int_equal(herald_json_read(&herald_event_v1_event_draft_schema, cases[i].json, strlen(cases[i].json),
                                          NULL, NULL, &message, &error),
                         HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "INVALID_JSON");
        assert_int_equal(error.detail_count, 1);
        assert_string_equal(error.details[0].field, cases[i].field);
        if (!strstr(error.message, cases[i].text)) {
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].json, error.message, cases[i].text);
        }
        assert_null(message);
    }
}

static void test_json_read_numbers_out_of_range_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"progressPercent\":-1}",     "{\"progressPercent\":4294967296}",
        "{\"progressPercent\":1.5}",    "{\"progressPercent\":\"1.5\"}",
        "{\"progressPercent\":\"\"}",   "{\"progressPercent\":\"-\"}",
        "{\"progressPercent\":\"+1\"}", "{\"progressPercent\":\" 1\"}",
        "{\"progressPercent\":true}",   "{\"version\":\"18446744073709551616\"}",
        "{\"version\":1e20}",           "{\"version\":\"-1\"}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ProtobufCMessage *message = NULL;
        struct herald_error error;
        assert_int_equal(
            herald_json_read(&herald_job_v1_job_schema, texts[i], strlen(texts[i]), NULL, NULL, &message, &error),
            HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "INVALID_JSON");
    }
    ProtobufCMessage *message = read_json(&herald_job_v1_job_schema, "{\"version\":\"18446744073709551615\"}");
    assert_true(((Herald__Job__V1__Job *)message)->version == UINT64_MAX);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void test_json_read_nested_too_deep_is_refused(void **state) {
    (void)state;
    char *json = malloc(100001);
    memset(json, '[', 100000);
    json[100000] = '\0';
    ProtobufCMessage *message = NULL;
    struct herald_error error;
    assert_int_equal(herald_json_read(&herald_job_v1_job_schema, json, 100000, NULL, NULL, &message, &error),
                     HERALD_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "32 levels"));
    free(json);
    message = read_json(&herald_job_v1_job_schema, "{\"jobId\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"}");
    protobuf_c_message_free_unpacked(message, NULL);
}

/* An allocator that fails at its n-th piece. */
struct failing {
    int left;
};

static void *failing_alloc(void *user, size_t bytes) {
    struct failing *failing = user;
    return failing->left-- > 0 ? malloc(bytes) : NULL;
}

static void failing_free(void *user, void *piece) {
    (void)user;
    free(piece);
}

static void test_json_read_out_of_memory_at_any_point_leaves_nothing(void **state) {
    (void)state;
    static const char json[] =
        "{\"pictures\":[{\"style\":\"FANCY\",\"pngUrl\":\"https://a/b\"},{\"jpegUrl\":\"x\"}],\"jobId\":\"j\","
        "\"createdAt\":\"2026-01-01T00:00:00Z\"}";
    for (int n = 0;; n++) {
        struct failing failing = {n};
        ProtobufCAllocator allocator = {.alloc = failing_alloc, .free = failing_free, .allocator_data = &failing};
        ProtobufCMessage *message = NULL;
        struct herald_error error;
        enum herald_code code =
            herald_json_read(&herald_job_v1_job_schema, json, strlen(json), NULL, &allocator, &message, &error);
        if (code == HERALD_OK) {
            assert_true(n > 5);
            protobuf_c_message_free_unpacked(message, &allocator);
            return;
        }
        assert_int_equal(code, HERALD_RESOURCE_EXHAUSTED);
        assert_null(message);
    }
}

/* Bytes changed at random in valid texts: read or refused, never more. */
static void test_json_read_damaged_text_is_read_or_refused(void **state) {
    (void)state;
    uint64_t seed = 99;
    for (int round = 0; round < 3000; round++) {
        ProtobufCMessage *message = random_message(&herald_event_v1_event_draft_schema, &seed);
        char *json = NULL;
        struct herald_error error;
        assert_int_equal(herald_json_write(&herald_event_v1_event_draft_schema, message, NULL, &json, &error),
                         HERALD_OK);
        size_t bytes = strlen(json);
        for (int i = 0; i < 3; i++) {
            json[random_next(&seed) % bytes] = (char)random_next(&seed);
        }
        ProtobufCMessage *back = NULL;
        enum herald_code code =
            herald_json_read(&herald_event_v1_event_draft_schema, json, bytes, NULL, NULL, &back, &error);
        assert_true(code == HERALD_OK || code == HERALD_INVALID_ARGUMENT);
        if (back) {
            protobuf_c_message_free_unpacked(back, NULL);
        }
        protobuf_c_message_free_unpacked(message, NULL);
        free(json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_random_messages_of_all_types_survive_round_trip),
        cmocka_unit_test(test_json_write_names_enums_lists_and_times),
        cmocka_unit_test(test_json_write_with_defaults_and_indent),
        cmocka_unit_test(test_json_write_bytes_as_base64),
        cmocka_unit_test(test_json_write_invalid_utf8_is_refused_with_path),
        cmocka_unit_test(test_json_write_timestamp_out_of_range_is_refused),
        cmocka_unit_test(test_json_read_takes_both_names_and_both_kinds_of_numbers),
        cmocka_unit_test(test_json_read_base64_in_every_spelling),
        cmocka_unit_test(test_json_read_times_in_every_spelling),
        cmocka_unit_test(test_json_read_bad_times_are_refused),
        cmocka_unit_test(test_json_read_bad_input_names_the_place),
        cmocka_unit_test(test_json_read_numbers_out_of_range_are_refused),
        cmocka_unit_test(test_json_read_nested_too_deep_is_refused),
        cmocka_unit_test(test_json_read_out_of_memory_at_any_point_leaves_nothing),
        cmocka_unit_test(test_json_read_damaged_text_is_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
