/* The period of an event, its scheduled publication, and the results of deliveries that go on after ACTIVE. */
#include "stack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PUBLISH_BOTH                                                                                                   \
    "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":[\"INSTAGRAM\",\"KAKAO_CHANNEL\"]%s}"
#define SELECT     "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"startsAt\":\"%s\",\"endsAt\":\"%s\"}"
#define STATUS_SQL "SELECT status FROM event_drafts WHERE id = '%s'"
#define TEXT_BYTES 40

STACK_FIXTURE

struct subject {
    char user[64], id[37];
};

static struct subject new_subject(void) {
    struct subject subject;
    fresh_user(subject.user);
    make_ready_draft(stack, subject.user, subject.id);
    return subject;
}

/* An instant so many seconds from now. @ret_text  TEXT_BYTES */
static const char *instant(long seconds, char *ret_text) {
    time_t at = time(NULL) + seconds;
    struct tm utc;
    gmtime_r(&at, &utc);
    strftime(ret_text, TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return ret_text;
}

static struct answer publish(const struct subject *subject, const char *more) {
    return stack_call(stack, EVENTS "PublishEvent", PUBLISH_BOTH, subject->id, subject->user, more);
}

static void assert_answered(struct answer *answer, enum herald_code code, const char *reason, const char *field) {
    assert_int_equal(answer->code, code);
    assert_string_equal(answer->error.reason, reason);
    if (field) {
        assert_int_equal(answer->error.detail_count, 1);
        assert_string_equal(answer->error.details[0].field, field);
    }
    answer_clear(answer);
}

/* ---- period ---- */

static void test_period_is_checked_and_stored(void **state) {
    (void)state;
    struct subject subject = new_subject();
    char past[TEXT_BYTES], soon[TEXT_BYTES], later[TEXT_BYTES];
    instant(-60, past);
    instant(3600, soon);
    instant(7200, later);
    struct answer answer = stack_call(stack, EVENTS "SelectPeriod", SELECT, subject.id, subject.user, past, past);
    assert_answered(&answer, HERALD_INVALID_ARGUMENT, "INVALID_FIELD", "endsAt");
    answer = stack_call(stack, EVENTS "SelectPeriod", SELECT, subject.id, subject.user, later, soon);
    assert_answered(&answer, HERALD_INVALID_ARGUMENT, "INVALID_FIELD", "endsAt");
    answer = stack_call(stack, EVENTS "CreateEvent",
                        "{\"userId\":\"%s\",\"title\":\"t\",\"storeInfo\":{\"name\":\"s\"},\"endsAt\":\"%s\"}",
                        subject.user, past);
    assert_answered(&answer, HERALD_INVALID_ARGUMENT, "INVALID_FIELD", "endsAt");
    answer = stack_call_ok(stack, EVENTS "SelectPeriod", SELECT, subject.id, subject.user, soon, later);
    assert_string_equal(answer_text(&answer, "event.startsAt"), soon);
    assert_string_equal(answer_text(&answer, "event.endsAt"), later);
    answer_clear(&answer);
    answer = stack_call_ok(
        stack, EVENTS "CreateEvent",
        "{\"userId\":\"%s\",\"title\":\"t\",\"storeInfo\":{\"name\":\"s\"},\"startsAt\":\"%s\",\"endsAt\":\"%s\"}",
        subject.user, soon, later);
    assert_string_equal(answer_text(&answer, "event.startsAt"), soon);
    assert_string_equal(answer_text(&answer, "event.endsAt"), later);
    answer_clear(&answer);
}

static void test_period_over_refuses_a_draft(void **state) {
    (void)state;
    struct subject subject = new_subject();
    free(stack_sql(stack, "UPDATE event_drafts SET ends_at = now() - interval '1 s' WHERE id = '%s'", subject.id));
    struct answer answer = publish(&subject, "");
    assert_answered(&answer, HERALD_FAILED_PRECONDITION, "PERIOD_OVER", NULL);
    stack_sql_is(stack, "DRAFT", STATUS_SQL, subject.id);
}

static void test_period_over_ends_an_active_event_by_itself(void **state) {
    (void)state;
    struct subject subject = new_subject();
    char later[TEXT_BYTES];
    struct answer answer =
        stack_call_ok(stack, EVENTS "SelectPeriod", "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"endsAt\":\"%s\"}",
                      subject.id, subject.user, instant(3600, later));
    answer_clear(&answer);
    answer = publish(&subject, "");
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    answer_clear(&answer);
    free(stack_sql(stack, "UPDATE event_drafts SET ends_at = now(), end_at = now() WHERE id = '%s'", subject.id));
    stack_sql_becomes(stack, "ENDED", STATUS_SQL, subject.id);
    answer = publish(&subject, "");
    assert_answered(&answer, HERALD_FAILED_PRECONDITION, "WRONG_STATE", NULL);
}

/* ---- schedule ---- */

static void test_schedule_is_answered_at_once_and_published_at_its_instant(void **state) {
    (void)state;
    struct subject subject = new_subject();
    char at[TEXT_BYTES], other[TEXT_BYTES], more[160];
    (void)snprintf(more, sizeof(more), ",\"scheduledAt\":\"%s\",\"timeZone\":\"Asia/Seoul\"", instant(3600, at));
    for (int times = 0; times < 2; times++) { /* the second is a call of its own */
        struct answer answer = publish(&subject, times == 0 ? more : "");
        assert_int_equal(answer.code, HERALD_OK);
        assert_string_equal(answer_text(&answer, "status"), "APPROVED");
        assert_string_equal(answer_text(&answer, "distributionResults.0.state"), "DEFERRED");
        assert_string_equal(answer_text(&answer, "distributionResults.1.channel"), "KAKAO_CHANNEL");
        assert_string_equal(answer_text(&answer, "distributionResults.1.reason"), "SCHEDULED");
        answer_clear(&answer);
    }
    struct answer answer = stack_call_ok(stack, EVENTS "GetEvent", "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}",
                                         subject.id, subject.user);
    assert_string_equal(answer_text(&answer, "event.scheduledAt"), at);
    assert_string_equal(answer_text(&answer, "event.timeZone"), "Asia/Seoul");
    answer_clear(&answer);
    (void)snprintf(more, sizeof(more), ",\"scheduledAt\":\"%s\"", instant(1800, other));
    answer = publish(&subject, more);
    assert_answered(&answer, HERALD_FAILED_PRECONDITION, "SCHEDULE_FIXED", "scheduledAt");
    json_t *posts = stack_posts(stack, subject.id);
    assert_int_equal(json_array_size(posts), 0);
    json_decref(posts);
    /* The instant comes: of the deliveries, which the engine then sends, and of the look at them. */
    free(stack_sql(stack, "UPDATE deliveries SET next_at = now() WHERE event_id = '%s'", subject.id));
    free(stack_sql(stack, "UPDATE event_drafts SET attend_at = now() + interval '300 ms' WHERE id = '%s'", subject.id));
    stack_sql_becomes(stack, "ACTIVE", STATUS_SQL, subject.id);
    stack_sql_becomes(stack, "2", "SELECT count(*) FROM deliveries WHERE event_id = '%s' AND state = 'PUBLISHED'",
                      subject.id);
    posts = stack_posts(stack, subject.id);
    assert_int_equal(json_array_size(posts), 2);
    json_decref(posts);
}

static void test_schedule_is_checked(void **state) {
    (void)state;
    struct subject subject = new_subject();
    const long refused[] = {-3600, 367 * 86400L};
    char at[TEXT_BYTES], more[160];
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(more, sizeof(more), ",\"scheduledAt\":\"%s\"", instant(refused[i], at));
        struct answer answer = publish(&subject, more);
        assert_answered(&answer, HERALD_INVALID_ARGUMENT, "INVALID_FIELD", "scheduledAt");
    }
    (void)snprintf(more, sizeof(more), ",\"scheduledAt\":\"%s\",\"timeZone\":\"Asia/Atlantis\"", instant(600, at));
    struct answer answer = publish(&subject, more);
    assert_answered(&answer, HERALD_INVALID_ARGUMENT, "INVALID_FIELD", "timeZone");
    free(stack_sql(stack, "UPDATE event_drafts SET ends_at = now() + interval '300 s' WHERE id = '%s'", subject.id));
    (void)snprintf(more, sizeof(more), ",\"scheduledAt\":\"%s\"", instant(600, at));
    answer = publish(&subject, more);
    assert_answered(&answer, HERALD_INVALID_ARGUMENT, "INVALID_FIELD", "scheduledAt");
    stack_sql_is(stack, "DRAFT", STATUS_SQL, subject.id);
}

/* ---- a clock that is wrong ---- */

static void set_point(const char *point, const char *action) {
    struct answer answer = stack_call_at(stack, STACK_EVENT, "herald.rpc.v1.Introspection/SetFailpoint",
                                         "{\"failpoint\":{\"name\":\"%s\",\"action\":\"%s\"}}", point, action);
    assert_int_equal(answer.code, HERALD_OK);
    answer_clear(&answer);
}

static void select_end(const struct subject *subject, long seconds, enum herald_code code) {
    char at[TEXT_BYTES];
    struct answer answer =
        stack_call(stack, EVENTS "SelectPeriod", "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"endsAt\":\"%s\"}",
                   subject->id, subject->user, instant(seconds, at));
    assert_int_equal(answer.code, code);
    answer_clear(&answer);
}

static void create_with_end(const struct subject *subject, long seconds, enum herald_code code) {
    char at[TEXT_BYTES];
    struct answer answer =
        stack_call(stack, EVENTS "CreateEvent",
                   "{\"userId\":\"%s\",\"title\":\"t\",\"storeInfo\":{\"name\":\"s\"},\"endsAt\":\"%s\"}",
                   subject->user, instant(seconds, at));
    assert_int_equal(answer.code, code);
    answer_clear(&answer);
}

static void schedule(const struct subject *subject, long seconds, enum herald_code code) {
    char at[TEXT_BYTES], more[160];
    (void)snprintf(more, sizeof(more), ",\"scheduledAt\":\"%s\"", instant(seconds, at));
    struct answer answer = publish(subject, more);
    assert_int_equal(answer.code, code);
    answer_clear(&answer);
}

/* The clock of the event server stands an hour from that of the database, which alone says what is over, past or due. */
static void test_period_and_schedule_go_by_the_clock_of_the_database(void **state) {
    static const char *const points[] = {"clock.ahead", "clock.wall"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct subject open = new_subject(), later = new_subject(), past = new_subject();
        free(stack_sql(stack, "UPDATE event_drafts SET ends_at = now() - interval '600 s' WHERE id = '%s'", past.id));
        set_point(points[i], "drop");
        create_with_end(&open, 1800, HERALD_OK);
        create_with_end(&open, -1800, HERALD_INVALID_ARGUMENT);
        select_end(&open, 1800, HERALD_OK);
        select_end(&open, -1800, HERALD_INVALID_ARGUMENT);
        schedule(&later, -1800, HERALD_INVALID_ARGUMENT);
        schedule(&later, 1800, HERALD_OK);
        struct answer answer = publish(&open, "");
        assert_int_equal(answer.code, HERALD_OK);
        assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
        answer_clear(&answer);
        answer = publish(&past, "");
        assert_answered(&answer, HERALD_FAILED_PRECONDITION, "PERIOD_OVER", NULL);
        set_point(points[i], "off");
        stack_sql_is(stack, "ACTIVE", STATUS_SQL, open.id);
        stack_sql_is(stack, "DRAFT", STATUS_SQL, past.id);
        stack_sql_is(stack, "APPROVED", STATUS_SQL, later.id);
        json_t *posts = stack_posts(stack, later.id);
        assert_int_equal(json_array_size(posts), 0);
        json_decref(posts);
    }
}

/* An event in its period is finished, though the reconciler's own clock is beyond its end. */
static void test_reconciler_finishes_by_the_clock_of_the_database(void **state) {
    (void)state;
    struct subject subject = new_subject();
    select_end(&subject, 1800, HERALD_OK);
    stack_kill(stack, STACK_DISTRIBUTION, SIGTERM);
    struct answer answer = publish(&subject, "");
    assert_string_equal(answer_text(&answer, "status"), "APPROVED");
    answer_clear(&answer);
    set_point("clock.ahead", "drop");
    stack_run(stack, STACK_DISTRIBUTION);
    stack_wait_serving(stack, STACK_DISTRIBUTION);
    stack_sql_becomes(stack, "ACTIVE", STATUS_SQL, subject.id);
    set_point("clock.ahead", "off");
}

/* ---- results after the call ---- */

static void assert_second_state(const struct subject *subject, const char *expected) {
    struct answer answer = publish(subject, "");
    assert_int_equal(answer.code, HERALD_OK);
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    assert_string_equal(answer_text(&answer, "distributionResults.1.state"), expected);
    answer_clear(&answer);
}

static void test_publish_of_an_active_event_answers_later_deliveries(void **state) {
    (void)state;
    struct subject subject = new_subject();
    stack_channel_behaves(stack, "KAKAO_CHANNEL", "{\"mode\":\"reject\",\"count\":1}");
    assert_second_state(&subject, "REJECTED");
    free(stack_sql(stack,
                   "UPDATE deliveries SET state = 'PUBLISHED', remote_id = 'r' WHERE event_id = '%s' AND channel = "
                   "'KAKAO_CHANNEL'",
                   subject.id));
    assert_second_state(&subject, "PUBLISHED");
    stack_kill(stack, STACK_DISTRIBUTION, SIGTERM);
    assert_second_state(&subject, "REJECTED"); /* as stored with ACTIVE */
    stack_run(stack, STACK_DISTRIBUTION);
    stack_wait_serving(stack, STACK_DISTRIBUTION);
    assert_second_state(&subject, "PUBLISHED");
}

/* ---- a process that ends ---- */

static void test_event_server_that_ends_hands_its_publications_over(void **state) {
    (void)state;
    struct subject subject = new_subject();
    stack_kill(stack, STACK_DISTRIBUTION, SIGKILL);
    char *alive = stack_sql(stack, "SELECT count(*) FROM instances WHERE service = 'event'");
    assert_string_equal(alive, "1");
    free(alive);
    struct answer answer = publish(&subject, "");
    assert_int_equal(answer.code, HERALD_OK);
    assert_string_equal(answer_text(&answer, "status"), "APPROVED");
    assert_string_equal(answer_text(&answer, "reason"), "DISTRIBUTION_UNAVAILABLE");
    answer_clear(&answer);
    stack_sql_becomes(stack, "t", "SELECT holder IS NULL FROM event_drafts WHERE id = '%s'", subject.id);
    stack_kill(stack, STACK_EVENT, SIGTERM);
    stack_sql_is(stack, "0", "SELECT count(*) FROM instances WHERE service = 'event'");
    stack_sql_is(stack, "APPROVED", STATUS_SQL, subject.id);
    stack_run(stack, STACK_DISTRIBUTION);
    stack_wait_serving(stack, STACK_DISTRIBUTION);
    stack_run(stack, STACK_EVENT);
    stack_wait_serving(stack, STACK_EVENT);
    stack_sql_becomes(stack, "ACTIVE", STATUS_SQL, subject.id);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_period_is_checked_and_stored),
        cmocka_unit_test(test_period_over_refuses_a_draft),
        cmocka_unit_test(test_period_over_ends_an_active_event_by_itself),
        cmocka_unit_test(test_schedule_is_answered_at_once_and_published_at_its_instant),
        cmocka_unit_test(test_schedule_is_checked),
        cmocka_unit_test(test_period_and_schedule_go_by_the_clock_of_the_database),
        cmocka_unit_test(test_reconciler_finishes_by_the_clock_of_the_database),
        cmocka_unit_test(test_publish_of_an_active_event_answers_later_deliveries),
        cmocka_unit_test(test_event_server_that_ends_hands_its_publications_over),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
