/* Jobs as an operator sees them: pages, what has failed, and letting it begin anew. */
#include "stack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CREATE "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"title\":\"반값\",\"storeInfo\":{\"name\":\"행복치킨\"}}"
#define JOB    "{\"jobId\":\"%s\"}"
#define FAIL   "{\"jobId\":\"%s\",\"status\":\"FAILED\",\"failure\":\"%s\"}"

static struct stack *stack;

/* The worker stands still until a test lets it run: no job ends by itself. */
static int start(void **state) {
    (void)state;
    stack = stack_start(NULL);
    stack_kill(stack, STACK_CONTENT, SIGTERM);
    return 0;
}

static int stop(void **state) {
    (void)state;
    stack_run(stack, STACK_CONTENT);
    stack_wait_serving(stack, STACK_CONTENT);
    stack_stop(stack);
    return 0;
}

static void make_job(const char *user, const char *draft_id, char ret_id[37]) {
    struct answer answer = stack_call_ok(stack, JOBS "CreateImageJob", CREATE, draft_id, user);
    snprintf(ret_id, 37, "%s", answer_text(&answer, "jobId"));
    answer_clear(&answer);
}

static void fail_job(const char *id, const char *failure) {
    struct answer answer = stack_call_ok(stack, JOBS "UpdateJob", FAIL, id, failure);
    assert_string_equal(answer_text(&answer, "job.status"), "FAILED");
    answer_clear(&answer);
}

static void fresh_draft(char ret_id[37]) {
    char *id = stack_sql(stack, "SELECT gen_random_uuid()");
    snprintf(ret_id, 37, "%s", id);
    free(id);
}

static void assert_refused(const struct answer *answer, enum herald_code code, const char *reason) {
    assert_int_equal(answer->code, code);
    assert_string_equal(answer->error.reason, reason);
}

static void test_list_jobs_pages_hold_each_job_once_newest_first(void **state) {
    (void)state;
    char user[64], draft_id[37], ids[7][37], token[129] = "";
    fresh_user(user);
    fresh_draft(draft_id);
    for (size_t i = 0; i < 7; i++) {
        make_job(user, draft_id, ids[i]);
    }
    size_t seen = 0;
    do {
        struct answer answer = stack_call_ok(stack, JOBS "ListJobs",
                                             "{\"userId\":\"%s\",\"pageSize\":3,\"pageToken\":\"%s\"}", user, token);
        const json_t *jobs = answer_at(&answer, "jobs");
        assert_true(json_array_size(jobs) > 0);
        for (size_t i = 0; i < json_array_size(jobs); i++, seen++) {
            assert_true(seen < 7);
            assert_string_equal(json_string_value(json_object_get(json_array_get(jobs, i), "jobId")), ids[6 - seen]);
        }
        snprintf(token, sizeof(token), "%s", answer_text(&answer, "nextPageToken"));
        answer_clear(&answer);
    } while (token[0] != '\0');
    assert_int_equal(seen, 7);
    struct answer bad = stack_call(stack, JOBS "ListJobs", "{\"pageToken\":\"1_x\"}");
    assert_refused(&bad, HERALD_INVALID_ARGUMENT, "BAD_PAGE_TOKEN");
    answer_clear(&bad);
}

/* Asserts which of two jobs a list of a draft has. */
static void assert_lists(const char *draft_id, const char *filter, const char *first, const char *second) {
    struct answer answer = stack_call_ok(stack, JOBS "ListJobs", "{\"eventDraftId\":\"%s\"%s}", draft_id, filter);
    const json_t *jobs = answer_at(&answer, "jobs");
    const char *const wanted[] = {first, second};
    size_t count = (first != NULL) + (size_t)(second != NULL);
    assert_int_equal(json_array_size(jobs), count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(json_string_value(json_object_get(json_array_get(jobs, i), "jobId")), wanted[i]);
    }
    answer_clear(&answer);
}

static void test_list_jobs_filters_by_draft_state_user_and_dead_letters(void **state) {
    (void)state;
    char user[64], other[64], draft_id[37], first[37], second[37], all[512] = "";
    fresh_user(user);
    fresh_user(other);
    fresh_draft(draft_id);
    make_job(user, draft_id, first);
    make_job(user, draft_id, second);
    fail_job(first, "no memory");
    assert_lists(draft_id, "", second, first);
    assert_lists(draft_id, ",\"status\":\"PENDING\"", second, NULL);
    assert_lists(draft_id, ",\"deadLetters\":true", first, NULL);
    snprintf(all, sizeof(all), ",\"userId\":\"%s\"", other);
    assert_lists(draft_id, all, NULL, NULL);
    struct answer answer = stack_call_ok(stack, JOBS "ListJobs", "{\"deadLetters\":true,\"pageSize\":1}");
    assert_string_equal(answer_text(&answer, "jobs.0.jobId"), first);
    assert_string_equal(answer_text(&answer, "jobs.0.failure"), "no memory");
    assert_true(json_is_true(answer_at(&answer, "jobs.0.deadLetter")));
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "ListJobs", "{\"status\":\"FAILED\",\"pageSize\":1}");
    assert_string_equal(answer_text(&answer, "jobs.0.jobId"), first);
    answer_clear(&answer);
}

static void test_requeue_failed_job_begins_anew_and_is_completed(void **state) {
    (void)state;
    char user[64], draft_id[37], id[37];
    fresh_user(user);
    fresh_draft(draft_id);
    make_job(user, draft_id, id);
    struct answer running = stack_call_ok(
        stack, JOBS "UpdateJob",
        "{\"jobId\":\"%s\",\"status\":\"RUNNING\",\"progressPercent\":33,\"pictures\":[{\"style\":\"SIMPLE\","
        "\"pngUrl\":"
        "\"http://h/1.png\",\"jpegUrl\":\"http://h/1.jpg\"}],\"attemptId\":\"0189f2b0-0000-7000-8000-000000000001\"}",
        id);
    answer_clear(&running);
    fail_job(id, "the disk is full");
    struct answer seen = stack_call_ok(stack, JOBS "GetJob", JOB, id);
    char version[24];
    snprintf(version, sizeof(version), "%s", answer_text(&seen, "job.version"));
    answer_clear(&seen);

    struct answer answer = stack_call_ok(stack, JOBS "RequeueJob", JOB, id);
    assert_string_equal(answer_text(&answer, "job.status"), "PENDING");
    assert_string_equal(answer_text(&answer, "job.failure"), "");
    assert_int_equal(json_integer_value(answer_at(&answer, "job.progressPercent")), 0);
    assert_int_equal(json_integer_value(answer_at(&answer, "job.attempts")), 0);
    assert_int_equal(json_array_size(answer_at(&answer, "job.pictures")), 0);
    char *stored = stack_sql(stack, "SELECT version FROM jobs WHERE id = '%s'", id);
    assert_string_equal(answer_text(&answer, "job.version"), stored);
    assert_string_not_equal(version, stored);
    free(stored);
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "GetJob", JOB, id);
    assert_string_equal(answer_text(&answer, "job.status"), "PENDING");
    answer_clear(&answer);
    stack_sql_becomes(stack, "0", "SELECT count(*) FROM outbox WHERE key = '%s'", id);
    json_t *records = stack_records(stack, "HERALD_KAFKA_IMAGE_JOB_TOPIC", id, 2);
    assert_int_equal(json_array_size(records), 2);
    assert_true(json_equal(json_object_get(json_array_get(records, 0), "value"),
                           json_object_get(json_array_get(records, 1), "value")));
    json_decref(records);

    answer = stack_call(stack, JOBS "RequeueJob", JOB, id);
    assert_refused(&answer, HERALD_FAILED_PRECONDITION, "JOB_NOT_FAILED");
    assert_string_equal(answer.error.message, "the job is PENDING: only a FAILED one begins anew");
    answer_clear(&answer);

    stack_run(stack, STACK_CONTENT);
    stack_wait_serving(stack, STACK_CONTENT);
    stack_sql_becomes(stack, "COMPLETED", "SELECT status FROM jobs WHERE id = '%s'", id);
    stack_sql_is(stack, "3", "SELECT count(*) FROM job_pictures WHERE job_id = '%s'", id);
    stack_kill(stack, STACK_CONTENT, SIGTERM);
}

/* A worker that lost its connection may send the end of the first run late, in the second one. */
static void test_late_failure_of_an_old_attempt_does_not_fail_a_requeued_job(void **state) {
    (void)state;
    static const char BEGIN_ATTEMPT[] = "{\"jobId\":\"%s\",\"status\":\"RUNNING\",\"attemptId\":\"%s\"}";
    static const char FAIL_ATTEMPT[] =
        "{\"jobId\":\"%s\",\"status\":\"FAILED\",\"failure\":\"f\",\"attemptId\":\"%s\"}";
    static const char *const ATTEMPTS[] = {"0189f2b0-0000-7000-8000-00000000000a",
                                           "0189f2b0-0000-7000-8000-00000000000b"};
    char user[64], draft_id[37], id[37];
    fresh_user(user);
    fresh_draft(draft_id);
    make_job(user, draft_id, id);
    struct answer answer = stack_call_ok(stack, JOBS "UpdateJob", BEGIN_ATTEMPT, id, ATTEMPTS[0]);
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "UpdateJob", FAIL_ATTEMPT, id, ATTEMPTS[0]);
    assert_string_equal(answer_text(&answer, "job.status"), "FAILED");
    assert_int_equal(json_integer_value(answer_at(&answer, "job.attempts")), 1);
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "RequeueJob", JOB, id);
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "UpdateJob", FAIL_ATTEMPT, id, ATTEMPTS[0]);
    assert_string_equal(answer_text(&answer, "job.status"), "PENDING");
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "UpdateJob", BEGIN_ATTEMPT, id, ATTEMPTS[1]);
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "UpdateJob", FAIL_ATTEMPT, id, ATTEMPTS[0]);
    assert_string_equal(answer_text(&answer, "job.status"), "RUNNING");
    assert_int_equal(json_integer_value(answer_at(&answer, "job.attempts")), 1);
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "UpdateJob", FAIL_ATTEMPT, id, ATTEMPTS[1]);
    assert_string_equal(answer_text(&answer, "job.status"), "FAILED");
    answer_clear(&answer);
}

static void test_requeue_wakes_those_who_wait_for_the_job(void **state) {
    (void)state;
    char user[64], draft_id[37], id[37];
    fresh_user(user);
    fresh_draft(draft_id);
    make_job(user, draft_id, id);
    fail_job(id, "f");
    struct answer answer = stack_call_ok(stack, JOBS "GetJob", JOB, id);
    long long version = strtoll(answer_text(&answer, "job.version"), NULL, 10);
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "RequeueJob", JOB, id);
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "WaitJob", "{\"jobId\":\"%s\",\"version\":\"%lld\"}", id, version);
    assert_true(json_is_true(answer_at(&answer, "changed")));
    assert_string_equal(answer_text(&answer, "job.status"), "PENDING");
    answer_clear(&answer);
}

static void test_requeue_of_no_job_or_one_without_record_is_refused(void **state) {
    (void)state;
    char user[64], draft_id[37], id[37];
    struct answer answer = stack_call(stack, JOBS "RequeueJob", JOB, "0189f2b0-0000-7000-8000-00000000dead");
    assert_refused(&answer, HERALD_NOT_FOUND, "JOB_NOT_FOUND");
    answer_clear(&answer);
    fresh_user(user);
    fresh_draft(draft_id);
    make_job(user, draft_id, id);
    fail_job(id, "under an older version");
    free(stack_sql(stack, "UPDATE jobs SET record_value = NULL WHERE id = '%s'", id));
    answer = stack_call(stack, JOBS "RequeueJob", JOB, id);
    assert_refused(&answer, HERALD_FAILED_PRECONDITION, "JOB_RECORD_GONE");
    answer_clear(&answer);
    answer = stack_call_ok(stack, JOBS "ListJobs", "{\"eventDraftId\":\"%s\",\"deadLetters\":true}", draft_id);
    assert_int_equal(json_array_size(answer_at(&answer, "jobs")), 0);
    answer_clear(&answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_jobs_pages_hold_each_job_once_newest_first),
        cmocka_unit_test(test_list_jobs_filters_by_draft_state_user_and_dead_letters),
        cmocka_unit_test(test_requeue_failed_job_begins_anew_and_is_completed),
        cmocka_unit_test(test_late_failure_of_an_old_attempt_does_not_fail_a_requeued_job),
        cmocka_unit_test(test_requeue_wakes_those_who_wait_for_the_job),
        cmocka_unit_test(test_requeue_of_no_job_or_one_without_record_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
