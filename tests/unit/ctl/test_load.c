/* bench, top and the failpoint commands against a server that answers from a script. */
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/screen.h"
#include "deploy/ctl/top.h"
#include "herald/job/v1/job.schema.h"
#include "herald/rpc/v1/introspection.schema.h"
#include "tests/unit/ctl/run_ctl.h"
#include "tests/unit/ctl/scripted_server.h"

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GET_JOB        herald_job_v1_job_service_get_job_method
#define UPDATE_JOB     herald_job_v1_job_service_update_job_method
#define CREATE_JOB     herald_job_v1_job_service_create_image_job_method
#define INFO           herald_rpc_v1_introspection_get_info_method
#define STATS          herald_rpc_v1_introspection_get_stats_method
#define TASKS          herald_rpc_v1_introspection_list_tasks_method
#define RECENT         herald_rpc_v1_introspection_list_recent_calls_method
#define SET_FAILPOINT  herald_rpc_v1_introspection_set_failpoint_method
#define LIST_FAILPOINT herald_rpc_v1_introspection_list_failpoints_method

/* The three servers are one, but for those that are away. */
static struct scripted_server *start(const struct scripted_answer *answers, size_t count) {
    struct scripted_server *server = scripted_server_start(answers, count);
    assert_non_null(server);
    setenv("HERALD_EVENT_URL", "tcp://127.0.0.1:1", 1);
    setenv("HERALD_JOB_URL", scripted_server_url(server), 1);
    setenv("HERALD_DISTRIBUTION_URL", "tcp://127.0.0.1:1", 1);
    return server;
}

#define START(answers) start(answers, sizeof(answers) / sizeof((answers)[0]))

static json_t *said_json(void) {
    json_error_t error;
    json_t *value = json_loads(said, 0, &error);
    if (value == NULL) {
        fail_msg("%s in: %s", error.text, said);
    }
    return value;
}

static json_int_t number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value)) {
        fail_msg("%s is no number in %s", name, said);
    }
    return (json_int_t)json_number_value(value);
}

static const struct scripted_answer good_job[] = {{.method = GET_JOB, .response = "{\"job\":{\"jobId\":\"j1\"}}"}};

/* ---- bench ---- */

static void test_bench_of_a_count_makes_that_many_calls(void **state) {
    (void)state;
    struct scripted_server *server = START(good_job);
    assert_int_equal(RUN("bench", "GetJob", "-d", "{\"jobId\":\"j1\"}", "--concurrency", "4", "--connections", "2",
                         "-n", "200", "--warm-up", "0s"),
                     CTL_OK);
    assert_int_equal(scripted_server_calls(server, GET_JOB), 200);
    assert_string_equal(scripted_server_last_request(server), "{\"jobId\":\"j1\"}");
    assert_non_null(strstr(said, "closed loop, 4 at once, 2 connections, 200 calls after 0 s of warm-up"));
    assert_non_null(strstr(said, "calls     200 in "));
    assert_non_null(strstr(said, "p99.9"));
    scripted_server_stop(server);
}

static void test_bench_json_holds_every_call_in_codes_outcomes_and_histogram(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = GET_JOB, .response = "{}"},
        {.method = GET_JOB, .code = HERALD_NOT_FOUND, .reason = "JOB_NOT_FOUND", .message = "there is no such job"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("-o", "json", "bench", "GetJob", "-n", "50", "--warm-up", "0s"), CTL_FAILED);
    json_t *whole = said_json();
    const json_t *codes = json_object_get(whole, "codes"), *latency = json_object_get(whole, "latencyUs");
    json_int_t counted = 0;
    size_t i;
    const json_t *bucket;
    json_array_foreach(json_object_get(whole, "histogram"), i, bucket) counted += number(bucket, "count");
    assert_int_equal(number(whole, "calls"), 50);
    assert_int_equal(number(codes, "OK"), 1);
    assert_int_equal(number(codes, "NOT_FOUND"), 49);
    assert_int_equal(number(json_object_get(whole, "outcomes"), "EXECUTED"), 50);
    assert_int_equal(counted, 50);
    const json_t *errors = json_object_get(whole, "errors"), *error = json_array_get(errors, 0);
    assert_int_equal(json_array_size(errors), 1);
    assert_string_equal(json_string_value(json_object_get(error, "code")), "NOT_FOUND");
    assert_string_equal(json_string_value(json_object_get(error, "reason")), "JOB_NOT_FOUND");
    assert_int_equal(number(error, "count"), 49);
    assert_true(number(latency, "p50") <= number(latency, "p99"));
    assert_true(number(latency, "p99") <= number(latency, "max"));
    assert_string_equal(complained, "");
    json_decref(whole);
    scripted_server_stop(server);
}

static void test_bench_of_which_one_call_fails_exits_1_and_tells_why(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = GET_JOB, .code = HERALD_UNAVAILABLE, .reason = "REDIS_\x1b_AWAY", .message = "redis is away"},
        {.method = GET_JOB, .response = "{}"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("bench", "GetJob", "-n", "50", "--warm-up", "0s", "--concurrency", "4"), CTL_FAILED);
    assert_non_null(strstr(said, "errors\n  UNAVAILABLE REDIS_ _AWAY                        1\n"));
    assert_int_equal(RUN("bench", "GetJob", "-n", "50", "--warm-up", "0s"), CTL_OK);
    assert_null(strstr(said, "errors"));
    assert_int_equal(RUN("-o", "json", "bench", "GetJob", "--rate", "1", "--duration", "100ms", "--warm-up", "100ms"),
                     CTL_FAILED); /* nothing was measured */
    scripted_server_stop(server);
}

static void test_bench_warm_up_is_not_counted(void **state) {
    (void)state;
    struct scripted_server *server = START(good_job);
    assert_int_equal(RUN("-o", "json", "bench", "GetJob", "-n", "10", "--warm-up", "100ms"), CTL_OK);
    json_t *whole = said_json();
    assert_int_equal(number(whole, "calls"), 10);
    assert_true(scripted_server_calls(server, GET_JOB) > 10);
    json_decref(whole);
    scripted_server_stop(server);
}

static void test_bench_by_rate_starts_calls_by_the_clock(void **state) {
    (void)state;
    struct scripted_server *server = START(good_job);
    assert_int_equal(RUN("-o", "json", "bench", "GetJob", "--rate", "200", "--duration", "500ms", "--warm-up", "0s"),
                     CTL_OK);
    json_t *whole = said_json();
    assert_int_equal(number(whole, "calls"), 100);
    assert_int_equal(scripted_server_calls(server, GET_JOB), 100);
    json_decref(whole);
    scripted_server_stop(server);
}

static void test_bench_by_rate_counts_from_when_each_call_should_have_begun(void **state) {
    (void)state;
    struct scripted_server *server = START(good_job);
    /* A million calls a second cannot be started: all of these should have begun within 2 ms, and none did. */
    assert_int_equal(RUN("-o", "json", "bench", "GetJob", "--rate", "1000000", "-n", "2000", "--warm-up", "0s"),
                     CTL_OK);
    json_t *whole = said_json();
    double end_us = json_number_value(json_object_get(whole, "seconds")) * 1e6;
    assert_int_equal(number(whole, "calls"), 2000);
    assert_true((double)number(json_object_get(whole, "latencyUs"), "max") >= end_us - 2001);
    json_decref(whole);
    scripted_server_stop(server);
}

static void test_bench_of_a_server_that_is_away_exits_3_and_counts_the_calls(void **state) {
    (void)state;
    /* Nobody listens: each call ends with its time-out, 200 ms after it should have begun. */
    setenv("HERALD_JOB_URL", "tcp://127.0.0.1:1", 1);
    assert_int_equal(RUN("-o", "json", "bench", "GetJob", "--rate", "100", "-n", "5", "-t", "200", "--warm-up", "0s"),
                     CTL_NOT_SENT);
    json_t *whole = said_json();
    assert_int_equal(number(json_object_get(whole, "outcomes"), "NOT_SENT"), 5);
    assert_non_null(strstr(said, "\"reason\":\"NOT_CONNECTED\",\"count\":5"));
    assert_true(number(json_object_get(whole, "latencyUs"), "p50") >= 190000);
    json_decref(whole);
}

static void test_bench_of_methods_that_change_something_needs_yes(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {{.method = UPDATE_JOB, .response = "{}"},
                                              {.method = CREATE_JOB, .response = "{}"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("bench", "UpdateJob", "-n", "3", "--warm-up", "0s"), CTL_USAGE);
    assert_non_null(strstr(complained, "changes something; say --yes if you mean it"));
    assert_int_equal(RUN("bench", "CreateImageJob", "-n", "3", "--warm-up", "0s"), CTL_USAGE);
    assert_non_null(strstr(complained, "takes effect once for each call"));
    assert_int_equal(scripted_server_calls(server, UPDATE_JOB), 0);
    assert_int_equal(scripted_server_calls(server, CREATE_JOB), 0);
    assert_int_equal(RUN("bench", "CreateImageJob", "-n", "3", "--warm-up", "0s", "--yes"), CTL_OK);
    assert_non_null(strstr(complained, "takes effect once for each call")); /* it still says so */
    assert_int_equal(scripted_server_calls(server, CREATE_JOB), 3);
    scripted_server_stop(server);
}

static void test_bench_of_wrong_usage_calls_nothing(void **state) {
    (void)state;
    struct scripted_server *server = START(good_job);
    assert_int_equal(RUN("bench", "GetJob", "--rate", "10", "--concurrency", "2"), CTL_USAGE);
    assert_non_null(strstr(complained, "exclude each other"));
    assert_int_equal(RUN("bench", "GetJob", "-d", "{\"jobbId\":1}"), CTL_USAGE);
    assert_int_equal(RUN("bench", "GetJbo"), CTL_USAGE);
    assert_int_equal(scripted_server_calls(server, GET_JOB), 0);
    scripted_server_stop(server);
}

/* Sends ^C as soon as calls are made. */
static void *interrupt(void *user) {
    const struct scripted_server *server = user;
    while (scripted_server_calls(server, GET_JOB) < 20) {
        usleep(1000);
    }
    kill(getpid(), SIGINT);
    return NULL;
}

static void test_bench_that_is_interrupted_prints_what_it_has(void **state) {
    (void)state;
    static const char *const ways[] = {"--concurrency", "--rate"};
    for (size_t i = 0; i < 2; i++) {
        struct scripted_server *server = START(good_job);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, interrupt, server), 0);
        assert_int_equal(RUN("-o", "json", "bench", "GetJob", ways[i], "100", "--duration", "10m", "--warm-up", "0s"),
                         CTL_OK);
        pthread_join(thread, NULL);
        json_t *whole = said_json();
        assert_true(json_is_true(json_object_get(whole, "interrupted")));
        assert_true(number(whole, "calls") >= 10);
        json_decref(whole);
        scripted_server_stop(server);
    }
}

/* ---- top ---- */

static const struct scripted_answer top_answers[] = {
    {.method = INFO,
     .response = "{\"server\":\"herald-job\",\"pid\":4711,\"loops\":2,\"tasks\":5,\"callsInFlight\":3,"
                 "\"callsInFlightLimit\":4096}"},
    {.method = STATS,
     .response = "{\"methods\":[{\"method\":\"herald.job.v1.JobService/GetJob\",\"codes\":[{\"count\":\"10\"}],"
                 "\"latency\":[{\"leUs\":\"50\",\"count\":\"10\"}]}]}"},
    {.method = STATS,
     .response = "{\"methods\":[{\"method\":\"herald.job.v1.JobService/GetJob\",\"codes\":[{\"count\":\"25\"},"
                 "{\"code\":\"NOT_FOUND\",\"count\":\"5\"}],\"latency\":[{\"leUs\":\"50\",\"count\":\"10\"},"
                 "{\"leUs\":\"20000\",\"count\":\"20\"}],\"inFlight\":3},"
                 "{\"method\":\"herald.rpc.v1.Health/Check\",\"codes\":[{\"count\":\"9\"}]}],"
                 "\"gauges\":[{\"name\":\"driven\",\"value\":12},{\"name\":\"watchers\"},"
                 "{\"name\":\"breaker\",\"label\":\"GENIE_TV\",\"value\":1,\"text\":\"OPEN\"},"
                 "{\"name\":\"failure_rate\",\"label\":\"GENIE_TV\",\"value\":62.5},"
                 "{\"name\":\"slow_rate\",\"label\":\"GENIE_TV\",\"value\":-1,\"text\":\"too few calls\"}]}"},
    {.method = TASKS,
     .response = "{\"loops\":[{\"tasks\":2},{\"index\":1,\"tasks\":3}],\"tasks\":[{\"loop\":1,\"name\":\"outbox\","
                 "\"waitsFor\":\"a reply of Redis\",\"waitingUs\":\"12345678\"}]}"},
    {.method = RECENT,
     .response = "{\"calls\":[{\"method\":\"herald.job.v1.JobService/WaitJob\",\"callId\":\"c-1\",\"code\":"
                 "\"UNAVAILABLE\",\"reason\":\"REDIS_AWAY\",\"message\":\"redis is away\",\"totalUs\":\"1500\"}]}"},
};

static void test_top_once_shows_servers_methods_tasks_and_failures(void **state) {
    (void)state;
    struct scripted_server *server = START(top_answers);
    assert_int_equal(RUN("top", "--once", "--interval", "50ms"), CTL_OK);
    assert_non_null(strstr(said, "herald-event         tcp://127.0.0.1:1"));
    assert_non_null(strstr(said, "away"));
    assert_non_null(strstr(said, "4711"));
    assert_non_null(strstr(said, "3 of 4096"));
    assert_non_null(strstr(said, "herald.job.v1.JobService/GetJob"));
    assert_non_null(strstr(said, "20.0 ms"));
    assert_non_null(strstr(said, "NOT_FOUND "));
    assert_non_null(strstr(said, "a reply of Redis  12.3 s"));
    assert_non_null(strstr(said, "REDIS_AWAY  1500 us  redis is away"));
    assert_non_null(strstr(said, "\nGauges\nSERVER      OF        GAUGES\n"
                                 "herald-job            driven 12, watchers 0\n"
                                 "herald-job  GENIE_TV  breaker OPEN, failure_rate 62.5, slow_rate too few calls\n"));
    assert_null(strstr(said, "herald.rpc.v1.Health/Check"));
    scripted_server_stop(server);
}

static void test_top_json_compares_two_looks(void **state) {
    (void)state;
    struct scripted_server *server = START(top_answers);
    assert_int_equal(RUN("-o", "json", "top", "--server", "job", "--interval", "50ms", "-v"), CTL_OK);
    json_t *whole = said_json();
    const json_t *methods = json_object_get(whole, "methods"), *busiest = json_array_get(methods, 0);
    assert_int_equal(json_array_size(json_object_get(whole, "servers")), 1);
    assert_int_equal(json_array_size(methods), 2); /* with -v its own methods too */
    assert_string_equal(json_string_value(json_object_get(busiest, "method")), "herald.job.v1.JobService/GetJob");
    double calls = json_number_value(json_object_get(busiest, "callsPerS"));
    double errors = json_number_value(json_object_get(busiest, "errorsPerS"));
    assert_true(calls > 0 && calls <= 20 / 0.05);
    assert_true(errors * 4 > calls * 0.999 && errors * 4 < calls * 1.001); /* 5 of the 20 new ones */
    assert_int_equal(number(busiest, "p50Us"), 20000);
    assert_int_equal(number(busiest, "total"), 30);
    assert_int_equal(number(busiest, "inFlight"), 3);
    const json_t *server_json = json_array_get(json_object_get(whole, "servers"), 0);
    const json_t *gauges = json_object_get(server_json, "gauges"), *breaker = json_array_get(gauges, 2);
    assert_int_equal(json_array_size(gauges), 5);
    assert_string_equal(json_string_value(json_object_get(breaker, "name")), "breaker");
    assert_string_equal(json_string_value(json_object_get(breaker, "label")), "GENIE_TV");
    assert_string_equal(json_string_value(json_object_get(breaker, "text")), "OPEN");
    assert_int_equal((int)json_number_value(json_object_get(breaker, "value")), 1);
    json_decref(whole);
    scripted_server_stop(server);
}

static void test_top_of_a_server_that_keeps_details_to_itself_shows_the_rest(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        top_answers[0],
        top_answers[1],
        {.method = TASKS, .code = HERALD_UNAUTHENTICATED, .reason = "NO_CREDENTIAL", .message = "say who you are"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("top", "--once", "--server", "job", "--interval", "50ms"), CTL_OK);
    assert_non_null(strstr(said, "herald.job.v1.JobService/GetJob"));
    assert_non_null(strstr(said, "tasks and failures are not shown: UNAUTHENTICATED: say who you are"));
    scripted_server_stop(server);
}

static void test_top_without_any_server_exits_3_and_still_shows_them(void **state) {
    (void)state;
    setenv("HERALD_JOB_URL", "tcp://127.0.0.1:1", 1);
    assert_int_equal(RUN("top", "--once", "--server", "job", "--interval", "50ms"), CTL_NOT_SENT);
    assert_non_null(strstr(said, "away"));
    assert_non_null(strstr(said, "no server answers\n"));
}

static void test_top_of_a_server_that_answers_with_an_error_exits_1_and_does_not_say_away(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = INFO, .code = HERALD_PERMISSION_DENIED, .reason = "NOT_YOU", .message = "it is not for you"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("top", "--once", "--server", "job", "--interval", "50ms"), CTL_FAILED);
    assert_null(strstr(said, "away"));
    assert_non_null(strstr(said, "error"));
    assert_non_null(strstr(said, "PERMISSION_DENIED: it is not for you"));
    assert_non_null(strstr(said, "no server answers but with errors\n"));
    assert_int_equal(RUN("-o", "json", "top", "--server", "job", "--interval", "50ms"), CTL_FAILED);
    assert_non_null(strstr(said, "\"state\":\"error\""));
    scripted_server_stop(server);
}

/* JSON of a list of many: @format takes the number. */
static char *many(const char *name, unsigned count, const char *format) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    fprintf(out, "{\"%s\":[", name);
    for (unsigned i = 0; i < count; i++) {
        fputs(i > 0 ? "," : "", out);
        for (const char *c = format; *c != '\0'; c++) {
            if (*c == '#') {
                fprintf(out, "%u", i);
            } else {
                fputc(*c, out);
            }
        }
    }
    fputs("]}", out);
    fclose(out);
    return text;
}

/* What top draws on a screen after two looks; free() it. */
static char *drawn(const struct top_room *room) {
    const struct ctl_arguments arguments = {.timeout_ms = 0};
    struct ctl ctl = {.arguments = &arguments};
    struct herald_error error;
    struct top top;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    assert_int_equal(settings_load(&ctl.settings, NULL, &error), HERALD_OK);
    assert_int_equal(remote_prepare(&ctl, &error), HERALD_OK);
    assert_int_equal(top_open(&top, &ctl, &error), HERALD_OK);
    top_look(&top);
    top_look(&top);
    top_show_text(&top, room, out);
    top_close(&top);
    remote_forget();
    settings_fini(&ctl.settings);
    fclose(out);
    return text;
}

static void assert_fits(const char *text, const struct top_room *room) {
    size_t rows = 0;
    for (; *text != '\0'; rows++) {
        size_t bytes = strcspn(text, "\n");
        if (strstr(text, ": UNAVAILABLE: ") != text + strcspn(text, ":") &&
            screen_clip(text, bytes, room->columns) < bytes) {
            fail_msg("wider than %zu columns: %.*s", room->columns, (int)bytes, text);
        }
        text += bytes + (text[bytes] == '\n');
    }
    if (rows > room->rows) {
        fail_msg("%zu rows", rows);
    }
}

/* On a screen a gauge that says nothing new is left out, and so is what is of nothing else. */
static void test_top_on_a_screen_folds_the_gauges(void **state) {
    (void)state;
    const struct top_room room = {80, 24};
    const struct scripted_answer answers[] = {
        top_answers[0],
        {.method = STATS,
         .response =
             "{\"gauges\":[{\"name\":\"driven\"},{\"name\":\"breaker\",\"label\":\"GENIE_TV\",\"value\":1,"
             "\"text\":\"OPEN\"},{\"name\":\"in_flight\",\"label\":\"GENIE_TV\"},{\"name\":\"slow_rate\","
             "\"label\":\"GENIE_TV\",\"value\":-1,\"text\":\"too few calls\"},{\"name\":\"waiting\",\"label\":"
             "\"GENIE_TV\",\"value\":12345678},{\"name\":\"paused\",\"label\":\"INSTAGRAM\",\"value\":2,\"text\":"
             "\"PAUSED_FOR_CREDENTIAL: the channel refused the token that is in the settings, HTTP 401\"}]}"},
        {.method = TASKS, .response = "{}"},
        {.method = RECENT, .response = "{}"}};
    struct scripted_server *server = START(answers);
    char *text = drawn(&room);
    assert_fits(text, &room);
    assert_non_null(strstr(text, "\nGauges\nOF         GAUGES\n"
                                 "GENIE_TV   breaker OPEN, waiting 12345678\n"
                                 "INSTAGRAM  paused PAUSED_FOR_CREDENTIAL: the channel refused"));
    assert_null(strstr(text, "driven"));
    free(text);
    scripted_server_stop(server);
}

static void test_top_on_a_small_screen_shows_some_of_everything(void **state) {
    (void)state;
    const struct top_room room = {80, 22};
    char *stats =
        many("methods", 20,
             "{\"method\":\"herald.distribution.v1.DistributionService/GetDistribution#\",\"codes\":[{\"count\":"
             "\"1000\"},{\"code\":\"DEADLINE_EXCEEDED\",\"count\":\"500\"}],\"latency\":[{\"leUs\":\"2000000\","
             "\"count\":\"1500\"}],\"inFlight\":77}");
    char *tasks =
        many("tasks", 9,
             "{\"loop\":1,\"name\":\"herald.distribution.v1.DistributionService/GetDistribution\",\"waitsFor\":"
             "\"a connection to the database number #\",\"waitingUs\":\"12345678\"}");
    char *failures = many("calls", 5,
                          "{\"method\":\"herald.distribution.v1.DistributionService/GetDistribution\",\"code\":"
                          "\"DEADLINE_EXCEEDED\",\"reason\":\"CANNOT_FINISH_IN_TIME_#\",\"totalUs\":\"1500\"}");
    const struct scripted_answer answers[] = {top_answers[0],
                                              {.method = STATS, .response = "{}"},
                                              {.method = STATS, .response = stats},
                                              {.method = TASKS, .response = tasks},
                                              {.method = RECENT, .response = failures}};
    struct scripted_server *server = START(answers);
    char *text = drawn(&room);
    assert_fits(text, &room);
    assert_non_null(strstr(text, "herald-event: UNAVAILABLE: "));
    assert_non_null(strstr(text, "CALLS/S"));
    assert_non_null(strstr(text, "IN FLIGHT"));
    assert_non_null(strstr(text, "…/GetDistribution"));
    assert_non_null(strstr(text, "2000.0 ms  2000.0 ms  77         DEADLINE_EXCEEDED"));
    assert_non_null(strstr(text, "Tasks that wait longest\n"));
    assert_non_null(strstr(text, "12.3 s"));
    assert_non_null(strstr(text, "Last failed calls\n"));
    assert_non_null(strstr(text, "CANNOT_"));
    free(text);
    free(stats);
    free(tasks);
    free(failures);
    scripted_server_stop(server);
}

/* ---- failpoints ---- */

static void test_failpoints_are_listed_and_set(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = LIST_FAILPOINT,
         .response = "{\"failpoints\":[{\"name\":\"rpc.reply\",\"action\":\"2*drop\",\"about\":\"the reply\"}]}"},
        {.method = SET_FAILPOINT, .response = "{\"previous\":\"2*drop\"}"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("failpoints", "--server", "job"), CTL_OK);
    assert_non_null(strstr(said, "herald-job  rpc.reply  2*drop  the reply\n"));
    assert_int_equal(RUN("failpoint", "rpc.reply", "20%drop", "--server", "job"), CTL_OK);
    assert_non_null(strstr(said, "herald-job  rpc.reply  20%drop  2*drop\n"));
    assert_string_equal(scripted_server_last_request(server),
                        "{\"failpoint\":{\"name\":\"rpc.reply\",\"action\":\"20%drop\"}}");
    assert_int_equal(RUN("failpoint", "rpc.reply", "off"), CTL_NOT_SENT); /* two of the three are away */
    assert_non_null(strstr(said, "herald-job  rpc.reply"));
    scripted_server_stop(server);
}

static void test_failpoints_of_a_release_build_are_told_as_missing(void **state) {
    (void)state;
    const struct scripted_answer answers[] = {
        {.method = LIST_FAILPOINT, .response = "{}"},
        {.method = SET_FAILPOINT, .code = HERALD_UNIMPLEMENTED, .reason = "COMPILED_OUT", .message = "not here"}};
    struct scripted_server *server = START(answers);
    assert_int_equal(RUN("failpoints", "--server", "job"), CTL_OK);
    assert_non_null(strstr(complained, "built without failpoints"));
    assert_int_equal(RUN("failpoint", "rpc.reply", "drop", "--server", "job"), CTL_FAILED);
    assert_non_null(strstr(complained, "COMPILED_OUT"));
    scripted_server_stop(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bench_of_a_count_makes_that_many_calls),
        cmocka_unit_test(test_bench_json_holds_every_call_in_codes_outcomes_and_histogram),
        cmocka_unit_test(test_bench_of_which_one_call_fails_exits_1_and_tells_why),
        cmocka_unit_test(test_bench_warm_up_is_not_counted),
        cmocka_unit_test(test_bench_by_rate_starts_calls_by_the_clock),
        cmocka_unit_test(test_bench_by_rate_counts_from_when_each_call_should_have_begun),
        cmocka_unit_test(test_bench_of_a_server_that_is_away_exits_3_and_counts_the_calls),
        cmocka_unit_test(test_bench_of_methods_that_change_something_needs_yes),
        cmocka_unit_test(test_bench_of_wrong_usage_calls_nothing),
        cmocka_unit_test(test_bench_that_is_interrupted_prints_what_it_has),
        cmocka_unit_test(test_top_once_shows_servers_methods_tasks_and_failures),
        cmocka_unit_test(test_top_json_compares_two_looks),
        cmocka_unit_test(test_top_of_a_server_that_keeps_details_to_itself_shows_the_rest),
        cmocka_unit_test(test_top_without_any_server_exits_3_and_still_shows_them),
        cmocka_unit_test(test_top_of_a_server_that_answers_with_an_error_exits_1_and_does_not_say_away),
        cmocka_unit_test(test_top_on_a_screen_folds_the_gauges),
        cmocka_unit_test(test_top_on_a_small_screen_shows_some_of_everything),
        cmocka_unit_test(test_failpoints_are_listed_and_set),
        cmocka_unit_test(test_failpoints_of_a_release_build_are_told_as_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
