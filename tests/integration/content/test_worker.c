/* The content worker on real Kafka: every record ends as a finished job or as a dead letter, and none is lost. */
#include "server/outgoing/picture_url.h"
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define STATUS(name) HERALD__JOB__V1__JOB_STATUS__##name

static int start(void **state) {
    struct stage *stage = calloc(1, sizeof(*stage));
    *state = stage;
    stage_init(stage);
    return 0;
}

static int stop(void **state) {
    struct stage *stage = *state;
    if (stage->worker != NULL) {
        stage_stop_worker(stage);
    }
    stage_fini(stage);
    free(stage);
    return 0;
}

static void test_worker_jobs_are_completed_once_each(void **state) {
    enum { JOBS = 7 };
    struct stage *stage = *state;
    char ids[JOBS][37], key[PICTURE_KEY_CHARS + 1], path[400];
    struct stat found;
    for (int i = 0; i < JOBS; i++) {
        stage_produce_job(stage, ids[i]);
    }
    stage_start_worker(stage);
    for (int i = 0; i < JOBS; i++) {
        assert_true(fake_jobs_wait(&stage->jobs, ids[i], STATUS(COMPLETED)));
        assert_int_equal(picture_key(ids[i], key, NULL), HERALD_OK);
        snprintf(path, sizeof(path), "%s/%s/trendy.jpg", stage->folder, key);
        assert_int_equal(stat(path, &found), 0);
    }
    stage_stop_worker(stage);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(fake_jobs_count(&stage->jobs, ids[i], STATUS(COMPLETED)), 1);
    }
}

/* As after a rebalance, or when a record was taken for lost too early. */
static void test_worker_copies_of_a_record_are_one_attempt(void **state) {
    enum { COPIES = 4 };
    struct stage *stage = *state;
    char id[37];
    stage->settings.content_workers = COPIES;
    stage_produce_job(stage, id);
    for (int i = 1; i < COPIES; i++) {
        stage_produce_copy(stage, id);
    }
    stage_start_worker(stage);
    assert_true(fake_jobs_wait(&stage->jobs, id, STATUS(COMPLETED)));
    stage_wait_idle(stage);
    assert_int_equal(fake_jobs_attempts(&stage->jobs, id), 1);
    assert_int_equal(fake_jobs_count(&stage->jobs, id, STATUS(COMPLETED)), 1);
}

static void test_worker_finished_job_does_not_come_again(void **state) {
    struct stage *stage = *state;
    char first[37], second[37];
    stage_produce_job(stage, first);
    stage_start_worker(stage);
    assert_true(fake_jobs_wait(&stage->jobs, first, STATUS(COMPLETED)));
    stage_wait_idle(stage); /* until the worker has the answer too */
    stage_stop_worker(stage);
    stage_produce_job(stage, second);
    stage_start_worker(stage);
    assert_true(fake_jobs_wait(&stage->jobs, second, STATUS(COMPLETED)));
    assert_int_equal(fake_jobs_count(&stage->jobs, first, STATUS(RUNNING)), 3);
}

/* Whether the worker reported on no other job from the first report on this one to the last. */
static bool was_made_alone(struct fake_jobs *jobs, const char *id) {
    unsigned spans = 0;
    pthread_mutex_lock(&jobs->lock);
    for (unsigned i = 0; i < jobs->report_count; i++) {
        bool is_its = strcmp(jobs->reports[i].job_id, id) == 0;
        spans += is_its && (i == 0 || strcmp(jobs->reports[i - 1].job_id, id) != 0);
    }
    pthread_mutex_unlock(&jobs->lock);
    return spans == 1;
}

/* Workers have died on a job, or on each: whoever is made beside it would lose an attempt with it. */
static void make_tried_jobs(struct stage *stage, bool all_are_tried) {
    enum { JOBS = 6 };
    char ids[JOBS][37];
    stage->settings.content_workers = 3;
    stage->jobs.attempts = 1;
    for (int i = 0; i < JOBS; i++) {
        stage_produce_job(stage, ids[i]);
    }
    stage->jobs.tried = all_are_tried ? NULL : ids[2];
    stage_start_worker(stage);
    for (int i = 0; i < JOBS; i++) {
        assert_true(fake_jobs_wait(&stage->jobs, ids[i], STATUS(COMPLETED)));
    }
    stage_stop_worker(stage);
    for (int i = 0; i < JOBS; i++) {
        assert_true(was_made_alone(&stage->jobs, ids[i]) || (!all_are_tried && i != 2));
    }
    stage->jobs.tried = NULL;
}

static void test_worker_job_on_which_a_worker_may_have_died_is_made_alone(void **state) {
    make_tried_jobs(*state, false);
}

static void test_worker_jobs_on_which_workers_may_have_died_are_made_one_by_one(void **state) {
    make_tried_jobs(*state, true);
}

static const struct dead_letter *find_letter(const struct dead_letter *letters, unsigned count, const char *key) {
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(letters[i].key, key) == 0) {
            return &letters[i];
        }
    }
    fail_msg("no dead letter has the key %s", key);
    return NULL;
}

static void test_worker_unusable_records_become_dead_letters(void **state) {
    static const struct {
        const char *key, *type, *content_type, *value, *reason;
    } BAD[] = {
        {"syntax", "herald.job.v1.ImageJob", "application/json", "{not json", "INVALID_JSON: "},
        {"fields", "herald.job.v1.ImageJob", "application/json", "{}", "INVALID_FIELD: "},
        {"type", "herald.event.v1.EventCreated", "application/json", "{}", "EVENT_TYPE: "},
        {"encoding", "herald.job.v1.ImageJob", "application/xml", "<job/>", "CONTENT_TYPE: "},
        {"bare", NULL, NULL, "[]", "INVALID_JSON: "},
    };
    enum { BADS = sizeof(BAD) / sizeof(BAD[0]) };
    struct stage *stage = *state;
    struct dead_letter letters[BADS];
    char before[37], after[37];
    stage_produce_job(stage, before);
    for (int i = 0; i < BADS; i++) {
        stage_produce(stage, BAD[i].key, BAD[i].type, BAD[i].content_type, BAD[i].value);
    }
    stage_produce_job(stage, after);
    stage_start_worker(stage);
    assert_true(fake_jobs_wait(&stage->jobs, before, STATUS(COMPLETED)));
    assert_true(fake_jobs_wait(&stage->jobs, after, STATUS(COMPLETED)));
    assert_int_equal(stage_read_dead_letters(stage, letters, BADS), BADS);
    for (int i = 0; i < BADS; i++) {
        const struct dead_letter *letter = find_letter(letters, BADS, BAD[i].key);
        assert_string_equal(letter->value, BAD[i].value);
        assert_string_equal(letter->id, BAD[i].key);
        assert_memory_equal(letter->reason, BAD[i].reason, strlen(BAD[i].reason));
        assert_non_null(strstr(letter->reason, "offset"));
        if (BAD[i].type != NULL) {
            assert_string_equal(letter->type, BAD[i].type);
        }
    }
}

static void test_worker_job_whose_attempts_are_used_up_fails_and_is_a_dead_letter(void **state) {
    struct stage *stage = *state;
    struct dead_letter letter;
    char id[37], healthy[37];
    stage->settings.content_attempts = 2;
    stage->jobs.attempts = 2;
    stage_produce_job(stage, id);
    stage_start_worker(stage);
    assert_true(fake_jobs_wait(&stage->jobs, id, STATUS(FAILED)));
    assert_int_equal(stage_read_dead_letters(stage, &letter, 1), 1);
    assert_string_equal(letter.key, id);
    assert_memory_equal(letter.reason, "JOB_FAILED: ", 12);
    stage_stop_worker(stage);

    stage->jobs.attempts = 0;
    stage_produce_job(stage, healthy);
    stage_start_worker(stage);
    assert_true(fake_jobs_wait(&stage->jobs, healthy, STATUS(COMPLETED)));
    assert_int_equal(fake_jobs_count(&stage->jobs, id, STATUS(FAILED)), 1);
}

/* Whether the topic holds a letter of each of @keys keys; one that was sent twice is there twice. */
static bool all_poison_is_there(struct stage *stage, unsigned keys) {
    static struct dead_letter letters[64];
    unsigned found = 0;
    for (unsigned count = keys; found < keys && count <= 3 * keys; count++) {
        if (stage_read_dead_letters(stage, letters, count) < count) {
            return false;
        }
        found = 0;
        for (unsigned key = 0; key < keys; key++) {
            char name[16];
            bool there = false;
            snprintf(name, sizeof(name), "poison-%u", key);
            for (unsigned i = 0; i < count; i++) {
                there = there || (strcmp(letters[i].key, name) == 0 && strcmp(letters[i].value, "{not json") == 0);
            }
            found += there;
        }
    }
    return found == keys;
}

/* Poison records take no place of a job, also where nobody takes dead letters, and none of them is lost. */
static void test_worker_poison_waits_beside_the_jobs_while_its_topic_is_missing(void **state) {
    enum { POISON = 7, JOBS = 4 };
    struct stage *stage = *state;
    char ids[JOBS][37], key[24];
    stage_use_mock(stage);
    stage_lack_dead_letter_topic(stage, true);
    for (int i = 0; i < POISON; i++) {
        snprintf(key, sizeof(key), "poison-%d", i);
        stage_produce(stage, key, "herald.job.v1.ImageJob", "application/json", "{not json");
    }
    for (int i = 0; i < JOBS; i++) {
        stage_produce_job(stage, ids[i]);
    }
    stage_start_worker(stage);
    for (int i = 0; i < JOBS; i++) {
        assert_true(fake_jobs_wait(&stage->jobs, ids[i], STATUS(COMPLETED)));
    }
    assert_true(stage_wait_dead_letters(stage, false));
    stage_stop_worker(stage); /* they come again: no offset was committed beyond them */
    stage_start_worker(stage);
    stage_lack_dead_letter_topic(stage, false);
    assert_true(all_poison_is_there(stage, POISON));
    assert_true(stage_wait_dead_letters(stage, true));
}

/* An attempt that the worker's own end has cut short is not counted. */
static void test_worker_stopped_within_an_attempt_gives_it_back(void **state) {
    struct stage *stage = *state;
    char id[37];
    free(stage->settings.content_dir);
    stage->settings.content_dir = strdup("/proc/nowhere");
    stage_produce_job(stage, id);
    stage_start_worker(stage);
    assert_true(fake_jobs_wait(&stage->jobs, id, STATUS(RUNNING)));
    stage_stop_worker(stage);
    assert_int_equal(fake_jobs_attempts(&stage->jobs, id), 0);
}

static void test_worker_stopped_in_the_middle_leaves_the_job_to_the_next(void **state) {
    struct stage *stage = *state;
    char id[37];
    fake_jobs_refuse(&stage->jobs, 1000000, HERALD_UNAVAILABLE);
    stage_produce_job(stage, id);
    stage_start_worker(stage);
    for (unsigned left = 1000000; left == 1000000;) { /* until it has asked for the job */
        pthread_mutex_lock(&stage->jobs.lock);
        left = stage->jobs.refusals;
        pthread_mutex_unlock(&stage->jobs.lock);
    }
    stage_stop_worker(stage);
    assert_int_equal(fake_jobs_count(&stage->jobs, id, STATUS(RUNNING)), 0);
    fake_jobs_refuse(&stage->jobs, 0, HERALD_OK);
    stage_start_worker(stage);
    assert_true(fake_jobs_wait(&stage->jobs, id, STATUS(COMPLETED)));
}

/* On Apache Kafka: the embedded broker keeps its topics. Of what is sent before the worker has noticed, records at offsets that it
 * has passed in the old topic may be passed over: nothing tells one topic from the other then. */
static void test_worker_topic_made_anew_is_read_from_its_beginning(void **state) {
    enum { BEFORE = 3, AFTER = 6 };
    struct stage *stage = *state;
    char before[BEFORE][37], after[AFTER][37];
    stage->settings.kafka_stall_ms = 10000;
    for (int i = 0; i < BEFORE; i++) {
        stage_produce_job(stage, before[i]);
    }
    stage_start_worker(stage);
    for (int i = 0; i < BEFORE; i++) {
        assert_true(fake_jobs_wait(&stage->jobs, before[i], STATUS(COMPLETED)));
    }
    stage_make_topic_anew(stage);
    stage_wait_opened_anew(stage);
    for (int i = 0; i < AFTER; i++) {
        stage_produce_job(stage, after[i]);
    }
    for (int i = 0; i < AFTER; i++) {
        assert_true(fake_jobs_wait(&stage->jobs, after[i], STATUS(COMPLETED)));
    }
}

#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_worker_jobs_are_completed_once_each),
        WORKER_TEST(test_worker_copies_of_a_record_are_one_attempt),
        WORKER_TEST(test_worker_finished_job_does_not_come_again),
        WORKER_TEST(test_worker_job_on_which_a_worker_may_have_died_is_made_alone),
        WORKER_TEST(test_worker_jobs_on_which_workers_may_have_died_are_made_one_by_one),
        WORKER_TEST(test_worker_unusable_records_become_dead_letters),
        WORKER_TEST(test_worker_job_whose_attempts_are_used_up_fails_and_is_a_dead_letter),
        WORKER_TEST(test_worker_poison_waits_beside_the_jobs_while_its_topic_is_missing),
        WORKER_TEST(test_worker_stopped_within_an_attempt_gives_it_back),
        WORKER_TEST(test_worker_stopped_in_the_middle_leaves_the_job_to_the_next),
    };
    const struct CMUnitTest on_apache[] = {
        WORKER_TEST(test_worker_topic_made_anew_is_read_from_its_beginning),
    };
    const char *kind = getenv("HERALD_TEST_KAFKA_KIND");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (kind != NULL && strcmp(kind, "apache") == 0) {
        failed += cmocka_run_group_tests(on_apache, NULL, NULL);
    }
    return failed;
}
