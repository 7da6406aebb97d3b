/*
 * Every ONCE method takes effect once for each idempotency key, and answers its repeats with the same bytes. The
 * methods are found in the schemas: one that has no row in `cases` fails the test.
 */
#include "herald/uuid.h"
#include "stack.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RACERS = 64, REQUEST_BYTES = 512 };

STACK_FIXTURE

/** What a method is called with. */
struct subject {
    char user[64];
    char id[37];                 /* of the draft that it is about; empty: none */
    char request[REQUEST_BYTES]; /* JSON */
    char another[REQUEST_BYTES]; /* another valid request of the same user */
    char key[37];
};

/** How a method is called and how its effects are counted. */
struct once_case {
    const char *method;
    void (*prepare)(struct subject *subject); /* user is set */
    long (*count_effects)(const struct subject *subject);
};

static long sql_count(const char *format, const char *what) {
    char *cell = stack_sql(stack, format, what);
    long count = strtol(cell, NULL, 10);
    free(cell);
    return count;
}

/* ---- the methods ---- */

#define CREATE "{\"userId\":\"%s\",\"title\":\"%s\",\"storeInfo\":{\"name\":\"s\"}}"
#define DRAFT  "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}"

static void prepare_create(struct subject *subject) {
    snprintf(subject->request, REQUEST_BYTES, CREATE, subject->user, "once");
    snprintf(subject->another, REQUEST_BYTES, CREATE, subject->user, "another");
}

static long count_created(const struct subject *subject) {
    return sql_count("SELECT count(*) FROM event_drafts WHERE title = 'once' AND user_id = '%s'", subject->user);
}

static void prepare_images(struct subject *subject) {
    char another_id[37];
    char *const ids[] = {subject->id, another_id};
    for (size_t i = 0; i < 2; i++) {
        make_draft(stack, subject->user, ids[i]);
        struct answer answer = stack_call_ok(stack, EVENTS "SelectRecommendation",
                                             "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"recommendation\":"
                                             "{\"recommendationId\":\"r\",\"title\":\"t\"}}",
                                             ids[i], subject->user);
        answer_clear(&answer);
    }
    snprintf(subject->request, REQUEST_BYTES, DRAFT, subject->id, subject->user);
    snprintf(subject->another, REQUEST_BYTES, DRAFT, another_id, subject->user);
}

static long count_jobs(const struct subject *subject) {
    return sql_count("SELECT count(*) FROM jobs WHERE event_draft_id = '%s'", subject->id);
}

#define IMAGE_JOB "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"title\":\"%s\",\"storeInfo\":{\"name\":\"s\"}}"

static void prepare_job(struct subject *subject) {
    herald_uuid7(subject->id);
    snprintf(subject->request, REQUEST_BYTES, IMAGE_JOB, subject->id, subject->user, "once");
    snprintf(subject->another, REQUEST_BYTES, IMAGE_JOB, subject->id, subject->user, "another");
}

#define PUBLISH "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":%s}"

static void prepare_publish(struct subject *subject) {
    make_ready_draft(stack, subject->user, subject->id);
    snprintf(subject->request, REQUEST_BYTES, PUBLISH, subject->id, subject->user, "[\"INSTAGRAM\"]");
    snprintf(subject->another, REQUEST_BYTES, PUBLISH, subject->id, subject->user, "[\"KAKAO_CHANNEL\"]");
}

static long count_posts(const struct subject *subject) {
    json_t *posts = stack_posts(stack, subject->id);
    long count = (long)json_array_size(posts);
    json_decref(posts);
    return count;
}

static const struct once_case cases[] = {
    {EVENTS "CreateEvent", prepare_create, count_created},
    {EVENTS "RequestImageGeneration", prepare_images, count_jobs},
    {EVENTS "PublishEvent", prepare_publish, count_posts},
    {JOBS "CreateImageJob", prepare_job, count_jobs},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static struct subject subject_of(const struct once_case *once_case) {
    struct subject subject = {0};
    fresh_user(subject.user);
    herald_uuid7(subject.key);
    once_case->prepare(&subject);
    return subject;
}

/* ---- calls ---- */

static struct answer call_once(const char *method, const char *key, const char *request) {
    struct herald_call_options options = {.idempotency_key = key};
    return stack_call_with(stack, &options, method, "%s", request);
}

static struct answer call_ok(const struct once_case *once_case, const struct subject *subject) {
    struct answer answer = call_once(once_case->method, subject->key, subject->request);
    if (answer.code != HERALD_OK) {
        fail_msg("%s: %s: %s", once_case->method, herald_code_name((int)answer.code), answer.error.message);
    }
    return answer;
}

static void assert_same_bytes(const struct answer *answer, const struct answer *first) {
    assert_int_equal(answer->payload_bytes, first->payload_bytes);
    assert_memory_equal(answer->payload, first->payload, first->payload_bytes);
}

static void assert_repeat_is_the_same(const struct once_case *once_case, const struct subject *subject,
                                      const struct answer *first) {
    struct answer again = call_ok(once_case, subject);
    assert_same_bytes(&again, first);
    answer_clear(&again);
    assert_int_equal(once_case->count_effects(subject), 1);
}

/* ---- tests ---- */

static void test_once_methods_are_all_among_the_cases(void **state) {
    (void)state;
    for (size_t f = 0; f < herald_schema_count; f++) {
        for (size_t s = 0; s < herald_schemas[f]->service_count; s++) {
            const struct herald_service_schema *service = herald_schemas[f]->services[s];
            for (size_t m = 0; m < service->method_count; m++) {
                const struct herald_method_schema *method = &service->methods[m];
                bool tested = method->effect != HERALD_EFFECT_ONCE;
                for (size_t i = 0; i < CASES && !tested; i++) {
                    tested = strcmp(cases[i].method, method->full_name) == 0;
                }
                if (!tested) {
                    fail_msg("%s is a ONCE method: add it to `cases` of %s", method->full_name, __FILE__);
                }
            }
        }
    }
}

struct racer {
    pthread_t thread;
    const struct once_case *once_case;
    const struct subject *subject;
    struct answer answer;
};

static void *race(void *arg) {
    struct racer *racer = arg;
    racer->answer = call_once(racer->once_case->method, racer->subject->key, racer->subject->request);
    return NULL;
}

static void race_many(const struct once_case *once_case, const struct subject *subject, struct answer *ret_first) {
    static struct racer racers[RACERS];
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.once_case = once_case, .subject = subject};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
    }
    for (int i = 0; i < RACERS; i++) {
        if (racers[i].answer.code != HERALD_OK) {
            fail_msg("%s: %s: %s", once_case->method, herald_code_name((int)racers[i].answer.code),
                     racers[i].answer.error.message);
        }
        assert_same_bytes(&racers[i].answer, &racers[0].answer);
    }
    *ret_first = racers[0].answer;
    for (int i = 1; i < RACERS; i++) {
        answer_clear(&racers[i].answer);
    }
}

static void test_once_raced_repeated_and_repeated_after_a_crash_is_one_effect_and_one_reply(void **state) {
    (void)state;
    struct subject subjects[CASES];
    struct answer first[CASES];
    for (size_t i = 0; i < CASES; i++) {
        subjects[i] = subject_of(&cases[i]);
        race_many(&cases[i], &subjects[i], &first[i]);
        assert_repeat_is_the_same(&cases[i], &subjects[i], &first[i]);
    }
    stack_kill(stack, STACK_EVENT, SIGKILL);
    stack_kill(stack, STACK_JOB, SIGKILL);
    stack_run(stack, STACK_JOB);
    stack_run(stack, STACK_EVENT);
    stack_wait_serving(stack, STACK_JOB);
    stack_wait_serving(stack, STACK_EVENT);
    for (size_t i = 0; i < CASES; i++) {
        assert_repeat_is_the_same(&cases[i], &subjects[i], &first[i]);
        answer_clear(&first[i]);
    }
}

static void test_once_key_of_another_request_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct subject subject = subject_of(&cases[i]);
        struct answer first = call_ok(&cases[i], &subject);
        struct answer other = call_once(cases[i].method, subject.key, subject.another);
        assert_int_equal(other.code, HERALD_INVALID_ARGUMENT);
        assert_string_equal(other.error.reason, "IDEMPOTENCY_KEY_REUSED");
        assert_repeat_is_the_same(&cases[i], &subject, &first);
        answer_clear(&first);
    }
}

static void test_once_key_of_another_user_or_method_is_another_key(void **state) {
    (void)state;
    char user[64], key[37];
    herald_uuid7(key);
    for (int round = 0; round < 2; round++) {
        fresh_user(user);
        for (size_t i = 0; i < CASES; i++) {
            struct subject subject = {0};
            memcpy(subject.user, user, sizeof user);
            memcpy(subject.key, key, sizeof key);
            cases[i].prepare(&subject);
            struct answer answer = call_ok(&cases[i], &subject);
            assert_int_equal(cases[i].count_effects(&subject), 1);
            answer_clear(&answer);
        }
    }
}

static void test_once_repeat_of_a_call_whose_client_vanished_is_one_effect(void **state) {
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct subject subject = subject_of(&cases[i]);
        struct herald_call_options options = {.idempotency_key = subject.key};
        for (int n = 0; n < 4; n++) {
            lone_call_vanish(lone_call_start(stack, &options, cases[i].method, "%s", subject.request));
        }
        struct answer first = call_ok(&cases[i], &subject);
        assert_repeat_is_the_same(&cases[i], &subject, &first);
        answer_clear(&first);
    }
}

static void test_once_error_is_not_stored(void **state) {
    (void)state;
    struct subject subject = {0};
    fresh_user(subject.user);
    herald_uuid7(subject.key);
    make_draft(stack, subject.user, subject.id);
    snprintf(subject.request, REQUEST_BYTES, DRAFT, subject.id, subject.user);
    struct answer refused = call_once(EVENTS "RequestImageGeneration", subject.key, subject.request);
    assert_int_equal(refused.code, HERALD_FAILED_PRECONDITION);
    struct answer answer = stack_call_ok(stack, EVENTS "SelectRecommendation",
                                         "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"recommendation\":"
                                         "{\"recommendationId\":\"r\",\"title\":\"t\"}}",
                                         subject.id, subject.user);
    answer_clear(&answer);
    answer = call_once(EVENTS "RequestImageGeneration", subject.key, subject.request);
    assert_int_equal(answer.code, HERALD_OK);
    assert_int_equal(count_jobs(&subject), 1);
    answer_clear(&answer);
}

static void test_publish_raced_where_every_channel_refuses_asks_each_once(void **state) {
    (void)state;
    const struct once_case *publish_case = &cases[2];
    struct subject subject = subject_of(publish_case);
    stack_channel_behaves(stack, "INSTAGRAM", "{\"mode\":\"reject\"}");
    struct answer first;
    race_many(publish_case, &subject, &first);
    assert_string_equal(answer_text(&first, "status"), "APPROVED");
    stack_sql_is(stack, "1", "SELECT sum(attempts) FROM deliveries WHERE event_id = '%s'", subject.id);
    stack_channel_behaves(stack, "INSTAGRAM", "{\"mode\":\"ok\"}");
    struct answer again = call_ok(publish_case, &subject); /* the same call: the same answer */
    assert_same_bytes(&again, &first);
    answer_clear(&again);
    char key[37];
    herald_uuid7(key);
    again = call_once(publish_case->method, key, subject.request); /* a new one */
    assert_int_equal(again.code, HERALD_OK);
    assert_string_equal(answer_text(&again, "status"), "ACTIVE");
    answer_clear(&again);
    answer_clear(&first);
}

static void test_publish_of_an_active_event_is_stored_under_its_own_key(void **state) {
    (void)state;
    const struct once_case *publish_case = &cases[2];
    struct subject subject = subject_of(publish_case);
    struct answer first = call_ok(publish_case, &subject);
    herald_uuid7(subject.key);
    struct answer second = call_ok(publish_case, &subject);
    struct answer ended = stack_call_ok(stack, EVENTS "EndEvent", DRAFT, subject.id, subject.user);
    answer_clear(&ended);
    assert_repeat_is_the_same(publish_case, &subject, &second); /* though a new call would be refused */
    answer_clear(&first);
    answer_clear(&second);
}

static void test_once_replies_are_pruned_by_the_servers_that_store_them(void **state) {
    (void)state;
    const enum stack_program servers[] = {STACK_EVENT, STACK_JOB};
    for (size_t i = 0; i < 2; i++) {
        char user[64];
        fresh_user(user);
        free(stack_sql(stack,
                       "INSERT INTO idempotency (caller, method, key, request_hash, reply, created_at) SELECT '%s', "
                       "'m', n::text, decode(repeat('00', 32), 'hex'), '', now() - n * interval '23 hours' "
                       "FROM generate_series(1, 2) AS n",
                       user));
        stack_kill(stack, servers[i], SIGTERM);
        stack_run(stack, servers[i]);
        stack_sql_becomes(stack, "1", "SELECT count(*) FROM idempotency WHERE caller = '%s'", user);
        stack_wait_serving(stack, servers[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_methods_are_all_among_the_cases),
        cmocka_unit_test(test_once_raced_repeated_and_repeated_after_a_crash_is_one_effect_and_one_reply),
        cmocka_unit_test(test_once_key_of_another_request_is_refused),
        cmocka_unit_test(test_once_key_of_another_user_or_method_is_another_key),
        cmocka_unit_test(test_once_repeat_of_a_call_whose_client_vanished_is_one_effect),
        cmocka_unit_test(test_once_error_is_not_stored),
        cmocka_unit_test(test_publish_raced_where_every_channel_refuses_asks_each_once),
        cmocka_unit_test(test_publish_of_an_active_event_is_stored_under_its_own_key),
        cmocka_unit_test(test_once_replies_are_pruned_by_the_servers_that_store_them),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
