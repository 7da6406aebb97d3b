/* Rounds, deliveries and attempts. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "tests/integration/db/db_test.h"

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name

static const uint8_t CONTENT[] = {1, 0, 2};

struct opened {
    struct distribution_row round;
    struct delivery_row *deliveries;
    size_t count;
};

TASK_FN static struct opened open_round(struct db_env *env, const char *event_id, const char *id, const int *channels,
                                        size_t count) {
    struct opened opened = {0};
    assert_ok(env, delivery_store_open_round(env->db, event_id, id, channels, count, CONTENT, sizeof(CONTENT),
                                             &opened.round, &opened.deliveries, &opened.count, &env->error));
    return opened;
}

/* Claims a delivery and ends the attempt in @state. */
TASK_FN static void deliver(struct db_env *env, const char *event_id, int channel, int state) {
    uint32_t attempt = 0;
    struct delivery_row now, result = {.channel = channel, .state = state, .remote_id = "r", .reason = "WHY"};
    assert_ok(env, delivery_store_claim(env->db, event_id, channel, 1000, &attempt, &now, &env->error));
    assert_ok(env, delivery_store_finish(env->db, event_id, attempt, &result, &env->error));
}

TASK_FN static void complete(struct db_env *env, const char *round_id) {
    struct outbox_row row = outbox_row_for("distribution", round_id);
    assert_ok(env, delivery_store_complete_round(env->db, round_id, &row, &env->error));
}

/* ---- rounds ---- */

DB_TEST(test_open_round_first_makes_a_round_with_pending_deliveries) {
    const char *event = new_id(), *id = new_id();
    const int channels[] = {6, 1, 4};
    struct opened opened = open_round(env, event, id, channels, 3);
    assert_string_equal(opened.round.id, id);
    assert_string_equal(opened.round.event_id, event);
    assert_false(opened.round.completed);
    assert_int_equal(opened.round.content_bytes, sizeof(CONTENT));
    assert_memory_equal(opened.round.content, CONTENT, sizeof(CONTENT));
    assert_int_equal(opened.round.channel_count, 3);
    assert_int_equal(opened.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(opened.round.channels[i], channels[i]);
        assert_int_equal(opened.deliveries[i].channel, channels[i]);
        assert_int_equal(opened.deliveries[i].state, STATE(PENDING));
        assert_int_equal(opened.deliveries[i].attempts, 0);
        assert_int_equal(opened.deliveries[i].started_at_us, 0);
    }
}

DB_TEST(test_open_round_again_returns_the_open_one_with_new_channels_added) {
    const char *event = new_id(), *id = new_id();
    const int first[] = {1, 2}, second[] = {3, 2};
    (void)open_round(env, event, id, first, 2);
    deliver(env, event, 1, STATE(PUBLISHED));
    struct distribution_row round;
    struct delivery_row *deliveries = NULL;
    size_t count = 0;
    static const uint8_t other[] = {7};
    assert_ok(env, delivery_store_open_round(env->db, event, new_id(), second, 2, other, sizeof(other), &round,
                                             &deliveries, &count, &env->error));
    assert_string_equal(round.id, id);
    assert_int_equal(round.content_bytes, sizeof(CONTENT));
    assert_int_equal(round.channel_count, 3);
    assert_int_equal(count, 3);
    assert_int_equal(deliveries[0].state, STATE(PUBLISHED));
    assert_int_equal(deliveries[2].channel, 3);
    assert_int_equal(deliveries[2].state, STATE(PENDING));
}

DB_TEST(test_open_round_after_one_with_an_accepted_delivery_returns_that_one) {
    const char *event = new_id(), *id = new_id();
    const int channels[] = {1, 2}, more[] = {1, 2, 3};
    (void)open_round(env, event, id, channels, 2);
    deliver(env, event, 1, STATE(AWAITING_OPERATOR));
    deliver(env, event, 2, STATE(REJECTED));
    complete(env, id);
    struct opened opened = open_round(env, event, new_id(), more, 3);
    assert_string_equal(opened.round.id, id);
    assert_true(opened.round.completed);
    assert_int_equal(opened.count, 2);
    assert_int_equal(opened.deliveries[1].state, STATE(REJECTED));
}

DB_TEST(test_open_round_after_one_that_nobody_accepted_makes_a_new_one_and_tries_refused_channels_again) {
    const char *event = new_id(), *id = new_id();
    const int channels[] = {1, 2, 3};
    (void)open_round(env, event, new_id(), channels, 3);
    deliver(env, event, 1, STATE(REJECTED));
    deliver(env, event, 2, STATE(OUTCOME_UNKNOWN));
    deliver(env, event, 3, STATE(READY));
    struct distribution_row last;
    struct delivery_row *rows = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_load(env->db, event, &last, &rows, &count, &env->error));
    complete(env, last.id);
    struct opened opened = open_round(env, event, id, channels, 3);
    assert_string_equal(opened.round.id, id);
    assert_false(opened.round.completed);
    assert_int_equal(opened.deliveries[0].state, STATE(PENDING));
    assert_string_equal(opened.deliveries[0].reason, "");
    assert_int_equal(opened.deliveries[0].attempts, 1);
    assert_int_equal(opened.deliveries[1].state, STATE(OUTCOME_UNKNOWN));
    assert_int_equal(opened.deliveries[2].state, STATE(READY));
}

struct opener {
    struct db_env *env;
    const char *event;
    int channel;
    const char *got;
};

TASK_FN static void open_one(void *arg) {
    struct opener *opener = arg;
    struct opened opened = open_round(opener->env, opener->event, new_id(), &opener->channel, 1);
    opener->got = opened.round.id;
    bool mine = false;
    for (size_t i = 0; i < opened.count; i++) {
        mine |= opened.deliveries[i].channel == opener->channel;
    }
    assert_true(mine);
}

DB_TEST(test_open_round_by_many_at_once_makes_one_round_with_all_channels) {
    const char *event = new_id();
    struct opener openers[24];
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < 24; i++) {
        openers[i] = (struct opener){env, event, 1 + i % 6, NULL};
        assert_ok(env, task_group_spawn(&group, "opener", open_one, &openers[i], &env->error));
    }
    task_group_join(&group);
    for (int i = 1; i < 24; i++) {
        assert_string_equal(openers[i].got, openers[0].got);
    }
    assert_int_equal(sql_number("SELECT count(*) FROM distributions WHERE event_id = '%s'", event), 1);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE event_id = '%s'", event), 6);
}

DB_TEST(test_delivery_load_gives_the_last_round_and_every_delivery) {
    const char *event = new_id();
    const int first[] = {1, 2}, second[] = {2};
    struct distribution_row round = {.id = "untouched"};
    struct delivery_row *rows = NULL;
    size_t count = 0;
    assert_code(env, delivery_store_load(env->db, event, &round, &rows, &count, &env->error), HERALD_NOT_FOUND);
    assert_string_equal(round.id, "untouched");
    const char *old = new_id(), *last = new_id();
    (void)open_round(env, event, old, first, 2);
    complete(env, old);
    (void)open_round(env, event, last, second, 1);
    assert_ok(env, delivery_store_load(env->db, event, &round, &rows, &count, &env->error));
    assert_string_equal(round.id, last);
    assert_int_equal(count, 2);
}

DB_TEST(test_complete_round_happens_once_with_its_outbox_row) {
    const char *event = new_id(), *id = new_id();
    const int channels[] = {1};
    (void)open_round(env, event, id, channels, 1);
    struct outbox_row row = outbox_row_for("distribution", id), late = outbox_row_for("distribution", id);
    assert_ok(env, delivery_store_complete_round(env->db, id, &row, &env->error));
    assert_code(env, delivery_store_complete_round(env->db, id, &late, &env->error), HERALD_ABORTED);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE key = '%s'", id), 1);
    struct distribution_row round;
    struct delivery_row *rows = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_load(env->db, event, &round, &rows, &count, &env->error));
    assert_true(round.completed);
}

TASK_FN static bool round_taken(struct db_env *env, const char *id, uint32_t idle_ms) {
    struct distribution_row *rounds = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_take_open_rounds(env->db, idle_ms, 1000, &rounds, &count, &env->error));
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rounds[i].id, id) == 0) {
            found = true;
            assert_int_equal(rounds[i].channel_count, 2);
            assert_memory_equal(rounds[i].content, CONTENT, sizeof(CONTENT));
        }
    }
    return found;
}

DB_TEST(test_take_open_rounds_takes_only_what_nobody_drives) {
    const char *event = new_id(), *id = new_id();
    const int channels[] = {1, 2};
    (void)open_round(env, event, id, channels, 2);
    assert_false(round_taken(env, id, 60000)); /* just opened */
    sql_run("UPDATE distributions SET updated_at = now() - interval '2 min' WHERE id = '%s'", id);
    assert_false(round_taken(env, id, 60000)); /* its deliveries have just changed */
    sql_run("UPDATE deliveries SET updated_at = now() - interval '2 min' WHERE event_id = '%s'", event);
    assert_true(round_taken(env, id, 60000));
    assert_false(round_taken(env, id, 60000)); /* driven now */
    sql_run("UPDATE distributions SET updated_at = now() - interval '2 min' WHERE id = '%s'", id);
    sql_run("UPDATE deliveries SET lease_until = now() + interval '1 min' WHERE event_id = '%s' AND channel = "
            "'RINGO_BIZ'",
            event);
    assert_false(round_taken(env, id, 60000)); /* an attempt is under way */
    sql_run("UPDATE deliveries SET lease_until = now() WHERE event_id = '%s'", event);
    assert_true(round_taken(env, id, 60000));
    complete(env, id);
    assert_false(round_taken(env, id, 0));
}

/* ---- attempts ---- */

DB_TEST(test_claim_pending_delivery_commits_an_attempt) {
    const char *event = new_id();
    const int channels[] = {4};
    (void)open_round(env, event, new_id(), channels, 1);
    uint32_t attempt = 0;
    struct delivery_row now;
    assert_ok(env, delivery_store_claim(env->db, event, 4, 60000, &attempt, &now, &env->error));
    assert_int_equal(attempt, 1);
    assert_int_equal(now.state, STATE(COMMITTING));
    assert_true(now.started_at_us > 0);
    assert_int_equal(now.finished_at_us, 0);
    assert_int_equal(sql_number("SELECT count(*) FROM delivery_attempts WHERE event_id = '%s' AND attempt = 1 AND "
                                "state = 'COMMITTING'",
                                event),
                     1);
    uint32_t again = 77;
    assert_code(env, delivery_store_claim(env->db, event, 4, 60000, &again, &now, &env->error), HERALD_ABORTED);
    assert_int_equal(again, 77);
    assert_int_equal(now.state, STATE(COMMITTING));
    assert_code(env, delivery_store_claim(env->db, event, 5, 60000, &again, &now, &env->error), HERALD_NOT_FOUND);
}

DB_TEST(test_finish_stores_the_result_once) {
    const char *event = new_id();
    const int channels[] = {4};
    (void)open_round(env, event, new_id(), channels, 1);
    uint32_t attempt = 0;
    struct delivery_row now;
    assert_ok(env, delivery_store_claim(env->db, event, 4, 60000, &attempt, &now, &env->error));
    struct delivery_row result = {.channel = 4,
                                  .state = STATE(PUBLISHED),
                                  .remote_id = "post-1",
                                  .reason = "",
                                  .message = "",
                                  .started_at_us = 1700000000000001,
                                  .finished_at_us = 1700000000000002};
    assert_code(env, delivery_store_finish(env->db, event, attempt + 1, &result, &env->error), HERALD_ABORTED);
    assert_ok(env, delivery_store_finish(env->db, event, attempt, &result, &env->error));
    assert_code(env, delivery_store_finish(env->db, event, attempt, &result, &env->error), HERALD_ABORTED);
    struct opened opened = open_round(env, event, new_id(), channels, 1);
    assert_int_equal(opened.deliveries[0].state, STATE(PUBLISHED));
    assert_string_equal(opened.deliveries[0].remote_id, "post-1");
    assert_true(opened.deliveries[0].started_at_us == result.started_at_us);
    assert_true(opened.deliveries[0].finished_at_us == result.finished_at_us);
    assert_int_equal(sql_number("SELECT count(*) FROM delivery_attempts WHERE event_id = '%s' AND state = 'PUBLISHED' "
                                "AND remote_id = 'post-1' AND finished_at IS NOT NULL",
                                event),
                     1);
}

DB_TEST(test_claim_ready_delivery_begins_the_next_attempt) {
    const char *event = new_id();
    const int channels[] = {4};
    (void)open_round(env, event, new_id(), channels, 1);
    deliver(env, event, 4, STATE(READY));
    uint32_t attempt = 0;
    struct delivery_row now;
    assert_ok(env, delivery_store_claim(env->db, event, 4, 60000, &attempt, &now, &env->error));
    assert_int_equal(attempt, 2);
    assert_string_equal(now.reason, "");
    assert_int_equal(sql_number("SELECT count(*) FROM delivery_attempts WHERE event_id = '%s'", event), 2);
}

DB_TEST(test_reconcile_takes_only_abandoned_or_unknown_deliveries) {
    const char *event = new_id();
    const int channels[] = {4, 5};
    (void)open_round(env, event, new_id(), channels, 2);
    uint32_t attempt = 0, taken = 0;
    struct delivery_row now;
    assert_code(env, delivery_store_reconcile(env->db, event, 4, 60000, &taken, &now, &env->error), HERALD_ABORTED);
    assert_int_equal(now.state, STATE(PENDING));
    assert_ok(env, delivery_store_claim(env->db, event, 4, 60000, &attempt, &now, &env->error));
    assert_code(env, delivery_store_reconcile(env->db, event, 4, 60000, &taken, &now, &env->error), HERALD_ABORTED);
    assert_ok(env, delivery_store_claim(env->db, event, 5, 0, &attempt, &now, &env->error));
    assert_ok(env, delivery_store_reconcile(env->db, event, 5, 60000, &taken, &now, &env->error));
    assert_int_equal(taken, 1);
    assert_int_equal(now.state, STATE(RECONCILING));
    assert_code(env, delivery_store_reconcile(env->db, event, 5, 60000, &taken, &now, &env->error), HERALD_ABORTED);
    struct delivery_row unknown = {.channel = 5, .state = STATE(OUTCOME_UNKNOWN)};
    assert_ok(env, delivery_store_finish(env->db, event, taken, &unknown, &env->error));
    assert_ok(env, delivery_store_reconcile(env->db, event, 5, 60000, &taken, &now, &env->error));
    struct delivery_row found = {.channel = 5, .state = STATE(PUBLISHED), .remote_id = "post"};
    assert_ok(env, delivery_store_finish(env->db, event, taken, &found, &env->error));
    assert_code(env, delivery_store_reconcile(env->db, event, 5, 60000, &taken, &now, &env->error), HERALD_ABORTED);
    assert_int_equal(now.state, STATE(PUBLISHED));
}

/* ---- many claim one ---- */

struct claimer {
    struct db_env *env;
    const char *event;
    unsigned *won;
};

TASK_FN static void claim_one(void *arg) {
    struct claimer *claimer = arg;
    uint32_t attempt = 0;
    struct delivery_row now;
    enum herald_code code =
        delivery_store_claim(claimer->env->db, claimer->event, 4, 60000, &attempt, &now, &claimer->env->error);
    assert_true(code == HERALD_OK || code == HERALD_ABORTED);
    assert_int_equal(now.state, STATE(COMMITTING));
    *claimer->won += code == HERALD_OK;
}

DB_TEST(test_claim_by_many_at_once_has_one_winner) {
    const char *event = new_id();
    const int channels[] = {4};
    (void)open_round(env, event, new_id(), channels, 1);
    unsigned won = 0;
    struct claimer claimer = {env, event, &won};
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < 32; i++) {
        assert_ok(env, task_group_spawn(&group, "claimer", claim_one, &claimer, &env->error));
    }
    task_group_join(&group);
    assert_int_equal(won, 1);
    assert_int_equal(sql_number("SELECT count(*) FROM delivery_attempts WHERE event_id = '%s'", event), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_round_first_makes_a_round_with_pending_deliveries),
        cmocka_unit_test(test_open_round_again_returns_the_open_one_with_new_channels_added),
        cmocka_unit_test(test_open_round_after_one_with_an_accepted_delivery_returns_that_one),
        cmocka_unit_test(
            test_open_round_after_one_that_nobody_accepted_makes_a_new_one_and_tries_refused_channels_again),
        cmocka_unit_test(test_open_round_by_many_at_once_makes_one_round_with_all_channels),
        cmocka_unit_test(test_delivery_load_gives_the_last_round_and_every_delivery),
        cmocka_unit_test(test_complete_round_happens_once_with_its_outbox_row),
        cmocka_unit_test(test_take_open_rounds_takes_only_what_nobody_drives),
        cmocka_unit_test(test_claim_pending_delivery_commits_an_attempt),
        cmocka_unit_test(test_finish_stores_the_result_once),
        cmocka_unit_test(test_claim_ready_delivery_begins_the_next_attempt),
        cmocka_unit_test(test_reconcile_takes_only_abandoned_or_unknown_deliveries),
        cmocka_unit_test(test_claim_by_many_at_once_has_one_winner),
    };
    return cmocka_run_group_tests_name("integration.db.deliveries", tests, schema_setup, schema_teardown);
}
