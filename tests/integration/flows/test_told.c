/* A caller is told the truth where a server does not know, or could not go on: of each call its outcome, never less. */
#include "herald/event/v1/event.client.h"
#include "herald/uuid.h"
#include "stack.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SET_POINT "herald.rpc.v1.Introspection/SetFailpoint"
#define FAILPOINT "{\"failpoint\":{\"name\":\"%s\",\"action\":\"%s\"}}"
#define CREATE    "{\"userId\":\"%s\",\"title\":\"told\",\"storeInfo\":{\"name\":\"s\"}}"
#define DRAFT     "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}"
#define PUBLISH   "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":[\"GENIE_TV\"]}"
/* A channel that takes posts by hand: others would refuse signatures of a machine whose clock is wrong. */
#define PUBLISH_BY_HAND "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":[\"NAVER_BLOG\"]}"

STACK_FIXTURE

static void set_point(enum stack_program program, const char *point, const char *action) {
    struct answer answer = stack_call_at(stack, program, SET_POINT, FAILPOINT, point, action);
    assert_int_equal(answer.code, HERALD_OK);
    answer_clear(&answer);
}

/* A ONCE call with a key of its own, in a thread. */
struct caller {
    pthread_t thread;
    const char *method;
    char request[512], key[37];
    struct answer answer;
};

static void call_again(struct caller *caller) {
    const struct herald_call_options options = {.idempotency_key = caller->key};
    caller->answer = stack_call_with(stack, &options, caller->method, "%s", caller->request);
}

static void *run_caller(void *arg) {
    call_again(arg);
    return NULL;
}

static void assert_not_known(const struct caller *caller) {
    assert_int_equal(caller->answer.outcome, HERALD_MAYBE_EXECUTED);
    assert_int_equal(caller->answer.may_repeat, HERALD_REPEAT_SAME_KEY);
}

/* ---- a COMMIT whose answer is lost ---- */

static void execute(PGconn *pg, const char *sql) {
    PGresult *result = PQexec(pg, sql);
    assert_true(PQresultStatus(result) == PGRES_COMMAND_OK);
    PQclear(result);
}

/* The server's connection is lost while its statement waits for a lock: it cannot know what became of the statement. */
static void test_lost_answer_of_the_database_is_maybe_executed(void **state) {
    (void)state;
    struct caller caller = {.method = EVENTS "CreateEvent"};
    char user[64];
    fresh_user(user);
    herald_uuid7(caller.key);
    snprintf(caller.request, sizeof(caller.request), CREATE, user);
    PGconn *pg = PQconnectdb(stack_setting(stack, "HERALD_PG_DSN"));
    execute(pg, "BEGIN");
    execute(pg, "LOCK TABLE event_drafts IN EXCLUSIVE MODE");
    assert_int_equal(pthread_create(&caller.thread, NULL, run_caller, &caller), 0);
    stack_sql_becomes(stack, "t",
                      "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity "
                      "WHERE datname = current_database() AND wait_event_type = 'Lock' "
                      "AND query LIKE '%%INSERT INTO event_drafts%%'"); /* not those of tasks in the background */
    pthread_join(caller.thread, NULL);
    execute(pg, "ROLLBACK");
    PQfinish(pg);
    assert_int_equal(caller.answer.code, HERALD_UNKNOWN);
    assert_string_equal(caller.answer.error.reason, "DATABASE_OUTCOME_UNKNOWN");
    assert_not_known(&caller);
    call_again(&caller);
    assert_int_equal(caller.answer.code, HERALD_OK);
    answer_clear(&caller.answer);
    stack_sql_is(stack, "1", "SELECT count(*) FROM event_drafts WHERE user_id = '%s'", user);
}

/* ---- a reply of another server that is lost ---- */

static void prepare_images(struct caller *caller, char ret_id[37]) {
    char user[64];
    fresh_user(user);
    make_draft(stack, user, ret_id);
    struct answer answer = stack_call_ok(stack, EVENTS "SelectRecommendation",
                                         "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"recommendation\":"
                                         "{\"recommendationId\":\"r\",\"title\":\"t\"}}",
                                         ret_id, user);
    answer_clear(&answer);
    caller->method = EVENTS "RequestImageGeneration";
    herald_uuid7(caller->key);
    snprintf(caller->request, sizeof(caller->request), DRAFT, ret_id, user);
}

/* Repeats the call with its key: it succeeds, and there is one job. */
static void assert_repeat_makes_one_job(struct caller *caller, const char *id) {
    call_again(caller);
    assert_int_equal(caller->answer.code, HERALD_OK);
    answer_clear(&caller->answer);
    stack_sql_is(stack, "1", "SELECT count(*) FROM jobs WHERE event_draft_id = '%s'", id);
}

static void test_lost_reply_of_a_once_call_between_servers_is_maybe_executed(void **state) {
    (void)state;
    struct caller caller = {.method = ""};
    char id[37];
    prepare_images(&caller, id);
    set_point(STACK_JOB, "job.after_create", "1*kill");
    call_again(&caller);
    assert_int_equal(caller.answer.code, HERALD_UNAVAILABLE);
    assert_not_known(&caller);
    stack_kill(stack, STACK_JOB, SIGKILL); /* it has ended; takes its status */
    stack_run(stack, STACK_JOB);
    stack_wait_serving(stack, STACK_JOB);
    assert_repeat_makes_one_job(&caller, id);
}

static void test_failure_after_the_effect_is_maybe_executed(void **state) {
    (void)state;
    static const struct {
        enum stack_program program;
        const char *point;
    } rows[] = {
        {STACK_JOB, "job.after_create"},    /* after its transaction */
        {STACK_JOB, "rpc.after_handler"},   /* after its success */
        {STACK_EVENT, "rpc.after_handler"}, /* … of the caller's own server */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct caller caller = {.method = ""};
        char id[37];
        prepare_images(&caller, id);
        set_point(rows[i].program, rows[i].point, "1*error(RESOURCE_EXHAUSTED)");
        call_again(&caller);
        assert_int_equal(caller.answer.code, HERALD_RESOURCE_EXHAUSTED);
        assert_not_known(&caller);
        assert_repeat_makes_one_job(&caller, id);
    }
}

/* What failed before anything was done is told as that; a server that is away has done nothing. */
static void test_failure_before_any_effect_is_executed_and_may_be_repeated(void **state) {
    (void)state;
    struct caller caller = {.method = ""};
    char id[37];
    prepare_images(&caller, id);
    set_point(STACK_EVENT, "rpc.before_handler", "1*error(INTERNAL)");
    call_again(&caller);
    assert_int_equal(caller.answer.code, HERALD_INTERNAL);
    assert_int_equal(caller.answer.outcome, HERALD_EXECUTED);
    assert_int_equal(caller.answer.may_repeat, HERALD_REPEAT_NO);
    set_point(STACK_EVENT, "rpc.before_handler", "1*error(UNAVAILABLE)");
    call_again(&caller);
    assert_int_equal(caller.answer.code, HERALD_UNAVAILABLE);
    assert_int_equal(caller.answer.outcome, HERALD_EXECUTED);
    assert_int_equal(caller.answer.may_repeat, HERALD_REPEAT_YES); /* nothing was begun */
    struct caller away = {.method = ""};
    prepare_images(&away, id);
    stack_kill(stack, STACK_JOB, SIGKILL);
    call_again(&away);
    assert_int_equal(away.answer.code, HERALD_UNAVAILABLE);
    assert_int_equal(away.answer.outcome, HERALD_EXECUTED);
    assert_int_equal(away.answer.may_repeat, HERALD_REPEAT_SAME_KEY);
    stack_run(stack, STACK_JOB);
    stack_wait_serving(stack, STACK_JOB);
    assert_repeat_makes_one_job(&away, id);
}

/* ---- a read whose reply is lost ---- */

static void read_ok(struct herald_channel *channel, const char *id, const char *user, uint32_t *ret_attempts) {
    Herald__Event__V1__GetEventRequest request = HERALD__EVENT__V1__GET_EVENT_REQUEST__INIT;
    const Herald__Event__V1__GetEventResponse *response = NULL;
    struct herald_reply reply = {0};
    request.event_draft_id = (char *)id;
    request.user_id = (char *)user;
    assert_int_equal(herald_event_v1_event_service_get_event(channel, &request, NULL, &reply, &response), HERALD_OK);
    *ret_attempts = reply.attempts;
    herald_reply_clear(&reply);
}

static void test_read_whose_reply_is_swallowed_is_asked_again(void **state) {
    (void)state;
    char user[64], id[37];
    uint32_t attempts = 0;
    struct herald_channel *channel = NULL;
    fresh_user(user);
    make_draft(stack, user, id);
    assert_int_equal(herald_channel_open(stack_url(stack, STACK_EVENT), NULL, &channel, NULL), HERALD_OK);
    set_point(STACK_EVENT, "rpc.reply", "1*drop");
    read_ok(channel, id, user, &attempts);
    assert_int_equal(attempts, 2);
    herald_channel_close(channel);
}

/* Reads while a server is frozen. Returns: the most attempts of one */
static uint32_t read_beside_frozen(struct herald_channel *channel, const char *id, const char *user) {
    uint32_t attempts = 0, most = 0;
    for (int i = 0; i < 20; i++) {
        read_ok(channel, id, user, &attempts); /* both are connected, and known to be well */
    }
    stack_signal(stack, STACK_EVENT_2, SIGSTOP);
    for (int i = 0; i < 200; i++) {
        read_ok(channel, id, user, &attempts);
        most = attempts > most ? attempts : most;
    }
    stack_signal(stack, STACK_EVENT_2, SIGCONT);
    stack_wait_serving(stack, STACK_EVENT_2);
    return most;
}

/* Every read is answered within its deadline of 5 s, also those that meet the frozen server first. The channel may choose the other
 * server alone, if that was quicker before; not each time. */
static void test_read_beside_a_frozen_server_is_answered(void **state) {
    (void)state;
    char user[64], id[37], urls[512];
    uint32_t most = 0;
    struct herald_channel *channel = NULL;
    fresh_user(user);
    make_draft(stack, user, id);
    stack_run(stack, STACK_EVENT_2);
    stack_wait_serving(stack, STACK_EVENT_2);
    snprintf(urls, sizeof(urls), "%s,%s", stack_url(stack, STACK_EVENT), stack_url(stack, STACK_EVENT_2));
    assert_int_equal(herald_channel_open(urls, NULL, &channel, NULL), HERALD_OK);
    for (int i = 0; i < 20 && most < 2; i++) {
        most = read_beside_frozen(channel, id, user);
    }
    assert_int_equal(most, 2); /* some met it */
    herald_channel_close(channel);
    stack_kill(stack, STACK_EVENT_2, SIGTERM);
}

/* ---- after an approval ---- */

static void test_whatever_fails_after_the_approval_the_publish_is_accepted(void **state) {
    (void)state;
    static const char *const points[] = {"event.after_approve", "event.before_distribute", "event.before_activate"};
    static const char *const actions[] = {"1*error(RESOURCE_EXHAUSTED)", "1*error(UNAVAILABLE)", "1*error(INTERNAL)",
                                          "1*error(OUTCOME_UNKNOWN)"};
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]) * sizeof(actions) / sizeof(actions[0]); i++) {
        struct caller caller = {.method = EVENTS "PublishEvent"};
        char user[64], id[37];
        fresh_user(user);
        herald_uuid7(caller.key);
        make_ready_draft(stack, user, id);
        snprintf(caller.request, sizeof(caller.request), PUBLISH, id, user);
        set_point(STACK_EVENT, points[i % 3], actions[i / 3]);
        call_again(&caller);
        assert_int_equal(caller.answer.code, HERALD_OK);
        assert_string_equal(answer_text(&caller.answer, "eventId"), id);
        assert_string_equal(answer_text(&caller.answer, "status"), "APPROVED");
        assert_true(json_is_true(answer_at(&caller.answer, "goesOn")));
        assert_true(json_integer_value(answer_at(&caller.answer, "lookAgainMs")) > 0);
        assert_true(*answer_text(&caller.answer, "reason") != '\0');
        answer_clear(&caller.answer);
        /* a repeat under the key waits for the end, which is then its reply */
        call_again(&caller);
        assert_int_equal(caller.answer.code, HERALD_OK);
        assert_string_equal(answer_text(&caller.answer, "status"), "ACTIVE");
        assert_string_equal(answer_text(&caller.answer, "reason"), "");
        assert_false(json_is_true(answer_at(&caller.answer, "goesOn")));
        struct answer first = caller.answer;
        call_again(&caller);
        assert_int_equal(caller.answer.payload_bytes, first.payload_bytes);
        assert_memory_equal(caller.answer.payload, first.payload, first.payload_bytes);
        answer_clear(&first);
        answer_clear(&caller.answer);
        json_t *posts = stack_posts(stack, id);
        assert_int_equal(json_array_size(posts), 1);
        json_decref(posts);
    }
}

/* ---- a clock that is wrong ---- */

/* A process counts on the database's clock from its last renewal: right to a moment. */
static void check_times_of_deliveries(const char *event_id) {
    stack_sql_is(stack, "t",
                 "SELECT bool_and(made.created_at <= started_at AND started_at <= finished_at "
                 "AND finished_at < sent.updated_at + interval '10 s' "
                 "AND sent.expires_at BETWEEN made.created_at + interval '23.9 hours' "
                 "AND made.created_at + interval '24.1 hours') "
                 "FROM deliveries AS sent JOIN distributions AS made USING (event_id) WHERE event_id = '%s'",
                 event_id);
    stack_sql_is(stack, "t",
                 "SELECT bool_and(started_at <= finished_at AND started_at > now() - interval '10 minutes') "
                 "FROM deliveries WHERE event_id = '%s' AND NOT attempt_kept",
                 event_id);
}

/* In Kafka: its row in the outbox is deleted soon after it was sent, and may be made later than the reply. */
static void check_times_of_records(const char *topic_setting, const char *key) {
    json_t *records = stack_records(stack, topic_setting, key, 1);
    assert_true(json_array_size(records) > 0);
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *headers = json_object_get(json_array_get(records, i), "headers");
        stack_sql_is(stack, "t",
                     "SELECT timestamptz '%s' BETWEEN now() - interval '10 minutes' AND now() + interval '10 s'",
                     json_string_value(json_object_get(headers, "ce_time")));
    }
    json_decref(records);
}

/* The clocks of the servers stand an hour behind that of the database, or jump: the times of each row fit together. */
static void test_times_of_a_row_come_from_one_clock(void **state) {
    (void)state;
    static const char *const shifts[] = {"drop", "50%drop"};
    for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
        char user[64], id[37];
        fresh_user(user);
        set_point(STACK_EVENT, "clock.wall", shifts[i]);
        set_point(STACK_JOB, "clock.wall", shifts[i]);
        set_point(STACK_DISTRIBUTION, "clock.wall", shifts[i]);
        make_ready_draft(stack, user, id);
        struct answer answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH_BY_HAND, id, user);
        assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
        answer_clear(&answer);
        set_point(STACK_EVENT, "clock.wall", "off");
        set_point(STACK_JOB, "clock.wall", "off");
        set_point(STACK_DISTRIBUTION, "clock.wall", "off");
        stack_sql_is(stack, "t",
                     "SELECT created_at <= approved_at AND approved_at <= published_at AND published_at = updated_at "
                     "AND created_at > now() - interval '10 minutes' FROM event_drafts WHERE id = '%s'",
                     id);
        stack_sql_is(stack, "t",
                     "SELECT bool_and(created_at <= updated_at AND created_at > now() - interval '10 minutes') "
                     "FROM jobs WHERE event_draft_id = '%s'",
                     id);
        check_times_of_deliveries(id);
        check_times_of_records("HERALD_KAFKA_EVENT_TOPIC", id);
        check_times_of_records("HERALD_KAFKA_DISTRIBUTION_TOPIC", id);
        char *job_id = stack_sql(stack, "SELECT id FROM jobs WHERE event_draft_id = '%s'", id);
        check_times_of_records("HERALD_KAFKA_IMAGE_JOB_TOPIC", job_id);
        free(job_id);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_answer_of_the_database_is_maybe_executed),
        cmocka_unit_test(test_lost_reply_of_a_once_call_between_servers_is_maybe_executed),
        cmocka_unit_test(test_failure_after_the_effect_is_maybe_executed),
        cmocka_unit_test(test_failure_before_any_effect_is_executed_and_may_be_repeated),
        cmocka_unit_test(test_read_whose_reply_is_swallowed_is_asked_again),
        cmocka_unit_test(test_read_beside_a_frozen_server_is_answered),
        cmocka_unit_test(test_times_of_a_row_come_from_one_clock),
        cmocka_unit_test(test_whatever_fails_after_the_approval_the_publish_is_accepted),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
