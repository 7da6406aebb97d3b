/* Records of image-job-topic: what is a job, and what no worker will ever be able to use. */
#include "server/content/image_job.h"
#include "server/runtime/call.h"
#include "tests/unit/runtime/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "herald.job.v1.ImageJob"
#define IDS                                                                                                            \
    "\"jobId\":\"0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e\",\"eventDraftId\":\"0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5f\""
#define STORE "\"storeInfo\":{\"name\":\"달콤한 하루\"}"
#define GOOD  "{" IDS ",\"title\":\"반값 행사\",\"prize\":\"빵\",\"brandColor\":\"#E4572E\"," STORE "}"

struct reading {
    struct kafka_record record;
    enum herald_code code;
    struct herald_error error;
    char title[64];
};

static void reading_body(void *arg) {
    struct reading *reading = arg;
    const Herald__Job__V1__ImageJob *job = NULL;
    reading->code = image_job_read(&reading->record, &job, &reading->error);
    if (reading->code == HERALD_OK) {
        snprintf(reading->title, sizeof(reading->title), "%s", job->title);
    }
}

static struct reading read_record(const char *ce_type, const char *content_type, const void *value, size_t bytes) {
    struct reading reading = {.record = {.topic = "image-job-topic", .value = value, .value_bytes = bytes}};
    struct call call;
    snprintf(reading.record.ce_type, sizeof(reading.record.ce_type), "%s", ce_type);
    snprintf(reading.record.content_type, sizeof(reading.record.content_type), "%s", content_type);
    call_init(&call, "test", NULL, 0, 0);
    run_task(&call, reading_body, &reading);
    call_fini(&call);
    return reading;
}

static struct reading read_text(const char *ce_type, const char *content_type, const char *text) {
    return read_record(ce_type, content_type, text, strlen(text));
}

static void test_image_job_json_is_read(void **state) {
    (void)state;
    static const char *const TYPES[] = {"", "application/json", "Application/JSON; charset=utf-8"};
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        struct reading reading = read_text(TYPE, TYPES[i], GOOD);
        assert_int_equal(reading.code, HERALD_OK);
        assert_string_equal(reading.title, "반값 행사");
    }
    assert_int_equal(read_text("", "", GOOD).code, HERALD_OK);
}

/* A record that another program wrote, in NFD: 80 syllables, as the rule for titles allows. */
static void test_image_job_texts_are_brought_into_one_form(void **state) {
    (void)state;
    char text[2048] = "{" IDS ",\"title\":\"";
    for (int i = 0; i < 80; i++) {
        strcat(text, "\u1100\u1161\u11A8");
    }
    strcat(text, " \"," STORE "}");
    struct reading reading = read_text(TYPE, "", text);
    assert_int_equal(reading.code, HERALD_OK);
    assert_memory_equal(reading.title, "각각각", 9);
    reading = read_text(TYPE, "", "{" IDS ",\"title\":\"\u200B\"," STORE "}");
    assert_int_equal(reading.code, HERALD_INVALID_ARGUMENT);
}

static void test_image_job_protobuf_is_read(void **state) {
    (void)state;
    uint8_t packed[512];
    Herald__Job__V1__ImageJob job = HERALD__JOB__V1__IMAGE_JOB__INIT;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    char id[] = "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e", title[] = "행사", name[] = "가게";
    job.job_id = job.event_draft_id = id;
    job.title = title;
    job.store_info = &store;
    store.name = name;
    size_t bytes = herald__job__v1__image_job__pack(&job, packed);
    struct reading reading = read_record(TYPE, "application/protobuf", packed, bytes);
    assert_int_equal(reading.code, HERALD_OK);
    assert_string_equal(reading.title, "행사");
    reading = read_record(TYPE, "application/protobuf", packed, bytes - 3);
    assert_int_equal(reading.code, HERALD_INVALID_ARGUMENT);
    assert_string_equal(reading.error.reason, "MALFORMED_PAYLOAD");
}

static void test_image_job_unusable_record_is_an_invalid_argument(void **state) {
    (void)state;
    static const struct {
        const char *type, *content_type, *value, *reason;
    } BAD[] = {
        {TYPE, "", "", "NO_VALUE"},
        {TYPE, "", "not json", "INVALID_JSON"},
        {TYPE, "", "{" IDS ",\"title\":", "INVALID_JSON"},
        {TYPE, "", "[]", "INVALID_JSON"},
        {TYPE, "", "{}", "INVALID_FIELD"},
        {TYPE, "", "{" IDS ",\"title\":\"행사\"}", "INVALID_FIELD"},
        {TYPE, "", "{" IDS ",\"title\":\"행사\",\"brandColor\":\"red\"," STORE "}", "INVALID_FIELD"},
        {TYPE, "", "{\"jobId\":\"../../etc\",\"eventDraftId\":\"x\",\"title\":\"t\"," STORE "}", "INVALID_FIELD"},
        {TYPE, "text/plain", GOOD, "CONTENT_TYPE"},
        {"herald.event.v1.EventCreated", "", GOOD, "EVENT_TYPE"},
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct reading reading = read_text(BAD[i].type, BAD[i].content_type, BAD[i].value);
        assert_int_equal(reading.code, HERALD_INVALID_ARGUMENT);
        assert_string_equal(reading.error.reason, BAD[i].reason);
    }
    assert_int_equal(read_record(TYPE, "", NULL, 0).code, HERALD_INVALID_ARGUMENT);
}

static void test_image_job_bytes_of_no_meaning_never_crash(void **state) {
    (void)state;
    unsigned char bytes[256];
    srand(7);
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (unsigned char)rand();
        }
        size_t count = (size_t)rand() % sizeof(bytes);
        (void)read_record(TYPE, "application/protobuf", bytes, count);
        struct reading reading = read_record(TYPE, "application/json", bytes, count);
        assert_int_equal(reading.code, HERALD_INVALID_ARGUMENT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image_job_json_is_read),
        cmocka_unit_test(test_image_job_texts_are_brought_into_one_form),
        cmocka_unit_test(test_image_job_protobuf_is_read),
        cmocka_unit_test(test_image_job_unusable_record_is_an_invalid_argument),
        cmocka_unit_test(test_image_job_bytes_of_no_meaning_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
