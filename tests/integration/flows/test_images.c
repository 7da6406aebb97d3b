/* Flow B: the job's record in Postgres, Redis and Kafka; the worker's pictures; the long poll. */
#include "server/outgoing/picture_url.h"
#include "stack.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DRAFT "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}"
#define RECOMMEND                                                                                                      \
    "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"recommendation\":{\"recommendationId\":\"r1\",\"title\":\"반값\"}}"

STACK_FIXTURE

/* A job for a draft. */
static void request_job(const char *user, const char *draft_id, char job_id[37]) {
    struct answer answer = stack_call_ok(stack, EVENTS "SelectRecommendation", RECOMMEND, draft_id, user);
    answer_clear(&answer);
    answer = stack_call_ok(stack, EVENTS "RequestImageGeneration", DRAFT, draft_id, user);
    assert_string_equal(answer_text(&answer, "status"), "PENDING");
    snprintf(job_id, 37, "%s", answer_text(&answer, "jobId"));
    answer_clear(&answer);
}

/* A draft with a recommendation, and a job for it. */
static void make_job(char user[64], char draft_id[37], char job_id[37]) {
    fresh_user(user);
    make_draft(stack, user, draft_id);
    request_job(user, draft_id, job_id);
}

static struct answer wait_for_status(const char *job_id, const char *status) {
    char version[24] = "0";
    long long deadline_ms = now_ms() + 60000;
    for (;;) {
        struct answer answer =
            stack_call_ok(stack, JOBS "WaitJob", "{\"jobId\":\"%s\",\"version\":\"%s\"}", job_id, version);
        if (strcmp(answer_text(&answer, "job.status"), status) == 0) {
            return answer;
        }
        snprintf(version, sizeof(version), "%s", answer_text(&answer, "job.version"));
        answer_clear(&answer);
        assert_true(now_ms() < deadline_ms);
    }
}

static void test_images_job_is_recorded_everywhere_and_completed(void **state) {
    (void)state;
    char user[64], draft_id[37], job_id[37], key[64];
    make_job(user, draft_id, job_id);
    snprintf(key, sizeof(key), "job:%s", job_id);
    char *view = stack_redis_get(stack, key);
    assert_non_null(view);
    assert_non_null(strstr(view, "\"createdAt\""));
    free(view);
    long long ttl = stack_redis_ttl(stack, key);
    assert_true(ttl > 3500 && ttl <= 3600);

    json_t *records = stack_records(stack, "HERALD_KAFKA_IMAGE_JOB_TOPIC", job_id, 1);
    assert_int_equal(json_array_size(records), 1);
    const json_t *value = json_object_get(json_array_get(records, 0), "value");
    assert_string_equal(json_string_value(json_object_get(value, "jobId")), job_id);
    assert_string_equal(json_string_value(json_object_get(value, "eventDraftId")), draft_id);
    assert_string_equal(json_string_value(json_object_get(value, "brandColor")), "#D9480F");
    assert_non_null(json_object_get(value, "storeInfo"));
    json_decref(records);

    struct answer answer = wait_for_status(job_id, "COMPLETED");
    assert_int_equal(json_integer_value(answer_at(&answer, "job.progressPercent")), 100);
    assert_int_equal(json_array_size(answer_at(&answer, "job.pictures")), 3);
    answer_clear(&answer);
    ttl = stack_redis_ttl(stack, key);
    assert_true(ttl > 3500 && ttl <= 3600);
    stack_sql_is(stack, job_id, "SELECT image_job_id FROM event_drafts WHERE id = '%s'", draft_id);
}

static void test_images_three_styles_are_served_and_differ(void **state) {
    (void)state;
    char user[64], draft_id[37], job_id[37];
    make_job(user, draft_id, job_id);
    struct answer answer = wait_for_status(job_id, "COMPLETED");
    char *pictures[3];
    size_t bytes[3];
    const char *const styles[] = {"SIMPLE", "FANCY", "TRENDY"};
    for (size_t i = 0; i < 3; i++) {
        const json_t *picture = json_array_get(answer_at(&answer, "job.pictures"), i);
        assert_string_equal(json_string_value(json_object_get(picture, "style")), styles[i]);
        pictures[i] = stack_get(json_string_value(json_object_get(picture, "pngUrl")), &bytes[i]);
        assert_true(bytes[i] > 10000);
        assert_memory_equal(pictures[i], "\x89PNG\r\n\x1a\n", 8);
        assert_memory_equal(pictures[i] + 16, "\0\0\x04\x38\0\0\x04\x38", 8); /* IHDR: 1080 x 1080 */
        size_t jpeg_bytes = 0;
        char *jpeg = stack_get(json_string_value(json_object_get(picture, "jpegUrl")), &jpeg_bytes);
        assert_true(jpeg_bytes > 10000);
        assert_memory_equal(jpeg, "\xff\xd8\xff", 3);
        free(jpeg);
    }
    assert_false(bytes[0] == bytes[1] && memcmp(pictures[0], pictures[1], bytes[0]) == 0);
    assert_false(bytes[1] == bytes[2] && memcmp(pictures[1], pictures[2], bytes[1]) == 0);
    for (size_t i = 0; i < 3; i++) {
        free(pictures[i]);
    }
    answer_clear(&answer);
}

/* U+0378 is no character yet, so no font has it; all other text is drawn. */
static void test_images_job_warns_of_what_is_not_drawn(void **state) {
    (void)state;
    static const char *const TITLES[] = {"新메뉴 1️⃣+1️⃣ 🎉\u0378", "新메뉴 1️⃣+1️⃣ 🎉"};
    for (size_t i = 0; i < 2; i++) {
        char user[64], draft_id[37], job_id[37];
        fresh_user(user);
        struct answer answer = stack_call_ok(
            stack, EVENTS "CreateEvent", "{\"userId\":\"%s\",\"title\":\"%s\",\"storeInfo\":{\"name\":\"漢江 茶房\"}}",
            user, TITLES[i]);
        snprintf(draft_id, sizeof(draft_id), "%s", answer_text(&answer, "event.eventDraftId"));
        answer_clear(&answer);
        request_job(user, draft_id, job_id);
        answer = wait_for_status(job_id, "COMPLETED");
        answer_clear(&answer);
        answer = stack_call_ok(stack, JOBS "GetJob", "{\"jobId\":\"%s\"}", job_id);
        assert_int_equal(json_array_size(answer_at(&answer, "job.warnings")), i == 0);
        if (i == 0) {
            assert_string_equal(json_string_value(json_array_get(answer_at(&answer, "job.warnings"), 0)),
                                "title: U+0378 left out: no installed font has it");
        }
        answer_clear(&answer);
    }
}

static void test_images_without_recommendation_are_refused(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_draft(stack, user, id);
    struct answer answer = stack_call(stack, EVENTS "RequestImageGeneration", DRAFT, id, user);
    assert_int_equal(answer.code, HERALD_FAILED_PRECONDITION);
    assert_string_equal(answer.error.reason, "RECOMMENDATION_NOT_SELECTED");
    stack_sql_is(stack, "0", "SELECT count(*) FROM jobs WHERE event_draft_id = '%s'", id);
    struct answer other = stack_call(stack, EVENTS "RequestImageGeneration", DRAFT, id, "somebody-else");
    assert_int_equal(other.code, HERALD_NOT_FOUND);
}

static void test_images_repeated_request_gets_the_same_job(void **state) {
    (void)state;
    char user[64], id[37], first_job[37] = "";
    fresh_user(user);
    make_draft(stack, user, id);
    struct answer answer = stack_call_ok(stack, EVENTS "SelectRecommendation", RECOMMEND, id, user);
    answer_clear(&answer);
    struct herald_call_options options = {.idempotency_key = "images-once"};
    for (int i = 0; i < 3; i++) {
        answer = stack_call_with(stack, &options, EVENTS "RequestImageGeneration", DRAFT, id, user);
        assert_int_equal(answer.code, HERALD_OK);
        if (i > 0) {
            assert_string_equal(answer_text(&answer, "jobId"), first_job);
        }
        snprintf(first_job, sizeof(first_job), "%s", answer_text(&answer, "jobId"));
        answer_clear(&answer);
    }
    stack_sql_is(stack, "1", "SELECT count(*) FROM jobs WHERE event_draft_id = '%s'", id);
}

static void test_images_content_must_come_from_a_completed_job_of_the_draft(void **state) {
    (void)state;
    char user[64], draft_id[37], job_id[37], other_user[64], other_id[37], key[PICTURE_KEY_CHARS + 1];
    make_job(user, draft_id, job_id);
    struct answer answer = wait_for_status(job_id, "COMPLETED");
    answer_clear(&answer);
    fresh_user(other_user);
    make_draft(stack, other_user, other_id);
#define SELECT "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"jobId\":\"%s\",\"style\":\"TRENDY\"}"
    answer = stack_call(stack, EVENTS "SelectContent", SELECT, other_id, other_user, job_id);
    assert_int_equal(answer.code, HERALD_NOT_FOUND);
    assert_string_equal(answer.error.details[0].field, "jobId");
    answer = stack_call_ok(stack, EVENTS "SelectContent", SELECT, draft_id, user, job_id);
    assert_string_equal(answer_text(&answer, "event.content.style"), "TRENDY");
    /* The URL is public: it names the job's pictures, and not the job. */
    assert_int_equal(picture_key(job_id, key, NULL), HERALD_OK);
    assert_non_null(strstr(answer_text(&answer, "event.content.pngUrl"), key));
    assert_null(strstr(answer_text(&answer, "event.content.pngUrl"), job_id));
    answer_clear(&answer);
}

/* A job of which the test itself is the worker: the content worker sleeps. */
static void create_job_without_worker(char job_id[37]) {
    struct answer answer = stack_call_ok(stack, JOBS "CreateImageJob",
                                         "{\"eventDraftId\":\"0190d1c8-0000-7000-8000-00000000000a\",\"userId\":\"u\","
                                         "\"title\":\"t\",\"storeInfo\":{\"name\":\"s\"}}");
    snprintf(job_id, 37, "%s", answer_text(&answer, "jobId"));
    answer_clear(&answer);
}

struct waiter {
    pthread_t thread;
    char job_id[37];
    long long ended_ms;
    struct answer answer;
};

static void *wait_for_change(void *arg) {
    struct waiter *waiter = arg;
    waiter->answer =
        stack_call(stack, JOBS "WaitJob", "{\"jobId\":\"%s\",\"version\":\"1\",\"waitMs\":20000}", waiter->job_id);
    waiter->ended_ms = now_ms();
    return NULL;
}

static void test_wait_job_returns_at_once_when_the_job_changes(void **state) {
    (void)state;
    stack_kill(stack, STACK_CONTENT, SIGTERM);
    struct waiter waiters[8];
    char job_id[37];
    create_job_without_worker(job_id);
    for (size_t i = 0; i < 8; i++) {
        snprintf(waiters[i].job_id, sizeof(waiters[i].job_id), "%s", job_id);
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_for_change, &waiters[i]), 0);
    }
    long long settle_ms = now_ms() + 500; /* let them begin to wait: a change before it would be seen at once anyway */
    while (wait_again(settle_ms)) {
    }
    struct answer answer = stack_call_ok(stack, JOBS "UpdateJob",
                                         "{\"jobId\":\"%s\",\"status\":\"RUNNING\",\"progressPercent\":10}", job_id);
    long long changed_ms = now_ms();
    answer_clear(&answer);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(waiters[i].thread, NULL);
        assert_int_equal(waiters[i].answer.code, HERALD_OK);
        assert_true(json_is_true(answer_at(&waiters[i].answer, "changed")));
        assert_string_equal(answer_text(&waiters[i].answer, "job.status"), "RUNNING");
        assert_true(waiters[i].ended_ms - changed_ms < 5000); /* of a wait of 20 s */
        answer_clear(&waiters[i].answer);
    }
    stack_run(stack, STACK_CONTENT);
}

static void test_wait_job_without_change_ends_with_the_job_as_it_is(void **state) {
    (void)state;
    stack_kill(stack, STACK_CONTENT, SIGTERM);
    char job_id[37];
    create_job_without_worker(job_id);
    struct answer answer =
        stack_call_ok(stack, JOBS "WaitJob", "{\"jobId\":\"%s\",\"version\":\"1\",\"waitMs\":300}", job_id);
    assert_null(answer_at(&answer, "changed"));
    assert_string_equal(answer_text(&answer, "job.status"), "PENDING");
    answer_clear(&answer);
    answer = stack_call(stack, JOBS "WaitJob", "{\"jobId\":\"0190d1c8-0000-7000-8000-000000000000\"}");
    assert_int_equal(answer.code, HERALD_NOT_FOUND);
    stack_run(stack, STACK_CONTENT);
}

static void test_update_job_never_goes_back(void **state) {
    (void)state;
    stack_kill(stack, STACK_CONTENT, SIGTERM);
    char job_id[37];
    create_job_without_worker(job_id);
#define REPORT "{\"jobId\":\"%s\",\"status\":\"%s\",\"progressPercent\":%d}"
    struct answer answer = stack_call_ok(stack, JOBS "UpdateJob", REPORT, job_id, "RUNNING", 60);
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "UpdateJob", REPORT, job_id, "RUNNING", 20);
    assert_int_equal(json_integer_value(answer_at(&answer, "job.progressPercent")), 60);
    answer_clear(&answer);
    answer = stack_call(stack, JOBS "UpdateJob", REPORT, job_id, "COMPLETED", 100);
    assert_int_equal(answer.code, HERALD_FAILED_PRECONDITION); /* pictures are missing */
    answer = stack_call(stack, JOBS "UpdateJob", REPORT, job_id, "PENDING", 0);
    assert_int_equal(answer.code, HERALD_INVALID_ARGUMENT);
    answer = stack_call(stack, JOBS "UpdateJob", REPORT, job_id, "FAILED", 60);
    assert_int_equal(answer.code, HERALD_INVALID_ARGUMENT); /* without a reason */
    assert_string_equal(answer.error.details[0].field, "failure");
    answer = stack_call_ok(stack, JOBS "UpdateJob", "{\"jobId\":\"%s\",\"status\":\"FAILED\",\"failure\":\"no font\"}",
                           job_id);
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "UpdateJob", REPORT, job_id, "RUNNING", 90);
    assert_string_equal(answer_text(&answer, "job.status"), "FAILED");
    assert_string_equal(answer_text(&answer, "job.failure"), "no font");
    answer_clear(&answer);
    stack_run(stack, STACK_CONTENT);
}

static void test_images_worker_killed_in_the_middle_job_is_completed_by_the_next(void **state) {
    (void)state;
    char user[64], draft_id[37], job_id[37];
    make_job(user, draft_id, job_id);
    struct answer answer = wait_for_status(job_id, "RUNNING");
    answer_clear(&answer);
    stack_kill(stack, STACK_CONTENT, SIGKILL);
    stack_run(stack, STACK_CONTENT);
    answer = wait_for_status(job_id, "COMPLETED");
    assert_int_equal(json_array_size(answer_at(&answer, "job.pictures")), 3);
    answer_clear(&answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_images_job_is_recorded_everywhere_and_completed),
        cmocka_unit_test(test_images_three_styles_are_served_and_differ),
        cmocka_unit_test(test_images_job_warns_of_what_is_not_drawn),
        cmocka_unit_test(test_images_without_recommendation_are_refused),
        cmocka_unit_test(test_images_repeated_request_gets_the_same_job),
        cmocka_unit_test(test_images_content_must_come_from_a_completed_job_of_the_draft),
        cmocka_unit_test(test_wait_job_returns_at_once_when_the_job_changes),
        cmocka_unit_test(test_wait_job_without_change_ends_with_the_job_as_it_is),
        cmocka_unit_test(test_update_job_never_goes_back),
        cmocka_unit_test(test_images_worker_killed_in_the_middle_job_is_completed_by_the_next),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
