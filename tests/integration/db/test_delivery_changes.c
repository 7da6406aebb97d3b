/* What people do to deliveries, what is told of them, and who waits: reports, versions, lists, instants. */
#include "server/store/postgres/pool.h"
#include "tests/integration/db/delivery_rows.h"

#define TWO_DAYS_MS (2 * UINT64_C(86400000))

/* A distribution of three: one rejected, one waiting, one held. */
TASK_FN static const char *make_mixed(struct db_env *env) {
    const struct delivery_plan plans[] = {plan_claimed(TV), plan_later(BIZ, 60000), plan_claimed(KAKAO)};
    const char *event_id = make_distribution(env, plans, 3, new_id());
    settle(env, event_id, TV, STATE(REJECTED));
    return event_id;
}

static bool is_due(const char *event_id, const char *channel) {
    return sql_number("SELECT count(*) FROM deliveries WHERE event_id = '%s' AND channel = '%s' AND next_at <= now()",
                      event_id, channel) == 1;
}

/* ---- retry ---- */

DB_TEST(test_retry_reopens_what_is_over_and_hurries_what_waits) {
    const char *event_id = make_mixed(env);
    uint32_t changed = 0;
    assert_ok(env, delivery_store_retry(env->db, event_id, 0, TWO_DAYS_MS, REPORT_MS, &changed, &env->error));
    assert_int_equal(changed, 2);
    struct delivery_row tv = load_delivery(env, event_id, TV), biz = load_delivery(env, event_id, BIZ);
    assert_int_equal(tv.state, STATE(READY));
    assert_false(tv.settled);
    assert_string_equal(tv.step_id, ""); /* what was prepared is too old */
    assert_int_equal(biz.state, STATE(DEFERRED));
    assert_true(is_due(event_id, "WOORIDONGNE_TV") && is_due(event_id, "RINGO_BIZ"));
    assert_true(tv.expires_at_us > clock_wall_us() + (int64_t)(TWO_DAYS_MS - 3600000) * 1000);
    assert_int_equal(load_delivery(env, event_id, KAKAO).state, STATE(COMMITTING));
    struct distribution_row row = load_distribution(env, event_id);
    assert_int_equal(row.unsettled, 3);
    assert_int_equal(row.version, 3);
    assert_in_range(report_due_ms(event_id), 1, REPORT_MS);
    assert_counters_right();
}

DB_TEST(test_retry_leaves_what_waits_for_its_time) {
    struct delivery_plan plans[] = {plan_later(TV, 60000), plan_later(KAKAO, 60000)};
    plans[0].reason = "SCHEDULED";
    plans[1].reason = "QUIET_HOURS";
    const char *event_id = make_distribution(env, plans, 2, new_id());
    uint32_t changed = 9;
    assert_ok(env, delivery_store_retry(env->db, event_id, 0, TWO_DAYS_MS, REPORT_MS, &changed, &env->error));
    assert_int_equal(changed, 0);
    assert_false(is_due(event_id, "WOORIDONGNE_TV") || is_due(event_id, "KAKAO_CHANNEL"));
}

DB_TEST(test_retry_of_one_leaves_the_others) {
    const char *event_id = make_mixed(env);
    uint32_t changed = 0;
    assert_ok(env, delivery_store_retry(env->db, event_id, TV, TWO_DAYS_MS, REPORT_MS, &changed, &env->error));
    assert_int_equal(changed, 1);
    assert_false(is_due(event_id, "RINGO_BIZ"));
    assert_int_equal(load_distribution(env, event_id).unsettled, 3);
    assert_counters_right();
}

DB_TEST(test_retry_of_what_is_published_or_unknown_or_held_changes_nothing) {
    const struct delivery_plan plans[] = {plan_claimed(TV), plan_claimed(BIZ), plan_claimed(KAKAO)};
    const char *event_id = make_distribution(env, plans, 3, new_id());
    settle(env, event_id, TV, STATE(PUBLISHED));
    settle(env, event_id, BIZ, STATE(OUTCOME_UNKNOWN));
    uint32_t changed = 9;
    assert_ok(env, delivery_store_retry(env->db, event_id, 0, TWO_DAYS_MS, REPORT_MS, &changed, &env->error));
    assert_int_equal(changed, 0);
    assert_int_equal(load_distribution(env, event_id).version, 3);
    assert_ok(env, delivery_store_retry(env->db, new_id(), 0, TWO_DAYS_MS, REPORT_MS, &changed, &env->error));
    assert_int_equal(changed, 0);
    assert_counters_right();
}

DB_TEST(test_retry_after_completion_does_not_complete_again) {
    const struct delivery_plan plan = plan_claimed(TV);
    const char *event_id = make_distribution(env, &plan, 1, new_id());
    struct completed_record record = completed_record_for(event_id);
    struct delivery_row row = ended(TV, STATE(REJECTED), true);
    struct delivery_change change = {.event_id = event_id, .row = &row};
    assert_true(finish(env, new_id(), &change, &record).completed);
    uint32_t taken_count = 0;
    assert_ok(env, delivery_store_retry(env->db, event_id, TV, TWO_DAYS_MS, REPORT_MS, &taken_count, &env->error));
    struct taken_delivery *taken = NULL;
    assert_int_equal(take(env, new_id(), TV, 9, false, &taken), 1);
    assert_int_equal(taken[0].delivery.attempts, 2);
    row = ended(TV, STATE(PUBLISHED), true);
    row.attempts = 2;
    struct change_result result = finish(env, new_id(), &change, &record);
    assert_true(result.changed);
    assert_false(result.completed);
    assert_int_equal(result.unsettled, 0);
    assert_in_range(report_due_ms(event_id), 1, REPORT_MS); /* DistributionProgressed says it */
    assert_int_equal(sql_number("SELECT count(*) FROM outbox"), 1);
    assert_int_equal(attempts_told(), 2);
}

struct retrier {
    struct db_env *env;
    const char *event_id;
    unsigned failed;
};

TASK_FN static void retry_beside(void *arg) {
    struct retrier *retrier = arg;
    uint32_t changed = 0;
    retrier->failed += delivery_store_retry(retrier->env->db, retrier->event_id, 0, TWO_DAYS_MS, REPORT_MS, &changed,
                                            NULL) != HERALD_OK;
}

static long waiting_for_locks(const char *application) {
    return sql_number(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s' AND wait_event_type = 'Lock'",
        application);
}

static void retries_body(struct db_env *env) {
    struct retrier retrier = {.env = env, .event_id = make_mixed(env)};
    char sql[160];
    (void)snprintf(sql, sizeof(sql), "BEGIN; SELECT FROM deliveries WHERE event_id = '%s' FOR UPDATE",
                   retrier.event_id);
    WAIT_UNTIL(env->db->ready_count == 3);
    PGconn *pg = admin_open();
    admin_run(pg, sql);
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < 3; i++) {
        assert_ok(env, task_group_spawn(&group, "retrier", retry_beside, &retrier, &env->error));
    }
    WAIT_UNTIL(waiting_for_locks("herald-test-retries") == 3);
    admin_run(pg, "ROLLBACK");
    PQfinish(pg);
    task_group_join(&group);
    assert_int_equal(retrier.failed, 0);
    assert_int_equal(load_distribution(env, retrier.event_id).unsettled, 3);
    assert_counters_right();
}

static void test_retry_by_several_at_once_counts_once(void **state) {
    (void)state;
    db_env_run(schema_dsn_named("herald-test-retries"), 3, retries_body);
}

/* ---- cancel ---- */

DB_TEST(test_cancel_settles_what_is_not_sent) {
    const char *event_id = make_mixed(env);
    uint32_t changed = 0;
    assert_ok(env, delivery_store_cancel(env->db, event_id, 0, REPORT_MS, &changed, &env->error));
    assert_int_equal(changed, 1); /* what is rejected is over, what is held may be posted already */
    struct delivery_row row = load_delivery(env, event_id, BIZ);
    assert_int_equal(row.state, STATE(CANCELLED));
    assert_true(row.settled);
    assert_string_equal(row.reason, "CANCELLED");
    assert_int_equal(load_distribution(env, event_id).unsettled, 1);
    assert_in_range(report_due_ms(event_id), 1, REPORT_MS);
    assert_ok(env, delivery_store_cancel(env->db, event_id, 0, REPORT_MS, &changed, &env->error));
    assert_int_equal(changed, 0);
    assert_int_equal(load_distribution(env, event_id).version, 3);
    assert_counters_right();
}

DB_TEST(test_cancel_leaves_what_may_have_been_posted) {
    static const char *const states[] = {"COMMITTING", "OUTCOME_UNKNOWN", "RECONCILING"};
    const struct delivery_plan plan = plan_later(TV, 60000);
    for (int i = 0; i < 3; i++) {
        const char *event_id = make_distribution(env, &plan, 1, new_id());
        sql_run("UPDATE deliveries SET state = '%s' WHERE event_id = '%s'", states[i], event_id);
        uint32_t changed = 9;
        assert_ok(env, delivery_store_cancel(env->db, event_id, TV, REPORT_MS, &changed, &env->error));
        assert_int_equal(changed, 0);
    }
    assert_counters_right();
}

/* ---- schedule ---- */

DB_TEST(test_schedule_moves_what_is_not_sent) {
    const char *event_id = make_mixed(env);
    int64_t at_us = clock_wall_us() / 1000000 * 1000000 + INT64_C(3600000000);
    uint32_t changed = 0;
    assert_ok(env, delivery_store_schedule(env->db, event_id, at_us, "Asia/Seoul", TWO_DAYS_MS, &changed, &env->error));
    assert_int_equal(changed, 1);
    struct delivery_row row = load_delivery(env, event_id, BIZ);
    assert_int_equal(row.state, STATE(DEFERRED));
    assert_int_equal(row.next_at_us, at_us);
    assert_int_equal(row.expires_at_us, at_us + (int64_t)TWO_DAYS_MS * 1000);
    assert_string_equal(row.reason, "SCHEDULED");
    struct distribution_row distribution = load_distribution(env, event_id);
    assert_int_equal(distribution.scheduled_at_us, at_us);
    assert_string_equal(distribution.time_zone, "Asia/Seoul");
    assert_int_equal(distribution.unsettled, 2);
    assert_int_equal(distribution.version, 3);
    assert_int_equal(load_delivery(env, event_id, KAKAO).state, STATE(COMMITTING));
    assert_counters_right();
}

DB_TEST(test_schedule_of_what_is_on_its_way_changes_nothing) {
    const char *event_id = make_claimed(env, new_id());
    uint32_t changed = 9;
    assert_ok(env, delivery_store_schedule(env->db, event_id, clock_wall_us() + 1000000, "UTC", TWO_DAYS_MS, &changed,
                                           &env->error));
    assert_int_equal(changed, 0);
    assert_int_equal(load_distribution(env, event_id).version, 1);
    assert_int_equal(load_distribution(env, event_id).scheduled_at_us, 0);
}

/* ---- resolve ---- */

static const int UNKNOWN[] = {STATE(OUTCOME_UNKNOWN)};

DB_TEST(test_resolve_keeps_it_settled_or_sends_it_again) {
    const char *event_id = make_claimed(env, new_id());
    settle(env, event_id, TV, STATE(OUTCOME_UNKNOWN));
    settle(env, event_id, KAKAO, STATE(OUTCOME_UNKNOWN));
    struct delivery_row published = {.channel = TV,
                                     .state = STATE(PUBLISHED),
                                     .settled = true,
                                     .remote_id = "",
                                     .post_url = "https://example.com/2",
                                     .reason = "",
                                     .message = ""};
    struct delivery_row again = {
        .channel = KAKAO, .state = STATE(READY), .remote_id = "", .post_url = "", .reason = "", .message = ""};
    uint32_t changed = 0;
    assert_ok(env, delivery_store_resolve(env->db, event_id, UNKNOWN, 1, &published, TWO_DAYS_MS, REPORT_MS, &changed,
                                          &env->error));
    assert_int_equal(changed, 1);
    struct delivery_row got = load_delivery(env, event_id, TV);
    assert_int_equal(got.state, STATE(PUBLISHED));
    assert_string_equal(got.remote_id, "remote-1"); /* empty: as it is */
    assert_string_equal(got.post_url, "https://example.com/2");
    assert_int_equal(load_distribution(env, event_id).unsettled, 4);
    assert_ok(env, delivery_store_resolve(env->db, event_id, UNKNOWN, 1, &again, TWO_DAYS_MS, REPORT_MS, &changed,
                                          &env->error));
    assert_int_equal(changed, 1);
    assert_true(is_due(event_id, "KAKAO_CHANNEL"));
    assert_int_equal(load_distribution(env, event_id).unsettled, 5);
    assert_int_equal(load_distribution(env, event_id).version, 5);
    assert_in_range(report_due_ms(event_id), 1, REPORT_MS);
    assert_ok(env, delivery_store_resolve(env->db, event_id, UNKNOWN, 1, &again, TWO_DAYS_MS, REPORT_MS, &changed,
                                          &env->error));
    assert_int_equal(changed, 0); /* it is no longer unknown */
    assert_counters_right();
}

/* Checks that all attempts of TV and KAKAO are told, each as it ended. */
static void check_attempts(struct db_env *env, const char *event_id, int tv_state) {
    struct attempt_row *rows = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_attempts(env->db, event_id, 9, &rows, &count, &env->error));
    assert_int_equal(count, 3);
    unsigned told = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_tv = rows[i].channel == TV;
        int state = is_tv ? tv_state : rows[i].attempt == 1 ? STATE(REJECTED) : STATE(PUBLISHED);
        told |= 1u << (is_tv ? 0 : rows[i].attempt);
        assert_int_equal(rows[i].state, state);
        assert_string_equal(rows[i].message, "말");
        assert_true(rows[i].started_at_us > 0 && rows[i].finished_at_us >= rows[i].started_at_us);
    }
    assert_int_equal(told, 7);
}

/* One that was accepted stands in the delivery's row alone, until a person changes that. */
DB_TEST(test_resolve_keeps_the_attempt_that_the_delivery_has_told) {
    static const int awaiting[] = {STATE(AWAITING_OPERATOR)};
    const char *holder = new_id(), *event_id = make_claimed(env, holder);
    settle(env, event_id, KAKAO, STATE(REJECTED));
    uint32_t changed = 0;
    assert_ok(env, delivery_store_retry(env->db, event_id, KAKAO, TWO_DAYS_MS, REPORT_MS, &changed, &env->error));
    struct taken_delivery *taken = NULL;
    assert_int_equal(take(env, holder, KAKAO, 9, false, &taken), 1);
    struct delivery_row kakao = ended(KAKAO, STATE(PUBLISHED), true), tv = ended(TV, STATE(AWAITING_OPERATOR), true);
    kakao.attempts = 2;
    assert_true(finish(env, holder, &(struct delivery_change){.event_id = event_id, .row = &kakao}, NULL).changed);
    assert_true(finish(env, holder, &(struct delivery_change){.event_id = event_id, .row = &tv}, NULL).changed);
    assert_int_equal(sql_number("SELECT count(*) FROM delivery_attempts"), 1); /* the refused one */
    check_attempts(env, event_id, STATE(AWAITING_OPERATOR));
    struct delivery_row confirmed = {.channel = TV,
                                     .state = STATE(PUBLISHED),
                                     .settled = true,
                                     .remote_id = "",
                                     .post_url = "",
                                     .reason = "",
                                     .message = "a person"};
    assert_ok(env, delivery_store_resolve(env->db, event_id, awaiting, 1, &confirmed, TWO_DAYS_MS, REPORT_MS, &changed,
                                          &env->error));
    assert_int_equal(changed, 1);
    check_attempts(env, event_id, STATE(AWAITING_OPERATOR));
}

DB_TEST(test_resolve_waits_for_a_look_up_that_goes_on) {
    const struct delivery_plan plan = plan_later(KAKAO, 60000);
    const char *event_id = make_distribution(env, &plan, 1, new_id());
    sql_run("UPDATE deliveries SET state = 'OUTCOME_UNKNOWN'");
    struct delivery_row row = {.channel = KAKAO,
                               .state = STATE(PUBLISHED),
                               .settled = true,
                               .remote_id = "",
                               .post_url = "",
                               .reason = "",
                               .message = ""};
    uint32_t changed = 9;
    assert_ok(env, delivery_store_resolve(env->db, event_id, UNKNOWN, 1, &row, TWO_DAYS_MS, REPORT_MS, &changed,
                                          &env->error));
    assert_int_equal(changed, 0);
    assert_counters_right();
}

/* ---- reports and versions ---- */

DB_TEST(test_reports_are_taken_once_within_their_lease) {
    const char *event_id = make_claimed(env, new_id());
    make_claimed(env, new_id());
    sql_run("UPDATE distributions SET report_at = now() WHERE event_id = '%s'", event_id);
    const char **events = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_take_reports(env->db, 16, 30000, &events, &count, &env->error));
    assert_int_equal(count, 1);
    assert_string_equal(events[0], event_id);
    assert_in_range(report_due_ms(event_id), 1, 30000);
    assert_ok(env, delivery_store_take_reports(env->db, 16, 30000, &events, &count, &env->error));
    assert_int_equal(count, 0);
}

DB_TEST(test_report_of_a_changed_distribution_stays_due) {
    const char *event_id = make_claimed(env, new_id());
    settle(env, event_id, TV, STATE(PUBLISHED));
    struct outbox_row row = outbox_row_for("distribution", event_id);
    bool stored = true;
    assert_ok(env, delivery_store_end_report(env->db, event_id, 1, false, &row, &stored, &env->error));
    assert_false(stored);
    assert_in_range(report_due_ms(event_id), 1, REPORT_MS);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox"), 0);
    assert_ok(env, delivery_store_end_report(env->db, event_id, 2, false, &row, &stored, &env->error));
    assert_true(stored);
    assert_int_equal(report_due_ms(event_id), -1);
    assert_int_equal(load_distribution(env, event_id).completed_at_us, 0);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE id = '%s'", row.id), 1);
}

DB_TEST(test_report_completes_once_and_only_when_all_is_settled) {
    const struct delivery_plan plan = plan_claimed(TV);
    const char *event_id = make_distribution(env, &plan, 1, new_id());
    struct outbox_row row = outbox_row_for("distribution", event_id), second = outbox_row_for("distribution", event_id);
    bool stored = true;
    assert_ok(env, delivery_store_end_report(env->db, event_id, 1, true, &row, &stored, &env->error));
    assert_false(stored);
    settle(env, event_id, TV, STATE(PUBLISHED));
    assert_ok(env, delivery_store_end_report(env->db, event_id, 2, true, &row, &stored, &env->error));
    assert_true(stored);
    assert_true(load_distribution(env, event_id).completed_at_us > 0);
    assert_ok(env, delivery_store_end_report(env->db, event_id, 2, true, &second, &stored, &env->error));
    assert_false(stored);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox"), 1);
}

DB_TEST(test_versions_of_those_that_are_there) {
    const char *first = make_claimed(env, new_id()), *second = make_claimed(env, new_id());
    settle(env, second, TV, STATE(PUBLISHED));
    const char *events[] = {first, new_id(), second};
    struct distribution_version *versions = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_versions(env->db, events, 3, &versions, &count, &env->error));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        bool is_second = strcmp(versions[i].event_id, second) == 0;
        assert_true(is_second || strcmp(versions[i].event_id, first) == 0);
        assert_int_equal(versions[i].version, is_second ? 2 : 1);
        assert_int_equal(versions[i].unsettled, is_second ? 5 : 6);
    }
    assert_ok(env, delivery_store_versions(env->db, events, 0, &versions, &count, &env->error));
    assert_int_equal(count, 0);
}

/* ---- lists ---- */

DB_TEST(test_attempts_are_listed_the_newest_first) {
    const char *event_id = make_claimed(env, new_id());
    for (uint32_t i = 1; i <= 3; i++) {
        struct delivery_row row = ended(TV, STATE(READY), false);
        row.attempts = i;
        row.reason = "CHANNEL_TIMEOUT";
        row.started_at_us = INT64_C(1700000000000000) + i;
        struct delivery_change change = {.event_id = event_id, .row = &row};
        assert_true(finish(env, new_id(), &change, NULL).changed);
        struct taken_delivery *taken = NULL;
        assert_int_equal(take(env, new_id(), TV, 1, false, &taken), 1);
    }
    struct attempt_row *rows = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_attempts(env->db, event_id, 2, &rows, &count, &env->error));
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].attempt, 3);
    assert_int_equal(rows[1].attempt, 2);
    assert_int_equal(rows[0].channel, TV);
    assert_int_equal(rows[0].state, STATE(READY));
    assert_string_equal(rows[0].reason, "CHANNEL_TIMEOUT");
    assert_int_equal(rows[0].started_at_us, 1700000000000003);
    assert_true(rows[0].finished_at_us > 0);
}

DB_TEST(test_unknown_outcomes_are_listed_in_pages) {
    const char *events[5];
    for (int i = 0; i < 5; i++) {
        events[i] = make_claimed(env, new_id());
        settle(env, events[i], i == 4 ? KAKAO : TV, STATE(OUTCOME_UNKNOWN));
        settle(env, events[i], NAVER, STATE(PUBLISHED));
    }
    sql_run("UPDATE deliveries SET updated_at = '2026-01-01' WHERE event_id IN ('%s', '%s', '%s') AND "
            "state = 'OUTCOME_UNKNOWN'",
            events[1], events[2], events[3]);
    struct unknown_place place = {0};
    struct unknown_row *rows = NULL;
    size_t count = 0, found = 0;
    do { /* the three of one instant come first, by their ids */
        assert_ok(env, delivery_store_unknown(env->db, 0, &place, 2, &rows, &count, &env->error));
        for (size_t i = 0; i < count; i++, found++) {
            static const int ORDER[] = {1, 2, 3, 0, 4};
            assert_in_range(found, 0, 4);
            assert_string_equal(rows[i].event_id, events[ORDER[found]]);
            assert_string_equal(rows[i].owner, "user-1");
            assert_int_equal(rows[i].delivery.state, STATE(OUTCOME_UNKNOWN));
            place = (struct unknown_place){rows[i].updated_at_us, rows[i].event_id, rows[i].delivery.channel};
        }
    } while (count > 0);
    assert_int_equal(found, 5);
    place = (struct unknown_place){0};
    assert_ok(env, delivery_store_unknown(env->db, KAKAO, &place, 9, &rows, &count, &env->error));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].event_id, events[4]);
}

DB_TEST(test_unknown_outcomes_that_are_looked_up_are_not_listed) {
    const struct delivery_plan plan = plan_later(KAKAO, 60000);
    make_distribution(env, &plan, 1, new_id());
    sql_run("UPDATE deliveries SET state = 'OUTCOME_UNKNOWN'");
    struct unknown_place place = {0};
    struct unknown_row *rows = NULL;
    size_t count = 9;
    assert_ok(env, delivery_store_unknown(env->db, 0, &place, 9, &rows, &count, &env->error));
    assert_int_equal(count, 0);
}

/* ---- wall-clock times ---- */

DB_TEST(test_local_time_is_found_in_its_zone) {
    static const struct {
        const char *zone, *local;
        bool zone_known, exists, twice;
        int64_t at_s; /* 0: not checked */
    } CASES[] = {
        {"Asia/Seoul", "2026-12-24T09:00:00", true, true, false, 1798070400},
        {"Asia/Seoul", NULL, true, true, false, 0},
        {"UTC", "2026-12-24T00:00:00", true, true, false, 1798070400},
        {"America/New_York", "2027-03-14T01:59:59", true, true, false, 1805007599},
        {"America/New_York", "2027-03-14T02:30:00", true, false, false, 0},
        {"America/New_York", "2027-03-14T03:00:00", true, true, false, 1805007600},
        {"America/New_York", "2027-11-07T01:30:00", true, true, true, 0},
        {"America/New_York", "2027-11-07T00:59:59", true, true, false, 0},
        {"America/New_York", "2027-11-07T02:00:00", true, true, false, 0},
        {"Australia/Lord_Howe", "2027-04-04T01:45:00", true, true, true, 0},
        {"Australia/Lord_Howe", "2027-04-04T01:29:00", true, true, false, 0},
        {"Australia/Lord_Howe", "2027-10-03T02:15:00", true, false, false, 0},
        {"Australia/Lord_Howe", "2027-10-03T02:30:00", true, true, false, 0},
        {"Antarctica/Troll", "2027-10-31T02:00:00", true, true, true, 0},
        {"Mars/Olympus", "2026-12-24T09:00:00", false, true, false, 0},
        {"Mars/Olympus", NULL, false, true, false, 0},
        {"KST", "2026-12-24T09:00:00", false, true, false, 0},
        {"PDT", "2026-12-24T09:00:00", false, true, false, 0},
        {"+09:00", "2026-12-24T09:00:00", false, true, false, 0},
        {"", "2026-12-24T09:00:00", false, true, false, 0},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct local_time time = {0};
        assert_ok(env, delivery_store_local_time(env->db, CASES[i].zone, CASES[i].local, &time, &env->error));
        if (time.zone_known != CASES[i].zone_known || time.exists != CASES[i].exists || time.twice != CASES[i].twice ||
            (CASES[i].at_s != 0 && time.at_us != CASES[i].at_s * 1000000)) {
            fail_msg("%s in %s: known %d, exists %d, twice %d, at %lld", CASES[i].local ? CASES[i].local : "no time",
                     CASES[i].zone, time.zone_known, time.exists, time.twice, (long long)time.at_us);
        }
        assert_true((time.at_us != 0) == (CASES[i].zone_known && CASES[i].local));
    }
}

DB_TEST(test_local_time_that_is_no_time_is_an_error_of_data) {
    static const char *const texts[] = {"2026-13-01T00:00:00", "tea time", "2026-12-24T25:00:00"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct local_time time;
        assert_code(env, delivery_store_local_time(env->db, "Asia/Seoul", texts[i], &time, &env->error),
                    HERALD_INTERNAL);
        assert_string_equal(env->error.reason, "DATABASE_ERROR");
        assert_memory_equal(env->error.origin, "22", 2);
    }
}

#define DELIVERY_TEST(test) cmocka_unit_test_setup(test, clear_deliveries)

int main(void) {
    const struct CMUnitTest tests[] = {
        DELIVERY_TEST(test_retry_reopens_what_is_over_and_hurries_what_waits),
        DELIVERY_TEST(test_retry_leaves_what_waits_for_its_time),
        DELIVERY_TEST(test_retry_of_one_leaves_the_others),
        DELIVERY_TEST(test_retry_of_what_is_published_or_unknown_or_held_changes_nothing),
        DELIVERY_TEST(test_retry_after_completion_does_not_complete_again),
        DELIVERY_TEST(test_retry_by_several_at_once_counts_once),
        DELIVERY_TEST(test_cancel_settles_what_is_not_sent),
        DELIVERY_TEST(test_cancel_leaves_what_may_have_been_posted),
        DELIVERY_TEST(test_schedule_moves_what_is_not_sent),
        DELIVERY_TEST(test_schedule_of_what_is_on_its_way_changes_nothing),
        DELIVERY_TEST(test_resolve_keeps_it_settled_or_sends_it_again),
        DELIVERY_TEST(test_resolve_keeps_the_attempt_that_the_delivery_has_told),
        DELIVERY_TEST(test_resolve_waits_for_a_look_up_that_goes_on),
        DELIVERY_TEST(test_reports_are_taken_once_within_their_lease),
        DELIVERY_TEST(test_report_of_a_changed_distribution_stays_due),
        DELIVERY_TEST(test_report_completes_once_and_only_when_all_is_settled),
        DELIVERY_TEST(test_versions_of_those_that_are_there),
        DELIVERY_TEST(test_attempts_are_listed_the_newest_first),
        DELIVERY_TEST(test_unknown_outcomes_are_listed_in_pages),
        DELIVERY_TEST(test_unknown_outcomes_that_are_looked_up_are_not_listed),
        DELIVERY_TEST(test_local_time_is_found_in_its_zone),
        DELIVERY_TEST(test_local_time_that_is_no_time_is_an_error_of_data),
    };
    return cmocka_run_group_tests_name("integration.db.delivery_changes", tests, schema_setup, schema_teardown);
}
