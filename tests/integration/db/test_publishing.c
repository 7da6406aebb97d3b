/* From DRAFT to ENDED: transitions under races, their outbox and idempotency rows, claims, periods. */
#include "tests/integration/db/db_test.h"

static long outbox_rows(const char *key) {
    return sql_number("SELECT count(*) FROM outbox WHERE key = '%s'", key);
}

DB_TEST(test_approve_ready_draft_sets_everything_in_one_transaction) {
    struct event_draft draft = make_draft(env), got;
    const char *holder = new_id();
    assert_ok(env, approve(env, &draft, holder));
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_int_equal(got.status, EVENT_APPROVED);
    assert_true(got.approved_at_us >= draft.created_at_us);
    assert_int_equal(got.channel_count, 2);
    assert_int_equal(got.channels[0], 4);
    assert_int_equal(got.channels[1], 5);
    assert_int_equal(outbox_rows(draft.id), 1);
    assert_int_equal(sql_number("SELECT count(*) FROM event_drafts WHERE id = '%s' AND status = 'APPROVED' AND "
                                "channels = '{INSTAGRAM,NAVER_BLOG}' AND holder = '%s' AND attend_at IS NULL",
                                draft.id, holder),
                     1);
}

DB_TEST(test_approve_unready_draft_is_aborted_and_changes_nothing) {
    for (int missing = 0; missing < 3; missing++) {
        struct event_draft draft = ready_draft(new_user()), got;
        draft.objective = missing == 0 ? 0 : draft.objective;
        draft.recommendation_id = missing == 1 ? "" : draft.recommendation_id;
        draft.content_job_id = missing == 2 ? "" : draft.content_job_id;
        assert_ok(env, event_store_create(env->db, &draft, NULL, &env->error));
        assert_code(env, approve(env, &draft, NULL), HERALD_ABORTED);
        assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
        assert_int_equal(got.status, EVENT_DRAFT);
        assert_int_equal(got.approved_at_us, 0);
        assert_int_equal(outbox_rows(draft.id), 0);
    }
}

DB_TEST(test_approve_missing_event_is_not_found) {
    struct event_draft draft = ready_draft(new_user());
    assert_code(env, approve(env, &draft, NULL), HERALD_NOT_FOUND);
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
    for (int i = 0; i < RACED_DRAFTS; i++) {
        enum herald_code code = approve(shared->env, &shared->drafts[i], new_id());
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

#define CALLED_AT_US 1700000000000000 /* when the call of the distribution service ended */

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
    const struct event_call call = {.ended_at_us = CALLED_AT_US};
    return event_store_activate(env->db, event->id, event->user_id, RESULTS, sizeof(RESULTS), &call, &cache_delete,
                                once, &env->error);
}

DB_TEST(test_activate_approved_event_stores_results_outbox_and_reply) {
    struct event_draft event = make_approved(env), got;
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
    struct event_draft event = make_approved(env), first, second;
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

DB_TEST(test_activate_with_an_answered_key_still_activates_and_says_so) {
    struct event_draft event = make_approved(env), got;
    struct idempotency_row once = idempotency_row_for(event.user_id, "publish"), stored, late = once;
    late.reply = (const uint8_t *)"later";
    late.reply_bytes = 5;
    assert_ok(env, idempotency_store_answer(env->db, &once, &env->error));
    assert_code(env, activate(env, &event, &late), HERALD_ALREADY_EXISTS);
    assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_EXISTS");
    assert_ok(env, idempotency_store_find(env->db, once.method, once.caller, once.key, &stored, &env->error));
    assert_int_equal(stored.reply_bytes, once.reply_bytes);
    assert_memory_equal(stored.reply, once.reply, once.reply_bytes);
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
    struct event_draft event = make_approved(env), first, again;
    assert_ok(env, activate(env, &event, NULL));
    assert_ok(env, event_store_end(env->db, event.id, event.user_id, &first, &env->error));
    assert_int_equal(first.status, EVENT_ENDED);
    assert_true(first.ended_at_us >= first.published_at_us);
    assert_ok(env, event_store_end(env->db, event.id, event.user_id, &again, &env->error));
    assert_true(again.ended_at_us == first.ended_at_us);
    assert_code(env, activate(env, &event, NULL), HERALD_ABORTED);
}

/* ---- claims ---- */

TASK_FN static bool is_due(struct db_env *env, const struct event_draft *event) {
    const char *const *ids = NULL;
    size_t count = 0;
    assert_ok(env, event_store_due(env->db, 1000, &ids, &count, &env->error));
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found |= strcmp(ids[i], event->id) == 0;
    }
    return found;
}

DB_TEST(test_due_names_only_approved_events_that_nobody_holds) {
    struct event_draft due = make_approved(env), held = make_held(env, new_id()), draft = make_draft(env);
    assert_true(is_due(env, &due));
    assert_false(is_due(env, &held));
    assert_false(is_due(env, &draft));
    const char *const *ids = NULL;
    size_t count = 0;
    (void)make_approved(env);
    assert_ok(env, event_store_due(env->db, 1, &ids, &count, &env->error));
    assert_int_equal(count, 1);
}

DB_TEST(test_take_gives_a_due_event_to_one_and_counts) {
    struct event_draft due = make_approved(env), got, now;
    const char *holder = new_id();
    assert_ok(env, event_store_take(env->db, due.id, holder, &got, &env->error));
    assert_int_equal(got.reconcile_attempts, 1);
    assert_string_equal(got.title, due.title);
    assert_int_equal(got.channel_count, 2);
    assert_code(env, event_store_take(env->db, due.id, new_id(), &got, &env->error), HERALD_ABORTED);
    assert_string_equal(env->error.reason, "EVENT_LEASED");
    assert_false(is_due(env, &due));
    assert_ok(env, event_store_load(env->db, due.id, due.user_id, &now, &env->error));
    assert_int_equal(now.reconcile_attempts, 1);
}

DB_TEST(test_unclaim_lets_the_owner_in_at_once_and_the_reconciler_later) {
    const char *holder = new_id(), *other = new_id();
    struct event_draft event = make_held(env, holder), got;
    assert_code(env, event_store_claim(env->db, event.id, other, &env->error), HERALD_ABORTED);
    assert_ok(env, event_store_unclaim(env->db, event.id, holder, 60000, NULL, NULL, &env->error));
    assert_false(is_due(env, &event));
    assert_code(env, event_store_take(env->db, event.id, other, &got, &env->error), HERALD_ABORTED);
    assert_ok(env, event_store_claim(env->db, event.id, other, &env->error));
    assert_code(env, event_store_claim(env->db, event.id, holder, &env->error), HERALD_ABORTED);
    assert_ok(env, event_store_unclaim(env->db, event.id, other, 0, NULL, NULL, &env->error));
    assert_true(is_due(env, &event));
}

DB_TEST(test_unclaim_by_another_process_changes_nothing) {
    const char *holder = new_id();
    struct event_draft event = make_held(env, holder);
    assert_ok(env, event_store_unclaim(env->db, event.id, new_id(), 0, NULL, NULL, &env->error));
    assert_false(is_due(env, &event));
    assert_int_equal(sql_number("SELECT count(*) FROM event_drafts WHERE holder = '%s'", holder), 1);
}

DB_TEST(test_unclaim_for_ever_hides_the_event_until_its_owner_claims_it) {
    const char *holder = new_id();
    struct event_draft event = make_held(env, holder);
    assert_ok(env, event_store_unclaim(env->db, event.id, holder, EVENT_NEVER_DUE, NULL, NULL, &env->error));
    assert_false(is_due(env, &event));
    assert_ok(env, event_store_claim(env->db, event.id, holder, &env->error));
}

DB_TEST(test_claim_of_an_event_that_is_not_approved_is_aborted) {
    struct event_draft draft = make_draft(env);
    assert_code(env, event_store_claim(env->db, draft.id, new_id(), &env->error), HERALD_ABORTED);
    assert_code(env, event_store_claim(env->db, new_id(), new_id(), &env->error), HERALD_ABORTED);
}

/* ---- period and schedule ---- */

/* Moves an event's end into the past. */
static void let_period_pass(const char *id) {
    sql_run("UPDATE event_drafts SET starts_at = NULL, ends_at = now() - interval '1 s', end_at = CASE WHEN end_at IS "
            "NOT NULL THEN now() - "
            "interval '1 s' END WHERE id = '%s'",
            id);
}

TASK_FN static struct event_draft make_limited(struct db_env *env) {
    struct event_draft draft = make_draft(env);
    int64_t now_us = clock_wall_us();
    assert_ok(env, event_store_set_period(env->db, draft.id, draft.user_id, now_us, now_us + INT64_C(3600000000),
                                          &draft, &env->error));
    assert_true(draft.starts_at_us == now_us && draft.ends_at_us == now_us + INT64_C(3600000000));
    return draft;
}

TASK_FN static void end_all_due(struct db_env *env) {
    unsigned count = EVENT_END_ROWS;
    while (count == EVENT_END_ROWS) {
        assert_ok(env, event_store_end_due(env->db, &count, &env->error));
    }
}

DB_TEST(test_end_due_ends_active_and_approved_events_after_their_period_and_no_other) {
    const char *holder = new_id();
    struct event_draft events[5];
    for (int i = 0; i < 5; i++) {
        events[i] = make_limited(env);
        if (i > 0) {
            assert_ok(env, approve(env, &events[i], i == 3 ? holder : NULL)); /* 0: a draft, 3: held */
        }
    }
    assert_ok(env, activate(env, &events[1], NULL));
    for (int i = 0; i < 4; i++) {
        let_period_pass(events[i].id); /* 4: not over */
    }
    end_all_due(env);
    static const enum event_status expected[] = {EVENT_DRAFT, EVENT_ENDED, EVENT_ENDED, EVENT_APPROVED, EVENT_APPROVED};
    for (int i = 0; i < 5; i++) {
        struct event_draft got;
        assert_ok(env, event_store_load(env->db, events[i].id, events[i].user_id, &got, &env->error));
        assert_int_equal(got.status, expected[i]);
        assert_true((got.ended_at_us != 0) == (got.status == EVENT_ENDED));
    }
    assert_ok(env, event_store_unclaim(env->db, events[3].id, holder, EVENT_NEVER_DUE, NULL, NULL, &env->error));
    end_all_due(env);
    assert_int_equal(sql_number("SELECT count(*) FROM event_drafts WHERE id = '%s' AND status = 'ENDED'", events[3].id),
                     1);
}

DB_TEST(test_approve_after_the_period_is_aborted_and_changes_nothing) {
    struct event_draft draft = make_limited(env);
    let_period_pass(draft.id);
    assert_code(env, approve(env, &draft, new_id()), HERALD_ABORTED);
    assert_int_equal(outbox_rows(draft.id), 0);
}

/* Approves for one channel. @approval  what is special about it */
TASK_FN static enum herald_code approve_with(struct db_env *env, const struct event_draft *draft,
                                             struct event_approval approval) {
    static const int channels[] = {1};
    struct outbox_row created = outbox_row_for("event", draft->id);
    approval.id = draft->id;
    approval.user_id = draft->user_id;
    approval.channels = channels;
    approval.channel_count = 1;
    approval.approved_at_us = clock_wall_us();
    approval.event_created = &created;
    return event_store_approve(env->db, &approval, &env->error);
}

TASK_FN static enum herald_code approve_for(struct db_env *env, const struct event_draft *draft, int64_t at_us,
                                            const char *time_zone) {
    return approve_with(env, draft, (struct event_approval){.scheduled_at_us = at_us, .time_zone = time_zone});
}

DB_TEST(test_approve_for_an_instant_is_due_then) {
    struct event_draft draft = make_draft(env), got;
    int64_t at_us = clock_wall_us() + INT64_C(3600000000);
    assert_ok(env, approve_for(env, &draft, at_us, "Asia/Seoul"));
    assert_false(is_due(env, &draft));
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_true(got.scheduled_at_us == at_us);
    assert_string_equal(got.time_zone, "Asia/Seoul");
    sql_run("UPDATE event_drafts SET attend_at = attend_at - interval '1 h' WHERE id = '%s'", draft.id);
    assert_true(is_due(env, &draft));
}

DB_TEST(test_approve_in_an_unknown_time_zone_is_refused_and_changes_nothing) {
    static const char *const zones[] = {"Asia/Atlantis", "KST-9", "asia/seoul"};
    for (size_t i = 0; i < 3; i++) {
        struct event_draft draft = make_draft(env);
        assert_code(env, approve_for(env, &draft, clock_wall_us() + 1000000, zones[i]), HERALD_INVALID_ARGUMENT);
        assert_string_equal(env->error.reason, "INVALID_FIELD");
        assert_string_equal(env->error.details[0].field, "timeZone");
        assert_int_equal(outbox_rows(draft.id), 0);
    }
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
    struct event_draft draft = make_draft(env), approved = make_approved(env);
    assert_refused_by_schema("status = 'ACTIVE'", draft.id);
    assert_refused_by_schema("status = 'PUBLISHED'", draft.id);
    assert_refused_by_schema("objective = NULL", approved.id);
    assert_refused_by_schema("published_at = now()", approved.id);
    assert_refused_by_schema("holder = gen_random_uuid()", draft.id);
    assert_refused_by_schema("holder = gen_random_uuid()", approved.id); /* and due */
    assert_refused_by_schema("starts_at = now(), ends_at = now()", draft.id);
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
    return approve_with(env, draft, (struct event_approval){.time_zone = "", .holder = new_id(), .claim = claim});
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
    struct event_draft approved = make_approved(env);
    struct idempotency_row row = idempotency_row_for(approved.user_id, "publish"), got;
    assert_code(env, approve_claiming(env, &approved, &row), HERALD_ABORTED);
    assert_code(env, idempotency_store_find(env->db, row.method, row.caller, row.key, &got, &env->error),
                HERALD_NOT_FOUND);
}

DB_TEST(test_activate_under_another_requests_key_still_activates_and_leaves_the_key) {
    struct event_draft event = make_approved(env), got;
    struct idempotency_row row = idempotency_row_for(event.user_id, "publish"), other = of_another_request(row);
    assert_ok(env, idempotency_store_claim(env->db, &other, &env->error));
    assert_code(env, activate(env, &event, &row), HERALD_ALREADY_EXISTS);
    assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_EXISTS");
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
        cmocka_unit_test(test_activate_with_an_answered_key_still_activates_and_says_so),
        cmocka_unit_test(test_activate_draft_or_missing_is_aborted),
        cmocka_unit_test(test_end_active_event_ends_once_and_again_returns_it),
        cmocka_unit_test(test_due_names_only_approved_events_that_nobody_holds),
        cmocka_unit_test(test_take_gives_a_due_event_to_one_and_counts),
        cmocka_unit_test(test_unclaim_lets_the_owner_in_at_once_and_the_reconciler_later),
        cmocka_unit_test(test_unclaim_by_another_process_changes_nothing),
        cmocka_unit_test(test_unclaim_for_ever_hides_the_event_until_its_owner_claims_it),
        cmocka_unit_test(test_claim_of_an_event_that_is_not_approved_is_aborted),
        cmocka_unit_test(test_end_due_ends_active_and_approved_events_after_their_period_and_no_other),
        cmocka_unit_test(test_approve_after_the_period_is_aborted_and_changes_nothing),
        cmocka_unit_test(test_approve_for_an_instant_is_due_then),
        cmocka_unit_test(test_approve_in_an_unknown_time_zone_is_refused_and_changes_nothing),
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
