/* Flow B, step 4, against a job service that is told to misbehave. */
#include "fake_jobs.h"
#include "server/content/content_failpoints.h"
#include "server/content/make_pictures.h"
#include "server/runtime/call.h"
#include "tests/unit/runtime/run.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOB          "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e"
#define KEY          "7a7ab0184bf4b3bb89e685b90f7f9cdd" /* of the job's pictures */
#define STATUS(name) HERALD__JOB__V1__JOB_STATUS__##name

struct making {
    struct fake_jobs jobs;
    char folder[64];
    const char *dir;     /* where pictures go; NULL: the folder */
    char obstacle[160];  /* a folder where a picture should be */
    unsigned back_early; /* the store was told to serve while that folder was there */
    const char *title, *phone;
    uint32_t call_timeout_ms;
    uint32_t attempts;
    enum herald_code code;
    struct herald_error error;
    struct open_attempt open;
    struct content_health health;
    atomic_uint store_away; /* reports that the picture store takes nothing */
    atomic_uint store_back; /* and that it serves */
    atomic_bool store_serves;
};

static void on_health(void *user, const char *component, const struct herald_error *error) {
    struct making *making = user;
    if (strcmp(component, CONTENT_PICTURES) == 0) {
        making->store_away += error != NULL;
        making->store_back += error == NULL;
        making->store_serves = error == NULL;
    }
}

static int start(void **state) {
    struct making *making = calloc(1, sizeof(*making));
    strcpy(making->folder, "/tmp/herald-making-XXXXXX");
    if (mkdtemp(making->folder) == NULL) {
        return 1;
    }
    making->attempts = 3;
    making->title = "반값 행사";
    making->phone = "";
    making->health = (struct content_health){.report = on_health, .user = making};
    fake_jobs_init(&making->jobs);
    *state = making;
    return 0;
}

static int stop(void **state) {
    struct making *making = *state;
    char command[128];
    fake_jobs_fini(&making->jobs);
    snprintf(command, sizeof(command), "rm -rf '%s'", making->folder);
    int failed = system(command);
    free(making);
    return failed;
}

static void making_body(void *arg) {
    struct making *making = arg;
    char id[] = JOB, name[] = "가게";
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    Herald__Job__V1__ImageJob job = HERALD__JOB__V1__IMAGE_JOB__INIT;
    store.name = name;
    store.phone = (char *)making->phone;
    job.job_id = job.event_draft_id = id;
    job.title = (char *)making->title;
    job.store_info = &store;
    struct make_pictures_options options = {.jobs = making->jobs.channel,
                                            .dir = making->dir != NULL ? making->dir : making->folder,
                                            .url = "http://127.0.0.1:7104",
                                            .attempts = making->attempts,
                                            .health = &making->health};
    making->code = make_pictures(&options, &job, &making->open, &making->error);
}

static void make(struct making *making) {
    struct call call;
    call_init(&call, "test", NULL, making->call_timeout_ms, 0);
    run_task(&call, making_body, making);
    call_fini(&call);
}

static void assert_report(const struct fake_report *report, int status, unsigned percent, unsigned pictures) {
    assert_string_equal(report->job_id, JOB);
    assert_int_equal(report->status, status);
    assert_int_equal(report->percent, percent);
    assert_int_equal(report->pictures, pictures);
}

static void assert_file(const struct making *making, const char *file, bool there) {
    char path[160];
    struct stat found;
    snprintf(path, sizeof(path), "%s/" KEY "/%s", making->folder, file);
    assert_int_equal(stat(path, &found), there ? 0 : -1);
}

static void test_make_pictures_reports_progress_and_completion(void **state) {
    struct making *making = *state;
    static const char *const FILES[] = {"simple.png", "simple.jpg", "fancy.png",
                                        "fancy.jpg",  "trendy.png", "trendy.jpg"};
    fake_jobs_listen(&making->jobs);
    make(making);
    assert_int_equal(making->code, HERALD_OK);
    assert_int_equal(making->jobs.report_count, 4);
    assert_report(&making->jobs.reports[0], STATUS(RUNNING), 5, 0);
    assert_report(&making->jobs.reports[1], STATUS(RUNNING), 35, 1);
    assert_report(&making->jobs.reports[2], STATUS(RUNNING), 65, 2);
    assert_report(&making->jobs.reports[3], STATUS(COMPLETED), 100, 3);
    assert_string_equal(making->jobs.reports[3].first_png, "http://127.0.0.1:7104/content/" KEY "/simple.png");
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        assert_file(making, FILES[i], true);
    }
}

/* Private use, which no font has, and a phone number that is longer than its slot in any style. */
static void test_make_pictures_tells_what_is_not_in_them(void **state) {
    struct making *making = *state;
    fake_jobs_listen(&making->jobs);
    making->title = "행사\xF3\xB0\x80\x80\xF3\xB0\x80\x81\xF3\xB0\x80\x80";
    making->phone = "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW";
    make(making);
    assert_int_equal(making->code, HERALD_OK);
    const struct fake_report *last = &making->jobs.reports[making->jobs.report_count - 1];
    assert_report(last, STATUS(COMPLETED), 100, 3);
    assert_int_equal(last->warnings, 2);
    assert_string_equal(last->warning[0], "title: U+F0000, U+F0001 left out: no installed font has them");
    assert_string_equal(last->warning[1], "storeInfo.phone: too long for a picture, its end is left out");
}

static void test_make_pictures_all_drawn_warns_of_nothing(void **state) {
    struct making *making = *state;
    fake_jobs_listen(&making->jobs);
    making->title = "新메뉴 1️⃣+1️⃣ 🎉";
    make(making);
    assert_int_equal(making->code, HERALD_OK);
    assert_int_equal(making->jobs.reports[making->jobs.report_count - 1].warnings, 0);
}

static void test_make_pictures_ended_job_is_left_alone(void **state) {
    struct making *making = *state;
    static const int ENDED[] = {STATUS(COMPLETED), STATUS(FAILED)};
    /* The dead letter of a job that has failed may be missing. */
    static const enum herald_code CODES[] = {HERALD_OK, HERALD_ABORTED};
    fake_jobs_listen(&making->jobs);
    for (int i = 0; i < 2; i++) {
        making->jobs.status = ENDED[i];
        make(making);
        assert_int_equal(making->code, CODES[i]);
        assert_int_equal(making->jobs.report_count, 0);
        assert_file(making, "simple.png", false);
    }
}

static void test_make_pictures_begun_job_is_finished(void **state) {
    struct making *making = *state;
    fake_jobs_listen(&making->jobs);
    making->jobs.status = STATUS(RUNNING);
    make(making);
    assert_int_equal(making->code, HERALD_OK);
    assert_int_equal(fake_jobs_count(&making->jobs, JOB, STATUS(COMPLETED)), 1);
}

static void test_make_pictures_service_that_fails_for_a_while_is_waited_for(void **state) {
    struct making *making = *state;
    fake_jobs_listen(&making->jobs);
    fake_jobs_refuse(&making->jobs, 4, HERALD_UNAVAILABLE);
    make(making);
    assert_int_equal(making->code, HERALD_OK);
    assert_int_equal(fake_jobs_count(&making->jobs, JOB, STATUS(COMPLETED)), 1);
}

static void *listen_later(void *arg) {
    struct making *making = arg;
    struct timespec pause = {.tv_nsec = 700000000};
    nanosleep(&pause, NULL); /* long enough that the first tries find nobody; shorter would prove less, not fail */
    fake_jobs_listen(&making->jobs);
    return NULL;
}

static void test_make_pictures_service_that_is_away_is_waited_for(void **state) {
    struct making *making = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, listen_later, making), 0);
    make(making);
    pthread_join(thread, NULL);
    assert_int_equal(making->code, HERALD_OK);
    assert_int_equal(fake_jobs_count(&making->jobs, JOB, STATUS(COMPLETED)), 1);
}

static void test_make_pictures_call_that_ends_leaves_the_job_unfinished(void **state) {
    struct making *making = *state;
    making->call_timeout_ms = 500; /* nobody listens */
    make(making);
    assert_int_equal(making->code, HERALD_DEADLINE_EXCEEDED);
    assert_int_equal(making->jobs.report_count, 0);
}

static void test_make_pictures_unknown_job_is_given_up_without_a_report(void **state) {
    struct making *making = *state;
    fake_jobs_listen(&making->jobs);
    making->jobs.unknown = true;
    make(making);
    assert_int_equal(making->code, HERALD_ABORTED);
    assert_string_equal(making->error.reason, "JOB_FAILED");
    assert_int_equal(making->jobs.report_count, 0);
}

static void test_make_pictures_each_attempt_is_counted_once(void **state) {
    struct making *making = *state;
    fake_jobs_listen(&making->jobs);
    make(making);
    assert_int_equal(making->code, HERALD_OK);
    assert_int_equal(fake_jobs_attempts(&making->jobs, JOB), 1);
    assert_string_equal(making->open.id, "");
    for (unsigned i = 1; i < making->jobs.report_count; i++) {
        assert_string_equal(making->jobs.reports[i].attempt_id, "");
    }
}

static void test_make_pictures_job_whose_attempts_are_used_up_fails_without_another(void **state) {
    struct making *making = *state;
    fake_jobs_listen(&making->jobs);
    making->jobs.status = STATUS(RUNNING);
    making->jobs.attempts = 3;
    make(making);
    assert_int_equal(making->code, HERALD_ABORTED);
    assert_string_equal(making->error.reason, "JOB_FAILED");
    assert_int_equal(making->jobs.report_count, 1);
    assert_report(&making->jobs.reports[0], STATUS(FAILED), 0, 0);
    assert_non_null(strstr(making->jobs.reports[0].failure, "3 attempts"));
    assert_file(making, "simple.png", false);
}

#if HERALD_FAILPOINTS
/* An end that names no attempt would also end a job that has begun anew meanwhile. */
static void test_make_pictures_failure_names_the_attempt_that_failed(void **state) {
    static struct failpoint *const *const TABLES[] = {content_failpoints, NULL};
    struct making *making = *state;
    failpoint_use(TABLES);
    assert_int_equal(failpoint_set("content.after_begin", "error(UNAVAILABLE)", NULL, NULL), HERALD_OK);
    fake_jobs_listen(&making->jobs);
    making->attempts = 2;
    make(making);
    assert_int_equal(failpoint_set("content.after_begin", "off", NULL, NULL), HERALD_OK);
    assert_int_equal(making->code, HERALD_ABORTED);
    assert_int_equal(making->jobs.report_count, 3);
    const struct fake_report *reports = making->jobs.reports;
    assert_report(&reports[2], STATUS(FAILED), 0, 0);
    assert_string_not_equal(reports[0].attempt_id, reports[1].attempt_id);
    assert_string_not_equal(reports[1].attempt_id, "");
    assert_string_equal(reports[2].attempt_id, reports[1].attempt_id);
    assert_int_equal(fake_jobs_attempts(&making->jobs, JOB), 2);
}
#endif

static void test_make_pictures_last_attempt_is_made(void **state) {
    struct making *making = *state;
    fake_jobs_listen(&making->jobs);
    making->jobs.status = STATUS(RUNNING);
    making->jobs.attempts = 2;
    make(making);
    assert_int_equal(making->code, HERALD_OK);
    assert_int_equal(fake_jobs_count(&making->jobs, JOB, STATUS(COMPLETED)), 1);
}

/* A file stands where the folder should be, until the store was seen to take nothing four times. */
static void *mend_store(void *arg) {
    struct making *making = arg;
    const struct timespec pause = {.tv_nsec = 20000000};
    while (making->store_away < 4) {
        nanosleep(&pause, NULL);
    }
    assert_int_equal(unlink(making->dir), 0);
    assert_int_equal(mkdir(making->dir, 0755), 0);
    return NULL;
}

static void test_make_pictures_store_that_takes_nothing_is_waited_for_and_burns_no_attempt(void **state) {
    struct making *making = *state;
    char dir[128];
    pthread_t thread;
    snprintf(dir, sizeof(dir), "%s/store", making->folder);
    FILE *file = fopen(dir, "w");
    assert_non_null(file);
    fclose(file);
    making->dir = dir;
    making->attempts = 1;
    fake_jobs_listen(&making->jobs);
    assert_int_equal(pthread_create(&thread, NULL, mend_store, making), 0);
    make(making);
    pthread_join(thread, NULL);
    assert_int_equal(making->code, HERALD_OK);
    assert_int_equal(fake_jobs_count(&making->jobs, JOB, STATUS(FAILED)), 0);
    assert_int_equal(fake_jobs_attempts(&making->jobs, JOB), 1);
    assert_true(making->store_serves);
}

/* The last picture of the three cannot be stored, as where a disk has room for small ones only. */
static void *make_room(void *arg) {
    struct making *making = arg;
    const struct timespec pause = {.tv_nsec = 20000000};
    while (making->store_away < 3) {
        nanosleep(&pause, NULL);
    }
    making->back_early = making->store_back;
    assert_int_equal(rmdir(making->obstacle), 0);
    return NULL;
}

static void test_make_pictures_store_serves_again_once_it_took_all_pictures(void **state) {
    struct making *making = *state;
    pthread_t thread;
    snprintf(making->obstacle, sizeof(making->obstacle), "%s/" KEY, making->folder);
    assert_int_equal(mkdir(making->obstacle, 0755), 0);
    snprintf(making->obstacle, sizeof(making->obstacle), "%s/" KEY "/trendy.jpg", making->folder);
    assert_int_equal(mkdir(making->obstacle, 0755), 0);
    fake_jobs_listen(&making->jobs);
    assert_int_equal(pthread_create(&thread, NULL, make_room, making), 0);
    make(making);
    pthread_join(thread, NULL);
    assert_int_equal(making->code, HERALD_OK);
    assert_int_equal(making->back_early, 0);
    assert_true(making->store_serves);
}

static void test_make_pictures_call_that_ends_leaves_its_attempt_open(void **state) {
    struct making *making = *state;
    fake_jobs_listen(&making->jobs);
    making->dir = "/proc/nowhere";
    making->call_timeout_ms = 700;
    make(making);
    assert_int_equal(making->code, HERALD_DEADLINE_EXCEEDED);
    assert_int_equal(fake_jobs_count(&making->jobs, JOB, STATUS(FAILED)), 0);
    if (fake_jobs_attempts(&making->jobs, JOB) > 0) { /* the call ended within an attempt: the worker gives it back */
        assert_string_not_equal(making->open.id, "");
        assert_string_equal(making->open.job_id, JOB);
    }
}

#define MAKING_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        MAKING_TEST(test_make_pictures_reports_progress_and_completion),
        MAKING_TEST(test_make_pictures_tells_what_is_not_in_them),
        MAKING_TEST(test_make_pictures_all_drawn_warns_of_nothing),
        MAKING_TEST(test_make_pictures_ended_job_is_left_alone),
        MAKING_TEST(test_make_pictures_begun_job_is_finished),
        MAKING_TEST(test_make_pictures_service_that_fails_for_a_while_is_waited_for),
        MAKING_TEST(test_make_pictures_service_that_is_away_is_waited_for),
        MAKING_TEST(test_make_pictures_call_that_ends_leaves_the_job_unfinished),
        MAKING_TEST(test_make_pictures_unknown_job_is_given_up_without_a_report),
        MAKING_TEST(test_make_pictures_each_attempt_is_counted_once),
        MAKING_TEST(test_make_pictures_job_whose_attempts_are_used_up_fails_without_another),
#if HERALD_FAILPOINTS
        MAKING_TEST(test_make_pictures_failure_names_the_attempt_that_failed),
#endif
        MAKING_TEST(test_make_pictures_last_attempt_is_made),
        MAKING_TEST(test_make_pictures_store_that_takes_nothing_is_waited_for_and_burns_no_attempt),
        MAKING_TEST(test_make_pictures_store_serves_again_once_it_took_all_pictures),
        MAKING_TEST(test_make_pictures_call_that_ends_leaves_its_attempt_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
