#include "herald/job/v1/job.pb-c.h"
#include "server/durable/once.h"
#include "server/durable/reply_pruner.h"
#include "tests/integration/db/db_test.h"

#include <string.h>

#define JOB_ID "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e"

/* A call of CreateImageJob; the memory of its parts is the test's. */
struct attempt {
    Herald__Job__V1__CreateImageJobRequest request;
    Herald__Job__V1__CreateImageJobResponse response;
};

/* What the body does when it is run. */
static struct script {
    struct db_env *env;
    char *job_id;
    enum herald_code fails;
    bool claims;  /* the key, before its first effect */
    bool stores;  /* in its own transaction, as most do */
    bool rivals;  /* another attempt of the same call is answered while this one works */
    bool differs; /* another request under the same key claims it when this one is about to */
    unsigned runs, effects;
} script;

static const struct herald_method_schema *method(void) {
    const struct herald_method_schema *found = herald_schema_find_method("herald.job.v1.JobService/CreateImageJob");
    assert_non_null(found);
    return found;
}

/* Another attempt commits, with a reply of its own. */
static TASK_FN void commit_rival(const struct once *once) {
    Herald__Job__V1__CreateImageJobResponse reply = HERALD__JOB__V1__CREATE_IMAGE_JOB_RESPONSE__INIT;
    reply.job_id = "rival";
    struct once rival = *once;
    assert_ok(script.env, once_store(script.env->db, &rival, &reply.base, &script.env->error));
}

static TASK_FN void claim_for_another(const struct once *once) {
    static const uint8_t hash[32] = {1};
    struct once other = *once;
    other.row.request_hash = hash;
    assert_ok(script.env, once_claim(script.env->db, &other, &script.env->error));
}

static TASK_FN enum herald_code body(void *self, const ProtobufCMessage *request, ProtobufCMessage *response,
                                     struct once *once, struct herald_error *reterr) {
    assert_ptr_equal(self, &script);
    (void)request;
    script.runs++;
    if (script.differs) {
        claim_for_another(once);
    }
    if (script.claims) {
        enum herald_code code = once_claim(script.env->db, once, reterr);
        if (code != HERALD_OK) {
            return code;
        }
        script.effects++;
    }
    if (script.rivals) {
        commit_rival(once);
    }
    if (script.fails != HERALD_OK) {
        return herald_error_set_code(reterr, script.fails, "SCRIPTED", "as the test wants it");
    }
    Herald__Job__V1__CreateImageJobResponse *job = (Herald__Job__V1__CreateImageJobResponse *)response;
    job->job_id = script.job_id;
    job->status = HERALD__JOB__V1__JOB_STATUS__PENDING;
    return script.stores ? once_store(script.env->db, once, response, reterr) : HERALD_OK;
}

static void prepare(struct db_env *env, const char *key, const char *user, char *title, struct attempt *attempt) {
    herald__job__v1__create_image_job_request__init(&attempt->request);
    herald__job__v1__create_image_job_response__init(&attempt->response);
    attempt->request.title = title;
    attempt->request.user_id = (char *)(uintptr_t)user;
    snprintf(env->call->idempotency_key, sizeof(env->call->idempotency_key), "%s", key);
}

/* Runs the call; the script counts whether the body was run. */
static TASK_FN enum herald_code run(struct db_env *env, const char *key, const char *user, char *title,
                                    struct attempt *attempt) {
    prepare(env, key, user, title, attempt);
    return once_run(env->db, method(), body, &script, &attempt->request.base, &attempt->response.base, &env->error);
}

static TASK_FN enum herald_code run_at_once(struct db_env *env, const char *key, const char *user, char *title,
                                            struct attempt *attempt) {
    prepare(env, key, user, title, attempt);
    return once_run_at_once(env->db, method(), body, &script, &attempt->request.base, &attempt->response.base,
                            &env->error);
}

static void set_script(struct db_env *env) {
    script = (struct script){.env = env, .job_id = JOB_ID, .stores = true};
}

DB_TEST(test_once_without_key_runs_each_time) {
    set_script(env);
    const char *user = new_user();
    struct attempt attempt;
    assert_ok(env, run(env, "", user, "t", &attempt));
    assert_ok(env, run(env, "", user, "t", &attempt));
    assert_int_equal(script.runs, 2);
    assert_int_equal(sql_number("SELECT count(*) FROM idempotency WHERE caller = '%s'", user), 0);
}

static void assert_replayed(struct db_env *env, const char *key, const char *user, const char *job_id) {
    struct attempt repeat;
    unsigned runs = script.runs;
    script.job_id = "another";
    assert_ok(env, run(env, key, user, "title", &repeat));
    assert_int_equal(script.runs, runs);
    assert_string_equal(repeat.response.job_id, job_id);
}

DB_TEST(test_once_repeat_gets_the_stored_reply_byte_for_byte) {
    set_script(env);
    const char *key = new_id(), *user = new_user();
    struct attempt first, repeat;
    assert_ok(env, run(env, key, user, "title", &first));
    uint8_t packed[64], again[64];
    size_t bytes = protobuf_c_message_pack(&first.response.base, packed);
    for (int i = 0; i < 10; i++) {
        assert_ok(env, run(env, key, user, "title", &repeat));
        assert_int_equal(protobuf_c_message_pack(&repeat.response.base, again), bytes);
        assert_memory_equal(again, packed, bytes);
    }
    assert_int_equal(script.runs, 1);
}

DB_TEST(test_once_at_once_repeat_gets_the_stored_reply_and_another_request_is_refused) {
    set_script(env);
    const char *key = new_id(), *user = new_user();
    struct attempt first, repeat, other;
    assert_ok(env, run_at_once(env, key, user, "title", &first));
    script.job_id = "another";
    assert_ok(env, run_at_once(env, key, user, "title", &repeat)); /* the body's transaction was rolled back */
    assert_string_equal(repeat.response.job_id, JOB_ID);
    assert_code(env, run_at_once(env, key, user, "other", &other), HERALD_INVALID_ARGUMENT);
    assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_REUSED");
    assert_int_equal(sql_number("SELECT count(*) FROM idempotency WHERE key = '%s'", key), 1);
}

DB_TEST(test_once_reply_that_the_body_did_not_store_is_stored) {
    set_script(env);
    script.stores = false;
    const char *key = new_id(), *user = new_user();
    struct attempt first;
    assert_ok(env, run(env, key, user, "title", &first));
    assert_replayed(env, key, user, JOB_ID);
}

DB_TEST(test_once_empty_reply_is_replayed) {
    set_script(env);
    const char *key = new_id(), *user = new_user();
    struct attempt first;
    assert_ok(env, run(env, key, user, "title", &first));
    sql_run("UPDATE idempotency SET reply = '' WHERE key = '%s'", key);
    assert_replayed(env, key, user, "");
}

DB_TEST(test_once_overtaken_attempt_answers_as_the_first_one) {
    for (int stores = 0; stores < 2; stores++) {
        set_script(env);
        script.stores = stores == 1;
        script.rivals = true;
        const char *key = new_id(), *user = new_user();
        struct attempt attempt;
        assert_ok(env, run(env, key, user, "title", &attempt));
        assert_string_equal(attempt.response.job_id, "rival");
    }
}

DB_TEST(test_once_error_is_not_stored) {
    set_script(env);
    const char *key = new_id(), *user = new_user();
    struct attempt attempt;
    script.fails = HERALD_FAILED_PRECONDITION;
    assert_code(env, run(env, key, user, "title", &attempt), HERALD_FAILED_PRECONDITION);
    assert_string_equal(env->error.reason, "SCRIPTED");
    script.fails = HERALD_ALREADY_EXISTS; /* of the business, not of the key */
    assert_code(env, run(env, key, user, "title", &attempt), HERALD_ALREADY_EXISTS);
    script.fails = HERALD_OK;
    assert_ok(env, run(env, key, user, "title", &attempt));
    assert_int_equal(script.runs, 3);
}

DB_TEST(test_once_same_key_other_request_is_refused) {
    set_script(env);
    const char *key = new_id(), *user = new_user();
    struct attempt first, other;
    assert_ok(env, run(env, key, user, "title", &first));
    assert_code(env, run(env, key, user, "another title", &other), HERALD_INVALID_ARGUMENT);
    assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_REUSED");
    assert_int_equal(script.runs, 1);
}

static long claims_of(const char *user) {
    return sql_number("SELECT count(*) FROM idempotency WHERE caller = '%s' AND NOT answered", user);
}

DB_TEST(test_once_key_of_a_claim_is_refused_to_another_request_whether_the_call_runs_or_has_failed) {
    set_script(env);
    script.claims = true;
    script.fails = HERALD_UNAVAILABLE;
    const char *key = new_id(), *user = new_user();
    struct attempt first, other;
    assert_code(env, run(env, key, user, "title", &first), HERALD_UNAVAILABLE);
    assert_int_equal(claims_of(user), 1);
    assert_code(env, run(env, key, user, "another title", &other), HERALD_INVALID_ARGUMENT);
    assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_REUSED");
    assert_int_equal(script.runs, 1);
    script.fails = HERALD_OK;
    assert_ok(env, run(env, key, user, "title", &first)); /* the same: goes on where it failed */
    assert_int_equal(script.runs, 2);
    assert_int_equal(claims_of(user), 0);
    assert_replayed(env, key, user, JOB_ID);
}

DB_TEST(test_once_request_that_finds_its_key_claimed_by_another_is_refused_before_its_effect) {
    set_script(env);
    script.claims = script.differs = true;
    struct attempt attempt;
    assert_code(env, run(env, new_id(), new_user(), "title", &attempt), HERALD_INVALID_ARGUMENT);
    assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_REUSED");
    assert_int_equal(script.runs, 1);
    assert_int_equal(script.effects, 0);
}

DB_TEST(test_once_reply_under_a_key_that_another_request_claimed_is_not_stored) {
    for (int stores = 0; stores < 2; stores++) {
        set_script(env);
        script.stores = stores == 1;
        script.differs = true;
        const char *user = new_user();
        struct attempt attempt;
        assert_code(env, run(env, new_id(), user, "title", &attempt), HERALD_INVALID_ARGUMENT);
        assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_REUSED");
        assert_int_equal(claims_of(user), 1);
    }
}

/* What the body finds is the other attempt's doing. */
DB_TEST(test_once_refused_for_what_another_attempt_has_done_answers_as_that_one) {
    static const enum herald_code refusals[] = {HERALD_FAILED_PRECONDITION, HERALD_NOT_FOUND};
    for (int i = 0; i < 2; i++) {
        set_script(env);
        script.fails = refusals[i];
        script.rivals = true;
        struct attempt attempt;
        assert_ok(env, run(env, new_id(), new_user(), "title", &attempt));
        assert_string_equal(attempt.response.job_id, "rival");
        script.rivals = false;
        script.differs = true;
        assert_code(env, run(env, new_id(), new_user(), "title", &attempt), HERALD_INVALID_ARGUMENT);
        assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_REUSED");
        script.differs = false;
        assert_code(env, run(env, new_id(), new_user(), "title", &attempt), refusals[i]);
        assert_string_equal(env->error.reason, "SCRIPTED");
    }
}

DB_TEST(test_once_refused_before_its_claim_binds_nothing) {
    set_script(env);
    script.fails = HERALD_FAILED_PRECONDITION;
    const char *key = new_id(), *user = new_user();
    struct attempt attempt;
    assert_code(env, run(env, key, user, "title", &attempt), HERALD_FAILED_PRECONDITION);
    script.fails = HERALD_OK;
    assert_ok(env, run(env, key, user, "another title", &attempt));
}

DB_TEST(test_once_overtaken_attempt_of_a_claimed_call_answers_as_the_first_one) {
    set_script(env);
    script.claims = script.rivals = true;
    struct attempt attempt;
    assert_ok(env, run(env, new_id(), new_user(), "title", &attempt));
    assert_string_equal(attempt.response.job_id, "rival");
}

DB_TEST(test_once_claim_without_a_key_is_none) {
    set_script(env);
    script.claims = true;
    const char *user = new_user();
    struct attempt attempt;
    assert_ok(env, run(env, "", user, "title", &attempt));
    assert_int_equal(script.effects, 1);
    assert_int_equal(sql_number("SELECT count(*) FROM idempotency WHERE caller = '%s'", user), 0);
}

DB_TEST(test_once_same_key_of_another_user_is_new) {
    set_script(env);
    const char *key = new_id();
    struct attempt attempt;
    assert_ok(env, run(env, key, new_user(), "title", &attempt));
    assert_ok(env, run(env, key, new_user(), "title", &attempt));
    assert_int_equal(script.runs, 2);
}

DB_TEST(test_once_same_key_of_another_caller_or_user_by_credential_is_new) {
    set_script(env);
    const char *key = new_id(), *user = new_user();
    struct attempt attempt;
    const char *const who[][2] = {{"", ""}, {"shop", ""}, {"shop", "someone"}, {"desk", "someone"}, {"", "someone"}};
    for (unsigned i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
        snprintf(env->call->caller, sizeof(env->call->caller), "%s", who[i][0]);
        snprintf(env->call->user, sizeof(env->call->user), "%s", who[i][1]);
        assert_ok(env, run(env, key, user, "title", &attempt));
        assert_int_equal(script.runs, i + 1);
        assert_replayed(env, key, user, JOB_ID);
        script.job_id = JOB_ID;
    }
}

DB_TEST(test_once_unreadable_reply_is_data_loss) {
    set_script(env);
    const char *key = new_id(), *user = new_user();
    struct attempt first, repeat;
    assert_ok(env, run(env, key, user, "title", &first));
    sql_run("UPDATE idempotency SET reply = '\\xffff' WHERE key = '%s'", key);
    assert_code(env, run(env, key, user, "title", &repeat), HERALD_DATA_LOSS);
    assert_string_equal(env->error.reason, "STORED_REPLY_UNREADABLE");
    assert_int_equal(script.runs, 1);
}

DB_TEST(test_once_check_tells_that_another_attempt_was_answered) {
    set_script(env);
    const char *key = new_id(), *user = new_user();
    struct attempt first;
    assert_ok(env, run(env, key, user, "title", &first));
    static const uint8_t hash[32] = {1}, another_hash[32] = {2};
    struct once once = {.keyed = true,
                        .row = {.method = method()->full_name, .caller = user, .key = key, .request_hash = hash}};
    assert_code(env, once_check(env->db, &once, &env->error), HERALD_ALREADY_EXISTS);
    once.row.caller = new_user();
    assert_ok(env, once_check(env->db, &once, &env->error));
    assert_ok(env, once_claim(env->db, &once, &env->error));
    assert_ok(env, once_check(env->db, &once, &env->error)); /* claimed for this request */
    once.row.request_hash = another_hash;
    assert_code(env, once_check(env->db, &once, &env->error), HERALD_ALREADY_EXISTS);
    once.keyed = false;
    assert_ok(env, once_check(env->db, &once, &env->error));
}

DB_TEST(test_once_downstream_key_is_the_same_for_each_attempt_and_no_other_call) {
    struct once once = {.keyed = true, .row = {.method = "m", .caller = "user", .key = "key"}};
    const char *first = NULL, *again = NULL, *other = NULL;
    assert_ok(env, once_downstream_key(&once, &first, &env->error));
    assert_ok(env, once_downstream_key(&once, &again, &env->error));
    assert_int_equal(strlen(first), 64);
    assert_string_equal(first, again);
    once.row.caller = "another";
    assert_ok(env, once_downstream_key(&once, &other, &env->error));
    assert_string_not_equal(first, other);
    once.keyed = false;
    assert_ok(env, once_downstream_key(&once, &other, &env->error));
    assert_null(other);
}

/* ---- pruning ---- */

static void count_error(void *user, const struct herald_error *error) {
    (void)error;
    ++*(unsigned *)user;
}

DB_TEST(test_reply_pruner_deletes_all_old_replies_and_no_others_again_and_again) {
    enum { OLD = 2500 };
    unsigned errors = 0;
    struct reply_pruner *pruner = NULL;
    struct reply_pruner_options options = {
        .loop = env->loop, .db = env->db, .keep_s = 3600, .interval_ms = 20, .on_error = count_error, .user = &errors};
    const char *user = new_user();
    sql_run("INSERT INTO idempotency (caller, method, key, request_hash, reply, created_at) "
            "SELECT '%s', 'm', i::text, decode(repeat('00', 32), 'hex'), '', "
            "now() - CASE WHEN i <= %d THEN interval '61 minutes' ELSE interval '59 minutes' END "
            "FROM generate_series(1, %d + 7) AS i",
            user, OLD, OLD);
    assert_ok(env, reply_pruner_start(&options, &pruner, &env->error));
    WAIT_UNTIL(sql_number("SELECT count(*) FROM idempotency WHERE caller = '%s'", user) == 7);
    sql_run("UPDATE idempotency SET created_at = now() - interval '2 hours' WHERE caller = '%s' AND key = '%d'", user,
            OLD + 1);
    WAIT_UNTIL(sql_number("SELECT count(*) FROM idempotency WHERE caller = '%s'", user) == 6);
    reply_pruner_stop(pruner);
    assert_int_equal(errors, 0);
}

DB_TEST(test_reply_pruner_reports_a_failed_round_and_goes_on) {
    unsigned errors = 0;
    struct reply_pruner *pruner = NULL;
    struct reply_pruner_options options = {
        .loop = env->loop, .db = env->db, .keep_s = 3600, .interval_ms = 5, .on_error = count_error, .user = &errors};
    sql_run("ALTER TABLE idempotency RENAME COLUMN created_at TO made_at");
    assert_ok(env, reply_pruner_start(&options, &pruner, &env->error));
    WAIT_UNTIL(errors > 0);
    sql_run("ALTER TABLE idempotency RENAME COLUMN made_at TO created_at");
    const char *user = new_user();
    sql_run("INSERT INTO idempotency (caller, method, key, request_hash, reply, created_at) "
            "VALUES ('%s', 'm', 'k', decode(repeat('00', 32), 'hex'), '', now() - interval '2 hours')",
            user);
    WAIT_UNTIL(sql_number("SELECT count(*) FROM idempotency WHERE caller = '%s'", user) == 0);
    reply_pruner_stop(pruner);
}

/* Runs the pruner until a count of rows is reached, and for some rounds more. */
TASK_FN static void prune_until(struct db_env *env, enum db_query query, const char *table, const char *user,
                                long count) {
    unsigned errors = 0;
    struct reply_pruner *pruner = NULL;
    struct reply_pruner_options options = {.loop = env->loop,
                                           .db = env->db,
                                           .rows = {query, 30},
                                           .interval_ms = 20,
                                           .on_error = count_error,
                                           .user = &errors};
    assert_ok(env, reply_pruner_start(&options, &pruner, &env->error));
    WAIT_UNTIL(sql_number("SELECT count(*) FROM %s WHERE user_id = '%s'", table, user) == count);
    assert_int_equal(task_sleep(100, NULL), HERALD_OK);
    assert_int_equal(sql_number("SELECT count(*) FROM %s WHERE user_id = '%s'", table, user), count);
    reply_pruner_stop(pruner);
    assert_int_equal(errors, 0);
}

DB_TEST(test_reply_pruner_deletes_jobs_that_ended_long_ago_and_no_others) {
    const char *user = new_user();
    sql_run(
        "INSERT INTO jobs (id, event_draft_id, user_id, status, created_at, updated_at) "
        "SELECT gen_random_uuid(), gen_random_uuid(), '%s', (ARRAY['COMPLETED', 'FAILED', 'PENDING', 'RUNNING'])[1 + i "
        "%% 4], "
        "now() - interval '1 year', now() - CASE WHEN i <= 2400 THEN interval '31 days' ELSE interval '29 days' END "
        "FROM generate_series(1, 2440) AS i",
        user);
    prune_until(env, DB_QUERY_JOB_PRUNE, "jobs", user, 1240);
    assert_int_equal(sql_number("SELECT count(*) FROM jobs WHERE user_id = '%s' AND status IN ('COMPLETED', 'FAILED') "
                                "AND updated_at < now() - interval '30 days'",
                                user),
                     0);
}

DB_TEST(test_reply_pruner_deletes_events_that_ended_long_ago_and_no_others) {
    const char *user = new_user();
    sql_run(
        "INSERT INTO event_drafts (id, user_id, title, created_at, updated_at, status, objective, recommendation_id, "
        "content_job_id, channels, approved_at, published_at, ended_at) "
        "SELECT gen_random_uuid(), '%s', 't', at, at, CASE WHEN i %% 2 = 0 THEN 'ENDED' ELSE 'ACTIVE' END, 'SALES', "
        "'r', "
        "gen_random_uuid(), '{INSTAGRAM}', at, at, CASE WHEN i %% 2 = 0 THEN at END "
        "FROM generate_series(1, 20) AS i, "
        "LATERAL (SELECT now() - CASE WHEN i <= 10 THEN interval '31 days' ELSE interval '29 days' END) AS t (at)",
        user);
    prune_until(env, DB_QUERY_EVENT_PRUNE, "event_drafts", user, 15);
    assert_int_equal(sql_number("SELECT count(*) FROM event_drafts WHERE user_id = '%s' AND status = 'ACTIVE'", user),
                     10);
}

/* Attempts of deliveries that may still be sent, or of which nobody knows what became of them, stay. */
DB_TEST(test_reply_pruner_deletes_attempts_of_settled_deliveries_only) {
    const char *event = new_id();
    sql_run("INSERT INTO deliveries (event_id, channel, state, settled, next_at, expires_at, attempts) VALUES "
            "('%s', 'INSTAGRAM', 'PUBLISHED', true, NULL, now(), 1), ('%s', 'NAVER_BLOG', 'READY', false, now(), "
            "now(), 1), "
            "('%s', 'KAKAO_CHANNEL', 'OUTCOME_UNKNOWN', true, NULL, now(), 1)",
            event, event, event);
    sql_run(
        "INSERT INTO delivery_attempts (event_id, channel, attempt, state, started_at, finished_at) "
        "SELECT event_id, channel, 1, state, now() - interval '31 days', now() - interval '31 days' FROM deliveries "
        "WHERE event_id = '%s'",
        event);
    unsigned errors = 0;
    struct reply_pruner *pruner = NULL;
    struct reply_pruner_options options = {.loop = env->loop,
                                           .db = env->db,
                                           .rows = {DB_QUERY_DELIVERY_ATTEMPT_PRUNE, 30},
                                           .interval_ms = 20,
                                           .on_error = count_error,
                                           .user = &errors};
    assert_ok(env, reply_pruner_start(&options, &pruner, &env->error));
    WAIT_UNTIL(sql_number("SELECT count(*) FROM delivery_attempts WHERE event_id = '%s' AND channel = 'INSTAGRAM'",
                          event) == 0);
    assert_int_equal(task_sleep(100, NULL), HERALD_OK);
    assert_int_equal(sql_number("SELECT count(*) FROM delivery_attempts WHERE event_id = '%s'", event), 2);
    assert_int_equal(sql_number("SELECT count(*) FROM deliveries WHERE event_id = '%s'", event), 3);
    reply_pruner_stop(pruner);
    assert_int_equal(errors, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_without_key_runs_each_time),
        cmocka_unit_test(test_once_repeat_gets_the_stored_reply_byte_for_byte),
        cmocka_unit_test(test_once_at_once_repeat_gets_the_stored_reply_and_another_request_is_refused),
        cmocka_unit_test(test_once_reply_that_the_body_did_not_store_is_stored),
        cmocka_unit_test(test_once_empty_reply_is_replayed),
        cmocka_unit_test(test_once_overtaken_attempt_answers_as_the_first_one),
        cmocka_unit_test(test_once_error_is_not_stored),
        cmocka_unit_test(test_once_same_key_other_request_is_refused),
        cmocka_unit_test(test_once_key_of_a_claim_is_refused_to_another_request_whether_the_call_runs_or_has_failed),
        cmocka_unit_test(test_once_request_that_finds_its_key_claimed_by_another_is_refused_before_its_effect),
        cmocka_unit_test(test_once_reply_under_a_key_that_another_request_claimed_is_not_stored),
        cmocka_unit_test(test_once_refused_for_what_another_attempt_has_done_answers_as_that_one),
        cmocka_unit_test(test_once_refused_before_its_claim_binds_nothing),
        cmocka_unit_test(test_once_overtaken_attempt_of_a_claimed_call_answers_as_the_first_one),
        cmocka_unit_test(test_once_claim_without_a_key_is_none),
        cmocka_unit_test(test_once_same_key_of_another_user_is_new),
        cmocka_unit_test(test_once_same_key_of_another_caller_or_user_by_credential_is_new),
        cmocka_unit_test(test_once_unreadable_reply_is_data_loss),
        cmocka_unit_test(test_once_check_tells_that_another_attempt_was_answered),
        cmocka_unit_test(test_once_downstream_key_is_the_same_for_each_attempt_and_no_other_call),
        cmocka_unit_test(test_reply_pruner_deletes_all_old_replies_and_no_others_again_and_again),
        cmocka_unit_test(test_reply_pruner_deletes_jobs_that_ended_long_ago_and_no_others),
        cmocka_unit_test(test_reply_pruner_deletes_events_that_ended_long_ago_and_no_others),
        cmocka_unit_test(test_reply_pruner_deletes_attempts_of_settled_deliveries_only),
        cmocka_unit_test(test_reply_pruner_reports_a_failed_round_and_goes_on),
    };
    return cmocka_run_group_tests(tests, schema_setup, schema_teardown);
}
