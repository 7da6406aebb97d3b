/*
 * Every ONCE method takes effect once for each idempotency key, and answers its repeats with the same bytes; another
 * request under the key is refused, also while the first one runs. The methods are found in the schemas: one that has
 * no row in `cases` fails the test.
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

#define RACERS        64
#define REQUEST_BYTES 512
#define FAILPOINT     "{\"failpoint\":{\"name\":\"%s\",\"action\":\"%s\"}}"
#define SET_POINT     "herald.rpc.v1.Introspection/SetFailpoint"

STACK_FIXTURE

/** What a method is called with. */
struct subject {
    char user[64];
    char id[37];                 /* of the draft that it is about; empty: none */
    char another_id[37];         /* of the draft that the other request is about; empty: none, or the same */
    char request[REQUEST_BYTES]; /* JSON */
    char another[REQUEST_BYTES]; /* another valid request of the same user */
    char key[37];
};

/** How a method is called and how its effects are counted. */
struct once_case {
    const char *method;
    void (*prepare)(struct subject *subject);             /* user is set */
    long (*count_effects)(const struct subject *subject); /* of both requests together */
    bool has_no_user;                                     /* a key belongs to the caller alone */
};

static long number_of(char *cell) {
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
    return number_of(
        stack_sql(stack, "SELECT count(*) FROM event_drafts WHERE title IN ('once', 'another') AND user_id = '%s'",
                  subject->user));
}

static void prepare_images(struct subject *subject) {
    char *const ids[] = {subject->id, subject->another_id};
    for (size_t i = 0; i < 2; i++) {
        make_draft(stack, subject->user, ids[i]);
        struct answer answer = stack_call_ok(stack, EVENTS "SelectRecommendation",
                                             "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"recommendation\":"
                                             "{\"recommendationId\":\"r\",\"title\":\"t\"}}",
                                             ids[i], subject->user);
        answer_clear(&answer);
    }
    snprintf(subject->request, REQUEST_BYTES, DRAFT, subject->id, subject->user);
    snprintf(subject->another, REQUEST_BYTES, DRAFT, subject->another_id, subject->user);
}

static long count_jobs(const struct subject *subject) {
    return number_of(stack_sql(stack, "SELECT count(*) FROM jobs WHERE event_draft_id::text IN ('%s', '%s')",
                               subject->id, subject->another_id));
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
    make_ready_draft(stack, subject->user, subject->another_id);
    snprintf(subject->request, REQUEST_BYTES, PUBLISH, subject->id, subject->user, "[\"GENIE_TV\"]");
    snprintf(subject->another, REQUEST_BYTES, PUBLISH, subject->another_id, subject->user, "[\"RINGO_BIZ\"]");
}

static long count_posts_of(const char *id) {
    json_t *posts = stack_posts(stack, id);
    long count = (long)json_array_size(posts);
    json_decref(posts);
    return count;
}

static long count_posts(const struct subject *subject) {
    return count_posts_of(subject->id) + count_posts_of(subject->another_id);
}

#define JOB "{\"jobId\":\"%s\"}"

static void prepare_requeue(struct subject *subject) {
    char *const ids[] = {subject->id, subject->another_id};
    for (size_t i = 0; i < 2; i++) {
        herald_uuid7(ids[i]);
        free(stack_sql(
            stack,
            "INSERT INTO jobs (id, event_draft_id, user_id, status, failure, created_at, updated_at, record_id, "
            "record_type, record_value, resend_ms) VALUES ('%s', gen_random_uuid(), '%s', 'FAILED', 'f', now(), "
            "now(), gen_random_uuid(), 'application/json', '{}', 600000)",
            ids[i], subject->user));
    }
    snprintf(subject->request, REQUEST_BYTES, JOB, subject->id);
    snprintf(subject->another, REQUEST_BYTES, JOB, subject->another_id);
}

static long count_requeues(const struct subject *subject) {
    return number_of(stack_sql(stack, "SELECT sum(requeues) FROM jobs WHERE id::text IN ('%s', '%s')", subject->id,
                               subject->another_id));
}

static const struct once_case cases[] = {
    {EVENTS "CreateEvent", prepare_create, count_created, false},
    {EVENTS "RequestImageGeneration", prepare_images, count_jobs, false},
    {EVENTS "PublishEvent", prepare_publish, count_posts, false},
    {JOBS "CreateImageJob", prepare_job, count_jobs, false},
    {JOBS "RequeueJob", prepare_requeue, count_requeues, true},
};
#define CASES        (sizeof(cases) / sizeof(cases[0]))
#define PUBLISH_CASE (&cases[2])

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
    const char *request;
    struct answer answer;
};

static void *race(void *arg) {
    struct racer *racer = arg;
    racer->answer = call_once(racer->once_case->method, racer->subject->key, racer->request);
    return NULL;
}

/* The racers call with the two requests in turn; @another may be the request itself. */
static struct racer *run_race(const struct once_case *once_case, const struct subject *subject, const char *another) {
    static struct racer racers[RACERS];
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){
            .once_case = once_case, .subject = subject, .request = i % 2 == 0 ? subject->request : another};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        pthread_join(racers[i].thread, NULL);
    }
    return racers;
}

static void race_many(const struct once_case *once_case, const struct subject *subject, struct answer *ret_first) {
    struct racer *racers = run_race(once_case, subject, subject->request);
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

static void assert_reused(const struct answer *answer) {
    assert_int_equal(answer->code, HERALD_INVALID_ARGUMENT);
    assert_string_equal(answer->error.reason, "IDEMPOTENCY_KEY_REUSED");
}

static void test_once_key_of_another_request_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct subject subject = subject_of(&cases[i]);
        struct answer first = call_ok(&cases[i], &subject);
        struct answer other = call_once(cases[i].method, subject.key, subject.another);
        assert_reused(&other);
        assert_repeat_is_the_same(&cases[i], &subject, &first);
        answer_clear(&first);
    }
}

/* Of two requests that race under one key either is the first one: it takes effect, and the other is refused. */
static const char *race_two_requests(const struct once_case *once_case, const struct subject *subject, long effects) {
    struct racer *racers = run_race(once_case, subject, subject->another);
    const struct racer *winner = NULL;
    for (int i = 0; i < RACERS && !winner; i++) {
        winner = racers[i].answer.code == HERALD_OK ? &racers[i] : NULL;
    }
    assert_non_null(winner);
    const char *won = winner->request;
    for (int i = 0; i < RACERS; i++) {
        if (racers[i].request == won) {
            assert_int_equal(racers[i].answer.code, HERALD_OK);
            assert_same_bytes(&racers[i].answer, &winner->answer);
        } else {
            assert_reused(&racers[i].answer);
        }
    }
    for (int i = 0; i < RACERS; i++) {
        answer_clear(&racers[i].answer);
    }
    assert_int_equal(once_case->count_effects(subject), effects);
    return won;
}

static void test_once_two_requests_raced_under_one_key_are_one_effect(void **state) {
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        for (int round = 0; round < 4; round++) {
            struct subject subject = subject_of(&cases[i]);
            race_two_requests(&cases[i], &subject, 1);
        }
    }
}

static void test_publish_of_two_events_raced_under_one_key_leaves_one_a_draft(void **state) {
    (void)state;
    struct subject subject = subject_of(PUBLISH_CASE);
    bool first_won = race_two_requests(PUBLISH_CASE, &subject, 1) == subject.request;
    const char *won = first_won ? subject.id : subject.another_id, *lost = first_won ? subject.another_id : subject.id;
    stack_sql_is(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", won);
    stack_sql_is(stack, "DRAFT", "SELECT status FROM event_drafts WHERE id = '%s'", lost);
    assert_int_equal(count_posts_of(lost), 0);
    stack_sql_is(stack, "0", "SELECT count(*) FROM outbox WHERE key = '%s'", lost);
    stack_sql_is(stack, "0", "SELECT count(*) FROM distributions WHERE event_id = '%s'", lost);
}

/* Two requests about the same event. */
static void test_publish_for_other_channels_raced_under_one_key_posts_to_one_of_them(void **state) {
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct subject subject = subject_of(PUBLISH_CASE);
        snprintf(subject.another, REQUEST_BYTES, PUBLISH, subject.id, subject.user, "[\"RINGO_BIZ\"]");
        race_two_requests(PUBLISH_CASE, &subject, 1);
    }
}

/* Both events are approved, and refused by their channels for good. */
static struct subject approved_subject(void) {
    struct subject subject = subject_of(PUBLISH_CASE);
    const char *const requests[] = {subject.request, subject.another};
    for (size_t i = 0; i < 2; i++) {
        stack_channel_behaves(stack, i == 0 ? "GENIE_TV" : "RINGO_BIZ", "{\"mode\":\"reject\",\"count\":1}");
        struct answer refused = call_once(PUBLISH_CASE->method, NULL, requests[i]);
        assert_int_equal(refused.code, HERALD_OK);
        assert_string_equal(answer_text(&refused, "status"), "APPROVED");
        answer_clear(&refused);
    }
    return subject;
}

static void retry_delivery(const char *event_id) {
    struct answer answer = stack_call_ok(stack, DISTRIBUTION "RetryDelivery", "{\"eventId\":\"%s\"}", event_id);
    assert_int_equal(json_integer_value(answer_at(&answer, "retried")), 1);
    answer_clear(&answer);
}

/* No approval claims the key here: whoever means to take the event's lease does. Nothing is posted again: what a channel
 * has refused waits for RetryDelivery. */
static void test_publish_again_of_two_events_raced_under_one_key_is_one_effect(void **state) {
    (void)state;
    struct subject subject = approved_subject();
    bool first_won = race_two_requests(PUBLISH_CASE, &subject, 0) == subject.request;
    const char *lost = first_won ? subject.another_id : subject.id;
    /* left alone, but for the rare look */
    stack_sql_is(stack, "t",
                 "SELECT attend_at > now() + interval '30 s' AND holder IS NULL FROM event_drafts WHERE id = '%s'",
                 lost);
}

/* The event server is not told of it: it looks. */
static void test_event_is_active_when_an_operator_has_its_delivery_retried(void **state) {
    (void)state;
    struct subject subject = approved_subject();
    retry_delivery(subject.id);
    stack_sql_becomes(stack, "PUBLISHED", "SELECT state FROM deliveries WHERE event_id = '%s'", subject.id);
    free(stack_sql(stack, "UPDATE event_drafts SET attend_at = now() WHERE id = '%s' AND attend_at IS NOT NULL",
                   subject.id));
    stack_sql_becomes(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", subject.id);
}

static void test_publish_again_binds_its_key_before_it_drives_the_event(void **state) {
    (void)state;
    struct subject subject = approved_subject();
    struct herald_call_options options = {.idempotency_key = subject.key};
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"slow\",\"delayMs\":1500,\"count\":1}");
    retry_delivery(subject.id);
    struct lone_call *running = lone_call_start(stack, &options, PUBLISH_CASE->method, "%s", subject.request);
    stack_sql_becomes(stack, "t", "SELECT holder IS NOT NULL FROM event_drafts WHERE id = '%s'", subject.id);
    struct answer other = call_once(PUBLISH_CASE->method, subject.key, subject.another);
    assert_reused(&other);
    stack_sql_is(stack, "1", "SELECT sum(attempts) FROM deliveries WHERE event_id = '%s'", subject.another_id);
    struct answer answer = call_ok(PUBLISH_CASE, &subject);
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    assert_repeat_is_the_same(PUBLISH_CASE, &subject, &answer);
    answer_clear(&answer);
    lone_call_vanish(running);
}

static void assert_another_is_refused(const struct subject *subject) {
    struct answer other = call_once(PUBLISH_CASE->method, subject->key, subject->another);
    assert_reused(&other);
    stack_sql_is(stack, "DRAFT", "SELECT status FROM event_drafts WHERE id = '%s'", subject->another_id);
}

static void test_publish_key_is_bound_while_the_call_runs_and_after_its_server_was_killed(void **state) {
    (void)state;
    struct subject subject = subject_of(PUBLISH_CASE);
    struct herald_call_options options = {.idempotency_key = subject.key};
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"slow\",\"delayMs\":1500,\"count\":1}");
    struct lone_call *running = lone_call_start(stack, &options, PUBLISH_CASE->method, "%s", subject.request);
    stack_sql_becomes(stack, "APPROVED", "SELECT status FROM event_drafts WHERE id = '%s'", subject.id);
    assert_another_is_refused(&subject);
    stack_sql_is(stack, "APPROVED", "SELECT status FROM event_drafts WHERE id = '%s'", subject.id);
    stack_kill(stack, STACK_EVENT, SIGKILL);
    lone_call_vanish(running);
    stack_run(stack, STACK_EVENT);
    stack_wait_serving(stack, STACK_EVENT);
    assert_another_is_refused(&subject);
    struct answer answer = call_ok(PUBLISH_CASE, &subject);
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    assert_repeat_is_the_same(PUBLISH_CASE, &subject, &answer);
    assert_another_is_refused(&subject);
    answer_clear(&answer);
}

static void test_publish_refused_before_any_effect_leaves_its_key_free(void **state) {
    (void)state;
    struct subject subject = subject_of(PUBLISH_CASE);
    char unready[37], request[REQUEST_BYTES];
    make_draft(stack, subject.user, unready);
    snprintf(request, sizeof(request), PUBLISH, unready, subject.user, "[\"GENIE_TV\"]");
    struct answer refused = call_once(PUBLISH_CASE->method, subject.key, request);
    assert_int_equal(refused.code, HERALD_FAILED_PRECONDITION);
    assert_string_equal(refused.error.reason, "NOT_PUBLISH_READY");
    struct answer answer = call_ok(PUBLISH_CASE, &subject);
    assert_repeat_is_the_same(PUBLISH_CASE, &subject, &answer);
    answer_clear(&answer);
}

/* The job is made, and the event server does not learn of it. */
static void test_images_key_is_bound_by_a_job_whose_reply_is_lost(void **state) {
    (void)state;
    const struct once_case *images = &cases[1];
    struct subject subject = subject_of(images);
    struct answer set =
        stack_call_at(stack, STACK_JOB, SET_POINT, FAILPOINT, "job.after_create", "1*error(RESOURCE_EXHAUSTED)");
    assert_int_equal(set.code, HERALD_OK);
    answer_clear(&set);
    struct answer failed = call_once(images->method, subject.key, subject.request);
    assert_int_equal(failed.code, HERALD_RESOURCE_EXHAUSTED);
    assert_int_equal(count_jobs(&subject), 1);
    stack_sql_is(stack, "t", "SELECT image_job_id IS NULL FROM event_drafts WHERE id = '%s'", subject.id);
    struct answer other = call_once(images->method, subject.key, subject.another);
    assert_reused(&other);
    assert_non_null(strstr(other.error.message, subject.key)); /* the caller's, not the one that the job server knows */
    stack_kill(stack, STACK_EVENT, SIGKILL);
    stack_run(stack, STACK_EVENT);
    stack_wait_serving(stack, STACK_EVENT);
    other = call_once(images->method, subject.key, subject.another);
    assert_reused(&other);
    struct answer answer = call_ok(images, &subject);
    stack_sql_is(stack, answer_text(&answer, "jobId"), "SELECT image_job_id FROM event_drafts WHERE id = '%s'",
                 subject.id);
    assert_repeat_is_the_same(images, &subject, &answer);
    answer_clear(&answer);
}

/* Where the job server is away, nothing is done: whichever request takes effect first binds the key. */
static void test_images_key_is_free_after_a_call_that_made_no_job(void **state) {
    (void)state;
    const struct once_case *images = &cases[1];
    struct subject subject = subject_of(images);
    stack_kill(stack, STACK_JOB, SIGKILL);
    const char *const requests[] = {subject.request, subject.another};
    for (size_t i = 0; i < 2; i++) {
        struct answer failed = call_once(images->method, subject.key, requests[i]);
        assert_int_equal(failed.code, HERALD_UNAVAILABLE);
    }
    stack_run(stack, STACK_JOB);
    stack_wait_serving(stack, STACK_JOB);
    race_two_requests(images, &subject, 1);
}

static void test_once_key_of_another_user_or_method_is_another_key(void **state) {
    (void)state;
    char user[64], key[37];
    herald_uuid7(key);
    for (int round = 0; round < 2; round++) {
        fresh_user(user);
        for (size_t i = 0; i < CASES; i++) {
            if (cases[i].has_no_user && round > 0) {
                continue;
            }
            struct subject subject = {0};
            memcpy(subject.user, user, sizeof(user));
            memcpy(subject.key, key, sizeof(key));
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
    const struct once_case *publish_case = PUBLISH_CASE;
    struct subject subject = subject_of(publish_case);
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"reject\"}");
    struct answer first;
    race_many(publish_case, &subject, &first);
    assert_string_equal(answer_text(&first, "status"), "APPROVED");
    stack_sql_is(stack, "1", "SELECT sum(attempts) FROM deliveries WHERE event_id = '%s'", subject.id);
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"ok\"}");
    struct answer again = call_ok(publish_case, &subject); /* the same call: the same answer */
    assert_same_bytes(&again, &first);
    answer_clear(&again);
    char key[37];
    herald_uuid7(key);
    retry_delivery(subject.id);
    again = call_once(publish_case->method, key, subject.request); /* a new one */
    assert_int_equal(again.code, HERALD_OK);
    assert_string_equal(answer_text(&again, "status"), "ACTIVE");
    answer_clear(&again);
    answer_clear(&first);
}

static void test_publish_of_an_active_event_is_stored_under_its_own_key(void **state) {
    (void)state;
    const struct once_case *publish_case = PUBLISH_CASE;
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
        cmocka_unit_test(test_once_two_requests_raced_under_one_key_are_one_effect),
        cmocka_unit_test(test_publish_of_two_events_raced_under_one_key_leaves_one_a_draft),
        cmocka_unit_test(test_publish_for_other_channels_raced_under_one_key_posts_to_one_of_them),
        cmocka_unit_test(test_publish_again_of_two_events_raced_under_one_key_is_one_effect),
        cmocka_unit_test(test_event_is_active_when_an_operator_has_its_delivery_retried),
        cmocka_unit_test(test_publish_again_binds_its_key_before_it_drives_the_event),
        cmocka_unit_test(test_publish_key_is_bound_while_the_call_runs_and_after_its_server_was_killed),
        cmocka_unit_test(test_publish_refused_before_any_effect_leaves_its_key_free),
        cmocka_unit_test(test_images_key_is_bound_by_a_job_whose_reply_is_lost),
        cmocka_unit_test(test_images_key_is_free_after_a_call_that_made_no_job),
        cmocka_unit_test(test_once_key_of_another_user_or_method_is_another_key),
        cmocka_unit_test(test_once_repeat_of_a_call_whose_client_vanished_is_one_effect),
        cmocka_unit_test(test_once_error_is_not_stored),
        cmocka_unit_test(test_publish_raced_where_every_channel_refuses_asks_each_once),
        cmocka_unit_test(test_publish_of_an_active_event_is_stored_under_its_own_key),
        cmocka_unit_test(test_once_replies_are_pruned_by_the_servers_that_store_them),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
