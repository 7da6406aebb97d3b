/* Clients that go away: what they read is not read to the end, what takes effect once is finished. */
#include "herald/uuid.h"
#include "stack.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LONG_MS 60000

#define DRAFT   "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}"
#define PUBLISH "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":[\"GENIE_TV\",\"RINGO_BIZ\"]}"

static struct stack *stack;

/* A statement is not given up by itself while a test looks whether it was cancelled. */
static int start(void **state) {
    (void)state;
    stack = stack_start((const char *const[]){"HERALD_PG_STATEMENT_TIMEOUT_MS=60000", NULL});
    return 0;
}

static int stop(void **state) {
    (void)state;
    stack_stop(stack);
    return 0;
}

/* A session that keeps everybody from reading event drafts. */
static PGconn *block_drafts(void) {
    PGconn *pg = PQconnectdb(stack_setting(stack, "HERALD_PG_DSN"));
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    PQclear(PQexec(pg, "BEGIN"));
    PGresult *result = PQexec(pg, "LOCK TABLE event_drafts IN ACCESS EXCLUSIVE MODE");
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    return pg;
}

/* The reconciler waits for the table too: only GetEvent's statement counts. */
#define WAITING_READS                                                                                                  \
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "           \
    "AND query LIKE '-- Reads a user''s event.%%'"

static struct lone_call *start_blocked_read(const char *id, const char *user, uint32_t timeout_ms) {
    struct herald_call_options options = {.timeout_ms = timeout_ms};
    struct lone_call *call = lone_call_start(stack, &options, EVENTS "GetEvent", DRAFT, id, user);
    stack_sql_becomes(stack, "1", WAITING_READS);
    return call;
}

enum way { VANISHES, CANCELS, RUNS_OUT_OF_TIME };

static void leave_a_blocked_read(enum way way) {
    char user[64], id[37];
    fresh_user(user);
    make_draft(stack, user, id);
    PGconn *blocker = block_drafts();
    struct lone_call *call = start_blocked_read(id, user, way == RUNS_OUT_OF_TIME ? 1500 : LONG_MS);
    if (way == VANISHES) {
        lone_call_vanish(call);
    } else if (way == CANCELS) {
        lone_call_cancel(call);
    }
    stack_sql_becomes(stack, "0", WAITING_READS); /* though the table is blocked as before */
    if (way != VANISHES) {
        lone_call_vanish(call);
    }
    PQfinish(blocker);
    struct answer answer = stack_call_ok(stack, EVENTS "GetEvent", DRAFT, id, user);
    answer_clear(&answer);
}

static void test_vanished_clients_read_is_cancelled_in_the_database(void **state) {
    (void)state;
    leave_a_blocked_read(VANISHES);
}

static void test_cancelled_read_is_cancelled_in_the_database(void **state) {
    (void)state;
    leave_a_blocked_read(CANCELS);
}

static void test_read_past_its_deadline_is_cancelled_in_the_database(void **state) {
    (void)state;
    leave_a_blocked_read(RUNS_OUT_OF_TIME);
}

static void test_vanished_clients_publish_is_finished_and_its_reply_stored(void **state) {
    (void)state;
    char user[64], id[37], key[37];
    fresh_user(user);
    herald_uuid7(key);
    make_ready_draft(stack, user, id);
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"slow\",\"delayMs\":1200,\"count\":1}");
    struct herald_call_options options = {.idempotency_key = key};
    struct lone_call *call = lone_call_start(stack, &options, EVENTS "PublishEvent", PUBLISH, id, user);
    stack_sql_becomes(stack, "t", "SELECT count(*) > 0 FROM deliveries WHERE event_id = '%s'", id);
    lone_call_vanish(call);
    stack_sql_is(stack, "APPROVED", "SELECT status FROM event_drafts WHERE id = '%s'", id);
    stack_sql_becomes(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", id);
    /* stored by that call itself, not by a repeat or the reconciler */
    stack_sql_is(stack, "1", "SELECT count(*) FROM idempotency WHERE key = '%s'", key);
    struct answer answer = stack_call_with(stack, &options, EVENTS "PublishEvent", PUBLISH, id, user);
    assert_int_equal(answer.code, HERALD_OK);
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    char hex[2 * 4096 + 1] = "";
    assert_true(answer.payload_bytes <= 4096);
    for (size_t i = 0; i < answer.payload_bytes; i++) {
        snprintf(hex + 2 * i, 3, "%02x", answer.payload[i]);
    }
    stack_sql_is(stack, hex, "SELECT encode(reply, 'hex') FROM idempotency WHERE key = '%s'", key);
    answer_clear(&answer);
    json_t *posts = stack_posts(stack, id);
    assert_int_equal(json_array_size(posts), 2);
    json_decref(posts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vanished_clients_read_is_cancelled_in_the_database),
        cmocka_unit_test(test_cancelled_read_is_cancelled_in_the_database),
        cmocka_unit_test(test_read_past_its_deadline_is_cancelled_in_the_database),
        cmocka_unit_test(test_vanished_clients_publish_is_finished_and_its_reply_stored),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
