/* RetryDelivery in the database: what begins anew forgets why it was over, what only waits does not. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "tests/integration/db/db_test.h"

#define STATE(name)   HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define CHANNEL(name) HERALD__DISTRIBUTION__V1__CHANNEL__##name

#define DAY_MS   86400000
#define WAITS_MS 3600000

/* A distribution to Instagram and Kakao, of which the first was refused and the second waits after a failure. */
TASK_FN static const char *make_refused_and_waiting(struct db_env *env) {
    const struct distribution_row row = {
        .id = new_id(),
        .event_id = new_id(),
        .owner = new_user(),
        .content = (const uint8_t *)"",
        .time_zone = "",
        .expires_at_us = clock_wall_us() + DAY_MS * 1000LL,
    };
    const struct delivery_plan plans[] = {
        {.channel = CHANNEL(INSTAGRAM), .state = STATE(READY), .reason = "", .message = ""},
        {.channel = CHANNEL(KAKAO_CHANNEL),
         .state = STATE(READY),
         .next_in_ms = WAITS_MS,
         .reason = "CHANNEL_UNREACHABLE",
         .message = "no route"},
    };
    bool made = false;
    assert_ok(env, delivery_store_open(env->db, &row, plans, 2, new_id(), NULL, &made, NULL, &env->error));
    assert_true(made);
    sql_run("UPDATE deliveries SET state = 'REJECTED', settled = true, next_at = NULL, reason = 'CHANNEL_REJECTED', "
            "message = 'it refused', step_id = 'c1' WHERE event_id = '%s' AND channel = 'INSTAGRAM'",
            row.event_id);
    sql_run("UPDATE distributions SET unsettled = 1 WHERE event_id = '%s'", row.event_id);
    return row.event_id;
}

DB_TEST(test_retry_of_a_refused_delivery_forgets_its_reason) {
    const char *event_id = make_refused_and_waiting(env);
    struct distribution_row row;
    struct delivery_row *deliveries = NULL;
    size_t count = 0;
    uint32_t changed = 0;
    assert_ok(env, delivery_store_retry(env->db, event_id, 0, DAY_MS, 0, &changed, &env->error));
    assert_int_equal(changed, 2);
    assert_ok(env, delivery_store_load(env->db, event_id, &row, &deliveries, &count, &env->error));
    assert_int_equal(count, 2);
    assert_int_equal(row.unsettled, 2);
    assert_int_equal(deliveries[0].state, STATE(READY));
    assert_string_equal(deliveries[0].reason, "");
    assert_string_equal(deliveries[0].message, "");
    assert_string_equal(deliveries[0].step_id, "");
    assert_string_equal(deliveries[1].reason, "CHANNEL_UNREACHABLE");
    assert_string_equal(deliveries[1].message, "no route");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry_of_a_refused_delivery_forgets_its_reason),
    };
    return cmocka_run_group_tests_name("integration.db.delivery_retry", tests, schema_setup, schema_teardown);
}
