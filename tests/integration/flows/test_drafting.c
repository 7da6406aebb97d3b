/* The drafting calls of the event's life cycle, their validation, and the cached purpose. */
#include "stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DRAFT     "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}"
#define OBJECTIVE "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"objective\":\"%s\"}"

STACK_FIXTURE

static bool has_detail(const struct answer *answer, const char *field) {
    for (size_t i = 0; i < answer->error.detail_count; i++) {
        if (strcmp(answer->error.details[i].field, field) == 0) {
            return true;
        }
    }
    return false;
}

static void test_create_event_stores_what_was_given(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_draft(stack, user, id);
    struct answer answer = stack_call_ok(stack, EVENTS "GetEvent", DRAFT, id, user);
    assert_string_equal(answer_text(&answer, "event.eventDraftId"), id);
    assert_string_equal(answer_text(&answer, "event.status"), "DRAFT");
    assert_string_equal(answer_text(&answer, "event.title"), "가을맞이 치킨 반값 이벤트");
    assert_string_equal(answer_text(&answer, "event.storeInfo.name"), "행복치킨 연남점");
    assert_string_equal(answer_text(&answer, "event.brandColor"), "#D9480F");
    assert_null(answer_at(&answer, "event.objective"));
    assert_null(answer_at(&answer, "event.approvedAt"));
    answer_clear(&answer);
}

static void test_create_event_lists_every_bad_field(void **state) {
    (void)state;
    char title[400];
    memset(title, 'x', sizeof(title) - 1);
    title[sizeof(title) - 1] = '\0';
    struct answer answer = stack_call(
        stack, EVENTS "CreateEvent",
        "{\"title\":\"%s\",\"brandColor\":\"red\",\"logoUrl\":\"ftp://x\",\"storeInfo\":{\"phone\":\"1\"}}", title);
    assert_int_equal(answer.code, HERALD_INVALID_ARGUMENT);
    assert_int_equal(answer.outcome, HERALD_EXECUTED);
    const char *const fields[] = {"userId", "title", "brandColor", "logoUrl", "storeInfo.name"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        assert_true(has_detail(&answer, fields[i]));
    }
    assert_int_equal(answer.error.detail_count, 5);
}

/* As macOS sends it: 80 syllables in NFD are 240 code points. */
static void test_create_event_keeps_texts_in_one_form(void **state) {
    (void)state;
    char user[64], title[80 * 9 + 1] = "", composed[80 * 3 + 1] = "";
    fresh_user(user);
    for (int i = 0; i < 80; i++) {
        strcat(title, "\u1100\u1161\u11A8");
        strcat(composed, "각");
    }
    struct answer answer = stack_call_ok(
        stack, EVENTS "CreateEvent",
        "{\"userId\":\"%s\",\"title\":\"%s\",\"storeInfo\":{\"name\":\" 가\u200B게\u202E\"}}", user, title);
    assert_string_equal(answer_text(&answer, "event.title"), composed);
    assert_string_equal(answer_text(&answer, "event.storeInfo.name"), "가게");
    answer_clear(&answer);
}

static void test_create_event_of_invisible_texts_is_refused(void **state) {
    (void)state;
    static const char *const TITLES[] = {"\u200B", "   ", "\u3164\u2800"};
    for (size_t i = 0; i < sizeof(TITLES) / sizeof(TITLES[0]); i++) {
        struct answer answer = stack_call(
            stack, EVENTS "CreateEvent",
            "{\"userId\":\"u\",\"title\":\"%s\",\"prize\":\"\",\"storeInfo\":{\"name\":\"\u3164\"}}", TITLES[i]);
        assert_int_equal(answer.code, HERALD_INVALID_ARGUMENT);
        assert_int_equal(answer.error.detail_count, 2);
        assert_true(has_detail(&answer, "title") && has_detail(&answer, "storeInfo.name"));
        answer_clear(&answer);
    }
}

static void test_create_event_repeated_with_its_key_makes_one_draft(void **state) {
    (void)state;
    char user[64];
    fresh_user(user);
    struct herald_call_options options = {.idempotency_key = "create-once"};
    struct answer first = {0};
    for (int i = 0; i < 5; i++) {
        struct answer again =
            stack_call_with(stack, &options, EVENTS "CreateEvent",
                            "{\"userId\":\"%s\",\"title\":\"t\",\"storeInfo\":{\"name\":\"s\"}}", user);
        assert_int_equal(again.code, HERALD_OK);
        if (i == 0) {
            first = again;
            continue;
        }
        assert_int_equal(again.payload_bytes, first.payload_bytes);
        assert_memory_equal(again.payload, first.payload, first.payload_bytes);
        answer_clear(&again);
    }
    struct answer other = stack_call_with(stack, &options, EVENTS "CreateEvent",
                                          "{\"userId\":\"%s\",\"title\":\"u\",\"storeInfo\":{\"name\":\"s\"}}", user);
    assert_int_equal(other.code, HERALD_INVALID_ARGUMENT);
    assert_string_equal(other.error.reason, "IDEMPOTENCY_KEY_REUSED");
    stack_sql_is(stack, "1", "SELECT count(*) FROM event_drafts WHERE user_id = '%s'", user);
    answer_clear(&first);
}

static void test_list_events_pages_newest_first_without_gaps(void **state) {
    (void)state;
    enum { DRAFTS = 7, PAGE = 3 };
    char user[64], ids[DRAFTS][37], token[128] = "";
    fresh_user(user);
    for (int i = 0; i < DRAFTS; i++) {
        make_draft(stack, user, ids[i]);
    }
    int seen = 0;
    do {
        struct answer answer = stack_call_ok(
            stack, EVENTS "ListEvents", "{\"userId\":\"%s\",\"pageSize\":%d,\"pageToken\":\"%s\"}", user, PAGE, token);
        const json_t *events = answer_at(&answer, "events");
        for (size_t i = 0; i < json_array_size(events); i++, seen++) {
            assert_true(seen < DRAFTS);
            assert_string_equal(json_string_value(json_object_get(json_array_get(events, i), "eventDraftId")),
                                ids[DRAFTS - 1 - seen]);
        }
        snprintf(token, sizeof(token), "%s", answer_text(&answer, "nextPageToken"));
        answer_clear(&answer);
    } while (token[0]);
    assert_int_equal(seen, DRAFTS);
    struct answer answer = stack_call_ok(stack, EVENTS "ListEvents", "{\"userId\":\"%s\",\"status\":\"ACTIVE\"}", user);
    assert_int_equal(json_array_size(answer_at(&answer, "events")), 0);
    answer_clear(&answer);
    answer = stack_call(stack, EVENTS "ListEvents", "{\"userId\":\"%s\",\"pageToken\":\"12_nonsense\"}", user);
    assert_int_equal(answer.code, HERALD_INVALID_ARGUMENT);
    assert_string_equal(answer.error.reason, "BAD_PAGE_TOKEN");
}

/* A draft of about 4 KB: the largest message holds some sixty. */
static void make_large_draft(const char *user) {
    char summary[3001] = "";
    for (int i = 0; i < 1000; i++) {
        memcpy(summary + 3 * i, "한", 4);
    }
    struct answer answer =
        stack_call_ok(stack, EVENTS "CreateEvent",
                      "{\"userId\":\"%s\",\"title\":\"t\",\"prize\":\"%.360s\",\"storeInfo\":{\"name\":\"s\","
                      "\"address\":\"%.360s\"}}",
                      user, summary, summary);
    char id[37];
    snprintf(id, sizeof(id), "%s", answer_text(&answer, "event.eventDraftId"));
    answer_clear(&answer);
    answer = stack_call_ok(stack, EVENTS "SelectRecommendation",
                           "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"recommendation\":{\"recommendationId\":"
                           "\"r\",\"title\":\"t\",\"summary\":\"%s\"}}",
                           id, user, summary);
    answer_clear(&answer);
}

static void test_list_events_large_ones_come_in_shorter_pages(void **state) {
    (void)state;
    enum { DRAFTS = 60 };
    char user[64], token[128] = "";
    fresh_user(user);
    for (int i = 0; i < DRAFTS; i++) {
        make_large_draft(user);
    }
    size_t seen = 0, pages = 0;
    do {
        struct answer answer = stack_call_ok(stack, EVENTS "ListEvents",
                                             "{\"userId\":\"%s\",\"pageSize\":100,\"pageToken\":\"%s\"}", user, token);
        assert_true(answer.payload_bytes <= 128 * 1024 + 1024);
        seen += json_array_size(answer_at(&answer, "events"));
        snprintf(token, sizeof(token), "%s", answer_text(&answer, "nextPageToken"));
        answer_clear(&answer);
        pages++;
    } while (token[0] && pages < DRAFTS);
    assert_int_equal(seen, DRAFTS);
    assert_true(pages > 1);
}

/* Asserts how many of a user's events a query finds, and the title of the newest of them. */
static void assert_found(const char *user, const char *query, const char *status, size_t count, const char *title) {
    struct answer answer =
        stack_call_ok(stack, EVENTS "ListEvents", "{\"userId\":\"%s\",\"query\":\"%s\"%s}", user, query, status);
    assert_int_equal(json_array_size(answer_at(&answer, "events")), count);
    assert_string_equal(answer_text(&answer, "events.0.title"), title);
    answer_clear(&answer);
}

static void test_list_events_query_finds_texts_whatever_their_case_and_takes_no_sign_for_a_pattern(void **state) {
    (void)state;
    static const char *const drafts[] = {
        "\"title\":\"Summer CHICKEN 100%\",\"storeInfo\":{\"name\":\"행복치킨\"}",
        "\"title\":\"가을 반값\",\"prize\":\"a_b\",\"storeInfo\":{\"name\":\"Café <Été> 'x'\"}",
    };
    char user[64], other[64];
    fresh_user(user);
    fresh_user(other);
    for (size_t i = 0; i < 2; i++) {
        struct answer answer = stack_call_ok(stack, EVENTS "CreateEvent", "{\"userId\":\"%s\",%s}", user, drafts[i]);
        answer_clear(&answer);
    }
    assert_found(user, "", "", 2, "가을 반값");
    assert_found(user, "chicken", "", 1, "Summer CHICKEN 100%");
    assert_found(user, "행복", ",\"status\":\"DRAFT\"", 1, "Summer CHICKEN 100%");
    assert_found(user, "행복", ",\"status\":\"ACTIVE\"", 0, "");
    assert_found(user, "반값", "", 1, "가을 반값");
    assert_found(user, "CAFÉ <été> '", "", 1, "가을 반값");
    assert_found(user, "%", "", 1, "Summer CHICKEN 100%");
    assert_found(user, "a_b", "", 1, "가을 반값");
    assert_found(user, "a%b", "", 0, "");
    assert_found(user, "\\\\", "", 0, "");
    assert_found(other, "chicken", "", 0, "");
}

static void test_drafts_of_others_are_not_found_by_any_call(void **state) {
    (void)state;
    char user[64], other[64], id[37];
    fresh_user(user);
    fresh_user(other);
    make_draft(stack, user, id);
    const char *const methods[] = {"GetEvent", "RequestImageGeneration", "EndEvent", "DeleteEvent"};
    char method[128];
    for (size_t i = 0; i < 4; i++) {
        snprintf(method, sizeof(method), EVENTS "%s", methods[i]);
        struct answer theirs = stack_call(stack, method, DRAFT, id, other);
        struct answer nobodys = stack_call(stack, method, DRAFT, "0190d1c8-0000-7000-8000-000000000000", other);
        assert_int_equal(theirs.code, HERALD_NOT_FOUND);
        assert_int_equal(nobodys.code, HERALD_NOT_FOUND);
        assert_string_equal(theirs.error.reason, nobodys.error.reason);
        assert_string_equal(theirs.error.message, nobodys.error.message);
    }
    struct answer answer = stack_call(stack, EVENTS "SelectObjective", OBJECTIVE, id, other, "SALES");
    assert_int_equal(answer.code, HERALD_NOT_FOUND);
    answer = stack_call(stack, EVENTS "SelectRecommendation",
                        "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"recommendation\":{\"recommendationId\":\"r\","
                        "\"title\":\"t\"}}",
                        id, other);
    assert_int_equal(answer.code, HERALD_NOT_FOUND);
    stack_sql_is(stack, "DRAFT", "SELECT status FROM event_drafts WHERE id = '%s' AND objective IS NULL", id);
}

static void test_get_purpose_is_cached_and_forgotten_on_change(void **state) {
    (void)state;
    char user[64], id[37], key[128];
    fresh_user(user);
    snprintf(key, sizeof(key), "purpose:%s", user);
    struct answer answer = stack_call_ok(stack, EVENTS "GetPurpose", "{\"userId\":\"%s\"}", user);
    assert_null(answer_at(&answer, "objective"));
    answer_clear(&answer);
    make_draft(stack, user, id);
    answer = stack_call_ok(stack, EVENTS "SelectObjective", OBJECTIVE, id, user, "AWARENESS");
    answer_clear(&answer);
    for (int i = 0; i < 2; i++) {
        answer = stack_call_ok(stack, EVENTS "GetPurpose", "{\"userId\":\"%s\"}", user);
        assert_string_equal(answer_text(&answer, "objective"), "AWARENESS");
        assert_string_equal(answer_text(&answer, "eventDraftId"), id);
        answer_clear(&answer);
    }
    char *cached = stack_redis_get(stack, key);
    assert_non_null(cached);
    free(cached);
    long long ttl = stack_redis_ttl(stack, key);
    assert_true(ttl > 0 && ttl <= 300);

    /* what is answered comes from the cache: change the row behind its back */
    free(stack_sql(stack, "UPDATE event_drafts SET objective = NULL WHERE id = '%s'", id));
    answer = stack_call_ok(stack, EVENTS "GetPurpose", "{\"userId\":\"%s\"}", user);
    assert_string_equal(answer_text(&answer, "objective"), "AWARENESS");
    answer_clear(&answer);

    answer = stack_call_ok(stack, EVENTS "SelectObjective", OBJECTIVE, id, user, "REPEAT_VISITS");
    answer_clear(&answer);
    assert_null(stack_redis_get(stack, key));
    answer = stack_call_ok(stack, EVENTS "GetPurpose", "{\"userId\":\"%s\"}", user);
    assert_string_equal(answer_text(&answer, "objective"), "REPEAT_VISITS");
    answer_clear(&answer);
    answer = stack_call_ok(stack, EVENTS "DeleteEvent", DRAFT, id, user);
    answer_clear(&answer);
    assert_null(stack_redis_get(stack, key));
}

static void test_delete_event_removes_a_draft(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_draft(stack, user, id);
    struct answer answer = stack_call_ok(stack, EVENTS "DeleteEvent", DRAFT, id, user);
    answer_clear(&answer);
    answer = stack_call(stack, EVENTS "GetEvent", DRAFT, id, user);
    assert_int_equal(answer.code, HERALD_NOT_FOUND);
    answer = stack_call(stack, EVENTS "DeleteEvent", DRAFT, id, user);
    assert_int_equal(answer.code, HERALD_NOT_FOUND);
}

static void test_select_on_an_ended_event_is_refused_with_its_state(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_draft(stack, user, id);
    free(stack_sql(stack,
                   "UPDATE event_drafts SET status = 'ENDED', approved_at = now(), published_at = now(), "
                   "ended_at = now(), objective = 'SALES', recommendation_id = 'r', content_job_id = id, "
                   "content_style = 'SIMPLE', channels = '{INSTAGRAM}', results = '' WHERE id = '%s'",
                   id));
    struct answer answer = stack_call(stack, EVENTS "SelectObjective", OBJECTIVE, id, user, "SALES");
    assert_int_equal(answer.code, HERALD_FAILED_PRECONDITION);
    assert_string_equal(answer.error.reason, "WRONG_STATE");
    assert_non_null(strstr(answer.error.message, "ENDED"));
}

static void test_get_distribution_of_an_undistributed_event_is_not_found(void **state) {
    (void)state;
    struct answer answer =
        stack_call(stack, DISTRIBUTION "GetDistribution", "{\"eventId\":\"0190d1c8-0000-7000-8000-000000000000\"}");
    assert_int_equal(answer.code, HERALD_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_event_stores_what_was_given),
        cmocka_unit_test(test_create_event_lists_every_bad_field),
        cmocka_unit_test(test_create_event_keeps_texts_in_one_form),
        cmocka_unit_test(test_create_event_of_invisible_texts_is_refused),
        cmocka_unit_test(test_create_event_repeated_with_its_key_makes_one_draft),
        cmocka_unit_test(test_list_events_pages_newest_first_without_gaps),
        cmocka_unit_test(test_list_events_large_ones_come_in_shorter_pages),
        cmocka_unit_test(test_list_events_query_finds_texts_whatever_their_case_and_takes_no_sign_for_a_pattern),
        cmocka_unit_test(test_drafts_of_others_are_not_found_by_any_call),
        cmocka_unit_test(test_get_purpose_is_cached_and_forgotten_on_change),
        cmocka_unit_test(test_delete_event_removes_a_draft),
        cmocka_unit_test(test_select_on_an_ended_event_is_refused_with_its_state),
        cmocka_unit_test(test_get_distribution_of_an_undistributed_event_is_not_found),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
