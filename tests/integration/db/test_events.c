/* Event drafts: each function, each result. */
#include "tests/integration/db/db_test.h"

#include <stdlib.h>
#include <string.h>

static void assert_same_draft(const struct event_draft *got, const struct event_draft *want) {
    assert_string_equal(got->id, want->id);
    assert_string_equal(got->user_id, want->user_id);
    assert_string_equal(got->title, want->title);
    assert_string_equal(got->prize, want->prize);
    assert_string_equal(got->brand_color, want->brand_color);
    assert_string_equal(got->logo_url, want->logo_url);
    assert_string_equal(got->store_name, want->store_name);
    assert_string_equal(got->store_address, want->store_address);
    assert_string_equal(got->store_phone, want->store_phone);
    assert_int_equal(got->objective, want->objective);
    assert_string_equal(got->recommendation_id, want->recommendation_id);
    assert_string_equal(got->recommendation_title, want->recommendation_title);
    assert_string_equal(got->recommendation_summary, want->recommendation_summary);
    assert_string_equal(got->image_job_id, want->image_job_id);
    assert_string_equal(got->content_job_id, want->content_job_id);
    assert_int_equal(got->content_style, want->content_style);
    assert_string_equal(got->content_png_url, want->content_png_url);
    assert_string_equal(got->content_jpeg_url, want->content_jpeg_url);
    assert_true(got->created_at_us == want->created_at_us);
}

DB_TEST(test_event_create_full_draft_loads_the_same) {
    struct event_draft draft = make_draft(env), got;
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_same_draft(&got, &draft);
    assert_int_equal(got.status, EVENT_DRAFT);
    assert_true(got.updated_at_us == draft.updated_at_us);
    assert_int_equal(got.channel_count, 0);
    assert_int_equal(got.approved_at_us, 0);
    assert_int_equal(got.published_at_us, 0);
    assert_int_equal(got.ended_at_us, 0);
    assert_int_equal(got.reconcile_attempts, 0);
    assert_null(got.results);
}

DB_TEST(test_event_create_bare_draft_loads_empty_texts) {
    struct event_draft draft = {
        .id = new_id(), .user_id = new_user(), .title = "t", .created_at_us = 1, .updated_at_us = 1};
    assert_ok(env, event_store_create(env->db, &draft, NULL, &env->error));
    struct event_draft got;
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_string_equal(got.prize, "");
    assert_string_equal(got.recommendation_id, "");
    assert_string_equal(got.image_job_id, "");
    assert_string_equal(got.content_job_id, "");
    assert_int_equal(got.objective, 0);
    assert_int_equal(got.content_style, 0);
    assert_true(got.created_at_us == 1);
}

DB_TEST(test_event_create_repeated_key_writes_nothing) {
    const char *user = new_user();
    struct idempotency_row once = idempotency_row_for(user, "key");
    struct event_draft first = ready_draft(user), second = ready_draft(user), got;
    assert_ok(env, event_store_create(env->db, &first, &once, &env->error));
    assert_code(env, event_store_create(env->db, &second, &once, &env->error), HERALD_ALREADY_EXISTS);
    assert_string_equal(env->error.reason, "IDEMPOTENCY_KEY_EXISTS");
    assert_string_equal(env->error.origin, "23505");
    assert_code(env, event_store_load(env->db, second.id, user, &got, &env->error), HERALD_NOT_FOUND);
    assert_ok(env, event_store_load(env->db, first.id, user, &got, &env->error));
}

DB_TEST(test_event_create_twice_the_same_id_is_internal) {
    struct event_draft draft = make_draft(env);
    assert_code(env, event_store_create(env->db, &draft, NULL, &env->error), HERALD_INTERNAL);
    assert_string_equal(env->error.origin, "23505");
    assert_non_null(strstr(env->error.message, "event_insert.sql"));
}

DB_TEST(test_event_load_of_another_user_is_like_one_that_is_not_there) {
    struct event_draft draft = make_draft(env), got = {.title = "untouched"};
    assert_code(env, event_store_load(env->db, draft.id, new_user(), &got, &env->error), HERALD_NOT_FOUND);
    struct herald_error other = env->error;
    assert_code(env, event_store_load(env->db, new_id(), draft.user_id, &got, &env->error), HERALD_NOT_FOUND);
    assert_string_equal(env->error.message, other.message);
    assert_string_equal(env->error.reason, other.reason);
    assert_string_equal(got.title, "untouched");
}

DB_TEST(test_event_load_malformed_id_is_internal_and_the_pool_goes_on) {
    struct event_draft draft = make_draft(env), got;
    assert_code(env, event_store_load(env->db, "not-a-uuid", draft.user_id, &got, &env->error), HERALD_INTERNAL);
    assert_string_equal(env->error.origin, "22P02");
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
}

DB_TEST(test_event_load_beyond_the_arena_is_resource_exhausted) {
    struct event_draft draft = make_draft(env), got;
    size_t cap = env->call->arena.cap_bytes;
    env->call->arena.cap_bytes = env->call->arena.used_bytes;
    enum herald_code code = event_store_load(env->db, draft.id, draft.user_id, &got, &env->error);
    env->call->arena.cap_bytes = cap;
    assert_int_equal(code, HERALD_RESOURCE_EXHAUSTED);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
}

/* ---- lists ---- */

static int compare_ids(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

DB_TEST(test_event_list_pages_give_each_event_once_newest_first) {
    const char *user = new_user();
    enum { COUNT = 23, PAGE = 5 };
    const char *ids[COUNT];
    for (int i = 0; i < COUNT; i++) {
        ids[i] = new_id();
    }
    qsort(ids, COUNT, sizeof(ids[0]), compare_ids);
    for (int i = 0; i < COUNT; i++) {
        struct event_draft draft = ready_draft(user);
        draft.id = ids[i];
        draft.created_at_us = 1700000000000000 + i / 4; /* four of each time: the id decides */
        assert_ok(env, event_store_create(env->db, &draft, NULL, &env->error));
    }
    int64_t before_us = 0;
    const char *before_id = "";
    int seen = 0;
    size_t count = PAGE;
    while (count == PAGE) {
        struct event_draft *page = NULL;
        assert_ok(env, event_store_list(env->db, user, 0, "", before_us, before_id, PAGE, &page, &count, &env->error));
        for (size_t i = 0; i < count; i++) {
            assert_string_equal(page[i].id, ids[COUNT - 1 - seen]);
            seen++;
        }
        if (count > 0) {
            before_us = page[count - 1].created_at_us;
            before_id = page[count - 1].id;
        }
    }
    assert_int_equal(seen, COUNT);
}

DB_TEST(test_event_list_by_status_gives_only_that_status) {
    struct event_draft approved = make_approved(env);
    struct event_draft draft = ready_draft(approved.user_id), *page = NULL;
    size_t count = 0;
    assert_ok(env, event_store_create(env->db, &draft, NULL, &env->error));
    assert_ok(env,
              event_store_list(env->db, approved.user_id, EVENT_APPROVED, "", 0, "", 10, &page, &count, &env->error));
    assert_int_equal(count, 1);
    assert_string_equal(page[0].id, approved.id);
    assert_ok(env, event_store_list(env->db, approved.user_id, EVENT_ENDED, "", 0, "", 10, &page, &count, &env->error));
    assert_int_equal(count, 0);
    assert_ok(env, event_store_list(env->db, approved.user_id, 0, "", 0, NULL, 10, &page, &count, &env->error));
    assert_int_equal(count, 2);
}

/* ---- drafting ---- */

DB_TEST(test_event_set_objective_of_a_draft_returns_the_stored_row) {
    struct event_draft draft = make_draft(env), got;
    assert_ok(env, event_store_set_objective(env->db, draft.id, draft.user_id, 4, &got, &env->error));
    assert_int_equal(got.objective, 4);
    assert_string_equal(got.title, draft.title);
    assert_true(got.updated_at_us != draft.updated_at_us);
}

DB_TEST(test_event_set_recommendation_of_a_draft_returns_the_stored_row) {
    struct event_draft draft = make_draft(env), got;
    assert_ok(env, event_store_set_recommendation(env->db, draft.id, draft.user_id, "rec-9", "제목", "본문", &got,
                                                  &env->error));
    assert_string_equal(got.recommendation_id, "rec-9");
    assert_string_equal(got.recommendation_title, "제목");
    assert_string_equal(got.recommendation_summary, "본문");
}

DB_TEST(test_event_set_content_of_a_draft_returns_the_stored_row) {
    struct event_draft draft = make_draft(env), got;
    const char *job = new_id();
    assert_ok(env, event_store_set_content(env->db, draft.id, draft.user_id, job, 2, "https://p", "https://j", &got,
                                           &env->error));
    assert_string_equal(got.content_job_id, job);
    assert_int_equal(got.content_style, 2);
    assert_string_equal(got.content_png_url, "https://p");
    assert_string_equal(got.content_jpeg_url, "https://j");
}

static void assert_refused(struct db_env *env, enum herald_code code, const char *state) {
    assert_int_equal(code, HERALD_FAILED_PRECONDITION);
    assert_string_equal(env->error.reason, "WRONG_STATE");
    assert_non_null(strstr(env->error.message, state));
}

DB_TEST(test_event_changes_of_an_approved_event_are_refused_and_change_nothing) {
    struct event_draft event = make_approved(env), got = {.title = "untouched"}, now;
    struct db *db = env->db;
    assert_refused(env, event_store_set_objective(db, event.id, event.user_id, 4, &got, &env->error), "APPROVED");
    assert_refused(env, event_store_set_recommendation(db, event.id, event.user_id, "r", "t", "s", &got, &env->error),
                   "APPROVED");
    assert_refused(env, event_store_set_content(db, event.id, event.user_id, new_id(), 1, "p", "j", &got, &env->error),
                   "APPROVED");
    struct idempotency_row once = idempotency_row_for(event.user_id, "job"), stored;
    assert_refused(env, event_store_set_image_job(db, event.id, event.user_id, new_id(), &once, &env->error),
                   "APPROVED");
    assert_code(env, idempotency_store_find(db, once.method, once.caller, once.key, &stored, &env->error),
                HERALD_NOT_FOUND);
    assert_refused(env, event_store_delete(db, event.id, event.user_id, &env->error), "APPROVED");
    assert_refused(env, event_store_end(db, event.id, event.user_id, &got, &env->error), "APPROVED");
    assert_string_equal(got.title, "untouched");
    assert_ok(env, event_store_load(db, event.id, event.user_id, &now, &env->error));
    assert_same_draft(&now, &event);
}

DB_TEST(test_event_changes_by_another_user_are_not_found) {
    struct event_draft draft = make_draft(env), got;
    const char *other = new_user();
    struct db *db = env->db;
    assert_code(env, event_store_set_objective(db, draft.id, other, 4, &got, &env->error), HERALD_NOT_FOUND);
    assert_code(env, event_store_set_recommendation(db, draft.id, other, "r", "t", "s", &got, &env->error),
                HERALD_NOT_FOUND);
    assert_code(env, event_store_set_content(db, draft.id, other, new_id(), 1, "p", "j", &got, &env->error),
                HERALD_NOT_FOUND);
    assert_code(env, event_store_set_image_job(db, draft.id, other, new_id(), NULL, &env->error), HERALD_NOT_FOUND);
    assert_code(env, event_store_delete(db, draft.id, other, &env->error), HERALD_NOT_FOUND);
    assert_code(env, event_store_end(db, draft.id, other, &got, &env->error), HERALD_NOT_FOUND);
    struct event_draft stolen = draft;
    stolen.user_id = other;
    assert_code(env, approve(env, &stolen, NULL), HERALD_NOT_FOUND);
    assert_ok(env, event_store_load(db, draft.id, draft.user_id, &got, &env->error));
    assert_same_draft(&got, &draft);
}

DB_TEST(test_event_set_image_job_stores_job_and_reply_once) {
    struct event_draft draft = make_draft(env), got;
    struct idempotency_row once = idempotency_row_for(draft.user_id, "job"), stored;
    const char *first = new_id();
    assert_ok(env, idempotency_store_claim(env->db, &once, &env->error));
    assert_ok(env, event_store_set_image_job(env->db, draft.id, draft.user_id, first, &once, &env->error));
    assert_ok(env, idempotency_store_find(env->db, once.method, once.caller, once.key, &stored, &env->error));
    assert_true(stored.answered);
    assert_code(env, event_store_set_image_job(env->db, draft.id, draft.user_id, new_id(), &once, &env->error),
                HERALD_ALREADY_EXISTS);
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_string_equal(got.image_job_id, first);
    const char *second = new_id();
    assert_ok(env, event_store_set_image_job(env->db, draft.id, draft.user_id, second, NULL, &env->error));
    assert_ok(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error));
    assert_string_equal(got.image_job_id, second);
}

DB_TEST(test_event_delete_of_a_draft_removes_it) {
    struct event_draft draft = make_draft(env), got;
    assert_ok(env, event_store_delete(env->db, draft.id, draft.user_id, &env->error));
    assert_code(env, event_store_load(env->db, draft.id, draft.user_id, &got, &env->error), HERALD_NOT_FOUND);
    assert_code(env, event_store_delete(env->db, draft.id, draft.user_id, &env->error), HERALD_NOT_FOUND);
}

/* ---- purpose ---- */

DB_TEST(test_event_purpose_is_the_newest_draft_with_an_objective) {
    const char *user = new_user(), *id = NULL;
    int objective = -1;
    assert_ok(env, event_store_purpose(env->db, user, &objective, &id, &env->error));
    assert_int_equal(objective, 0);
    assert_string_equal(id, "");
    struct event_draft older = ready_draft(user), newer = ready_draft(user), newest = ready_draft(user);
    older.created_at_us = 1000;
    newer.created_at_us = 2000;
    newer.objective = 3;
    newest.created_at_us = 3000;
    newest.objective = 0;
    assert_ok(env, event_store_create(env->db, &older, NULL, &env->error));
    assert_ok(env, event_store_create(env->db, &newer, NULL, &env->error));
    assert_ok(env, event_store_create(env->db, &newest, NULL, &env->error));
    assert_ok(env, event_store_purpose(env->db, user, &objective, &id, &env->error));
    assert_int_equal(objective, 3);
    assert_string_equal(id, newer.id);
}

/* ---- what the table itself refuses, whoever writes ---- */

/* Changes a draft by hand. Returns: whether the table takes it */
static bool takes(const char *id, const char *change) {
    PGconn *pg = admin_open();
    char sql[256];
    (void)snprintf(sql, sizeof(sql), "UPDATE event_drafts SET %s WHERE id = '%s'", change, id);
    PGresult *result = PQexec(pg, sql);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (sqlstate && strcmp(sqlstate, "23514") != 0) {
        fail_msg("%s: %s", change, PQerrorMessage(pg));
    }
    bool taken = !sqlstate;
    PQclear(result);
    PQfinish(pg);
    return taken;
}

/* A life, step by step; what each state does not allow. */
static const struct {
    const char *step, *illegal[11];
} life[] = {
    {"objective = NULL, content_style = NULL",
     {"user_id = ''", "objective = 'FAME'", "content_style = 'PLAIN'", "starts_at = now(), ends_at = now()",
      "approved_at = now()", "published_at = now()", "ended_at = now()", "holder = id", "attend_at = now()",
      "status = 'GONE'"}},
    {"objective = 'SALES', content_style = 'FANCY', channels = '{GENIE_TV}', ends_at = now()",
     {"status = 'APPROVED'", "status = 'ACTIVE', published_at = now()", "status = 'ENDED', ended_at = now()"}},
    {"status = 'APPROVED', approved_at = now()",
     {"approved_at = NULL", "objective = NULL", "recommendation_id = NULL", "content_job_id = NULL", "channels = '{}'",
      "published_at = now()", "ended_at = now()", "holder = id, attend_at = now()", "status = 'DRAFT'",
      "status = 'GONE'"}},
    {"attend_at = now()", {"status = 'ACTIVE', published_at = now()", "status = 'ENDED', ended_at = now()"}},
    {"attend_at = NULL, holder = id",
     {"status = 'ACTIVE', published_at = now()", "status = 'ENDED', ended_at = now()"}},
    {"status = 'ACTIVE', published_at = now(), holder = NULL",
     {"published_at = NULL", "ended_at = now()", "approved_at = NULL", "channels = '{}'", "holder = id",
      "attend_at = now()", "status = 'APPROVED'"}},
    {"status = 'ENDED', ended_at = now()",
     {"ended_at = NULL", "approved_at = NULL", "content_job_id = NULL", "holder = id", "attend_at = now()"}},
    {"published_at = NULL", {NULL}}, /* ended before any channel accepted it */
};

DB_TEST(test_event_row_keeps_the_rules_of_its_state_whoever_writes) {
    struct event_draft draft = make_draft(env);
    for (size_t i = 0; i < sizeof(life) / sizeof(life[0]); i++) {
        if (!takes(draft.id, life[i].step)) {
            fail_msg("refused: %s", life[i].step);
        }
        for (const char *const *change = life[i].illegal; *change; change++) {
            if (takes(draft.id, *change)) {
                fail_msg("taken after '%s': %s", life[i].step, *change);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_row_keeps_the_rules_of_its_state_whoever_writes),
        cmocka_unit_test(test_event_create_full_draft_loads_the_same),
        cmocka_unit_test(test_event_create_bare_draft_loads_empty_texts),
        cmocka_unit_test(test_event_create_repeated_key_writes_nothing),
        cmocka_unit_test(test_event_create_twice_the_same_id_is_internal),
        cmocka_unit_test(test_event_load_of_another_user_is_like_one_that_is_not_there),
        cmocka_unit_test(test_event_load_malformed_id_is_internal_and_the_pool_goes_on),
        cmocka_unit_test(test_event_load_beyond_the_arena_is_resource_exhausted),
        cmocka_unit_test(test_event_list_pages_give_each_event_once_newest_first),
        cmocka_unit_test(test_event_list_by_status_gives_only_that_status),
        cmocka_unit_test(test_event_set_objective_of_a_draft_returns_the_stored_row),
        cmocka_unit_test(test_event_set_recommendation_of_a_draft_returns_the_stored_row),
        cmocka_unit_test(test_event_set_content_of_a_draft_returns_the_stored_row),
        cmocka_unit_test(test_event_changes_of_an_approved_event_are_refused_and_change_nothing),
        cmocka_unit_test(test_event_changes_by_another_user_are_not_found),
        cmocka_unit_test(test_event_set_image_job_stores_job_and_reply_once),
        cmocka_unit_test(test_event_delete_of_a_draft_removes_it),
        cmocka_unit_test(test_event_purpose_is_the_newest_draft_with_an_objective),
    };
    return cmocka_run_group_tests_name("integration.db.events", tests, schema_setup, schema_teardown);
}
