/* Jobs: only forward, three pictures, races of reports. */
#include "tests/integration/db/db_test.h"

#define RESEND_MS 60000

static struct job_row new_job(void) {
    int64_t now_us = clock_wall_us();
    return (struct job_row){.id = new_id(),
                            .event_draft_id = new_id(),
                            .user_id = new_user(),
                            .created_at_us = now_us,
                            .updated_at_us = now_us};
}

TASK_FN static struct job_row make_job(struct db_env *env) {
    struct job_row job = new_job();
    struct outbox_row row = outbox_row_for("job", job.id);
    assert_ok(env, job_store_create(env->db, &job, &row, NULL, RESEND_MS, NULL, &env->error));
    return job;
}

static const struct job_picture PICTURES[JOB_STYLES] = {{1, "https://p/1.png", "https://p/1.jpg"},
                                                        {2, "https://p/2.png", "https://p/2.jpg"},
                                                        {3, "https://p/3.png", "https://p/3.jpg"}};

struct report {
    struct job_row job;
    bool changed;
};

TASK_FN static struct report report(struct db_env *env, const char *id, enum job_status status, uint32_t progress,
                                    const struct job_picture *pictures, size_t count) {
    struct report result = {0};
    assert_ok(env, job_store_report(env->db, id, NULL, status, progress, pictures, count, "broken", NULL, &result.job,
                                    &result.changed, &env->error));
    return result;
}

DB_TEST(test_job_create_stores_a_pending_job_and_its_promise) {
    struct job_row job = make_job(env), got;
    assert_ok(env, job_store_load(env->db, job.id, &got, &env->error));
    assert_string_equal(got.id, job.id);
    assert_string_equal(got.event_draft_id, job.event_draft_id);
    assert_string_equal(got.user_id, job.user_id);
    assert_int_equal(got.status, JOB_PENDING);
    assert_int_equal(got.progress_percent, 0);
    assert_int_equal(got.version, 1);
    assert_string_equal(got.failure, "");
    assert_true(got.created_at_us == job.created_at_us);
    for (int i = 0; i < JOB_STYLES; i++) {
        assert_int_equal(got.pictures[i].style, 0);
        assert_string_equal(got.pictures[i].png_url, "");
    }
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE key = '%s'", job.id), 1);
}

DB_TEST(test_job_create_repeated_key_writes_nothing) {
    struct job_row first = new_job(), second = new_job(), got;
    struct outbox_row first_row = outbox_row_for("job", first.id), second_row = outbox_row_for("job", second.id);
    struct idempotency_row once = idempotency_row_for(first.user_id, "job");
    assert_ok(env, job_store_create(env->db, &first, &first_row, &once, RESEND_MS, NULL, &env->error));
    assert_code(env, job_store_create(env->db, &second, &second_row, &once, RESEND_MS, NULL, &env->error),
                HERALD_ALREADY_EXISTS);
    assert_code(env, job_store_load(env->db, second.id, &got, &env->error), HERALD_NOT_FOUND);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE key = '%s'", second.id), 0);
}

DB_TEST(test_job_report_goes_forward_and_grows_the_version) {
    struct job_row job = make_job(env);
    struct report r = report(env, job.id, JOB_RUNNING, 10, NULL, 0);
    assert_true(r.changed);
    assert_int_equal(r.job.status, JOB_RUNNING);
    assert_int_equal(r.job.progress_percent, 10);
    assert_int_equal(r.job.version, 2);
    r = report(env, job.id, JOB_RUNNING, 40, PICTURES, 1);
    assert_true(r.changed);
    assert_int_equal(r.job.version, 3);
    assert_int_equal(r.job.pictures[0].style, 1);
    assert_string_equal(r.job.pictures[0].jpeg_url, "https://p/1.jpg");
    assert_int_equal(r.job.pictures[1].style, 0);
    r = report(env, job.id, JOB_COMPLETED, 100, PICTURES + 1, 2);
    assert_int_equal(r.job.status, JOB_COMPLETED);
    assert_int_equal(r.job.progress_percent, 100);
    assert_int_equal(r.job.version, 4);
    for (int i = 0; i < JOB_STYLES; i++) {
        assert_int_equal(r.job.pictures[i].style, i + 1);
        assert_string_equal(r.job.pictures[i].png_url, PICTURES[i].png_url);
    }
    assert_string_equal(r.job.failure, "");
}

DB_TEST(test_job_report_never_goes_back) {
    struct job_row job = make_job(env);
    (void)report(env, job.id, JOB_RUNNING, 50, NULL, 0);
    struct report r = report(env, job.id, JOB_PENDING, 20, NULL, 0);
    assert_false(r.changed);
    assert_int_equal(r.job.status, JOB_RUNNING);
    assert_int_equal(r.job.progress_percent, 50);
    assert_int_equal(r.job.version, 2);
}

DB_TEST(test_job_report_the_first_picture_of_a_style_stays) {
    struct job_row job = make_job(env);
    (void)report(env, job.id, JOB_RUNNING, 10, PICTURES, 1);
    const struct job_picture other = {1, "https://other.png", "https://other.jpg"};
    struct report r = report(env, job.id, JOB_RUNNING, 10, &other, 1);
    assert_false(r.changed);
    assert_string_equal(r.job.pictures[0].png_url, PICTURES[0].png_url);
}

DB_TEST(test_job_report_after_the_end_changes_nothing) {
    struct job_row job = make_job(env);
    (void)report(env, job.id, JOB_COMPLETED, 100, PICTURES, 3);
    struct report r = report(env, job.id, JOB_FAILED, 0, NULL, 0);
    assert_false(r.changed);
    assert_int_equal(r.job.status, JOB_COMPLETED);
    assert_int_equal(r.job.version, 2);
    struct job_row failed = make_job(env);
    r = report(env, failed.id, JOB_FAILED, 30, NULL, 0);
    assert_int_equal(r.job.status, JOB_FAILED);
    assert_string_equal(r.job.failure, "broken");
    assert_int_equal(r.job.progress_percent, 30);
    r = report(env, failed.id, JOB_COMPLETED, 100, PICTURES, 3);
    assert_false(r.changed);
    assert_int_equal(r.job.status, JOB_FAILED);
    assert_int_equal(r.job.pictures[0].style, 0);
    r = report(env, failed.id, JOB_COMPLETED, 100, NULL, 0); /* not even refused */
    assert_int_equal(r.job.status, JOB_FAILED);
}

DB_TEST(test_job_report_completed_without_all_pictures_is_refused_and_writes_nothing) {
    struct job_row job = make_job(env), got = {.failure = "untouched"}, now;
    bool changed = true;
    assert_code(
        env,
        job_store_report(env->db, job.id, NULL, JOB_COMPLETED, 100, PICTURES, 2, "", NULL, &got, &changed, &env->error),
        HERALD_FAILED_PRECONDITION);
    assert_string_equal(env->error.reason, "PICTURES_MISSING");
    assert_string_equal(got.failure, "untouched");
    assert_true(changed);
    assert_ok(env, job_store_load(env->db, job.id, &now, &env->error));
    assert_int_equal(now.status, JOB_PENDING);
    assert_int_equal(now.version, 1);
    assert_int_equal(now.pictures[0].style, 0);
}

DB_TEST(test_job_report_warnings_take_the_place_of_earlier_ones_and_stay) {
    struct job_row job = make_job(env), got;
    bool changed = false;
    assert_ok(env, job_store_load(env->db, job.id, &got, &env->error));
    assert_string_equal(got.warnings, "");
    static const char *const WARNINGS[] = {"title: a", "title: a\nprize: b", "title: a\nprize: b", ""};
    static const char *const KEPT[] = {"title: a", "title: a\nprize: b", "title: a\nprize: b", "title: a\nprize: b"};
    for (int i = 0; i < 4; i++) {
        assert_ok(env, job_store_report(env->db, job.id, NULL, JOB_RUNNING, 10, NULL, 0, "", WARNINGS[i], &got,
                                        &changed, &env->error));
        assert_string_equal(got.warnings, KEPT[i]);
        assert_int_equal(changed, i < 2); /* what says nothing new changes nothing */
    }
    struct report r = report(env, job.id, JOB_COMPLETED, 100, PICTURES, 3);
    assert_string_equal(r.job.warnings, KEPT[3]);
    assert_ok(env, job_store_report(env->db, job.id, NULL, JOB_RUNNING, 10, NULL, 0, "", "late", &got, &changed,
                                    &env->error));
    assert_false(changed);
    assert_string_equal(got.warnings, KEPT[3]);
}

/* Reports an attempt as RUNNING. */
TASK_FN static struct job_row report_attempt(struct db_env *env, const char *id, const char *attempt_id,
                                             bool given_back) {
    const struct job_attempt attempt = {.id = attempt_id, .given_back = given_back};
    struct job_row job = {0};
    bool changed = false;
    assert_ok(env,
              job_store_report(env->db, id, &attempt, JOB_RUNNING, 5, NULL, 0, "", NULL, &job, &changed, &env->error));
    return job;
}

DB_TEST(test_job_attempt_is_counted_once_and_not_when_given_back) {
    struct job_row job = make_job(env);
    const char *first = new_id(), *second = new_id();
    assert_int_equal(report_attempt(env, job.id, first, false).attempts, 1);
    assert_int_equal(report_attempt(env, job.id, first, false).attempts, 1);
    assert_int_equal(report_attempt(env, job.id, second, false).attempts, 2);
    assert_int_equal(report_attempt(env, job.id, first, true).attempts, 2); /* not the last one */
    assert_int_equal(report_attempt(env, job.id, second, true).attempts, 1);
    assert_int_equal(report_attempt(env, job.id, second, true).attempts, 1);
    (void)report(env, job.id, JOB_FAILED, 0, NULL, 0);
    assert_int_equal(report_attempt(env, job.id, first, false).attempts, 1); /* it has ended */
}

/* Looks for lost records; whether that of @id was put into the outbox. */
TASK_FN static bool resent(struct db_env *env, const char *id) {
    const char *const *ids = NULL;
    size_t count = 0, seen = 0;
    assert_ok(env, job_store_resend(env->db, "image-job-topic", "herald.job.v1.ImageJob", "/herald/job", &ids, &count,
                                    &seen, &env->error));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static void pass_time(const char *id) {
    sql_run("UPDATE jobs SET resend_at = now() WHERE id = '%s'", id);
}

DB_TEST(test_job_without_a_report_has_its_record_sent_again_under_its_id) {
    struct job_row job = make_job(env);
    assert_false(resent(env, job.id)); /* not yet */
    pass_time(job.id);
    assert_false(resent(env, job.id)); /* it still waits in the outbox */
    sql_run("DELETE FROM outbox WHERE key = '%s'", job.id);
    pass_time(job.id);
    assert_true(resent(env, job.id));
    assert_int_equal(
        sql_number("SELECT count(*) FROM outbox JOIN jobs ON outbox.id = record_id AND value = record_value "
                   "AND key = jobs.id::text AND owner = 'job' AND kind = 'KAFKA' WHERE key = '%s'",
                   job.id),
        1);
    assert_false(resent(env, job.id)); /* later again */
    assert_int_equal(sql_number("SELECT resends FROM jobs WHERE id = '%s'", job.id), 2);
}

DB_TEST(test_job_that_has_ended_keeps_no_record) {
    struct job_row job = make_job(env);
    (void)report(env, job.id, JOB_COMPLETED, 100, PICTURES, 3);
    sql_run("DELETE FROM outbox WHERE key = '%s'", job.id);
    assert_int_equal(
        sql_number("SELECT count(*) FROM jobs WHERE id = '%s' AND record_value IS NULL AND resend_at IS NULL", job.id),
        1);
    pass_time(job.id); /* even then */
    assert_false(resent(env, job.id));
}

DB_TEST(test_job_missing_is_not_found) {
    struct job_row got;
    bool changed = false;
    assert_code(env, job_store_load(env->db, new_id(), &got, &env->error), HERALD_NOT_FOUND);
    assert_code(
        env, job_store_report(env->db, new_id(), NULL, JOB_RUNNING, 1, NULL, 0, "", NULL, &got, &changed, &env->error),
        HERALD_NOT_FOUND);
}

/* ---- races ---- */

struct reporter {
    struct db_env *env;
    const char *id;
    int style;
    bool completed;
};

/* The last of three to have its picture stored sees the two others', whichever it is: reports wait for each other. */
TASK_FN static void report_style(void *arg) {
    struct reporter *reporter = arg;
    struct job_row job;
    bool changed = false;
    assert_ok(reporter->env, job_store_report(reporter->env->db, reporter->id, NULL, JOB_RUNNING, 30,
                                              &PICTURES[reporter->style - 1], 1, "", NULL, &job, &changed, NULL));
    enum herald_code code = job_store_report(reporter->env->db, reporter->id, NULL, JOB_COMPLETED, 100, NULL, 0, "",
                                             NULL, &job, &changed, NULL);
    assert_true(code == HERALD_OK || code == HERALD_FAILED_PRECONDITION);
    reporter->completed = code == HERALD_OK && changed;
}

DB_TEST(test_job_reports_at_once_complete_the_job_exactly_once) {
    for (int round = 0; round < 20; round++) {
        struct job_row job = make_job(env), got;
        struct reporter reporters[JOB_STYLES];
        struct task_group group;
        task_group_init(&group);
        for (int i = 0; i < JOB_STYLES; i++) {
            reporters[i] = (struct reporter){env, job.id, i + 1, false};
            assert_ok(env, task_group_spawn(&group, "reporter", report_style, &reporters[i], &env->error));
        }
        task_group_join(&group);
        assert_int_equal(reporters[0].completed + reporters[1].completed + reporters[2].completed, 1);
        assert_ok(env, job_store_load(env->db, job.id, &got, &env->error));
        assert_int_equal(got.status, JOB_COMPLETED);
        assert_int_equal(got.version, 5); /* created, three pictures, completed */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job_create_stores_a_pending_job_and_its_promise),
        cmocka_unit_test(test_job_create_repeated_key_writes_nothing),
        cmocka_unit_test(test_job_report_goes_forward_and_grows_the_version),
        cmocka_unit_test(test_job_report_never_goes_back),
        cmocka_unit_test(test_job_report_the_first_picture_of_a_style_stays),
        cmocka_unit_test(test_job_report_after_the_end_changes_nothing),
        cmocka_unit_test(test_job_report_completed_without_all_pictures_is_refused_and_writes_nothing),
        cmocka_unit_test(test_job_report_warnings_take_the_place_of_earlier_ones_and_stay),
        cmocka_unit_test(test_job_attempt_is_counted_once_and_not_when_given_back),
        cmocka_unit_test(test_job_without_a_report_has_its_record_sent_again_under_its_id),
        cmocka_unit_test(test_job_that_has_ended_keeps_no_record),
        cmocka_unit_test(test_job_missing_is_not_found),
        cmocka_unit_test(test_job_reports_at_once_complete_the_job_exactly_once),
    };
    return cmocka_run_group_tests_name("integration.db.jobs", tests, schema_setup, schema_teardown);
}
