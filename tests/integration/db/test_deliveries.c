/* Distributions and deliveries in the database: opening, taking, finishing, by one and by many at once. */
#include "client/base/random.h"
#include "server/store/postgres/pool.h"
#include "tests/integration/db/delivery_rows.h"

/* ---- opening ---- */

DB_TEST(test_open_stores_what_was_planned) {
    const char *holder = new_id(), *event_id = new_id();
    const struct delivery_plan plans[] = {plan_claimed(KAKAO), plan_later(TV, 5000)};
    struct distribution_row row = new_distribution(event_id), got;
    row.scheduled_at_us = 1700000000123456; /* it is over */
    row.time_zone = "Asia/Seoul";
    bool made = false;
    assert_ok(env, delivery_store_open(env->db, &row, plans, 2, holder, NULL, &made, NULL, &env->error));
    assert_true(made);
    struct delivery_row *deliveries = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_load(env->db, event_id, &got, &deliveries, &count, &env->error));
    assert_string_equal(got.id, row.id);
    assert_string_equal(got.owner, "user-1");
    assert_int_equal(got.content_bytes, row.content_bytes);
    assert_memory_equal(got.content, row.content, row.content_bytes);
    assert_int_equal(got.channel_count, 2);
    assert_int_equal(got.channels[0], KAKAO);
    assert_int_equal(got.unsettled, 2);
    assert_int_equal(got.version, 1);
    assert_int_equal(got.scheduled_at_us, row.scheduled_at_us);
    assert_string_equal(got.time_zone, "Asia/Seoul");
    assert_int_equal(got.expires_at_us, row.expires_at_us);
    assert_int_equal(got.completed_at_us, 0);
    assert_int_equal(report_due_ms(event_id), -1);
    assert_int_equal(count, 2); /* in the order of the channels */
    assert_int_equal(deliveries[0].channel, KAKAO);
    assert_int_equal(deliveries[0].state, STATE(COMMITTING));
    assert_int_equal(deliveries[0].attempts, 1);
    assert_int_equal(deliveries[0].next_at_us, 0);
    assert_true(deliveries[0].started_at_us > 0);
    assert_int_equal(deliveries[1].state, STATE(DEFERRED));
    assert_int_equal(deliveries[1].attempts, 0);
    assert_int_equal(deliveries[1].started_at_us, 0);
    assert_string_equal(deliveries[1].reason, "CHANNEL_BUSY");
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE holder = '%s'", holder), 1);
    assert_int_equal(sql_number("SELECT round(extract(epoch FROM next_at - updated_at) * 1000) FROM deliveries WHERE "
                                "event_id = '%s' AND channel = 'WOORIDONGNE_TV'",
                                event_id),
                     5000);
    assert_counters_right();
}

DB_TEST(test_open_keeps_what_was_prepared_before) {
    struct delivery_plan plan = plan_claimed(TV);
    plan.step_id = "container-1";
    const char *event_id = make_distribution(env, &plan, 1, new_id());
    assert_string_equal(load_delivery(env, event_id, TV).step_id, "container-1");
    assert_int_equal(sql_number("SELECT count(*) FROM delivery_steps WHERE event_id = '%s' AND step = 'PREPARED' AND "
                                "state = 'COMMITTING' AND attempt = 1",
                                event_id),
                     1);
}

DB_TEST(test_open_puts_nothing_off_beyond_its_end) {
    const struct delivery_plan plan = plan_later(TV, UINT64_C(10) * KEEP_TRYING_MS);
    const char *event_id = make_distribution(env, &plan, 1, new_id());
    struct delivery_row row = load_delivery(env, event_id, TV);
    assert_int_equal(row.next_at_us, row.expires_at_us);
}

/* The caller counts from its own idea of the time, which may be a little ahead. */
DB_TEST(test_open_sends_nothing_before_its_scheduled_time) {
    const struct delivery_plan plan = plan_later(TV, 1);
    const char *event_id = new_id();
    struct distribution_row row = new_distribution(event_id);
    bool made = false;
    row.scheduled_at_us = clock_wall_us() + 10 * INT64_C(1000000);
    row.expires_at_us = row.scheduled_at_us + KEEP_TRYING_MS * INT64_C(1000);
    assert_ok(env, delivery_store_open(env->db, &row, &plan, 1, new_id(), NULL, &made, NULL, &env->error));
    assert_int_equal(load_delivery(env, event_id, TV).next_at_us, row.scheduled_at_us);
}

DB_TEST(test_open_again_changes_nothing) {
    const struct delivery_plan first = plan_claimed(TV), other = plan_claimed(KAKAO);
    const char *event_id = make_distribution(env, &first, 1, new_id());
    struct distribution_row row = new_distribution(event_id);
    bool made = true;
    assert_ok(env, delivery_store_open(env->db, &row, &other, 1, new_id(), NULL, &made, NULL, &env->error));
    assert_false(made);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE event_id = '%s'", event_id), 1);
    assert_string_not_equal(load_distribution(env, event_id).id, row.id);
}

static struct rpc_signature new_signature(void) {
    struct rpc_signature signature = {.time_ms = clock_wall_us() / 1000};
    herald_random_bytes(signature.id, sizeof(signature.id));
    return signature;
}

/* Opens a new distribution in the name of a signed call. Returns: whether it was made, which a new signature needs. */
TASK_FN static bool open_signed(struct db_env *env, const struct rpc_signature *signature) {
    const struct delivery_plan plan = plan_claimed(TV);
    const char *event_id = new_id();
    struct distribution_row row = new_distribution(event_id);
    const struct riding_signature riding = signatures_ride(signature, clock_wall_us());
    bool made = false, taken = false;
    assert_ok(env, delivery_store_open(env->db, &row, &plan, 1, new_id(), &riding, &made, &taken, &env->error));
    assert_int_equal(made, taken);
    assert_int_equal(sql_number("SELECT count(*) FROM distributions WHERE event_id = '%s'", event_id), made);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE event_id = '%s'", event_id), made);
    return made;
}

DB_TEST(test_open_takes_the_signature_of_its_call) {
    sql_run("UPDATE signature_memory SET began_at = now() - interval '1 hour'");
    const struct rpc_signature one = new_signature(), other = new_signature();
    assert_true(open_signed(env, &one));
    assert_false(open_signed(env, &one));
    assert_true(open_signed(env, &other));
    assert_code(env, signatures_take(env->db, &other, &env->error), HERALD_UNAUTHENTICATED);
}

DB_TEST(test_open_makes_nothing_with_a_signature_that_may_be_forgotten) {
    const struct rpc_signature signature = new_signature();
    sql_run("UPDATE signature_memory SET began_at = now() - interval '1 s'");
    assert_false(open_signed(env, &signature));
    sql_run("TRUNCATE signatures, signature_memory");
    assert_false(open_signed(env, &signature));
    assert_int_equal(sql_number("SELECT count(*) FROM signatures"), 0);
    sql_run("INSERT INTO signature_memory (began_at) VALUES (now() - interval '1 hour')");
}

struct race {
    struct db_env *env;
    const char *event_id;
    unsigned made, failed;
};

TASK_FN static void open_in_race(void *arg) {
    struct race *race = arg;
    const struct delivery_plan plans[] = {plan_claimed(TV), plan_claimed(KAKAO)};
    struct distribution_row row = new_distribution(race->event_id);
    bool made = false;
    race->failed += delivery_store_open(race->env->db, &row, plans, 2, new_id(), NULL, &made, NULL, NULL) != HERALD_OK;
    race->made += made;
}

#define RACERS 32

static void race_body(struct db_env *env) {
    struct race race = {.env = env, .event_id = new_id()};
    WAIT_UNTIL(env->db->ready_count == RACERS);
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < RACERS; i++) {
        assert_ok(env, task_group_spawn(&group, "racer", open_in_race, &race, &env->error));
    }
    task_group_join(&group);
    assert_int_equal(race.failed, 0);
    assert_int_equal(race.made, 1);
    assert_int_equal(sql_number("SELECT count(DISTINCT holder) FROM deliveries WHERE event_id = '%s'", race.event_id),
                     1);
    assert_counters_right();
}

static void test_open_by_many_at_once_makes_one(void **state) {
    (void)state;
    db_env_run(schema_dsn(), RACERS, race_body);
}

DB_TEST(test_load_without_distribution_is_not_found) {
    struct distribution_row row;
    struct delivery_row *deliveries = NULL;
    size_t count = 0;
    assert_code(env, delivery_store_load(env->db, new_id(), &row, &deliveries, &count, &env->error), HERALD_NOT_FOUND);
    assert_string_equal(env->error.reason, "DISTRIBUTION_NOT_FOUND");
}

/* ---- taking ---- */

DB_TEST(test_take_claims_what_is_due_the_oldest_first) {
    const struct delivery_plan plan = plan_later(TV, 0), later = plan_later(TV, 60000), other = plan_later(KAKAO, 0);
    const char *events[3], *holder = new_id();
    for (int i = 0; i < 3; i++) {
        events[i] = make_distribution(env, &plan, 1, new_id());
    }
    make_distribution(env, &later, 1, new_id());
    make_distribution(env, &other, 1, new_id());
    sql_run("UPDATE deliveries SET next_at = now() - interval '1 h' WHERE event_id = '%s'", events[2]);
    struct taken_delivery *taken = NULL;
    assert_int_equal(take(env, holder, TV, 1, false, &taken), 1);
    assert_string_equal(taken[0].event_id, events[2]);
    assert_int_equal(taken[0].delivery.state, STATE(COMMITTING));
    assert_int_equal(taken[0].delivery.attempts, 1);
    assert_true(taken[0].delivery.started_at_us > 0);
    assert_false(taken[0].expired);
    assert_string_equal(taken[0].owner, "user-1");
    assert_int_equal(taken[0].content_bytes, 5);
    assert_int_equal(take(env, holder, TV, 9, false, &taken), 2);
    assert_int_equal(take(env, holder, TV, 9, false, &taken), 0);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE holder = '%s' AND next_at IS NULL", holder), 3);
    assert_counters_right();
}

DB_TEST(test_take_gives_each_channel_its_own_number) {
    const struct delivery_plan plans[] = {plan_later(TV, 0), plan_later(KAKAO, 0), plan_later(NAVER, 0)};
    for (int i = 0; i < 5; i++) {
        make_distribution(env, plans, 3, new_id());
    }
    const struct delivery_want wants[] = {{.channel = TV, .most = 2}, {.channel = KAKAO, .most = 4, .has_steps = true}};
    struct taken_delivery *taken = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_take(env->db, new_id(), wants, 2, &taken, &count, &env->error));
    unsigned of_tv = 0, of_kakao = 0;
    for (size_t i = 0; i < count; i++) {
        of_tv += taken[i].delivery.channel == TV && taken[i].delivery.state == STATE(COMMITTING);
        of_kakao += taken[i].delivery.channel == KAKAO && taken[i].delivery.state == STATE(PREPARING);
    }
    assert_int_equal(count, 6);
    assert_int_equal(of_tv, 2);
    assert_int_equal(of_kakao, 4);
}

DB_TEST(test_take_passes_over_what_another_is_taking) {
    const struct delivery_plan plan = plan_later(TV, 0);
    const char *held = make_distribution(env, &plan, 1, new_id()), *free = make_distribution(env, &plan, 1, new_id());
    char sql[160];
    (void)snprintf(sql, sizeof(sql), "BEGIN; SELECT FROM deliveries WHERE event_id = '%s' FOR UPDATE", held);
    PGconn *pg = admin_open();
    admin_run(pg, sql);
    struct taken_delivery *taken = NULL;
    assert_int_equal(take(env, new_id(), TV, 9, false, &taken), 1);
    assert_string_equal(taken[0].event_id, free);
    admin_run(pg, "ROLLBACK");
    PQfinish(pg);
    assert_int_equal(take(env, new_id(), TV, 9, false, &taken), 1);
}

DB_TEST(test_take_reconciles_what_may_have_been_posted) {
    static const char *const states[] = {"COMMITTING", "OUTCOME_UNKNOWN", "RECONCILING"};
    const struct delivery_plan plan = plan_later(TV, 0);
    for (int i = 0; i < 3; i++) {
        const char *event_id = make_distribution(env, &plan, 1, new_id());
        sql_run("UPDATE deliveries SET state = '%s', attempts = 3, started_at = '2026-01-01', expires_at = now() - "
                "interval '1 s', step_id = 'step', remote_id = 'remote', failures = 2 WHERE event_id = '%s'",
                states[i], event_id);
        struct taken_delivery *taken = NULL;
        assert_int_equal(take(env, new_id(), TV, 9, true, &taken), 1);
        assert_int_equal(taken[0].delivery.state, STATE(RECONCILING));
        assert_int_equal(taken[0].delivery.attempts, 3); /* asking is no attempt */
        assert_int_equal(taken[0].delivery.failures, 2);
        assert_string_equal(taken[0].delivery.step_id, "step");
        assert_string_equal(taken[0].delivery.remote_id, "remote");
        assert_true(taken[0].expired);
        assert_int_equal(
            sql_number("SELECT extract(year FROM started_at) FROM deliveries WHERE event_id = '%s'", event_id), 2026);
    }
}

DB_TEST(test_take_begins_no_attempt_of_what_is_expired) {
    const struct delivery_plan plan = plan_later(TV, 0);
    const char *event_id = make_distribution(env, &plan, 1, new_id());
    sql_run("UPDATE deliveries SET expires_at = now() - interval '1 s', state = 'PREPARING', attempts = 2 "
            "WHERE event_id = '%s'",
            event_id);
    struct taken_delivery *taken = NULL;
    assert_int_equal(take(env, new_id(), TV, 9, false, &taken), 1);
    assert_true(taken[0].expired);
    assert_int_equal(taken[0].delivery.state, STATE(PREPARING));
    assert_int_equal(taken[0].delivery.attempts, 2);
}

DB_TEST(test_take_after_a_failure_counts_attempts) {
    const char *holder = new_id();
    const struct delivery_plan plan = plan_claimed(TV);
    const char *event_id = make_distribution(env, &plan, 1, holder);
    struct delivery_row row = ended(TV, STATE(READY), false);
    row.failures = 1;
    struct delivery_change change = {.event_id = event_id, .row = &row, .next_in_ms = 0};
    assert_true(finish(env, holder, &change, NULL).changed);
    struct taken_delivery *taken = NULL;
    assert_int_equal(take(env, holder, TV, 9, true, &taken), 1);
    assert_int_equal(taken[0].delivery.state, STATE(PREPARING));
    assert_int_equal(taken[0].delivery.attempts, 2);
    assert_int_equal(taken[0].delivery.failures, 1);
    assert_string_equal(taken[0].delivery.step_id, "step-1");
}

DB_TEST(test_take_of_a_probe_finds_what_waits_for_the_end_of_a_pause) {
    const struct delivery_plan soon = plan_later(TV, 60000);
    make_distribution(env, &soon, 1, new_id());
    struct delivery_plan paused = soon;
    paused.reason = "CHANNEL_NEEDS_AUTH";
    const char *event_id = make_distribution(env, &paused, 1, new_id());
    const struct delivery_want want = {.channel = TV, .most = 5, .is_probe = true};
    struct taken_delivery *taken = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_take(env->db, new_id(), &want, 1, &taken, &count, &env->error));
    assert_int_equal(count, 1);
    assert_string_equal(taken[0].event_id, event_id);
}

DB_TEST(test_unclaim_frees_what_was_never_sent) {
    const char *holder = new_id(), *event_id = make_claimed(env, holder);
    make_claimed(env, new_id());
    settle(env, event_id, TV, STATE(PUBLISHED));
    sql_run("UPDATE deliveries SET state = 'RECONCILING' WHERE channel = 'KAKAO_CHANNEL'");
    struct held_delivery *held = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_held(env->db, holder, &held, &count, &env->error));
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(held[i].event_id, event_id);
        assert_int_equal(held[i].attempts, 1);
        held[i].attempts += held[i].channel == NAVER ? 1 : 0; /* it was taken again since */
    }
    assert_ok(env, delivery_store_unclaim(env->db, new_id(), held, count, &env->error));
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE holder = '%s'", holder), 5);
    assert_ok(env, delivery_store_unclaim(env->db, holder, held, count, &env->error));
    assert_int_equal(load_delivery(env, event_id, BIZ).state, STATE(READY));
    assert_int_equal(load_delivery(env, event_id, KAKAO).state, STATE(OUTCOME_UNKNOWN));
    assert_int_equal(load_delivery(env, event_id, NAVER).state, STATE(COMMITTING));
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE next_at <= now()"), 4);
    assert_counters_right();
}

/* ---- finishing ---- */

DB_TEST(test_finish_settles_and_writes_the_attempt_once) {
    const char *holder = new_id(), *event_id = make_claimed(env, holder);
    struct delivery_row row = ended(TV, STATE(PUBLISHED), true);
    struct delivery_change change = {.event_id = event_id, .row = &row};
    struct change_result result = finish(env, holder, &change, NULL);
    assert_true(result.changed);
    assert_false(result.completed);
    assert_int_equal(result.unsettled, 5);
    assert_int_equal(result.version, 2);
    struct delivery_row got = load_delivery(env, event_id, TV);
    assert_int_equal(got.state, STATE(PUBLISHED));
    assert_true(got.settled);
    assert_string_equal(got.remote_id, "remote-1");
    assert_string_equal(got.post_url, "https://example.com/1");
    assert_string_equal(got.message, "말");
    assert_int_equal(got.started_at_us, row.started_at_us);
    assert_int_equal(got.finished_at_us, row.finished_at_us);
    assert_in_range(report_due_ms(event_id), 1, REPORT_MS);
    result = finish(env, holder, &change, NULL); /* the same again, as after a lost reply */
    assert_false(result.changed);
    assert_int_equal(load_distribution(env, event_id).version, 2);
    assert_int_equal(attempts_told(), 1);
    assert_counters_right();
}

DB_TEST(test_finish_of_another_attempt_changes_nothing) {
    const char *holder = new_id(), *event_id = make_claimed(env, holder);
    for (uint32_t attempts = 0; attempts <= 2; attempts += 2) {
        struct delivery_row row = ended(TV, STATE(PUBLISHED), true);
        row.attempts = attempts;
        struct delivery_change change = {.event_id = event_id, .row = &row};
        assert_false(finish(env, holder, &change, NULL).changed);
    }
    assert_int_equal(load_delivery(env, event_id, TV).state, STATE(COMMITTING));
    assert_int_equal(load_distribution(env, event_id).version, 1);
    assert_int_equal(attempts_told(), 0);
}

DB_TEST(test_finish_that_stays_needs_the_holder) {
    const char *holder = new_id(), *event_id = make_claimed(env, holder);
    struct delivery_row row = ended(INSTAGRAM, STATE(COMMITTING), false);
    row.finished_at_us = 0;
    struct delivery_change change = {.event_id = event_id, .row = &row, .stays = true};
    assert_false(finish(env, new_id(), &change, NULL).changed);
    assert_true(finish(env, holder, &change, NULL).changed);
    assert_string_equal(load_delivery(env, event_id, INSTAGRAM).step_id, "step-1");
    assert_int_equal(report_due_ms(event_id), -1); /* nobody is told of a step */
    assert_int_equal(attempts_told(), 0);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE holder = '%s'", holder), 6);
    assert_counters_right();
}

DB_TEST(test_finish_for_later_is_due_then_and_not_after_its_end) {
    const char *holder = new_id(), *event_id = make_claimed(env, holder);
    struct delivery_row soon = ended(TV, STATE(READY), false), late = ended(KAKAO, STATE(DEFERRED), false);
    const struct delivery_change changes[] = {
        {.event_id = event_id, .row = &soon, .next_in_ms = 5000},
        {.event_id = event_id, .row = &late, .next_in_ms = UINT64_C(10) * KEEP_TRYING_MS}};
    struct change_result results[2];
    assert_ok(env, delivery_store_finish(env->db, holder, changes, 2, NULL, 0, REPORT_MS, results, &env->error));
    assert_true(results[0].changed && results[1].changed);
    assert_int_equal(results[0].unsettled, 6);
    assert_int_equal(results[1].version, 2); /* both are one change of the distribution */
    assert_int_equal(sql_number("SELECT round(extract(epoch FROM next_at - updated_at) * 1000) FROM deliveries WHERE "
                                "event_id = '%s' AND channel = 'WOORIDONGNE_TV'",
                                event_id),
                     5000);
    struct delivery_row got = load_delivery(env, event_id, KAKAO);
    assert_int_equal(got.next_at_us, got.expires_at_us);
    assert_counters_right();
}

DB_TEST(test_finish_of_several_events_answers_each) {
    const char *holder = new_id(), *first = make_claimed(env, holder), *second = make_claimed(env, holder);
    struct delivery_row tv = ended(TV, STATE(PUBLISHED), true), kakao = ended(KAKAO, STATE(REJECTED), true),
                        stale = ended(NAVER, STATE(PUBLISHED), true), ready = ended(BIZ, STATE(READY), false);
    stale.attempts = 7;
    const struct delivery_change changes[] = {{.event_id = first, .row = &tv},
                                              {.event_id = second, .row = &kakao},
                                              {.event_id = second, .row = &stale},
                                              {.event_id = first, .row = &ready, .next_in_ms = 1},
                                              {.event_id = first, .row = &kakao}};
    struct change_result results[5];
    assert_ok(env, delivery_store_finish(env->db, holder, changes, 5, NULL, 0, REPORT_MS, results, &env->error));
    assert_int_equal(results[0].unsettled, 4);
    assert_int_equal(results[1].unsettled, 5);
    assert_false(results[2].changed);
    assert_true(results[3].changed && results[4].changed);
    assert_int_equal(load_delivery(env, second, KAKAO).state, STATE(REJECTED));
    assert_int_equal(attempts_told(), 4);
    assert_counters_right();
}

/* Settles all six deliveries; the last with a record or without. */
TASK_FN static struct change_result settle_all(struct db_env *env, const char *holder, const char *event_id,
                                               const struct completed_record *record) {
    struct delivery_row rows[6];
    struct delivery_change changes[6];
    struct change_result results[6];
    for (int i = 0; i < 6; i++) {
        rows[i] = ended(TV + i, STATE(PUBLISHED), true);
        changes[i] = (struct delivery_change){.event_id = event_id, .row = &rows[i]};
    }
    assert_ok(env, delivery_store_finish(env->db, holder, changes, 6, record, record ? 1 : 0, REPORT_MS, results,
                                         &env->error));
    return results[0];
}

DB_TEST(test_finish_of_all_with_the_record_completes_once) {
    const char *holder = new_id(), *event_id = make_claimed(env, holder);
    struct completed_record record = completed_record_for(event_id);
    struct change_result result = settle_all(env, holder, event_id, &record);
    assert_true(result.completed);
    assert_int_equal(result.unsettled, 0);
    struct distribution_row row = load_distribution(env, event_id);
    assert_true(row.completed_at_us > 0);
    assert_int_equal(report_due_ms(event_id), -1);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE id = '%s' AND key = '%s' AND owner = 'distribution' "
                                "AND kind = 'KAFKA' AND topic = 'event-topic' AND value = '\\x7b00ff7d'",
                                row.id, event_id),
                     1);
    result = settle_all(env, holder, event_id, &record);
    assert_false(result.changed || result.completed);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox"), 1);
}

DB_TEST(test_finish_of_some_with_the_record_does_not_complete) {
    const char *holder = new_id(), *event_id = make_claimed(env, holder);
    struct completed_record record = completed_record_for(event_id);
    struct delivery_row row = ended(TV, STATE(PUBLISHED), true);
    struct delivery_change change = {.event_id = event_id, .row = &row};
    assert_false(finish(env, holder, &change, &record).completed);
    assert_int_equal(load_distribution(env, event_id).completed_at_us, 0);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox"), 0);
}

DB_TEST(test_finish_of_all_without_the_record_makes_a_report_due_now) {
    const char *holder = new_id(), *event_id = make_claimed(env, holder);
    assert_false(settle_all(env, holder, event_id, NULL).completed);
    assert_int_equal(load_distribution(env, event_id).completed_at_us, 0);
    assert_true(report_due_ms(event_id) <= 0);
    assert_int_equal(sql_number("SELECT count(*) FROM distributions WHERE report_at <= now()"), 1);
}

DB_TEST(test_finish_late_answer_settles_an_unknown_outcome) {
    const char *holder = new_id(), *event_id = make_claimed(env, holder);
    struct delivery_row unknown = ended(TV, STATE(OUTCOME_UNKNOWN), true), late = ended(TV, STATE(PUBLISHED), true);
    struct delivery_row open = ended(TV, STATE(READY), false);
    struct delivery_change change = {.event_id = event_id, .row = &unknown};
    assert_true(finish(env, holder, &change, NULL).changed);
    assert_false(finish(env, holder, &change, NULL).changed); /* it says nothing new */
    change.row = &open;
    assert_false(finish(env, holder, &change, NULL).changed); /* nor may it be sent again */
    change.row = &late;
    late.remote_id = "remote-2";
    struct change_result result = finish(env, new_id(), &change, NULL);
    assert_true(result.changed);
    assert_int_equal(result.unsettled, 5); /* it was counted before */
    struct delivery_row got = load_delivery(env, event_id, TV);
    assert_int_equal(got.state, STATE(PUBLISHED));
    assert_string_equal(got.remote_id, "remote-2");
    assert_int_equal(sql_number("SELECT count(*) FROM delivery_attempts WHERE state = 'PUBLISHED'"), 1);
    assert_int_equal(attempts_told(), 1);
    assert_counters_right();
}

DB_TEST(test_finish_late_answer_after_completion_is_reported) {
    const char *holder = new_id();
    const struct delivery_plan plan = plan_claimed(TV);
    const char *event_id = make_distribution(env, &plan, 1, holder);
    struct completed_record record = completed_record_for(event_id);
    struct delivery_row unknown = ended(TV, STATE(OUTCOME_UNKNOWN), true), late = ended(TV, STATE(PUBLISHED), true);
    struct delivery_change change = {.event_id = event_id, .row = &unknown};
    assert_true(finish(env, holder, &change, &record).completed);
    change.row = &late;
    struct change_result result = finish(env, holder, &change, &record);
    assert_true(result.changed);
    assert_false(result.completed); /* that is told once */
    assert_in_range(report_due_ms(event_id), 1, REPORT_MS);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox"), 1);
}

/* ---- many at once ---- */

#define WRITERS 8
#define EVENTS  24
#define ITEMS   (EVENTS * 6)

struct storm {
    struct db_env *env;
    const char *holder;
    const char *events[EVENTS];
    unsigned tries[ITEMS], changed[ITEMS], completed[EVENTS];
    unsigned deadlocks, failed;
};

/* A batch of distinct items, each not yet tried thrice. Returns how many. */
static unsigned draw_batch(struct storm *storm, unsigned *ret_items) {
    unsigned wanted = 1 + (unsigned)(herald_random() % 12), count = 0;
    unsigned start = (unsigned)(herald_random() % ITEMS), step = 1 + 2 * (unsigned)(herald_random() % 20) * 6;
    for (unsigned i = 0; i < ITEMS && count < wanted; i++) {
        unsigned item = (start + i * step) % ITEMS, seen = 0;
        for (unsigned j = 0; j < count; j++) {
            seen += ret_items[j] == item;
        }
        if (seen == 0 && storm->tries[item] < 3) {
            storm->tries[item]++;
            ret_items[count++] = item;
        }
    }
    return count;
}

TASK_FN static void write_batch(struct storm *storm, const unsigned *items, unsigned count) {
    struct delivery_row rows[12];
    struct delivery_change changes[12];
    struct completed_record records[12];
    struct change_result results[12];
    unsigned record_count = 0;
    for (unsigned i = 0; i < count; i++) {
        const char *event_id = storm->events[items[i] / 6];
        rows[i] = ended(TV + (int)(items[i] % 6), herald_random() % 3 == 0 ? STATE(REJECTED) : STATE(PUBLISHED), true);
        changes[i] = (struct delivery_change){.event_id = event_id, .row = &rows[i]};
        bool has_record = false;
        for (unsigned j = 0; j < record_count; j++) {
            has_record |= records[j].event_id == event_id;
        }
        if (!has_record) {
            records[record_count++] = completed_record_for(event_id);
        }
    }
    struct herald_error error = {0};
    enum herald_code code;
    while ((code = delivery_store_finish(storm->env->db, storm->holder, changes, count, records, record_count,
                                         REPORT_MS, results, &error)) == HERALD_UNAVAILABLE) {
        storm->deadlocks++;
    }
    storm->failed += code != HERALD_OK;
    for (unsigned i = 0; i < count; i++) {
        storm->changed[items[i]] += results[i].changed;
        bool first_of_event = true; /* all changes of an event say that it is complete */
        for (unsigned j = 0; j < i; j++) {
            first_of_event &= items[j] / 6 != items[i] / 6 || !results[j].completed;
        }
        storm->completed[items[i] / 6] += results[i].completed && first_of_event;
    }
}

TASK_FN static void write_in_storm(void *arg) {
    struct storm *storm = arg;
    unsigned items[12], count;
    while ((count = draw_batch(storm, items)) > 0) {
        write_batch(storm, items, count);
    }
}

/* Items that are left over by the steps of draw_batch(). */
TASK_FN static void write_rest(struct storm *storm) {
    for (unsigned item = 0; item < ITEMS; item++) {
        if (storm->tries[item] == 0) {
            write_batch(storm, &item, 1);
        }
    }
}

static void storm_body(struct db_env *env) {
    static struct storm storm;
    storm = (struct storm){.env = env, .holder = new_id()};
    WAIT_UNTIL(env->db->ready_count == WRITERS);
    for (int i = 0; i < EVENTS; i++) {
        storm.events[i] = make_claimed(env, storm.holder);
    }
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < WRITERS; i++) {
        assert_ok(env, task_group_spawn(&group, "writer", write_in_storm, &storm, &env->error));
    }
    task_group_join(&group);
    write_rest(&storm);
    print_message("deadlocks: %u\n", storm.deadlocks);
    assert_int_equal(storm.failed, 0);
    for (int i = 0; i < ITEMS; i++) {
        assert_int_equal(storm.changed[i], 1);
    }
    for (int i = 0; i < EVENTS; i++) {
        assert_int_equal(storm.completed[i], 1);
    }
    assert_counters_right();
    assert_int_equal(sql_number("SELECT count(*) FROM distributions WHERE unsettled = 0 AND completed_at IS NOT NULL"),
                     EVENTS);
    assert_int_equal(sql_number("SELECT count(DISTINCT key) FROM outbox"), EVENTS);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox"), EVENTS);
    assert_int_equal(attempts_told(), ITEMS);
}

static void test_finish_by_many_at_once_counts_right_and_completes_each_once(void **state) {
    (void)state;
    db_env_run(schema_dsn(), WRITERS, storm_body);
}

/* ---- ends ---- */

DB_TEST(test_expire_ends_what_waits_and_counts_it) {
    const struct delivery_plan plans[] = {plan_later(TV, 0), plan_later(BIZ, 0), plan_later(KAKAO, 0),
                                          plan_claimed(NAVER)};
    const char *event_id = make_distribution(env, plans, 4, new_id());
    sql_run("UPDATE deliveries SET expires_at = now() - interval '1 s' WHERE channel <> 'KAKAO_CHANNEL'");
    sql_run("UPDATE deliveries SET state = 'OUTCOME_UNKNOWN' WHERE channel = 'RINGO_BIZ'");
    assert_ok(env, delivery_store_expire(env->db, 100, REPORT_MS, &env->error));
    struct delivery_row row = load_delivery(env, event_id, TV);
    assert_int_equal(row.state, STATE(EXPIRED));
    assert_true(row.settled);
    assert_string_equal(row.reason, "CHANNEL_BUSY");         /* why it waited */
    assert_false(load_delivery(env, event_id, BIZ).settled); /* it is asked about */
    assert_false(load_delivery(env, event_id, KAKAO).settled);
    assert_false(load_delivery(env, event_id, NAVER).settled); /* a process has it */
    struct distribution_row distribution = load_distribution(env, event_id);
    assert_int_equal(distribution.unsettled, 3);
    assert_int_equal(distribution.version, 2);
    assert_in_range(report_due_ms(event_id), 1, REPORT_MS);
    assert_counters_right();
}

DB_TEST(test_expire_ends_no_more_than_asked_for) {
    const struct delivery_plan plans[] = {plan_later(TV, 0), plan_later(BIZ, 0), plan_later(KAKAO, 0)};
    make_distribution(env, plans, 3, new_id());
    sql_run("UPDATE deliveries SET expires_at = now() - interval '1 s'");
    assert_ok(env, delivery_store_expire(env->db, 2, REPORT_MS, &env->error));
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE settled"), 2);
    assert_counters_right();
}

/* Of a change that settles a delivery, or goes on, no index must know, or each change writes all of them. */
DB_TEST(test_finish_writes_no_column_of_an_index) {
    (void)env;
    assert_int_equal(
        sql_number("SELECT count(*) FROM pg_index JOIN pg_depend ON objid = indexrelid AND refobjid = indrelid "
                   "JOIN pg_attribute ON attrelid = indrelid AND attnum = refobjsubid "
                   "WHERE indrelid = 'deliveries'::regclass AND attname IN ('state', 'settled', 'remote_id', "
                   "'step_id', 'post_url', 'reason', 'message', 'attempts', 'failures', 'holder', 'started_at', "
                   "'finished_at', 'updated_at')"),
        0);
}

#define DELIVERY_TEST(test) cmocka_unit_test_setup(test, clear_deliveries)

int main(void) {
    const struct CMUnitTest tests[] = {
        DELIVERY_TEST(test_open_stores_what_was_planned),
        DELIVERY_TEST(test_open_keeps_what_was_prepared_before),
        DELIVERY_TEST(test_open_puts_nothing_off_beyond_its_end),
        DELIVERY_TEST(test_open_sends_nothing_before_its_scheduled_time),
        DELIVERY_TEST(test_open_again_changes_nothing),
        DELIVERY_TEST(test_open_takes_the_signature_of_its_call),
        DELIVERY_TEST(test_open_makes_nothing_with_a_signature_that_may_be_forgotten),
        DELIVERY_TEST(test_open_by_many_at_once_makes_one),
        DELIVERY_TEST(test_load_without_distribution_is_not_found),
        DELIVERY_TEST(test_take_claims_what_is_due_the_oldest_first),
        DELIVERY_TEST(test_take_gives_each_channel_its_own_number),
        DELIVERY_TEST(test_take_passes_over_what_another_is_taking),
        DELIVERY_TEST(test_take_reconciles_what_may_have_been_posted),
        DELIVERY_TEST(test_take_begins_no_attempt_of_what_is_expired),
        DELIVERY_TEST(test_take_after_a_failure_counts_attempts),
        DELIVERY_TEST(test_take_of_a_probe_finds_what_waits_for_the_end_of_a_pause),
        DELIVERY_TEST(test_unclaim_frees_what_was_never_sent),
        DELIVERY_TEST(test_finish_settles_and_writes_the_attempt_once),
        DELIVERY_TEST(test_finish_of_another_attempt_changes_nothing),
        DELIVERY_TEST(test_finish_that_stays_needs_the_holder),
        DELIVERY_TEST(test_finish_for_later_is_due_then_and_not_after_its_end),
        DELIVERY_TEST(test_finish_of_several_events_answers_each),
        DELIVERY_TEST(test_finish_of_all_with_the_record_completes_once),
        DELIVERY_TEST(test_finish_of_some_with_the_record_does_not_complete),
        DELIVERY_TEST(test_finish_of_all_without_the_record_makes_a_report_due_now),
        DELIVERY_TEST(test_finish_late_answer_settles_an_unknown_outcome),
        DELIVERY_TEST(test_finish_late_answer_after_completion_is_reported),
        DELIVERY_TEST(test_finish_by_many_at_once_counts_right_and_completes_each_once),
        DELIVERY_TEST(test_finish_writes_no_column_of_an_index),
        DELIVERY_TEST(test_expire_ends_what_waits_and_counts_it),
        DELIVERY_TEST(test_expire_ends_no_more_than_asked_for),
    };
    return cmocka_run_group_tests_name("integration.db.deliveries", tests, schema_setup, schema_teardown);
}
