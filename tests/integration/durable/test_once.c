#include "server/durable/once.h"

#include "herald/job/v1/job.pb-c.h"
#include "tests/integration/db/db_test.h"

#include <string.h>

/* A call of CreateImageJob; the memory of its parts is the test's. */
struct attempt {
    Herald__Job__V1__CreateImageJobRequest request;
    Herald__Job__V1__CreateImageJobResponse response;
    struct once once;
    bool replayed;
};

static const struct herald_method_schema *method(void) {
    const struct herald_method_schema *found = herald_schema_find_method("herald.job.v1.JobService/CreateImageJob");
    assert_non_null(found);
    return found;
}

static TASK_FN enum herald_code begin(struct db_env *env, const char *key, const char *caller, char *title,
                                      struct attempt *attempt) {
    herald__job__v1__create_image_job_request__init(&attempt->request);
    herald__job__v1__create_image_job_response__init(&attempt->response);
    attempt->request.title = title;
    attempt->replayed = false;
    snprintf(env->call->idempotency_key, sizeof env->call->idempotency_key, "%s", key);
    return once_begin(env->db, method(), caller, &attempt->request.base, &attempt->response.base, &attempt->once,
                      &attempt->replayed, &env->error);
}

/* What a handler does at its end, without the business part of the transaction. */
static TASK_FN void finish(struct db_env *env, struct attempt *attempt, char *job_id) {
    attempt->response.job_id = job_id;
    attempt->response.status = HERALD__JOB__V1__JOB_STATUS__PENDING;
    const struct idempotency_row *row = once_set_reply(&attempt->once, &attempt->response.base);
    assert_non_null(row);
    assert_ok(env, idempotency_store_insert(env->db, row, &env->error));
}

DB_TEST(test_once_begin_without_key_does_nothing) {
    struct attempt attempt;
    assert_ok(env, begin(env, "", new_user(), "t", &attempt));
    assert_false(attempt.replayed);
    assert_false(attempt.once.keyed);
    assert_null(once_set_reply(&attempt.once, &attempt.response.base));
}

DB_TEST(test_once_begin_repeat_gets_the_stored_reply) {
    const char *key = new_id(), *user = new_user();
    struct attempt first, repeat;
    assert_ok(env, begin(env, key, user, "title", &first));
    assert_false(first.replayed);
    assert_true(first.once.keyed);
    finish(env, &first, "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e");
    for (int i = 0; i < 10; i++) {
        assert_ok(env, begin(env, key, user, "title", &repeat));
        assert_true(repeat.replayed);
        assert_string_equal(repeat.response.job_id, "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e");
        assert_int_equal(repeat.response.status, HERALD__JOB__V1__JOB_STATUS__PENDING);
    }
}

DB_TEST(test_once_begin_empty_reply_is_replayed) {
    const char *key = new_id(), *user = new_user();
    struct attempt first, repeat;
    assert_ok(env, begin(env, key, user, "title", &first));
    const struct idempotency_row *row = once_set_reply(&first.once, &first.response.base);
    assert_non_null(row);
    assert_int_equal(row->reply_bytes, 0);
    assert_ok(env, idempotency_store_insert(env->db, row, &env->error));
    assert_ok(env, begin(env, key, user, "title", &repeat));
    assert_true(repeat.replayed);
    assert_string_equal(repeat.response.job_id, "");
}

DB_TEST(test_once_begin_same_key_other_request_is_refused) {
    const char *key = new_id(), *user = new_user();
    struct attempt first, other;
    assert_ok(env, begin(env, key, user, "title", &first));
    finish(env, &first, "job");
    memset(&other, 0, sizeof other);
    assert_code(env, begin(env, key, user, "another title", &other), HERALD_INVALID_ARGUMENT);
    assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_REUSED");
    assert_false(other.replayed);
    assert_false(other.once.keyed);
}

DB_TEST(test_once_begin_same_key_of_another_caller_is_new) {
    const char *key = new_id();
    struct attempt first, other;
    assert_ok(env, begin(env, key, new_user(), "title", &first));
    finish(env, &first, "job");
    assert_ok(env, begin(env, key, new_user(), "title", &other));
    assert_false(other.replayed);
}

DB_TEST(test_once_begin_unreadable_reply_is_data_loss) {
    const char *key = new_id(), *user = new_user();
    struct attempt first, repeat;
    assert_ok(env, begin(env, key, user, "title", &first));
    finish(env, &first, "job");
    sql_run("UPDATE idempotency SET reply = '\\xffff' WHERE key = '%s'", key);
    assert_code(env, begin(env, key, user, "title", &repeat), HERALD_DATA_LOSS);
    assert_string_equal(env->error.reason, "STORED_REPLY_UNREADABLE");
    assert_false(repeat.replayed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_begin_without_key_does_nothing),
        cmocka_unit_test(test_once_begin_repeat_gets_the_stored_reply),
        cmocka_unit_test(test_once_begin_empty_reply_is_replayed),
        cmocka_unit_test(test_once_begin_same_key_other_request_is_refused),
        cmocka_unit_test(test_once_begin_same_key_of_another_caller_is_new),
        cmocka_unit_test(test_once_begin_unreadable_reply_is_data_loss),
    };
    return cmocka_run_group_tests(tests, schema_setup, schema_teardown);
}
