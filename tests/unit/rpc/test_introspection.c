/* herald.rpc.v1.Introspection of a running server, asked as any client does. */
#include "cmocka_headers.h"
#include "fixture.h"
#include "herald/rpc/v1/introspection.client.h"
#include "server/inspect/gauges.h"
#include "server/runtime/failpoint.h"
#include "server/runtime/log.h"
#include "server/runtime/task.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GET_JOB  "herald.job.v1.JobService/GetJob"
#define WAIT_JOB "herald.job.v1.JobService/WaitJob"

struct asked {
    struct herald_channel *channel;
    struct herald_reply reply;
};

static struct asked ask(const struct fixture *fixture) {
    struct asked asked = {0};
    struct herald_error error;
    assert_int_equal(herald_channel_open(fixture->url, NULL, &asked.channel, &error), HERALD_OK);
    return asked;
}

static void forget(struct asked *asked) {
    herald_reply_clear(&asked->reply);
    herald_channel_close(asked->channel);
}

static enum herald_code get_job(struct asked *asked, uint32_t timeout_ms) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const struct herald_call_options options = {.timeout_ms = timeout_ms};
    const Herald__Job__V1__GetJobResponse *response = NULL;
    request.job_id = (char *)TEST_JOB_ID;
    herald_reply_clear(&asked->reply);
    return herald_job_v1_job_service_get_job(asked->channel, &request, &options, &asked->reply, &response);
}

/* ---- gauges ---- */

static void read_two(void *self, struct gauge_sheet *sheet) {
    char passing[16] = "passing";
    gauge_put(sheet, "level", "", atomic_load((atomic_int *)self), "");
    gauge_put(sheet, "state", passing, 2, "OPEN");
    memset(passing, 'x', sizeof(passing) - 1); /* copied */
}

static void read_many(void *self, struct gauge_sheet *sheet) {
    (void)self;
    gauge_put_breaker(sheet, "b", 1, "HALF_OPEN", 50, -1);
    for (unsigned i = 0; i < 300; i++) {
        gauge_put(sheet, "one", "of many", i, "");
    }
}

static const Herald__Rpc__V1__GetStatsResponse *stats_of(struct asked *asked, const char *method) {
    Herald__Rpc__V1__GetStatsRequest request = HERALD__RPC__V1__GET_STATS_REQUEST__INIT;
    const Herald__Rpc__V1__GetStatsResponse *response = NULL;
    request.method = (char *)method;
    herald_reply_clear(&asked->reply);
    assert_int_equal(herald_rpc_v1_introspection_get_stats(asked->channel, &request, NULL, &asked->reply, &response),
                     HERALD_OK);
    return response;
}

static void assert_gauge(const Herald__Rpc__V1__Gauge *gauge, const char *name, const char *label, int value,
                         const char *text) {
    assert_string_equal(gauge->name, name);
    assert_string_equal(gauge->label, label);
    assert_int_equal((int)gauge->value, value);
    assert_string_equal(gauge->text, text);
}

static void test_gauges_of_all_sources_are_shown_as_they_stand(void **state) {
    (void)state;
    atomic_int level = 41; /* which the thread that answers reads */
    struct gauge_source two = {.read = read_two, .self = &level}, many = {.read = read_many};
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_start(&fixture);
    gauges_add(fixture.server, &two);
    gauges_add(fixture.server, &many);
    fixture_open(&fixture);
    struct asked asked = ask(&fixture);
    const Herald__Rpc__V1__GetStatsResponse *stats = stats_of(&asked, "");
    assert_int_equal(stats->n_gauges, 256); /* the rest is left out */
    assert_gauge(stats->gauges[0], "level", "", 41, "");
    assert_gauge(stats->gauges[1], "state", "passing", 2, "OPEN");
    assert_gauge(stats->gauges[2], "breaker", "b", 1, "HALF_OPEN");
    assert_gauge(stats->gauges[3], "failure_rate", "b", 50, "");
    assert_gauge(stats->gauges[4], "slow_rate", "b", -1, "too few calls");
    assert_gauge(stats->gauges[255], "one", "of many", 250, "");
    atomic_store(&level, 42);
    assert_gauge(stats_of(&asked, "")->gauges[0], "level", "", 42, "");
    assert_int_equal(stats_of(&asked, GET_JOB)->n_gauges, 0);
    forget(&asked);
    fixture_stop(&fixture);
}

static void test_gauges_of_a_server_without_any_are_none(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_listen(&fixture);
    struct asked asked = ask(&fixture);
    assert_int_equal(stats_of(&asked, "")->n_gauges, 0);
    forget(&asked);
    fixture_stop(&fixture);
}

/* ---- ListRecentCalls ---- */

static const Herald__Rpc__V1__ListRecentCallsResponse *recent(struct asked *asked, const char *method, bool failed_only,
                                                              uint32_t limit) {
    Herald__Rpc__V1__ListRecentCallsRequest request = HERALD__RPC__V1__LIST_RECENT_CALLS_REQUEST__INIT;
    const Herald__Rpc__V1__ListRecentCallsResponse *response = NULL;
    request.method = (char *)method;
    request.failed_only = failed_only;
    request.limit = limit;
    herald_reply_clear(&asked->reply);
    assert_int_equal(
        herald_rpc_v1_introspection_list_recent_calls(asked->channel, &request, NULL, &asked->reply, &response),
        HERALD_OK);
    return response;
}

static void test_recent_failed_call_is_kept_with_its_error(void **state) {
    (void)state;
    struct fixture fixture;
    char call_id[37];
    fixture_init(&fixture);
    fixture_listen(&fixture);
    struct asked asked = ask(&fixture);
    assert_int_equal(get_job(&asked, 0), HERALD_OK); /* quick and well: not kept */
    fixture.mode = GET_JOB_FAILS;
    assert_int_equal(get_job(&asked, 0), HERALD_FAILED_PRECONDITION);
    memcpy(call_id, asked.reply.call_id, sizeof(call_id));
    const Herald__Rpc__V1__ListRecentCallsResponse *response = recent(&asked, "", false, 0);
    assert_int_equal(response->n_calls, 1);
    const Herald__Rpc__V1__RecentCall *call = response->calls[0];
    assert_string_equal(call->method, GET_JOB);
    assert_string_equal(call->call_id, call_id);
    assert_int_equal(call->code, HERALD__RPC__V1__CODE__FAILED_PRECONDITION);
    assert_string_equal(call->reason, "NOT_READY");
    assert_string_equal(call->message, "not ready: 준비되지 않음");
    assert_true(call->ended_at->seconds * 1000000 >= clock_wall_us() - 60000000);
    assert_true(call->timings->queue_us + call->timings->handler_us <= call->total_us);
    forget(&asked);
    fixture_stop(&fixture);
}

static void test_recent_slow_call_is_kept_with_its_phases(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.settings.rpc_slow_call_ms = 30;
    fixture_listen(&fixture);
    struct asked asked = ask(&fixture);
    struct pending_call pending;
    start_wait_job(asked.channel, &pending, 10000);
    fixture_await_waiting(&fixture, 1);
    uint64_t begin_us = clock_now_us();
    while (clock_now_us() - begin_us < 40000) {
        usleep(1000);
    }
    fixture.open = true;
    await_call(&pending);
    assert_int_equal(pending.reply.error.code, HERALD_OK);
    herald_reply_clear(&pending.reply);
    const Herald__Rpc__V1__ListRecentCallsResponse *response = recent(&asked, WAIT_JOB, false, 0);
    assert_int_equal(response->n_calls, 1);
    assert_int_equal(response->calls[0]->code, HERALD__RPC__V1__CODE__OK);
    assert_string_equal(response->calls[0]->reason, "");
    assert_true(response->calls[0]->timings->handler_us >= 40000);
    assert_true(response->calls[0]->total_us >= response->calls[0]->timings->handler_us);
    assert_int_equal(recent(&asked, "", true, 0)->n_calls, 0); /* it did not fail */
    forget(&asked);
    fixture_stop(&fixture);
}

static void test_recent_is_bounded_and_the_latest_come_first(void **state) {
    (void)state;
    struct fixture fixture;
    char latest[37];
    fixture_init(&fixture);
    fixture.mode = GET_JOB_FAILS_SILENTLY;
    fixture_listen(&fixture);
    struct asked asked = ask(&fixture);
    const struct herald_channel_options once = {.retry.max_attempts = 1};
    struct herald_error error;
    herald_channel_close(asked.channel);
    assert_int_equal(herald_channel_open(fixture.url, &once, &asked.channel, &error), HERALD_OK);
    for (unsigned i = 0; i < 300; i++) {
        assert_int_equal(get_job(&asked, 0), HERALD_ABORTED);
    }
    memcpy(latest, asked.reply.call_id, sizeof(latest));
    const Herald__Rpc__V1__ListRecentCallsResponse *response = recent(&asked, GET_JOB, true, 100);
    assert_int_equal(response->n_calls, 100);
    assert_string_equal(response->calls[0]->call_id, latest);
    for (size_t i = 1; i < response->n_calls; i++) {
        assert_true(strncmp(response->calls[i - 1]->call_id, response->calls[i]->call_id, 13) >= 0); /* its time */
    }
    assert_int_equal(recent(&asked, "", false, 0)->n_calls, 20);
    assert_int_equal(recent(&asked, "", false, 3)->n_calls, 3);
    forget(&asked);
    fixture_stop(&fixture);
}

static void test_recent_of_an_unknown_method_is_not_found(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_listen(&fixture);
    assert_probe(fixture.url, "herald.rpc.v1.Introspection/ListRecentCalls {\"method\":\"JobService/GetJbo\"}",
                 "METHOD_NOT_FOUND");
    /* That failure is one itself. */
    assert_probe(fixture.url, "herald.rpc.v1.Introspection/ListRecentCalls {\"failedOnly\":true}", "\"NOT_FOUND\"");
    fixture_stop(&fixture);
}

/* ---- ListTasks ---- */

static const Herald__Rpc__V1__ListTasksResponse *tasks(struct asked *asked, uint32_t limit) {
    Herald__Rpc__V1__ListTasksRequest request = HERALD__RPC__V1__LIST_TASKS_REQUEST__INIT;
    const Herald__Rpc__V1__ListTasksResponse *response = NULL;
    request.limit = limit;
    herald_reply_clear(&asked->reply);
    assert_int_equal(herald_rpc_v1_introspection_list_tasks(asked->channel, &request, NULL, &asked->reply, &response),
                     HERALD_OK);
    return response;
}

#define WAITERS 12

/* A server with calls that wait. */
static struct asked wait_in(struct fixture *fixture, unsigned loops, struct pending_call pending[WAITERS]) {
    fixture_init(fixture);
    fixture->settings.rpc_loops = loops;
    fixture_listen(fixture);
    struct asked asked = ask(fixture);
    for (unsigned i = 0; i < WAITERS; i++) {
        start_wait_job(asked.channel, &pending[i], 30000);
    }
    fixture_await_waiting(fixture, WAITERS);
    return asked;
}

static void end_waiting(struct fixture *fixture, struct asked *asked, struct pending_call pending[WAITERS]) {
    fixture->open = true;
    for (unsigned i = 0; i < WAITERS; i++) {
        await_call(&pending[i]);
        herald_reply_clear(&pending[i].reply);
    }
    forget(asked);
    fixture_stop(fixture);
}

static void test_tasks_of_all_loops_are_listed_the_longest_waiting_first(void **state) {
    (void)state;
    struct fixture fixture;
    struct pending_call pending[WAITERS];
    struct asked asked = wait_in(&fixture, 3, pending);
    const Herald__Rpc__V1__ListTasksResponse *response = tasks(&asked, 0);
    assert_int_equal(response->n_loops, 3);
    unsigned counted = 0, calls = 0, waiters = 0, loops_seen = 0;
    for (size_t i = 0; i < response->n_loops; i++) {
        assert_int_equal(response->loops[i]->index, i);
        counted += response->loops[i]->tasks;
        calls += response->loops[i]->calls;
    }
    assert_int_equal(counted, WAITERS + 1); /* and the one that looks */
    assert_int_equal(calls, WAITERS + 1);
    assert_int_equal(response->n_tasks, WAITERS + 1);
    for (size_t i = 0; i < response->n_tasks; i++) {
        const Herald__Rpc__V1__TaskInfo *task = response->tasks[i];
        assert_int_equal(strlen(task->call_id), 36);
        assert_true(i == 0 || response->tasks[i - 1]->waiting_us >= task->waiting_us);
        if (strcmp(task->name, "WaitJob") != 0) {
            continue;
        }
        waiters++;
        loops_seen |= 1u << task->loop;
        assert_true(strcmp(task->waits_for, "sleep") == 0 || strcmp(task->waits_for, "its turn") == 0);
    }
    assert_int_equal(waiters, WAITERS);
    assert_true(loops_seen == 7 || fixture_is_native()); /* which serves a connection on one loop */
    end_waiting(&fixture, &asked, pending);
}

static bool waits_for_another_server(const Herald__Rpc__V1__TaskInfo *task) {
    return strcmp(task->waits_for, "a reply of another server") == 0;
}

static size_t count_waiting(const Herald__Rpc__V1__ListTasksResponse *response) {
    size_t count = 0;
    for (size_t i = 0; i < response->n_tasks; i++) {
        count += waits_for_another_server(response->tasks[i]);
    }
    return count;
}

#define CHAINED 6

/* One by one, each at least two milliseconds after the one before, UpdateJob waits for WaitJob of the same server. */
static void start_chained(struct fixture *fixture, struct asked *asked, struct pending_call pending[CHAINED]) {
    Herald__Job__V1__UpdateJobRequest request = HERALD__JOB__V1__UPDATE_JOB_REQUEST__INIT;
    request.job_id = (char *)TEST_JOB_ID;
    request.status = HERALD__JOB__V1__JOB_STATUS__RUNNING;
    for (unsigned i = 0; i < CHAINED; i++) {
        uint64_t begin_us = clock_now_us();
        start_call(asked->channel, herald_job_v1_job_service_update_job_method, &request.base, &pending[i], 30000);
        fixture_await_waiting(fixture, i + 1);
        while (clock_now_us() - begin_us < 3000 || count_waiting(tasks(asked, 1000)) < i + 1) {
            continue;
        }
    }
}

static void test_tasks_beyond_the_limit_those_that_waited_longest_are_kept(void **state) {
    (void)state;
    struct fixture fixture;
    struct pending_call pending[CHAINED];
    char ids[CHAINED][37];
    struct herald_error error;
    fixture_init(&fixture);
    fixture.settings.rpc_loops = 2;
    fixture.downstream_waits = true;
    fixture_listen(&fixture);
    struct herald_channel *itself;
    assert_int_equal(herald_channel_open(fixture.url, NULL, &itself, &error), HERALD_OK);
    fixture.downstream = itself;
    struct asked asked = ask(&fixture);
    start_chained(&fixture, &asked, pending);
    const Herald__Rpc__V1__ListTasksResponse *all = tasks(&asked, 1000);
    size_t chained = 0;
    for (size_t i = 0; i < all->n_tasks; i++) {
        if (waits_for_another_server(all->tasks[i])) {
            memcpy(ids[chained++], all->tasks[i]->call_id, sizeof(ids[0]));
        }
    }
    assert_int_equal(chained, CHAINED);
    const Herald__Rpc__V1__ListTasksResponse *few = tasks(&asked, 3);
    assert_int_equal(few->n_tasks, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(few->tasks[i]->call_id, ids[i]);
    }
    assert_true(few->loops[0]->tasks + few->loops[1]->tasks >= 2 * CHAINED); /* all are counted */
    fixture.open = true;
    for (unsigned i = 0; i < CHAINED; i++) {
        await_call(&pending[i]);
        herald_reply_clear(&pending[i].reply);
    }
    herald_channel_close(fixture.downstream);
    forget(&asked);
    fixture_stop(&fixture);
}

/* ---- SetLogLevel ---- */

static Herald__Rpc__V1__LogLevel set_level(struct asked *asked, Herald__Rpc__V1__LogLevel level) {
    Herald__Rpc__V1__SetLogLevelRequest request = HERALD__RPC__V1__SET_LOG_LEVEL_REQUEST__INIT;
    const Herald__Rpc__V1__SetLogLevelResponse *response = NULL;
    request.level = level;
    herald_reply_clear(&asked->reply);
    assert_int_equal(
        herald_rpc_v1_introspection_set_log_level(asked->channel, &request, NULL, &asked->reply, &response), HERALD_OK);
    return response->previous;
}

static void test_log_level_is_changed_and_the_change_is_logged(void **state) {
    (void)state;
    struct fixture fixture;
    char lines[8192];
    FILE *log = tmpfile();
    fixture_init(&fixture);
    fixture_listen(&fixture);
    struct asked asked = ask(&fixture);
    int stderr_kept = dup(STDERR_FILENO);
    dup2(fileno(log), STDERR_FILENO);
    Herald__Rpc__V1__LogLevel first = set_level(&asked, HERALD__RPC__V1__LOG_LEVEL__ERROR);
    Herald__Rpc__V1__LogLevel second = set_level(&asked, HERALD__RPC__V1__LOG_LEVEL__DEBUG);
    Herald__Rpc__V1__LogLevel third = set_level(&asked, first);
    dup2(stderr_kept, STDERR_FILENO);
    close(stderr_kept);
    assert_int_equal(second, HERALD__RPC__V1__LOG_LEVEL__ERROR);
    assert_int_equal(third, HERALD__RPC__V1__LOG_LEVEL__DEBUG);
    rewind(log);
    lines[fread(lines, 1, sizeof(lines) - 1, log)] = '\0';
    fclose(log);
    assert_non_null(strstr(lines, "\"previous\":\"ERROR\",\"level\":\"DEBUG\""));
    assert_non_null(strstr(lines, "log.level_changed"));
    assert_non_null(strstr(lines, "\"caller\":"));
    assert_non_null(strstr(lines, "\"call_id\":"));
    forget(&asked);
    fixture_stop(&fixture);
}

static void test_log_level_that_is_none_is_refused(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_listen(&fixture);
    assert_probe(fixture.url, "herald.rpc.v1.Introspection/SetLogLevel {}", "\"INVALID_ARGUMENT\"");
    assert_probe(fixture.url, "herald.rpc.v1.Introspection/SetLogLevel {\"level\":9}", "\"INVALID_ARGUMENT\"");
    fixture_stop(&fixture);
}

/* ---- GetInfo ---- */

static void test_info_tells_limits_and_failpoints(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.settings.rpc_max_message_bytes = 54321;
    fixture_listen(&fixture);
    assert_probe(fixture.url, "herald.rpc.v1.Introspection/GetInfo", "\"maxMessageBytes\":54321");
    assert_probe(fixture.url, "herald.rpc.v1.Introspection/GetInfo",
                 HERALD_FAILPOINTS ? "\"failpoints\":true" : "\"listeners\"");
    fixture_stop(&fixture);
}

/* ---- failpoints ---- */

#if HERALD_FAILPOINTS

static void set_failpoint(const struct fixture *fixture, const char *name, const char *action, const char *expected) {
    char text[256];
    snprintf(text, sizeof(text),
             "herald.rpc.v1.Introspection/SetFailpoint {\"failpoint\":{\"name\":\"%s\",\"action\":\"%s\"}}", name,
             action);
    assert_probe(fixture->url, text, expected);
}

static void test_failpoints_are_listed_with_what_they_do(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_listen(&fixture);
    set_failpoint(&fixture, "rpc.reply", "3*drop", "\"previous\":\"off\"");
    assert_probe(fixture.url, "herald.rpc.v1.Introspection/ListFailpoints",
                 "{\"name\":\"rpc.reply\",\"action\":\"3*drop\",\"about\":\"the reply is ready");
    set_failpoint(&fixture, "rpc.reply", "off", "\"previous\":\"3*drop\"");
    set_failpoint(&fixture, "rpc.nowhere", "off", "\"UNKNOWN_FAILPOINT\"");
    set_failpoint(&fixture, "rpc.reply", "explode", "\"NO_ACTION\"");
    fixture_stop(&fixture);
}

static void test_failpoint_before_handler_fails_the_call_and_leaves_introspection_alone(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.downstream_waits = false;
    fixture_listen(&fixture);
    struct asked asked = ask(&fixture);
    set_failpoint(&fixture, "rpc.before_handler", "error(NOT_FOUND)", "\"previous\":\"off\"");
    assert_int_equal(get_job(&asked, 0), HERALD_NOT_FOUND);
    assert_string_equal(asked.reply.error.reason, "FAILPOINT");
    set_failpoint(&fixture, "rpc.before_handler", "off", "\"previous\":\"error(NOT_FOUND)\"");
    assert_int_equal(get_job(&asked, 0), HERALD_OK);
    forget(&asked);
    fixture_stop(&fixture);
}

static void test_failpoint_after_handler_lets_the_handler_run(void **state) {
    (void)state;
    struct fixture fixture;
    struct pending_call pending;
    fixture_init(&fixture);
    fixture.open = true;
    fixture_listen(&fixture);
    struct asked asked = ask(&fixture);
    set_failpoint(&fixture, "rpc.after_handler", "1*error(DATA_LOSS)", "\"previous\":\"off\"");
    start_wait_job(asked.channel, &pending, 10000);
    await_call(&pending);
    assert_int_equal(pending.reply.error.code, HERALD_DATA_LOSS);
    assert_int_equal(atomic_load(&fixture.ended), 1); /* the handler ran */
    herald_reply_clear(&pending.reply);
    forget(&asked);
    fixture_stop(&fixture);
}

static void test_failpoint_delay_keeps_other_calls_going(void **state) {
    (void)state;
    struct fixture fixture;
    struct pending_call pending;
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    fixture_init(&fixture);
    fixture_listen(&fixture);
    struct asked asked = ask(&fixture);
    request.job_id = (char *)TEST_JOB_ID;
    set_failpoint(&fixture, "rpc.before_handler", "1*delay(600000)", "\"previous\":\"off\"");
    start_call(asked.channel, herald_job_v1_job_service_get_job_method, &request.base, &pending, 60000);
    bool delayed = false;
    while (!delayed) { /* until the task sleeps */
        const Herald__Rpc__V1__ListTasksResponse *response = tasks(&asked, 0);
        for (size_t i = 0; i < response->n_tasks; i++) {
            delayed |= strcmp(response->tasks[i]->waits_for, "sleep") == 0;
        }
    }
    assert_int_equal(get_job(&asked, 0), HERALD_OK);
    assert_false(atomic_load(&pending.done));
    rpc_server_drain(fixture.server, 0); /* ends the sleeping call */
    await_call(&pending);
    assert_int_equal(pending.reply.error.code, HERALD_UNAVAILABLE);
    herald_reply_clear(&pending.reply);
    forget(&asked);
    fixture_stop(&fixture);
}

static void test_failpoint_drop_executes_the_call_and_sends_no_reply(void **state) {
    (void)state;
    struct fixture fixture;
    struct pending_call pending;
    fixture_init(&fixture);
    fixture.open = true;
    fixture_listen(&fixture);
    struct asked asked = ask(&fixture);
    set_failpoint(&fixture, "rpc.reply", "drop", "\"previous\":\"off\"");
    start_wait_job(asked.channel, &pending, 300);
    await_call(&pending);
    assert_int_equal(pending.reply.error.code, HERALD_DEADLINE_EXCEEDED);
    assert_int_equal(pending.reply.outcome, HERALD_MAYBE_EXECUTED);
    assert_true(atomic_load(&fixture.ended) >= 1);
    herald_reply_clear(&pending.reply);
    set_failpoint(&fixture, "rpc.reply", "off", "\"previous\":\"drop\"");
    assert_int_equal(get_job(&asked, 0), HERALD_OK);
    forget(&asked);
    fixture_stop(&fixture);
}

#endif

static int set_all_off(void **state) {
    (void)state;
    for (unsigned i = 0; i < failpoint_count(); i++) {
        const char *name, *about;
        char action[FAILPOINT_ACTION_BYTES];
        failpoint_describe(i, &name, &about, action);
        (void)failpoint_set(name, "off", NULL, NULL);
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gauges_of_all_sources_are_shown_as_they_stand),
        cmocka_unit_test(test_gauges_of_a_server_without_any_are_none),
        cmocka_unit_test(test_recent_failed_call_is_kept_with_its_error),
        cmocka_unit_test(test_recent_slow_call_is_kept_with_its_phases),
        cmocka_unit_test(test_recent_is_bounded_and_the_latest_come_first),
        cmocka_unit_test(test_recent_of_an_unknown_method_is_not_found),
        cmocka_unit_test(test_tasks_of_all_loops_are_listed_the_longest_waiting_first),
        cmocka_unit_test(test_tasks_beyond_the_limit_those_that_waited_longest_are_kept),
        cmocka_unit_test(test_log_level_is_changed_and_the_change_is_logged),
        cmocka_unit_test(test_log_level_that_is_none_is_refused),
        cmocka_unit_test(test_info_tells_limits_and_failpoints),
#if HERALD_FAILPOINTS
        cmocka_unit_test_teardown(test_failpoints_are_listed_with_what_they_do, set_all_off),
        cmocka_unit_test_teardown(test_failpoint_before_handler_fails_the_call_and_leaves_introspection_alone,
                                  set_all_off),
        cmocka_unit_test_teardown(test_failpoint_after_handler_lets_the_handler_run, set_all_off),
        cmocka_unit_test_teardown(test_failpoint_delay_keeps_other_calls_going, set_all_off),
        cmocka_unit_test_teardown(test_failpoint_drop_executes_the_call_and_sends_no_reply, set_all_off),
#endif
    };
    return cmocka_run_group_tests_name("rpc.introspection", tests, NULL, set_all_off);
}
