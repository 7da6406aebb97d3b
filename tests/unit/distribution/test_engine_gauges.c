/* The engine's gauges, as GetStats of a server shows them. */
#include "herald/rpc/v1/introspection.client.h"
#include "server/distribution/engine_gauges.h"
#include "server/runtime/call.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/rpc/fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE(name)   HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name
#define ACTION(name)  HERALD__DISTRIBUTION__V1__CHANNEL_ACTION__##name
#define CHANNEL(name) HERALD__DISTRIBUTION__V1__CHANNEL__##name

/* A server with an engine's process behind it, and its last answer. */
struct watched {
    struct fixture *fixture;
    struct engine_process process;
    struct gauge_source source;
    struct herald_channel *channel;
    struct herald_reply reply;
    const Herald__Rpc__V1__GetStatsResponse *stats;
};

static int watched_set_up(void **state) {
    struct watched *watched = calloc(1, sizeof(*watched));
    assert_non_null(watched);
    watched->fixture = fixture_new();
    assert_int_equal(channel_states_new(&watched->fixture->settings, &watched->process.channels, NULL), HERALD_OK);
    watched->source = (struct gauge_source){.read = engine_gauges_read, .self = &watched->process};
    fixture_start(watched->fixture);
    gauges_add(watched->fixture->server, &watched->source);
    fixture_open(watched->fixture);
    assert_int_equal(herald_channel_open(watched->fixture->url, NULL, &watched->channel, NULL), HERALD_OK);
    *state = watched;
    return 0;
}

static int watched_tear_down(void **state) {
    struct watched *watched = *state;
    herald_reply_clear(&watched->reply);
    herald_channel_close(watched->channel);
    fixture_stop(watched->fixture);
    channel_states_free(watched->process.channels);
    free(watched->fixture);
    free(watched);
    return 0;
}

static void look_at_gauges(struct watched *watched) {
    Herald__Rpc__V1__GetStatsRequest request = HERALD__RPC__V1__GET_STATS_REQUEST__INIT;
    herald_reply_clear(&watched->reply);
    assert_int_equal(
        herald_rpc_v1_introspection_get_stats(watched->channel, &request, NULL, &watched->reply, &watched->stats),
        HERALD_OK);
}

static const Herald__Rpc__V1__Gauge *find(const struct watched *watched, const char *name, const char *label) {
    for (size_t i = 0; i < watched->stats->n_gauges; i++) {
        const Herald__Rpc__V1__Gauge *gauge = watched->stats->gauges[i];
        if (strcmp(gauge->name, name) == 0 && strcmp(gauge->label, label) == 0) {
            return gauge;
        }
    }
    return NULL;
}

static void assert_gauge(const struct watched *watched, const char *name, const char *label, double value,
                         const char *text) {
    const Herald__Rpc__V1__Gauge *gauge = find(watched, name, label);
    if (!gauge) {
        fail_msg("no %s of %s", name, label);
        return;
    }
    if (fabs(gauge->value - value) > 1e-9 || strcmp(gauge->text, text) != 0) {
        fail_msg("%s of %s is %g \"%s\"", name, label, gauge->value, gauge->text);
    }
}

static struct channel_state *state_of(const struct watched *watched, int number) {
    return watched->process.channels[channel_index(channel_find(number))];
}

static void test_engine_gauges_show_what_the_engine_does(void **state) {
    struct watched *watched = *state;
    watched->process.driving = 7;
    watched->process.unstored = 3;
    watched->process.watching = 2;
    look_at_gauges(watched);
    assert_gauge(watched, "driven", "", 7, "");
    assert_gauge(watched, "unstored", "", 3, "");
    assert_gauge(watched, "watchers", "", 2, "");
}

static void test_engine_gauges_show_each_channels_breaker_pause_and_quota(void **state) {
    struct watched *watched = *state;
    const struct channel_control open = {.breaker = ACTION(BREAKER_FORCE_OPEN), .note = ""};
    const struct channel_control paused = {
        .pause = PAUSE(PAUSED_BY_OPERATOR), .breaker = ACTION(BREAKER_AUTOMATIC), .note = "new prices"};
    channel_control_apply(state_of(watched, CHANNEL(GENIE_TV)), &open);
    channel_control_apply(state_of(watched, CHANNEL(INSTAGRAM)), &paused);
    channel_quota_set(state_of(watched, CHANNEL(INSTAGRAM)), 12, 100);
    look_at_gauges(watched);
    assert_gauge(watched, "breaker", "GENIE_TV", BREAKER_FORCED_OPEN, "FORCED_OPEN");
    assert_gauge(watched, "failure_rate", "GENIE_TV", -1, "too few calls");
    assert_gauge(watched, "paused", "GENIE_TV", 0, "");
    assert_gauge(watched, "in_flight", "GENIE_TV", 0, "");
    assert_true(find(watched, "max_in_flight", "GENIE_TV")->value > 0);
    assert_gauge(watched, "breaker", "INSTAGRAM", BREAKER_CLOSED, "CLOSED");
    assert_gauge(watched, "paused", "INSTAGRAM", PAUSE(PAUSED_BY_OPERATOR), "PAUSED_BY_OPERATOR");
    assert_gauge(watched, "quota_used", "INSTAGRAM", 12, "");
    assert_gauge(watched, "quota_total", "INSTAGRAM", 100, "");
    assert_null(find(watched, "quota_total", "GENIE_TV"));
    for (size_t i = 0; i < CHANNEL_COUNT; i++) {
        assert_non_null(find(watched, "slow_rate", channel_rows[i].name));
    }
}

/* Nobody counts before somebody asks; what was counted is shown. */
static void test_engine_gauges_ask_for_the_count_and_show_it(void **state) {
    struct watched *watched = *state;
    struct channel_backlog backlogs[CHANNEL_COUNT] = {{0}};
    assert_false(engine_backlog_is_wanted(&watched->process));
    look_at_gauges(watched);
    assert_true(engine_backlog_is_wanted(&watched->process));
    assert_null(find(watched, "waiting", "GENIE_TV"));
    backlogs[channel_index(channel_find(CHANNEL(GENIE_TV)))] = (struct channel_backlog){.waiting = 5, .unknown = 2};
    engine_backlog_keep(&watched->process, backlogs);
    look_at_gauges(watched);
    assert_gauge(watched, "waiting", "GENIE_TV", 5, "");
    assert_gauge(watched, "unknown", "GENIE_TV", 2, "");
    assert_gauge(watched, "waiting", "INSTAGRAM", 0, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_engine_gauges_show_what_the_engine_does, watched_set_up,
                                        watched_tear_down),
        cmocka_unit_test_setup_teardown(test_engine_gauges_show_each_channels_breaker_pause_and_quota, watched_set_up,
                                        watched_tear_down),
        cmocka_unit_test_setup_teardown(test_engine_gauges_ask_for_the_count_and_show_it, watched_set_up,
                                        watched_tear_down),
    };
    return cmocka_run_group_tests_name("distribution.engine_gauges", tests, NULL, NULL);
}
