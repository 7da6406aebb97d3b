/* What is stored about channels, and what happens to deliveries when a pause or a process ends. */
#include "server/distribution/channel_store.h"
#include "server/durable/instance.h"
#include "tests/integration/db/delivery_rows.h"

#define PAUSE(name)  HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name
#define ACTION(name) HERALD__DISTRIBUTION__V1__CHANNEL_ACTION__##name
#define AS_IT_IS     (-1)

static const struct channel_row *kakao(void) {
    return channel_find(KAKAO);
}

TASK_FN static struct channel_control load_control(struct db_env *env, int channel) {
    struct channel_control controls[CHANNEL_COUNT];
    assert_ok(env, channel_store_load(env->db, controls, &env->error));
    return controls[channel_index(channel_find(channel))];
}

/* ---- pauses ---- */

DB_TEST(test_control_without_a_row_is_automatic) {
    struct channel_control control = load_control(env, KAKAO);
    assert_int_equal(control.pause, PAUSE(NOT_PAUSED));
    assert_int_equal(control.breaker, ACTION(BREAKER_AUTOMATIC));
    assert_string_equal(control.note, "");
    assert_false(control.probe_due);
    assert_int_equal(control.resets, 0);
}

DB_TEST(test_control_of_an_operator_is_stored_in_parts) {
    assert_ok(env, channel_store_control(env->db, kakao(), PAUSE(PAUSED_BY_OPERATOR), AS_IT_IS, "holidays", false,
                                         &env->error));
    assert_ok(
        env, channel_store_control(env->db, kakao(), AS_IT_IS, ACTION(BREAKER_FORCE_OPEN), "storm", true, &env->error));
    struct channel_control control = load_control(env, KAKAO);
    assert_int_equal(control.pause, PAUSE(PAUSED_BY_OPERATOR));
    assert_int_equal(control.breaker, ACTION(BREAKER_FORCE_OPEN));
    assert_string_equal(control.note, "storm");
    assert_int_equal(control.resets, 1);
    assert_int_equal(load_control(env, TV).pause, PAUSE(NOT_PAUSED));
    assert_ok(env, channel_store_control(env->db, kakao(), PAUSE(NOT_PAUSED), AS_IT_IS, "", true, &env->error));
    control = load_control(env, KAKAO);
    assert_int_equal(control.pause, PAUSE(NOT_PAUSED));
    assert_int_equal(control.breaker, ACTION(BREAKER_FORCE_OPEN));
    assert_int_equal(control.resets, 2);
}

/* The wait before the channel's next probe, ms. */
static long probe_wait_ms(void) {
    return sql_number("SELECT round(extract(epoch FROM probe_at - changed_at) * 1000) FROM channel_controls");
}

DB_TEST(test_pause_for_a_cause_probes_ever_less_often) {
    static const long WAITS[] = {5000, 10000, 20000, 40000, 80000, 160000, 320000, 600000, 600000};
    for (size_t i = 0; i < sizeof(WAITS) / sizeof(WAITS[0]); i++) {
        assert_ok(env, channel_store_pause(env->db, kakao(), PAUSE(PAUSED_FOR_CREDENTIAL), "401", true, &env->error));
        assert_int_equal(probe_wait_ms(), WAITS[i]);
    }
    struct channel_control control = load_control(env, KAKAO);
    assert_int_equal(control.pause, PAUSE(PAUSED_FOR_CREDENTIAL));
    assert_string_equal(control.note, "401");
    assert_false(control.probe_due);
    assert_true(control.probe_at_us > clock_wall_us());
    assert_ok(env, channel_store_heal(env->db, kakao(), &env->error));
    assert_ok(env, channel_store_pause(env->db, kakao(), PAUSE(PAUSED_FOR_DISABLED), "410", true, &env->error));
    assert_int_equal(probe_wait_ms(), 600000); /* of another cause, from the beginning */
}

DB_TEST(test_pause_of_many_at_once_puts_no_probe_off) {
    for (int i = 0; i < 40; i++) { /* they were on their way when the credential ended */
        assert_ok(env, channel_store_pause(env->db, kakao(), PAUSE(PAUSED_FOR_CREDENTIAL), "401", false, &env->error));
    }
    assert_true(load_control(env, KAKAO).probe_at_us <= clock_wall_us() + 5000000);
    assert_ok(env, channel_store_pause(env->db, kakao(), PAUSE(PAUSED_FOR_CREDENTIAL), "401", true, &env->error));
    assert_int_equal(probe_wait_ms(), 10000);
}

DB_TEST(test_pause_for_a_cause_leaves_that_of_an_operator) {
    assert_ok(env,
              channel_store_control(env->db, kakao(), PAUSE(PAUSED_BY_OPERATOR), AS_IT_IS, "mine", false, &env->error));
    assert_ok(env, channel_store_pause(env->db, kakao(), PAUSE(PAUSED_FOR_CLOCK), "skew", false, &env->error));
    assert_ok(env, channel_store_heal(env->db, kakao(), &env->error));
    bool taken = true;
    assert_ok(env, channel_store_probe(env->db, kakao(), &taken, &env->error));
    assert_false(taken);
    struct channel_control control = load_control(env, KAKAO);
    assert_int_equal(control.pause, PAUSE(PAUSED_BY_OPERATOR));
    assert_string_equal(control.note, "mine");
}

struct prober {
    struct db_env *env;
    unsigned taken, failed;
};

TASK_FN static void probe_beside(void *arg) {
    struct prober *prober = arg;
    bool taken = false;
    prober->failed += channel_store_probe(prober->env->db, kakao(), &taken, NULL) != HERALD_OK;
    prober->taken += taken;
}

/* A delivery to Kakao that waits for a reason. */
TASK_FN static const char *make_waiting(struct db_env *env, const char *reason) {
    struct delivery_plan plan = plan_later(KAKAO, 600000);
    plan.reason = reason;
    return make_distribution(env, &plan, 1, new_id());
}

DB_TEST(test_probe_is_the_turn_of_one) {
    bool taken = true;
    assert_ok(env, channel_store_pause(env->db, kakao(), PAUSE(PAUSED_FOR_CLOCK), "skew", false, &env->error));
    assert_ok(env, channel_store_probe(env->db, kakao(), &taken, &env->error));
    assert_false(taken); /* too early */
    sql_run("UPDATE channel_controls SET probe_at = now()");
    assert_true(load_control(env, KAKAO).probe_due);
    assert_ok(env, channel_store_probe(env->db, kakao(), &taken, &env->error));
    assert_false(taken); /* no delivery waits */
    (void)make_waiting(env, "CLOCK_SKEW");
    struct prober prober = {.env = env};
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < 4; i++) {
        assert_ok(env, task_group_spawn(&group, "prober", probe_beside, &prober, &env->error));
    }
    task_group_join(&group);
    assert_int_equal(prober.failed, 0);
    assert_int_equal(prober.taken, 1);
    assert_false(load_control(env, KAKAO).probe_due);
    assert_ok(env, channel_store_probe(env->db, channel_find(TV), &taken, &env->error));
    assert_false(taken); /* it is not paused */
}

/* A look-up that met the cause waits for a reason of its own, and may be all that waits. */
DB_TEST(test_probe_takes_what_is_due_for_any_reason) {
    bool taken = true;
    const char *event_id = make_waiting(env, "LOOK_UP_FAILED");
    sql_run("UPDATE deliveries SET state = 'OUTCOME_UNKNOWN', attempts = 1 WHERE event_id = '%s'", event_id);
    assert_ok(env, channel_store_pause(env->db, kakao(), PAUSE(PAUSED_FOR_CREDENTIAL), "401", true, &env->error));
    sql_run("UPDATE channel_controls SET probe_at = now()");
    assert_ok(env, channel_store_probe(env->db, kakao(), &taken, &env->error));
    assert_false(taken); /* it is not due */
    sql_run("UPDATE deliveries SET next_at = now() WHERE event_id = '%s'", event_id);
    assert_ok(env, channel_store_probe(env->db, kakao(), &taken, &env->error));
    assert_true(taken);
    const struct delivery_want want = {.channel = KAKAO, .most = 1, .is_probe = true};
    struct taken_delivery *deliveries = NULL;
    size_t count = 0;
    assert_ok(env, delivery_store_take(env->db, new_id(), &want, 1, &deliveries, &count, &env->error));
    assert_int_equal(count, 1);
    assert_int_equal(deliveries[0].delivery.state, STATE(RECONCILING));
}

static bool is_due(const char *event_id) {
    return sql_number("SELECT count(*) FROM deliveries WHERE event_id = '%s' AND next_at <= now()", event_id) == 1;
}

DB_TEST(test_heal_wakes_what_waited_for_the_cause) {
    const char *causes[] = {make_waiting(env, "CHANNEL_NEEDS_AUTH"), make_waiting(env, "CHANNEL_PAUSED"),
                            make_waiting(env, "CLOCK_SKEW"), make_waiting(env, "CHANNEL_DISABLED")};
    const char *others[] = {make_waiting(env, "SCHEDULED"), make_waiting(env, "QUIET_HOURS"),
                            make_waiting(env, "QUOTA")};
    struct delivery_plan elsewhere = plan_later(TV, 600000);
    elsewhere.reason = "CHANNEL_PAUSED";
    const char *of_tv = make_distribution(env, &elsewhere, 1, new_id());
    assert_ok(env, channel_store_heal(env->db, kakao(), &env->error)); /* not paused: nothing to heal */
    assert_false(is_due(causes[0]));
    assert_ok(env, channel_store_pause(env->db, kakao(), PAUSE(PAUSED_FOR_CREDENTIAL), "401", true, &env->error));
    assert_ok(env, channel_store_heal(env->db, kakao(), &env->error));
    assert_int_equal(load_control(env, KAKAO).pause, PAUSE(NOT_PAUSED));
    for (size_t i = 0; i < 4; i++) {
        assert_true(is_due(causes[i]));
    }
    for (size_t i = 0; i < 3; i++) {
        assert_false(is_due(others[i]));
    }
    assert_false(is_due(of_tv));
}

DB_TEST(test_wake_includes_what_waited_for_the_breaker) {
    const char *event_id = make_waiting(env, "CHANNEL_FAILING"), *other = make_waiting(env, "SCHEDULED");
    assert_ok(env, channel_store_wake(env->db, kakao(), &env->error));
    assert_true(is_due(event_id));
    assert_false(is_due(other));
}

DB_TEST(test_backlog_counts_what_waits_and_what_is_unknown) {
    make_waiting(env, "SCHEDULED");
    make_waiting(env, "OTHER");
    const char *event_id = make_claimed(env, new_id());
    settle(env, event_id, KAKAO, STATE(OUTCOME_UNKNOWN));
    settle(env, event_id, TV, STATE(PUBLISHED));
    sql_run("UPDATE deliveries SET state = 'OUTCOME_UNKNOWN' WHERE reason = 'OTHER'"); /* it is looked up */
    struct channel_backlog backlogs[CHANNEL_COUNT];
    assert_ok(env, channel_store_backlog(env->db, backlogs, &env->error));
    assert_int_equal(backlogs[channel_index(kakao())].waiting, 2);
    assert_int_equal(backlogs[channel_index(kakao())].unknown, 1);
    assert_int_equal(backlogs[channel_index(channel_find(TV))].waiting, 0);
    assert_int_equal(backlogs[channel_index(channel_find(TV))].unknown, 0);
}

/* ---- tokens ---- */

DB_TEST(test_token_descends_from_the_configured_one) {
    const struct channel_row *instagram = channel_find(INSTAGRAM);
    struct stored_token token;
    assert_ok(env, channel_store_token_load(env->db, instagram, "first", &token, &env->error));
    assert_string_equal(token.token, "");
    assert_ok(env, channel_store_token_save(env->db, instagram, "first", "renewed", 3600, &env->error));
    assert_ok(env, channel_store_token_load(env->db, instagram, "first", &token, &env->error));
    assert_string_equal(token.token, "renewed");
    assert_int_equal(token.expires_at_us - token.obtained_at_us, INT64_C(3600000000));
    assert_ok(env, channel_store_token_load(env->db, instagram, "second", &token, &env->error));
    assert_string_equal(token.token, ""); /* an operator has put a new one into the settings */
    assert_ok(env, channel_store_token_load(env->db, kakao(), "first", &token, &env->error));
    assert_string_equal(token.token, "");
    assert_ok(env, channel_store_token_save(env->db, instagram, "second", "newer", 60, &env->error));
    assert_ok(env, channel_store_token_load(env->db, instagram, "second", &token, &env->error));
    assert_string_equal(token.token, "newer");
    assert_int_equal(sql_number("SELECT count(*) FROM channel_tokens WHERE encode(source, 'escape') LIKE '%%first%%'"),
                     0);
}

/* ---- processes ---- */

static void add_instance(const char *id, const char *service, const char *lease) {
    sql_run("INSERT INTO instances (id, service, alive_until) VALUES ('%s', '%s', now() + interval '%s')", id, service,
            lease);
}

static long held_by(const char *holder) {
    return sql_number("SELECT count(*) FROM deliveries WHERE holder = '%s'", holder);
}

static struct instance *new_instance(struct db_env *env) {
    const struct instance_options options = {.service = "distribution",
                                             .lease_ms = 60000,
                                             .bury = DB_QUERY_DISTRIBUTION_BURY,
                                             .release = DB_QUERY_DISTRIBUTION_RELEASE};
    struct instance *instance = NULL;
    assert_ok(env, instance_new(&options, &instance, &env->error));
    return instance;
}

DB_TEST(test_bury_frees_what_the_dead_held_and_release_what_the_own_process_held) {
    struct instance *instance = new_instance(env);
    const char *dead = new_id(), *alive = new_id(), *foreign = new_id(), *own = instance_id(instance);
    add_instance(dead, "distribution", "-1 s");
    add_instance(alive, "distribution", "1 h");
    add_instance(foreign, "event", "-1 s");
    const char *event_id = make_claimed(env, dead);
    settle(env, event_id, TV, STATE(PUBLISHED));
    make_claimed(env, alive);
    make_claimed(env, own);
    assert_ok(env, instance_start(instance, env->loop, env->db, &env->error));
    WAIT_UNTIL(held_by(dead) == 0);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE event_id = '%s' AND next_at <= now() AND "
                                "state = 'COMMITTING'",
                                event_id),
                     5); /* what is settled stays */
    assert_int_equal(held_by(alive), 6);
    assert_int_equal(held_by(own), 6);
    assert_int_equal(sql_number("SELECT count(*) FROM instances WHERE id = '%s'", dead), 0);
    assert_int_equal(sql_number("SELECT count(*) FROM instances WHERE id = '%s'", foreign), 1);
    assert_counters_right();
    instance_stop(instance);
    WAIT_UNTIL(sql_number("SELECT count(*) FROM instances WHERE id = '%s'", own) == 0);
    assert_int_equal(held_by(own), 0);
    assert_int_equal(held_by(alive), 6);
    assert_false(instance_holds(instance, 0));
    assert_counters_right();
    WAIT_UNTIL(loop_task_count(env->loop) == 1);
    instance_free(instance);
}

DB_TEST(test_adopt_frees_what_names_nobody) {
    const char *alive = new_id(), *nobody = new_id();
    add_instance(alive, "distribution", "-1 s"); /* its row is there: it is buried, not adopted */
    make_claimed(env, alive);
    const char *event_id = make_claimed(env, nobody);
    settle(env, event_id, TV, STATE(PUBLISHED));
    assert_ok(env, delivery_store_adopt(env->db, &env->error));
    assert_int_equal(held_by(nobody), 0);
    assert_int_equal(held_by(alive), 6);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE event_id = '%s' AND next_at <= now()", event_id),
                     5);
    assert_counters_right();
}

#define DELIVERY_TEST(test) cmocka_unit_test_setup(test, clear_deliveries)

int main(void) {
    const struct CMUnitTest tests[] = {
        DELIVERY_TEST(test_control_without_a_row_is_automatic),
        DELIVERY_TEST(test_control_of_an_operator_is_stored_in_parts),
        DELIVERY_TEST(test_pause_for_a_cause_probes_ever_less_often),
        DELIVERY_TEST(test_pause_for_a_cause_leaves_that_of_an_operator),
        DELIVERY_TEST(test_pause_of_many_at_once_puts_no_probe_off),
        DELIVERY_TEST(test_probe_is_the_turn_of_one),
        DELIVERY_TEST(test_probe_takes_what_is_due_for_any_reason),
        DELIVERY_TEST(test_heal_wakes_what_waited_for_the_cause),
        DELIVERY_TEST(test_wake_includes_what_waited_for_the_breaker),
        DELIVERY_TEST(test_backlog_counts_what_waits_and_what_is_unknown),
        DELIVERY_TEST(test_token_descends_from_the_configured_one),
        DELIVERY_TEST(test_bury_frees_what_the_dead_held_and_release_what_the_own_process_held),
        DELIVERY_TEST(test_adopt_frees_what_names_nobody),
    };
    return cmocka_run_group_tests_name("integration.db.channel_store", tests, schema_setup, schema_teardown);
}
