/* What a content worker notices by itself, of all that it needs. */
#include "fake_jobs.h"
#include "server/content/content_watch.h"
#include "server/outgoing/http_knock.h"
#include "tests/unit/runtime/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS_SERVICE "herald.job.v1.JobService"

/* What the picture server says to a knock. Read and written while nobody is at it, or on threads of the pool. */
static _Atomic int knock_answer;

/* Stands in for the real one. */
int http_knock(const char *host, const char *port, uint32_t wait_ms) {
    (void)host;
    (void)port;
    (void)wait_ms;
    return knock_answer;
}

/* On the loop's thread, like all that watches. */
struct watching {
    struct fake_jobs jobs;
    struct picture_server *pictures;
    struct content_health health;
    char folder[64], aside[80];
    bool busy;
    struct {
        const char *component;
        unsigned reports;
        char why[512]; /* empty: it serves */
    } heard[3];
};

static void on_health(void *user, const char *component, const struct herald_error *error) {
    struct watching *watching = user;
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(watching->heard[i].component, component) == 0) {
            watching->heard[i].reports++;
            snprintf(watching->heard[i].why, sizeof(watching->heard[i].why), "%s", error != NULL ? error->message : "");
        }
    }
}

static bool is_idle(void *user) {
    return !((const struct watching *)user)->busy;
}

static int start(void **state) {
    struct watching *watching = calloc(1, sizeof(*watching));
    strcpy(watching->folder, "/tmp/herald-watching-XXXXXX");
    assert_non_null(mkdtemp(watching->folder));
    snprintf(watching->aside, sizeof(watching->aside), "%s.aside", watching->folder);
    watching->health = (struct content_health){.report = on_health, .user = watching};
    watching->heard[0].component = CONTENT_JOBS;
    watching->heard[1].component = CONTENT_PICTURES;
    watching->heard[2].component = CONTENT_PICTURE_SERVER;
    knock_answer = 0;
    fake_jobs_init(&watching->jobs);
    assert_int_equal(rpc_server_need(watching->jobs.server, JOBS_SERVICE, "database", NULL), HERALD_OK);
    assert_int_equal(rpc_server_need(watching->jobs.server, JOBS_SERVICE, "redis", NULL), HERALD_OK);
    rpc_server_set_health(watching->jobs.server, "database", true, NULL);
    fake_jobs_listen(&watching->jobs);
    assert_int_equal(picture_server_start("http://127.0.0.1:0", watching->folder, false, &watching->pictures, NULL),
                     HERALD_OK);
    *state = watching;
    return 0;
}

static int stop(void **state) {
    struct watching *watching = *state;
    picture_server_stop(watching->pictures);
    fake_jobs_fini(&watching->jobs);
    int failed = rmdir(watching->folder); /* a look leaves nothing behind */
    free(watching);
    return failed;
}

static struct content_watch *start_watch(struct watching *watching) {
    const struct content_watch_options options = {.loop = loop_current(),
                                                  .health = &watching->health,
                                                  .jobs = watching->jobs.channel,
                                                  .dir = watching->folder,
                                                  .pictures = watching->pictures,
                                                  .interval_ms = 10,
                                                  .is_idle = is_idle,
                                                  .user = watching};
    struct content_watch *watch = NULL;
    assert_int_equal(content_watch_start(&options, &watch, NULL), HERALD_OK);
    return watch;
}

/* @words  of why the component does not serve; "": it serves */
static void wait_for_word(const struct watching *watching, size_t component, const char *words) {
    uint64_t until_us = clock_now_us() + 60000000;
    bool heard = false;
    while (!heard) {
        const char *why = watching->heard[component].why;
        heard =
            watching->heard[component].reports > 0 && (words[0] == '\0' ? why[0] == '\0' : strstr(why, words) != NULL);
        if (!heard && clock_now_us() > until_us) {
            fail_msg("%s: \"%s\", not \"%s\"", watching->heard[component].component, why, words);
        }
        assert_int_equal(task_sleep(2, NULL), HERALD_OK);
    }
}

static void run_watching(struct watching *watching, task_body_fn *body) {
    struct call call;
    call_init(&call, "test", NULL, 0, 0);
    run_task(&call, body, watching);
    call_fini(&call);
}

static void notices_body(void *arg) {
    struct watching *watching = arg;
    struct content_watch *watch = start_watch(watching);
    for (size_t i = 0; i < 3; i++) {
        wait_for_word(watching, i, ""); /* Redis of the job server is nothing to a worker */
    }
    rpc_server_set_health(watching->jobs.server, "database", false, "it is away");
    wait_for_word(watching, 0, "its database does not serve: it is away");
    assert_int_equal(rename(watching->folder, watching->aside), 0);
    wait_for_word(watching, 1, "cannot be written");
    knock_answer = ETIMEDOUT;
    wait_for_word(watching, 2, "does not answer: Connection timed out");
    knock_answer = 0;
    assert_int_equal(rename(watching->aside, watching->folder), 0);
    rpc_server_set_health(watching->jobs.server, "database", true, NULL);
    for (size_t i = 0; i < 3; i++) {
        wait_for_word(watching, i, "");
    }
    content_watch_stop(watch);
}

static void test_watch_notices_what_is_away_and_what_is_back(void **state) {
    run_watching(*state, notices_body);
}

static void busy_body(void *arg) {
    struct watching *watching = arg;
    const struct herald_error failure = {.code = HERALD_UNAVAILABLE, .message = "met by a job"};
    struct content_watch *watch = start_watch(watching);
    for (size_t i = 0; i < 3; i++) {
        wait_for_word(watching, i, "");
    }
    watching->busy = true;
    on_health(watching, CONTENT_PICTURES, &failure);
    unsigned reports = watching->heard[1].reports;
    knock_answer = ECONNREFUSED; /* a change is told all the same: some looks have passed */
    wait_for_word(watching, 2, "refused");
    knock_answer = 0;
    wait_for_word(watching, 2, "");
    assert_int_equal(watching->heard[1].reports, reports);
    assert_string_equal(watching->heard[1].why, "met by a job");
    watching->busy = false;
    wait_for_word(watching, 1, "");
    content_watch_stop(watch);
}

static void test_watch_does_not_outvote_a_job_in_work(void **state) {
    run_watching(*state, busy_body);
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        WATCH_TEST(test_watch_notices_what_is_away_and_what_is_back),
        WATCH_TEST(test_watch_does_not_outvote_a_job_in_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
