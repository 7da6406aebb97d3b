#include "tests/integration/db/delivery_rows.h"

int clear_deliveries(void **state) {
    (void)state;
    sql_run("TRUNCATE deliveries, distributions, delivery_attempts, delivery_steps, instances, channel_controls, "
            "channel_tokens, outbox");
    return 0;
}

long attempts_told(void) {
    return sql_number("SELECT (SELECT count(*) FROM delivery_attempts) + "
                      "(SELECT count(*) FROM deliveries WHERE NOT attempt_kept)");
}

struct delivery_plan plan_claimed(int channel) {
    return (struct delivery_plan){
        .channel = channel, .state = STATE(COMMITTING), .claimed = true, .reason = "", .message = ""};
}

struct delivery_plan plan_later(int channel, uint64_t ms) {
    return (struct delivery_plan){.channel = channel,
                                  .state = STATE(DEFERRED),
                                  .next_in_ms = ms,
                                  .reason = "CHANNEL_BUSY",
                                  .message = "the delivery waits"};
}

struct distribution_row new_distribution(const char *event_id) {
    static const uint8_t content[] = {10, 3, 'a', 0, '\\'};
    return (struct distribution_row){
        .id = new_id(),
        .event_id = event_id,
        .owner = "user-1",
        .content = content,
        .content_bytes = sizeof(content),
        .expires_at_us = clock_wall_us() + KEEP_TRYING_MS * INT64_C(1000),
        .time_zone = "",
    };
}

TASK_FN const char *make_distribution(struct db_env *env, const struct delivery_plan *plans, size_t count,
                                      const char *holder) {
    const char *event_id = new_id();
    struct distribution_row row = new_distribution(event_id);
    bool made = false;
    assert_ok(env, delivery_store_open(env->db, &row, plans, count, holder, NULL, &made, NULL, &env->error));
    assert_true(made);
    return event_id;
}

TASK_FN const char *make_claimed(struct db_env *env, const char *holder) {
    const struct delivery_plan plans[] = {plan_claimed(TV),        plan_claimed(BIZ),   plan_claimed(GENIE),
                                          plan_claimed(INSTAGRAM), plan_claimed(NAVER), plan_claimed(KAKAO)};
    return make_distribution(env, plans, 6, holder);
}

TASK_FN struct distribution_row load_distribution(struct db_env *env, const char *event_id) {
    struct distribution_row row = {0};
    struct delivery_row *deliveries = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_load(env->db, event_id, &row, &deliveries, &count, &env->error));
    return row;
}

TASK_FN struct delivery_row load_delivery(struct db_env *env, const char *event_id, int channel) {
    struct distribution_row row;
    struct delivery_row *deliveries = NULL;
    size_t count = 0, at = 0;
    assert_ok(env, delivery_store_load(env->db, event_id, &row, &deliveries, &count, &env->error));
    while (at < count && deliveries[at].channel != channel) {
        at++;
    }
    assert_true(at < count);
    return deliveries[at];
}

struct delivery_row ended(int channel, int state, bool settled) {
    int64_t now_us = clock_wall_us();
    return (struct delivery_row){
        .channel = channel,
        .state = state,
        .settled = settled,
        .remote_id = "remote-1",
        .step_id = "step-1",
        .post_url = "https://example.com/1",
        .reason = "",
        .message = "말",
        .attempts = 1,
        .started_at_us = now_us - 1000,
        .finished_at_us = now_us,
    };
}

TASK_FN struct change_result finish(struct db_env *env, const char *holder, const struct delivery_change *change,
                                    const struct completed_record *record) {
    struct change_result result = {0};
    assert_ok(env, delivery_store_finish(env->db, holder, change, 1, record, record ? 1 : 0, REPORT_MS, &result,
                                         &env->error));
    return result;
}

TASK_FN void settle(struct db_env *env, const char *event_id, int channel, int state) {
    struct delivery_row row = ended(channel, state, true);
    struct delivery_change change = {.event_id = event_id, .row = &row};
    assert_true(finish(env, new_id(), &change, NULL).changed);
}

struct completed_record completed_record_for(const char *event_id) {
    return (struct completed_record){.event_id = event_id, .row = outbox_row_for("distribution", event_id)};
}

TASK_FN size_t take(struct db_env *env, const char *holder, int channel, uint32_t most, bool has_steps,
                    struct taken_delivery **ret_taken) {
    const struct delivery_want want = {.channel = channel, .most = most, .has_steps = has_steps};
    size_t count = 0;
    assert_ok(env, delivery_store_take(env->db, holder, &want, 1, ret_taken, &count, &env->error));
    return count;
}

long report_due_ms(const char *event_id) {
    return sql_number("SELECT COALESCE(ceil(extract(epoch FROM report_at - clock_timestamp()) * 1000), -1) "
                      "FROM distributions WHERE event_id = '%s'",
                      event_id);
}

void assert_counters_right(void) {
    assert_int_equal(
        sql_number("SELECT count(*) FROM distributions WHERE unsettled <> (SELECT count(*) FROM deliveries "
                   "WHERE deliveries.event_id = distributions.event_id AND NOT settled)"),
        0);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE CASE WHEN settled THEN holder IS NOT NULL OR "
                                "next_at IS NOT NULL ELSE (holder IS NULL) = (next_at IS NULL) END"),
                     0);
}
