/* Content workers that join, leave, die and lose their records: each job ends once, and the lag falls to 0. */
#include "stack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BACKLOG         12
#define BACKLOG_MOST_MS 180000

static struct stack *stack;

static int start(void **state) {
    static const char *const settings[] = {"HERALD_CONTENT_ATTEMPTS=2", "HERALD_KAFKA_STALL_MS=12000", NULL};
    (void)state;
    stack = stack_start(settings);
    return 0;
}

static int stop(void **state) {
    (void)state;
    stack_stop(stack);
    return 0;
}

static void make_job(char job_id[37]) {
    struct answer answer = stack_call_ok(stack, JOBS "CreateImageJob",
                                         "{\"eventDraftId\":\"0190d1c8-0000-7000-8000-00000000000a\",\"userId\":\"u\","
                                         "\"title\":\"t\",\"storeInfo\":{\"name\":\"s\"}}");
    snprintf(job_id, 37, "%s", answer_text(&answer, "jobId"));
    answer_clear(&answer);
}

static int count_jobs(const char *condition) {
    char *text = stack_sql(stack, "SELECT count(*) FROM jobs WHERE %s", condition);
    int count = atoi(text);
    free(text);
    return count;
}

static void wait_for_completed(int count) {
    long long deadline_ms = now_ms() + BACKLOG_MOST_MS;
    while (count_jobs("status = 'COMPLETED'") < count) {
        if (!wait_again(deadline_ms)) {
            fail_msg("%d jobs are COMPLETED, not %d", count_jobs("status = 'COMPLETED'"), count);
        }
    }
}

/* A gauge of a content worker; -1: it has none. */
static double gauge(enum stack_program program, const char *name) {
    double value = -1;
    struct answer answer = stack_call_at(stack, program, "herald.rpc.v1.Introspection/GetStats", "{}");
    assert_int_equal(answer.code, HERALD_OK);
    const json_t *gauges = answer_at(&answer, "gauges");
    for (size_t i = 0; i < json_array_size(gauges); i++) {
        const json_t *one = json_array_get(gauges, i);
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) {
            value = json_number_value(json_object_get(one, "value"));
        }
    }
    answer_clear(&answer);
    return value;
}

static void test_content_backlog_is_done_while_workers_join_leave_and_die(void **state) {
    (void)state;
    char id[37];
    stack_kill(stack, STACK_CONTENT, SIGTERM);
    for (int i = 0; i < BACKLOG; i++) {
        make_job(id);
    }
    stack_run(stack, STACK_CONTENT);
    wait_for_completed(2);
    stack_run(stack, STACK_CONTENT_2);
    wait_for_completed(BACKLOG / 4);
    stack_kill(stack, STACK_CONTENT, SIGKILL);
    wait_for_completed(BACKLOG / 2);
    stack_run(stack, STACK_CONTENT);
    stack_kill(stack, STACK_CONTENT_2, SIGTERM);
    wait_for_completed(BACKLOG);
    assert_int_equal(count_jobs("status <> 'COMPLETED'"), 0);
    stack_sql_is(stack, "0",
                 "SELECT count(*) FROM jobs WHERE (SELECT count(*) FROM job_pictures WHERE job_id = id) <> 3");
    long long deadline_ms = now_ms() + BACKLOG_MOST_MS;
    while (gauge(STACK_CONTENT, "kafka_lag") != 0) { /* also all records that were sent again */
        assert_true(wait_again(deadline_ms));
    }
}

static void test_content_job_that_kills_its_worker_is_failed_and_a_dead_letter(void **state) {
    (void)state;
    char id[37];
    stack_kill(stack, STACK_CONTENT, SIGTERM);
    stack_set(stack, "HERALD_FAILPOINT=content.after_begin:kill");
    make_job(id);
    for (int attempt = 1; attempt <= 2; attempt++) {
        char counted[16];
        snprintf(counted, sizeof(counted), "%d", attempt);
        stack_run(stack, STACK_CONTENT);
        stack_sql_becomes(stack, counted, "SELECT attempts FROM jobs WHERE id = '%s'", id);
        stack_await_end(stack, STACK_CONTENT);
    }
    stack_run(stack, STACK_CONTENT);
    stack_sql_becomes(stack, "FAILED", "SELECT status FROM jobs WHERE id = '%s'", id);
    stack_sql_is(stack, "2", "SELECT attempts FROM jobs WHERE id = '%s'", id);
    json_t *letters = stack_records(stack, "HERALD_KAFKA_DEAD_LETTER_TOPIC", id, 1);
    assert_true(json_array_size(letters) >= 1);
    const json_t *headers = json_object_get(json_array_get(letters, 0), "headers");
    assert_non_null(strstr(json_string_value(json_object_get(headers, "ce_reason")), "2 attempts"));
    json_decref(letters);
    stack_kill(stack, STACK_CONTENT, SIGTERM);
    stack_set(stack, "HERALD_FAILPOINT=");
    stack_run(stack, STACK_CONTENT);
}

static void test_content_job_whose_record_was_lost_is_sent_again_and_done(void **state) {
    (void)state;
    char id[37];
    stack_kill(stack, STACK_CONTENT, SIGTERM);
    /* Not in the other tests: a second copy of a record is a second attempt. */
    stack_kill(stack, STACK_JOB, SIGTERM);
    stack_set(stack, "HERALD_JOBS_RESEND_AFTER_S=10");
    stack_run(stack, STACK_JOB);
    make_job(id);
    json_t *records = stack_records(stack, "HERALD_KAFKA_IMAGE_JOB_TOPIC", id, 1);
    assert_int_equal(json_array_size(records), 1);
    json_decref(records);
    stack_lose_jobs(stack);
    stack_run(stack, STACK_CONTENT);
    stack_sql_becomes(stack, "COMPLETED", "SELECT status FROM jobs WHERE id = '%s'", id);
    records = stack_records(stack, "HERALD_KAFKA_IMAGE_JOB_TOPIC", id, 2);
    assert_true(json_array_size(records) >= 2);
    const char *first =
        json_string_value(json_object_get(json_object_get(json_array_get(records, 0), "headers"), "ce_id"));
    const char *second =
        json_string_value(json_object_get(json_object_get(json_array_get(records, 1), "headers"), "ce_id"));
    assert_string_equal(first, second);
    json_decref(records);
    stack_sql_is(stack, "3", "SELECT count(*) FROM job_pictures WHERE job_id = '%s'", id);
    stack_sql_is(stack, "t", "SELECT record_value IS NULL AND resend_at IS NULL FROM jobs WHERE id = '%s'", id);
}

static void test_content_answers_operators_like_every_server(void **state) {
    (void)state;
    static const char *const components[] = {"kafka", "dead letters", "job server", "picture store", "picture server"};
    stack_wait_serving(stack, STACK_CONTENT);
    struct answer answer = stack_call_at(stack, STACK_CONTENT, "herald.rpc.v1.Health/Check", "{}");
    assert_int_equal(answer.code, HERALD_OK);
    char *text = json_dumps(answer.json, 0);
    for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++) {
        assert_non_null(strstr(text, components[i]));
    }
    free(text);
    answer_clear(&answer);
    assert_true(gauge(STACK_CONTENT, "kafka_partitions") >= 0);
    assert_true(gauge(STACK_CONTENT, "jobs_in_work") >= 0);
    answer = stack_call_at(stack, STACK_CONTENT, "herald.rpc.v1.Introspection/GetInfo", "{}");
    assert_string_equal(answer_text(&answer, "server"), "herald-content");
    answer_clear(&answer);
}

/* What health says of a component of the content worker; empty: it serves. */
static void component_says(const char *name, char ret_message[512]) {
    struct answer answer = stack_call_at(stack, STACK_CONTENT, "herald.rpc.v1.Health/Check", "{}");
    assert_int_equal(answer.code, HERALD_OK);
    const json_t *components = answer_at(&answer, "services.0.components");
    const char *found = NULL;
    for (size_t i = 0; found == NULL && i < json_array_size(components); i++) {
        const json_t *one = json_array_get(components, i);
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) {
            bool serves = strcmp(json_string_value(json_object_get(one, "status")), "SERVING") == 0;
            found = serves ? "" : json_string_value(json_object_get(one, "message"));
        }
    }
    assert_non_null(found);
    snprintf(ret_message, 512, "%s", found);
    answer_clear(&answer);
}

/* @words  of its message; "" : it serves */
static void component_comes_to_say(const char *name, const char *words) {
    char message[512];
    long long deadline_ms = now_ms() + 60000;
    do {
        component_says(name, message);
        if (!wait_again(deadline_ms)) {
            fail_msg("%s: \"%s\", not \"%s\"", name, message, words);
        }
    } while (words[0] == '\0' ? message[0] != '\0' : strstr(message, words) == NULL);
}

/* No job is in work, so only the worker's own looks can tell. */
static void test_content_idle_worker_notices_what_it_lacks(void **state) {
    (void)state;
    char aside[512];
    const char *dir = stack_setting(stack, "HERALD_CONTENT_DIR");
    snprintf(aside, sizeof(aside), "%s.aside", dir);
    stack_wait_serving(stack, STACK_CONTENT);
    stack_kill(stack, STACK_JOB, SIGTERM);
    component_comes_to_say("job server", "connect");
    stack_run(stack, STACK_JOB);
    component_comes_to_say("job server", "");
    assert_int_equal(rename(dir, aside), 0);
    component_comes_to_say("picture store", "cannot be written");
    assert_int_equal(rename(aside, dir), 0);
    component_comes_to_say("picture store", "");
    component_comes_to_say("picture server", "");
}

/* Pictures that nobody has wanted for 400 days go when a worker starts; those of a job of today stay. */
static void test_content_deletes_old_pictures_beside_its_work(void **state) {
    (void)state;
    static const char OLD[] = "7a7ab0184bf4b3bb89e685b90f7f9cdd";
    char id[37], path[512], command[1800];
    make_job(id);
    stack_sql_becomes(stack, "COMPLETED", "SELECT status FROM jobs WHERE id = '%s'", id);
    stack_kill(stack, STACK_CONTENT, SIGTERM);
    snprintf(path, sizeof(path), "%s/%s", stack_setting(stack, "HERALD_CONTENT_DIR"), OLD);
    snprintf(command, sizeof(command), "mkdir '%s' && touch '%s/simple.png' && touch -d '401 days ago' '%s'", path,
             path, path);
    assert_int_equal(system(command), 0);
    stack_run(stack, STACK_CONTENT);
    long long deadline_ms = now_ms() + 60000;
    while (access(path, F_OK) == 0) {
        assert_true(wait_again(deadline_ms));
    }
    char *url = stack_sql(stack, "SELECT png_url FROM job_pictures WHERE job_id = '%s' LIMIT 1", id);
    const char *key = strstr(url, "/content/");
    assert_non_null(key);
    snprintf(path, sizeof(path), "%s/%.32s", stack_setting(stack, "HERALD_CONTENT_DIR"), key + strlen("/content/"));
    assert_int_equal(access(path, F_OK), 0);
    free(url);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_answers_operators_like_every_server),
        cmocka_unit_test(test_content_backlog_is_done_while_workers_join_leave_and_die),
        cmocka_unit_test(test_content_job_that_kills_its_worker_is_failed_and_a_dead_letter),
        cmocka_unit_test(test_content_job_whose_record_was_lost_is_sent_again_and_done),
        cmocka_unit_test(test_content_deletes_old_pictures_beside_its_work),
        cmocka_unit_test(test_content_idle_worker_notices_what_it_lacks),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
