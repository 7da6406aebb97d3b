/* From DRAFT to ENDED: transitions under races, their outbox and idempotency rows, leases. */
#include "tests/integration/db/db_test.h"

static long outbox_rows(const char *key) {
    return sql_number("SELECT count(*) FROM outbox WHERE key = '%s'", key);
}

DB_TEST(test_approve_ready_draft_sets_everything_in_one_transaction) {
    struct event_draft draft = make_draft(env), got;
    assert_ok(env, approve(env, &draft, 30000));
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.status, EVENT_APPROVED);
    assert_true(got.approved_at_us >= draft.created_at_us);
    assert_int_equal(got.channel_count, 2);
    assert_int_equal(got.channels[0], 4);
    assert_int_equal(got.channels[1], 5);
    assert_int_equal(outbox_rows(draft.id), 1);
    assert_int_equal(sql_number("SELECT count(*) FROM event_drafts WHERE id = '%s' AND status = 'APPROVED' AND "
                                "channels = '{INSTAGRAM,NAVER_BLOG}' AND lease_until > now() + interval '20 s'",
                                draft.id),
                     1);
}

DB_TEST(test_approve_unready_draft_is_aborted_and_changes_nothing) {
    for (int missing = 0; missing < 3; missing++) {
        struct event_draft draft = ready_draft(new_user()), got;
        draft.objective = missing == 0 ? 0 : draft.objective;
        draft.recommendation_id = missing == 1 ? "" : draft.recommendation_id;
        draft.content_job_id = missing == 2 ? "" : draft.content_job_id;
        assert_ok(env, event_store_create(env->db, &draft, NULL, &env->error));
        assert_code(env, approve(env, &draft, 1000), HERALD_ABORTED);
        assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
        assert_int_equal(got.status, EVENT_DRAFT);
        assert_int_equal(got.approved_at_us, 0);
        assert_int_equal(outbox_rows(draft.id), 0);
    }
}

DB_TEST(test_approve_missing_event_is_not_found) {
    struct event_draft draft = ready_draft(new_user());
    assert_code(env, approve(env, &draft, 1000), HERALD_NOT_FOUND);
    assert_int_equal(outbox_rows(draft.id), 0);
}

/* ---- the race ---- */

#define RACERS       64
#define RACED_DRAFTS 50

struct race {
    struct db_env *env;
    struct event_draft drafts[RACED_DRAFTS];
    unsigned won[RACED_DRAFTS], lost[RACED_DRAFTS], other;
};

TASK_FN static void race(void *arg) {
    struct race *shared = arg;
    static const int channels[] = {1};
    for (int i = 0; i < RACED_DRAFTS; i++) {
        const struct event_draft *draft = &shared->drafts[i];
        struct outbox_row created = outbox_row_for("race", draft->id);
        enum herald_code code = event_store_approve(shared->env->db, draft->id, draft->user_id, channels, 1,
                                                    clock_wall_us(), 1000, &created, NULL, NULL);
        shared->won[i] += code == HERALD_OK;
        shared->lost[i] += code == HERALD_ABORTED;
        shared->other += code != HERALD_OK && code != HERALD_ABORTED;
    }
}

DB_TEST(test_approve_64_racers_have_one_winner_and_one_outbox_row_each) {
    struct race *shared = arena_calloc(call_arena(), 1, sizeof(*shared));
    shared->env = env;
    for (int i = 0; i < RACED_DRAFTS; i++) {
        shared->drafts[i] = make_draft(env);
    }
    struct task_group group;
    task_group_init(&group);
    for (int i = 0; i < RACERS; i++) {
        assert_ok(env, task_group_spawn(&group, "racer", race, shared, &env->error));
    }
    task_group_join(&group);
    assert_int_equal(shared->other, 0);
    for (int i = 0; i < RACED_DRAFTS; i++) {
        assert_int_equal(shared->won[i], 1);
        assert_int_equal(shared->lost[i], RACERS - 1);
        assert_int_equal(outbox_rows(shared->drafts[i].id), 1);
    }
}

/* ---- activation ---- */

static const uint8_t RESULTS[] = {0x0A, 0, 0xFF, 'r'};

static struct outbox_row cache_delete_for(const struct event_draft *event) {
    struct outbox_row row = outbox_row_for("event", arena_printf(call_arena(), "purpose:%s", event->user_id));
    row.kind = OUTBOX_CACHE_DELETE;
    row.topic = row.ce_type = row.ce_source = row.content_type = "";
    row.ce_time_us = 0;
    row.value = NULL;
    row.value_bytes = 0;
    return row;
}

TASK_FN static enum herald_code activate(struct db_env *env, const struct event_draft *event,
                                         const struct idempotency_row *once) {
    struct outbox_row cache_delete = cache_delete_for(event);
    return event_store_activate(env->db, event->id, event->user_id, RESULTS, sizeof(RESULTS), &cache_delete, once,
                                &env->error);
}

DB_TEST(test_activate_approved_event_stores_results_outbox_and_reply) {
    struct event_draft event = make_approved(env, 1000), got;
    struct idempotency_row once = idempotency_row_for(event.user_id, "publish"), stored;
    assert_ok(env, activate(env, &event, &once));
    assert_ok(env, event_store_load(env->db, event.id, event.user_id, &got, &env->error));
    assert_int_equal(got.status, EVENT_ACTIVE);
    assert_true(got.published_at_us > 0);
    assert_int_equal(got.results_bytes, sizeof(RESULTS));
    assert_memory_equal(got.results, RESULTS, sizeof(RESULTS));
    assert_ok(env, idempotency_store_find(env->db, once.method, once.caller, once.key, &stored, &env->error));
    assert_int_equal(
        sql_number("SELECT count(*) FROM outbox WHERE key = 'purpose:%s' AND kind = 'CACHE_DELETE'", event.user_id), 1);
}

DB_TEST(test_activate_again_is_aborted_and_published_at_stays) {
    struct event_draft event = make_approved(env, 1000), first, second;
    assert_ok(env, activate(env, &event, NULL));
    assert_ok(env, event_store_load(env->db, event.id, event.user_id, &first, &env->error));
    struct idempotency_row once = idempotency_row_for(event.user_id, "late"), stored;
    assert_code(env, activate(env, &event, &once), HERALD_ABORTED);
    assert_ok(env, event_store_load(env->db, event.id, event.user_id, &second, &env->error));
    assert_true(first.published_at_us == second.published_at_us);
    assert_code(env, idempotency_store_find(env->db, once.method, once.caller, once.key, &stored, &env->error),
                HERALD_NOT_FOUND);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE key = 'purpose:%s'", event.user_id), 1);
}

DB_TEST(test_activate_with_a_stored_key_still_activates) {
    struct event_draft event = make_approved(env, 1000), got;
    struct idempotency_row once = idempotency_row_for(event.user_id, "publish");
    assert_ok(env, idempotency_store_answer(env->db, &once, &env->error));
    assert_ok(env, activate(env, &event, &once));
    assert_ok(env, event_store_load(env->db, event.id, event.user_id, &got, &env->error));
    assert_int_equal(got.status, EVENT_ACTIVE);
}

DB_TEST(test_activate_draft_or_missing_is_aborted) {
    struct event_draft draft = make_draft(env), missing = ready_draft(new_user());
    assert_code(env, activate(env, &draft, NULL), HERALD_ABORTED);
    assert_code(env, activate(env, &missing, NULL), HERALD_ABORTED);
    assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE key = 'purpose:%s'", draft.user_id), 0);
}

DB_TEST(test_end_active_event_ends_once_and_again_returns_it) {
    struct event_draft event = make_approved(env, 1000), first, again;
    assert_ok(env, activate(env, &event, NULL));
    assert_ok(env, event_store_end(env->db, event.id, event.user_id, &first, &env->error));
    assert_int_equal(first.status, EVENT_ENDED);
    assert_true(first.ended_at_us >= first.published_at_us);
    assert_ok(env, event_store_end(env->db, event.id, event.user_id, &again, &env->error));
    assert_true(again.ended_at_us == first.ended_at_us);
    assert_code(env, activate(env, &event, NULL), HERALD_ABORTED);
}

/* ---- leases ---- */

/* Whether the reconciler takes the event now. Others of this schema may be taken too. */
TASK_FN static bool taken(struct db_env *env, const struct event_draft *event, uint32_t lease_ms) {
    struct event_draft *drafts = NULL;
    size_t count = 0;
    assert_ok(env, event_store_take_approved(env->db, 1000, lease_ms, &drafts, &count, &env->error));
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found |= strcmp(drafts[i].id, event->id) == 0;
    }
    return found;
}

DB_TEST(test_take_approved_takes_only_what_is_due_and_counts) {
    struct event_draft leased = make_approved(env, 60000), due = make_approved(env, 0), draft = make_draft(env), got;
    struct event_draft *drafts = NULL;
    size_t count = 0;
    assert_ok(env, event_store_take_approved(env->db, 1000, 60000, &drafts, &count, &env->error));
    unsigned seen = 0;
    for (size_t i = 0; i < count; i++) {
        assert_string_not_equal(drafts[i].id, leased.id);
        assert_string_not_equal(drafts[i].id, draft.id);
        if (strcmp(drafts[i].id, due.id) == 0) {
            seen++;
            assert_int_equal(drafts[i].reconcile_attempts, 1);
            assert_string_equal(drafts[i].title, due.title);
            assert_int_equal(drafts[i].channel_count, 2);
        }
    }
    assert_int_equal(seen, 1);
    assert_false(taken(env, &due, 60000)); /* leased now */
    assert_ok(env, event_store_load(env->db, due.id, due.user_id, &got, &env->error));
    assert_int_equal(got.reconcile_attempts, 1);
}

DB_TEST(test_take_approved_gives_at_most_the_limit) {
    (void)make_approved(env, 0);
    (void)make_approved(env, 0);
    struct event_draft *drafts = NULL;
    size_t count = 0;
    assert_ok(env, event_store_take_approved(env->db, 1, 60000, &drafts, &count, &env->error));
    assert_int_equal(count, 1);
}

DB_TEST(test_lease_prolongs_only_an_approved_event) {
    struct event_draft event = make_approved(env, 0), draft = make_draft(env);
    assert_ok(env, event_store_lease(env->db, event.id, 60000, &env->error));
    assert_false(taken(env, &event, 1));
    assert_ok(env, event_store_lease(env->db, draft.id, 60000, &env->error));
    assert_ok(env, event_store_lease(env->db, new_id(), 60000, &env->error));
}

DB_TEST(test_release_lets_the_owner_in_at_once_and_the_reconciler_later) {
    struct event_draft event = make_approved(env, 60000);
    assert_code(env, event_store_try_lease(env->db, event.id, 60000, &env->error), HERALD_ABORTED);
    assert_ok(env, event_store_release(env->db, event.id, 60000, &env->error));
    assert_false(taken(env, &event, 1));
    assert_ok(env, event_store_try_lease(env->db, event.id, 60000, &env->error));
    assert_code(env, event_store_try_lease(env->db, event.id, 60000, &env->error), HERALD_ABORTED);
    assert_ok(env, event_store_release(env->db, event.id, 0, &env->error));
    assert_true(taken(env, &event, 60000));
}

DB_TEST(test_release_for_ever_hides_the_event_until_its_owner_takes_it) {
    struct event_draft event = make_approved(env, 0);
    assert_ok(env, event_store_release(env->db, event.id, EVENT_RECONCILE_NEVER, &env->error));
    assert_false(taken(env, &event, 1));
    assert_ok(env, event_store_try_lease(env->db, event.id, 0, &env->error)); /* and dies */
    assert_true(taken(env, &event, 60000));
}

DB_TEST(test_try_lease_of_an_event_that_is_not_approved_is_aborted) {
    struct event_draft draft = make_draft(env);
    assert_code(env, event_store_try_lease(env->db, draft.id, 1000, &env->error), HERALD_ABORTED);
    assert_code(env, event_store_try_lease(env->db, new_id(), 1000, &env->error), HERALD_ABORTED);
}

static void assert_refused_by_schema(const char *change, const char *id) {
    PGconn *pg = admin_open();
    char text[256];
    (void)snprintf(text, sizeof(text), "UPDATE event_drafts SET %s WHERE id = '%s'", change, id);
    PGresult *result = PQexec(pg, text);
    assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "23514");
    PQclear(result);
    PQfinish(pg);
}

DB_TEST(test_schema_refuses_illegal_states_whoever_writes) {
    struct event_draft draft = make_draft(env), approved = make_approved(env, 1000);
    assert_refused_by_schema("status = 'ACTIVE'", draft.id);
    assert_refused_by_schema("status = 'PUBLISHED'", draft.id);
    assert_refused_by_schema("objective = NULL", approved.id);
    assert_refused_by_schema("channels = '{TELEX}'", approved.id);
    assert_refused_by_schema("published_at = now()", approved.id);
}

/* ---- idempotency rows ---- */

/* The same key, claimed by another request. */
static struct idempotency_row of_another_request(struct idempotency_row row) {
    static const uint8_t hash[32] = {4, 5, 6};
    row.request_hash = hash;
    return row;
}

TASK_FN static bool is_answered(struct db_env *env, const struct idempotency_row *row) {
    struct idempotency_row got;
    assert_ok(env, idempotency_store_find(env->db, row->method, row->caller, row->key, &got, &env->error));
    return got.answered;
}

TASK_FN static enum herald_code approve_claiming(struct db_env *env, const struct event_draft *draft,
                                                 const struct idempotency_row *claim) {
    static const int channels[] = {1};
    struct outbox_row created = outbox_row_for("event", draft->id);
    return event_store_approve(env->db, draft->id, draft->user_id, channels, 1, clock_wall_us(), 1000, &created, claim,
                               &env->error);
}

DB_TEST(test_idempotency_claim_is_for_its_request_until_it_is_answered) {
    struct idempotency_row row = idempotency_row_for(new_user(), "key"), other = of_another_request(row), got;
    assert_ok(env, idempotency_store_claim(env->db, &row, &env->error));
    assert_ok(env, idempotency_store_claim(env->db, &row, &env->error));
    assert_false(is_answered(env, &row));
    assert_code(env, idempotency_store_claim(env->db, &other, &env->error), HERALD_ALREADY_EXISTS);
    assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_EXISTS");
    assert_code(env, idempotency_store_answer(env->db, &other, &env->error), HERALD_ALREADY_EXISTS);
    assert_ok(env, idempotency_store_answer(env->db, &row, &env->error));
    assert_ok(env, idempotency_store_find(env->db, row.method, row.caller, row.key, &got, &env->error));
    assert_true(got.answered);
    assert_memory_equal(got.request_hash, row.request_hash, 32);
    assert_int_equal(got.reply_bytes, row.reply_bytes);
    assert_memory_equal(got.reply, row.reply, row.reply_bytes);
    assert_code(env, idempotency_store_claim(env->db, &row, &env->error), HERALD_ALREADY_EXISTS);
}

DB_TEST(test_approve_claims_the_key_and_activate_answers_the_claim) {
    struct event_draft draft = make_draft(env);
    struct idempotency_row row = idempotency_row_for(draft.user_id, "publish");
    assert_ok(env, approve_claiming(env, &draft, &row));
    assert_false(is_answered(env, &row));
    assert_code(env, approve_claiming(env, &draft, &row), HERALD_ABORTED);
    assert_ok(env, activate(env, &draft, &row));
    assert_true(is_answered(env, &row));
}

DB_TEST(test_approve_under_a_taken_key_changes_nothing) {
    for (int answered = 0; answered < 2; answered++) {
        struct event_draft draft = make_draft(env), got;
        struct idempotency_row row = idempotency_row_for(draft.user_id, "publish"), other = of_another_request(row);
        assert_ok(env, answered ? idempotency_store_answer(env->db, &other, &env->error)
                                : idempotency_store_claim(env->db, &other, &env->error));
        assert_code(env, approve_claiming(env, &draft, &row), HERALD_ALREADY_EXISTS);
        assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_EXISTS");
        assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
        assert_int_equal(got.status, EVENT_DRAFT);
        assert_int_equal(sql_number("SELECT count(*) FROM outbox WHERE key = '%s'", draft.id), 0);
    }
}

DB_TEST(test_approve_that_changes_nothing_claims_nothing) {
    struct event_draft approved = make_approved(env, 1000);
    struct idempotency_row row = idempotency_row_for(approved.user_id, "publish"), got;
    assert_code(env, approve_claiming(env, &approved, &row), HERALD_ABORTED);
    assert_code(env, idempotency_store_find(env->db, row.method, row.caller, row.key, &got, &env->error),
                HERALD_NOT_FOUND);
}

DB_TEST(test_activate_under_another_requests_key_still_activates_and_leaves_the_key) {
    struct event_draft event = make_approved(env, 1000), got;
    struct idempotency_row row = idempotency_row_for(event.user_id, "publish"), other = of_another_request(row);
    assert_ok(env, idempotency_store_claim(env->db, &other, &env->error));
    assert_ok(env, activate(env, &event, &row));
    assert_ok(env, event_store_load(env->db, event.id, event.user_id, &got, &env->error));
    assert_int_equal(got.status, EVENT_ACTIVE);
    assert_false(is_answered(env, &row));
}

/* Servers of before 0006 read a reply where there is a claim: it must not be one. */
DB_TEST(test_idempotency_claim_has_no_reply_that_could_be_read) {
    struct idempotency_row row = idempotency_row_for(new_user(), "key");
    assert_ok(env, idempotency_store_claim(env->db, &row, &env->error));
    assert_int_equal(sql_number("SELECT count(*) FROM idempotency WHERE caller = '%s' AND reply = '\\xff'", row.caller),
                     1);
}

DB_TEST(test_idempotency_prune_leaves_a_claim_until_no_call_can_have_it) {
    struct idempotency_row young = idempotency_row_for(new_user(), "young"),
                           old = idempotency_row_for(young.caller, "old"), got;
    assert_ok(env, idempotency_store_claim(env->db, &young, &env->error));
    assert_ok(env, idempotency_store_claim(env->db, &old, &env->error));
    sql_run("UPDATE idempotency SET created_at = now() - CASE key WHEN 'old' THEN 16 ELSE 14 END * interval '1 minute' "
            "WHERE caller = '%s'",
            young.caller);
    unsigned deleted = 0;
    assert_ok(env, idempotency_store_prune(env->db, 60, &deleted, &env->error));
    assert_int_equal(deleted, 1);
    assert_ok(env, idempotency_store_find(env->db, young.method, young.caller, "young", &got, &env->error));
}

DB_TEST(test_idempotency_insert_then_find_gives_the_same_bytes) {
    struct idempotency_row row = idempotency_row_for(new_user(), "key"), got;
    assert_ok(env, idempotency_store_answer(env->db, &row, &env->error));
    assert_ok(env, idempotency_store_find(env->db, row.method, row.caller, row.key, &got, &env->error));
    assert_memory_equal(got.request_hash, row.request_hash, 32);
    assert_int_equal(got.reply_bytes, row.reply_bytes);
    assert_memory_equal(got.reply, row.reply, row.reply_bytes);
    assert_code(env, idempotency_store_answer(env->db, &row, &env->error), HERALD_ALREADY_EXISTS);
}

DB_TEST(test_idempotency_empty_reply_is_stored) {
    struct idempotency_row row = idempotency_row_for(new_user(), "key"), got;
    row.reply = NULL;
    row.reply_bytes = 0;
    assert_ok(env, idempotency_store_answer(env->db, &row, &env->error));
    assert_ok(env, idempotency_store_find(env->db, row.method, row.caller, row.key, &got, &env->error));
    assert_int_equal(got.reply_bytes, 0);
}

DB_TEST(test_idempotency_keys_of_others_do_not_meet) {
    struct idempotency_row row = idempotency_row_for(new_user(), "key"), got;
    assert_ok(env, idempotency_store_answer(env->db, &row, &env->error));
    assert_code(env, idempotency_store_find(env->db, row.method, new_user(), row.key, &got, &env->error),
                HERALD_NOT_FOUND);
    assert_code(env, idempotency_store_find(env->db, "other/Method", row.caller, row.key, &got, &env->error),
                HERALD_NOT_FOUND);
    struct idempotency_row other = row;
    other.caller = new_user();
    assert_ok(env, idempotency_store_answer(env->db, &other, &env->error));
}

DB_TEST(test_idempotency_prune_deletes_only_old_rows) {
    struct idempotency_row old = idempotency_row_for(new_user(), "old"), young = idempotency_row_for(old.caller, "new");
    struct idempotency_row got;
    assert_ok(env, idempotency_store_answer(env->db, &old, &env->error));
    assert_ok(env, idempotency_store_answer(env->db, &young, &env->error));
    sql_run("UPDATE idempotency SET created_at = now() - interval '2 days' WHERE caller = '%s' AND key = 'old'",
            old.caller);
    unsigned deleted = 0;
    assert_ok(env, idempotency_store_prune(env->db, 86400, &deleted, &env->error));
    assert_int_equal(deleted, 1);
    assert_code(env, idempotency_store_find(env->db, old.method, old.caller, "old", &got, &env->error),
                HERALD_NOT_FOUND);
    assert_ok(env, idempotency_store_find(env->db, old.method, old.caller, "new", &got, &env->error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approve_ready_draft_sets_everything_in_one_transaction),
        cmocka_unit_test(test_approve_unready_draft_is_aborted_and_changes_nothing),
        cmocka_unit_test(test_approve_missing_event_is_not_found),
        cmocka_unit_test(test_approve_64_racers_have_one_winner_and_one_outbox_row_each),
        cmocka_unit_test(test_activate_approved_event_stores_results_outbox_and_reply),
        cmocka_unit_test(test_activate_again_is_aborted_and_published_at_stays),
        cmocka_unit_test(test_activate_with_a_stored_key_still_activates),
        cmocka_unit_test(test_activate_draft_or_missing_is_aborted),
        cmocka_unit_test(test_end_active_event_ends_once_and_again_returns_it),
        cmocka_unit_test(test_take_approved_takes_only_what_is_due_and_counts),
        cmocka_unit_test(test_take_approved_gives_at_most_the_limit),
        cmocka_unit_test(test_lease_prolongs_only_an_approved_event),
        cmocka_unit_test(test_release_lets_the_owner_in_at_once_and_the_reconciler_later),
        cmocka_unit_test(test_release_for_ever_hides_the_event_until_its_owner_takes_it),
        cmocka_unit_test(test_try_lease_of_an_event_that_is_not_approved_is_aborted),
        cmocka_unit_test(test_schema_refuses_illegal_states_whoever_writes),
        cmocka_unit_test(test_idempotency_claim_is_for_its_request_until_it_is_answered),
        cmocka_unit_test(test_approve_claims_the_key_and_activate_answers_the_claim),
        cmocka_unit_test(test_approve_under_a_taken_key_changes_nothing),
        cmocka_unit_test(test_approve_that_changes_nothing_claims_nothing),
        cmocka_unit_test(test_activate_under_another_requests_key_still_activates_and_leaves_the_key),
        cmocka_unit_test(test_idempotency_claim_has_no_reply_that_could_be_read),
        cmocka_unit_test(test_idempotency_prune_leaves_a_claim_until_no_call_can_have_it),
        cmocka_unit_test(test_idempotency_insert_then_find_gives_the_same_bytes),
        cmocka_unit_test(test_idempotency_empty_reply_is_stored),
        cmocka_unit_test(test_idempotency_keys_of_others_do_not_meet),
        cmocka_unit_test(test_idempotency_prune_deletes_only_old_rows),
    };
    return cmocka_run_group_tests_name("integration.db.publishing", tests, schema_setup, schema_teardown);
}
