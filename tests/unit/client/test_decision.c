#include "client/src/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/*
 * herald_retry_decide() by table. In every row it is NOW_MS, the call ends at DEADLINE_MS and its policy is the default, or
 * as the row says; a retry without jitter's luck waits WAIT_MS.
 */
#define NOW_MS      1000
#define DEADLINE_MS 10000
#define LEFT_MS     (DEADLINE_MS - NOW_MS)
#define CONNECT_MS  2000
#define RESTART_MS  (NOW_MS + CONNECT_MS) /* till when refusals do not count, if the first comes now */
#define WAIT_MS     7

enum flag {
    OWN = 1,
    CLOSING = 2,
    DRAINING = 4,
    READY = 8,
    CONNECTED = 16,
    NO_JITTER = 32,
    NO_RETRIES = 64,
    TIMED_OUT = 128
};

struct row {
    const char *what;
    enum herald_retry_event event;
    enum herald_effect effect;
    struct herald_attempt_end end;
    uint32_t attempts, uncounted;
    int64_t held_until_ms, restart_until_ms;
    int flags;
    struct herald_decision want;
};

#define END_DONE(o, c, d, r, ms)                                                                                       \
    {.outcome = HERALD_##o,                                                                                            \
     .code = HERALD_##c,                                                                                               \
     .done = HERALD_DONE_##d,                                                                                          \
     .reason = HERALD_REASON_##r,                                                                                      \
     .retry_after_ms = (ms)}
#define END(outcome, code, reason)           END_DONE(outcome, code, AS_TOLD, reason, 0)
#define END_AFTER(outcome, code, reason, ms) END_DONE(outcome, code, AS_TOLD, reason, ms)
#define LOST                                 END(MAYBE_EXECUTED, UNAVAILABLE, CONNECTION_LOST)
#define BUSY                                 END(EXECUTED, UNAVAILABLE, NONE)
#define FULL                                 END(EXECUTED, RESOURCE_EXHAUSTED, TOO_MANY_CALLS)
#define DRAINS                               END(EXECUTED, UNAVAILABLE, DRAINING)
#define SIGNED_EARLY                         END(EXECUTED, UNAVAILABLE, SIGNED_BEFORE_START)
#define NO_ROOM                              END(EXECUTED, RESOURCE_EXHAUSTED, TOO_MANY_CONNECTIONS)
#define CUT                                                                                                            \
    {.outcome = HERALD_MAYBE_EXECUTED,                                                                                 \
     .code = HERALD_DEADLINE_EXCEEDED,                                                                                 \
     .reason = HERALD_REASON_NO_REPLY_IN_TIME,                                                                         \
     .cut = true}
#define NOTHING {0}

#define BEGINS HERALD_ATTEMPT_BEGINS
#define ENDED  HERALD_ATTEMPT_ENDED
#define WOKE   HERALD_PAUSE_ENDED
#define READ   HERALD_EFFECT_READ
#define ONCE   HERALD_EFFECT_ONCE

#define STOP            {.next = HERALD_NEXT_END}
#define AT_ONCE         {.next = HERALD_NEXT_NOW}
#define AT_ONCE_CHARGED {.next = HERALD_NEXT_NOW, .charged = true}
#define AFTER(ms)       {.next = HERALD_NEXT_AFTER, .wait_ms = (ms), .charged = true}
#define AFTER_FREE(ms)  {.next = HERALD_NEXT_AFTER, .wait_ms = (ms)}
#define WAIT_READY(ms)  {.next = HERALD_NEXT_WHEN_READY, .wait_ms = (ms)}
/* The same, where the server is being restarted and the attempt does not count. */
#define RESTART(what, ms, until_ms)                                                                                    \
    {.next = HERALD_NEXT_##what, .wait_ms = (ms), .uncounted = true, .restart_until_ms = (until_ms)}
/* The time for a restart is over: it counts again. */
#define RESTART_OVER(ms, until_ms)                                                                                     \
    {.next = HERALD_NEXT_WHEN_READY, .wait_ms = (ms), .charged = true, .restart_until_ms = (until_ms)}

/* clang-format off */
static const struct row rows[] = {
    /* what                                        event   effect end   made  not  held  restart  flags  decision */
    {"begins at a server that serves",             BEGINS, ONCE, NOTHING, 0, 0, 0, 0, READY, AT_ONCE},
    {"begins at a server that drains",             BEGINS, ONCE, NOTHING, 0, 0, 0, 0, DRAINING, WAIT_READY(1000)},
    {"begins there, no time left",                 BEGINS, ONCE, NOTHING, 0, 0, 0, 0, DRAINING | TIMED_OUT, WAIT_READY(0)},
    {"begins there, held back before",             BEGINS, ONCE, NOTHING, 0, 0, 900, 0, DRAINING, AT_ONCE},
    {"begins there, the channel's own",            BEGINS, ONCE, NOTHING, 0, 0, 0, 0, DRAINING | OWN, AT_ONCE},
    {"begins there, without retries",              BEGINS, ONCE, NOTHING, 0, 0, 0, 0, DRAINING | NO_RETRIES, AT_ONCE},

    {"woke after a backoff",                       WOKE, READ, NOTHING, 1, 0, 0, 0, 0, AT_ONCE},
    {"woke after a backoff, no time left",         WOKE, READ, NOTHING, 1, 0, 0, 0, TIMED_OUT, AT_ONCE},
    {"woke held back, none ready",                 WOKE, READ, NOTHING, 1, 0, 1500, 0, 0, WAIT_READY(500)},
    {"woke held back, none ready but connected",   WOKE, READ, NOTHING, 1, 0, 1500, 0, CONNECTED, WAIT_READY(500)},
    {"woke held back, one ready",                  WOKE, READ, NOTHING, 1, 0, 1500, 0, READY, AT_ONCE},
    {"woke held back for long enough",             WOKE, READ, NOTHING, 1, 0, NOW_MS, 0, 0, AT_ONCE},
    {"woke held back, no time left",               WOKE, READ, NOTHING, 1, 0, 1500, 0, TIMED_OUT, STOP},
    {"woke held back to the deadline",             WOKE, READ, NOTHING, 1, 0, NOW_MS, 0, TIMED_OUT, STOP},
    {"woke held back, no time left, one ready",    WOKE, READ, NOTHING, 1, 0, 1500, 0, TIMED_OUT | READY, AT_ONCE},

    {"ended well",                                 ENDED, READ, END(EXECUTED, OK, NONE), 1, 0, 0, 0, READY, STOP},
    {"lost",                                       ENDED, READ, LOST, 1, 0, 0, 0, 0, AFTER(WAIT_MS)},
    {"lost, the channel's own",                    ENDED, READ, LOST, 1, 0, 0, 0, OWN, STOP},
    {"lost, closing",                              ENDED, READ, LOST, 1, 0, 0, 0, CLOSING, STOP},
    {"lost, once",                                 ENDED, ONCE, LOST, 1, 0, 0, 0, CONNECTED, STOP},
    {"lost, with another server",                  ENDED, READ, LOST, 1, 0, 0, 0, CONNECTED, AFTER_FREE(WAIT_MS)},
    {"lost again, with another server",            ENDED, READ, LOST, 2, 0, 0, 0, CONNECTED, AFTER(WAIT_MS)},
    {"lost after a refusal that does not count",   ENDED, READ, LOST, 2, 1, 0, 0, CONNECTED, AFTER_FREE(WAIT_MS)},
    {"lost, no jitter",                            ENDED, READ, LOST, 1, 0, 0, 0, NO_JITTER, AT_ONCE_CHARGED},
    {"lost, and no time left",                     ENDED, READ, LOST, 1, 0, 0, 0, NO_JITTER | TIMED_OUT, STOP},
    {"lost, without retries",                      ENDED, READ, LOST, 1, 0, 0, 0, NO_RETRIES, STOP},
    {"no reply in time",                           ENDED, READ, END(MAYBE_EXECUTED, DEADLINE_EXCEEDED, NO_REPLY_IN_TIME), 1, 0, 0, 0, 0, STOP},
    {"cut short",                                  ENDED, READ, CUT, 1, 0, 0, 0, 0, AFTER(10)},
    {"cut short, of a ONCE call",                  ENDED, ONCE, CUT, 1, 0, 0, 0, READY, STOP},
    {"cut short, without retries",                 ENDED, READ, CUT, 1, 0, 0, 0, NO_RETRIES, STOP},
    {"cancelled",                                  ENDED, READ, END(NOT_SENT, CANCELLED, CANCELLED), 1, 0, 0, 0, 0, STOP},
    {"not sent, no attempt",                       ENDED, READ, END(NOT_SENT, UNAVAILABLE, SEND_FAILED), 0, 0, 0, 0, 0, STOP},
    {"not sent",                                   ENDED, ONCE, END(NOT_SENT, UNAVAILABLE, SEND_FAILED), 1, 0, 0, 0, 0, AFTER(WAIT_MS)},
    {"not sent, another server does not help",     ENDED, ONCE, END(NOT_SENT, UNAVAILABLE, SEND_FAILED), 1, 0, 0, 0, READY | CONNECTED, AFTER(WAIT_MS)},
    {"not connected",                              ENDED, READ, END(NOT_SENT, UNAVAILABLE, NOT_CONNECTED), 1, 0, 0, 0, 0, STOP},

    {"unavailable",                                ENDED, READ, BUSY, 1, 0, 0, 0, READY | CONNECTED, AFTER(WAIT_MS)},
    {"unavailable, once",                          ENDED, ONCE, BUSY, 1, 0, 0, 0, 0, STOP},
    {"unavailable for a while",                    ENDED, READ, END_AFTER(EXECUTED, UNAVAILABLE, NONE, 150), 1, 0, 0, 0, 0, AFTER(150)},
    {"unavailable, almost to the deadline",        ENDED, READ, END_AFTER(EXECUTED, UNAVAILABLE, NONE, LEFT_MS - 1), 1, 0, 0, 0, 0, AFTER(LEFT_MS - 1)},
    {"unavailable, to the deadline",               ENDED, READ, END_AFTER(EXECUTED, UNAVAILABLE, NONE, LEFT_MS), 1, 0, 0, 0, 0, STOP},
    {"the third attempt",                          ENDED, READ, BUSY, 3, 0, 0, 0, 0, AFTER(WAIT_MS)},
    {"the fourth attempt",                         ENDED, READ, BUSY, 4, 0, 0, 0, 0, STOP},
    {"the fourth, of which one does not count",    ENDED, READ, BUSY, 4, 1, 0, 0, 0, AFTER(WAIT_MS)},
    {"not found",                                  ENDED, READ, END(EXECUTED, NOT_FOUND, NONE), 1, 0, 0, 0, 0, STOP},
    {"aborted",                                    ENDED, READ, END(EXECUTED, ABORTED, NONE), 1, 0, 0, 0, 0, AFTER(WAIT_MS)},
    {"aborted, once",                              ENDED, ONCE, END(EXECUTED, ABORTED, NONE), 1, 0, 0, 0, 0, STOP},
    {"exhausted for good",                         ENDED, READ, END(EXECUTED, RESOURCE_EXHAUSTED, NONE), 1, 0, 0, 0, 0, STOP},
    {"exhausted for a while",                      ENDED, READ, END_AFTER(EXECUTED, RESOURCE_EXHAUSTED, NONE, 1), 1, 0, 0, 0, 0, AFTER(WAIT_MS)},
    {"refused, once",                              ENDED, ONCE, FULL, 1, 0, 0, 0, 0, AFTER(WAIT_MS)},
    {"refused, with another server",               ENDED, ONCE, FULL, 1, 0, 0, 0, READY | CONNECTED, AFTER(WAIT_MS)},
    {"the same word with another code",            ENDED, ONCE, END(EXECUTED, ABORTED, TOO_MANY_CALLS), 1, 0, 0, 0, 0, STOP},

    {"drains",                                     ENDED, ONCE, DRAINS, 1, 0, 0, 0, 0, RESTART(WHEN_READY, WAIT_MS, RESTART_MS)},
    {"drains, one is connected and not well",      ENDED, ONCE, DRAINS, 1, 0, 0, 0, CONNECTED, RESTART(WHEN_READY, WAIT_MS, RESTART_MS)},
    {"drains, one is ready",                       ENDED, ONCE, DRAINS, 1, 0, 0, 0, READY, RESTART(NOW, 0, RESTART_MS)},
    {"drains, one is ready, closing",              ENDED, ONCE, DRAINS, 1, 0, 0, 0, READY | CLOSING, STOP},
    {"drains, one is ready, without retries",      ENDED, ONCE, DRAINS, 1, 0, 0, 0, READY | NO_RETRIES, STOP},
    {"drains, one is ready, for the fourth time",  ENDED, ONCE, DRAINS, 4, 3, 0, 1500, READY, RESTART(NOW, 0, 1500)},
    {"drains, one is ready, for the fifth time",   ENDED, ONCE, DRAINS, 5, 4, 0, 1500, READY, RESTART(WHEN_READY, WAIT_MS, 1500)},
    {"drains, no jitter",                          ENDED, ONCE, DRAINS, 1, 0, 0, 0, NO_JITTER, RESTART(NOW, 0, RESTART_MS)},
    {"drains for the tenth time",                  ENDED, ONCE, DRAINS, 10, 9, 0, 1001, 0, RESTART(WHEN_READY, WAIT_MS, 1001)},
    {"drains for too long",                        ENDED, ONCE, DRAINS, 3, 0, 0, NOW_MS, 0, RESTART_OVER(WAIT_MS, NOW_MS)},
    {"drains for too long, attempts spent",        ENDED, ONCE, DRAINS, 4, 0, 0, NOW_MS, 0, STOP},
    {"drains for an hour",                         ENDED, ONCE, END_AFTER(EXECUTED, UNAVAILABLE, DRAINING, 3600000), 1, 0, 0, 0, 0, RESTART(WHEN_READY, LEFT_MS, RESTART_MS)},
    {"drains for an hour, for too long",           ENDED, ONCE, END_AFTER(EXECUTED, UNAVAILABLE, DRAINING, 3600000), 1, 0, 0, NOW_MS, 0, STOP},
    {"drains, no time left",                       ENDED, ONCE, DRAINS, 1, 0, 0, 0, TIMED_OUT, STOP},
    {"drains, says another code",                  ENDED, ONCE, END(EXECUTED, RESOURCE_EXHAUSTED, DRAINING), 1, 0, 0, 0, READY, AFTER(WAIT_MS)},

    {"signed early",                               ENDED, ONCE, SIGNED_EARLY, 1, 0, 0, 0, 0, RESTART(AFTER, WAIT_MS, RESTART_MS)},
    {"signed early, another is ready",             ENDED, ONCE, SIGNED_EARLY, 1, 0, 0, 0, READY | CONNECTED, RESTART(AFTER, WAIT_MS, RESTART_MS)},
    {"signed early, to the deadline",              ENDED, ONCE, END_AFTER(EXECUTED, UNAVAILABLE, SIGNED_BEFORE_START, LEFT_MS), 1, 0, 0, 0, 0, STOP},
    {"signed early, says another code",            ENDED, READ, END(EXECUTED, UNAUTHENTICATED, SIGNED_BEFORE_START), 1, 0, 0, 0, 0, STOP},

    {"no room, another is ready",                  ENDED, ONCE, NO_ROOM, 1, 0, 0, 0, READY, AT_ONCE},
    {"no room, another is ready, attempts spent",  ENDED, ONCE, NO_ROOM, 4, 0, 0, 0, READY, STOP},
    {"no room, another is ready, five drained",    ENDED, ONCE, NO_ROOM, 6, 5, 0, 1500, READY, {.next = HERALD_NEXT_AFTER, .wait_ms = WAIT_MS, .charged = true, .restart_until_ms = 1500}},
    {"no room",                                    ENDED, ONCE, END_AFTER(EXECUTED, RESOURCE_EXHAUSTED, TOO_MANY_CONNECTIONS, 150), 1, 0, 0, 0, CONNECTED, AFTER(150)},
    {"no room, says another code",                 ENDED, ONCE, END(EXECUTED, UNAVAILABLE, TOO_MANY_CONNECTIONS), 1, 0, 0, 0, READY, AFTER(WAIT_MS)},
};
/* clang-format on */

static struct herald_decision decide(const struct row *row) {
    const struct herald_retry_policy policy =
        herald_retry_policy_filled((struct herald_retry_policy){.max_attempts = row->flags & NO_RETRIES ? 1 : 0});
    const struct herald_retry_facts facts = {
        .policy = &policy,
        .effect = row->effect,
        .end = row->end,
        .attempts = row->attempts,
        .uncounted = row->uncounted,
        .deadline_ms = row->flags & TIMED_OUT ? NOW_MS : DEADLINE_MS,
        .restart_until_ms = row->restart_until_ms,
        .held_until_ms = row->held_until_ms,
        .connect_timeout_ms = CONNECT_MS,
        .random = row->flags & NO_JITTER ? 0 : WAIT_MS,
        .own = row->flags & OWN,
        .closing = row->flags & CLOSING,
        .draining = row->flags & DRAINING,
        .ready = row->flags & READY,
        .connected = row->flags & CONNECTED,
    };
    return herald_retry_decide(&facts, row->event, NOW_MS);
}

static bool is_same(const struct herald_decision *a, const struct herald_decision *b) {
    /* Of a call that ends, nothing else counts. */
    return a->next == b->next &&
           (a->next == HERALD_NEXT_END || (a->wait_ms == b->wait_ms && a->charged == b->charged &&
                                           a->uncounted == b->uncounted && a->restart_until_ms == b->restart_until_ms));
}

static void test_decision_of_each_row_is_as_the_table_says(void **state) {
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct herald_decision got = decide(&rows[i]), *want = &rows[i].want;
        if (!is_same(&got, want)) {
            fprintf(stderr, "%s: next %d wait %u charged %d uncounted %d until %lld, not %d %u %d %d %lld\n",
                    rows[i].what, (int)got.next, got.wait_ms, got.charged, got.uncounted,
                    (long long)got.restart_until_ms, (int)want->next, want->wait_ms, want->charged, want->uncounted,
                    (long long)want->restart_until_ms);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* An attempt is held back for at most a second, and never past the deadline. */
static void test_decision_to_hold_back_keeps_to_the_deadline(void **state) {
    (void)state;
    const struct herald_retry_policy policy = herald_retry_policy_filled((struct herald_retry_policy){0});
    struct herald_retry_facts facts = {.policy = &policy, .draining = true, .deadline_ms = NOW_MS + 400};
    assert_int_equal(herald_retry_decide(&facts, HERALD_ATTEMPT_BEGINS, NOW_MS).wait_ms, 400);
    facts.deadline_ms = NOW_MS - 1;
    assert_int_equal(herald_retry_decide(&facts, HERALD_ATTEMPT_BEGINS, NOW_MS).wait_ms, 0);
}

/* --- what attempts may have done --- */

struct outcome_row {
    struct herald_attempt_end end;
    bool begun; /* after this attempt a repeat that is refused may still have been executed */
    bool served;
    enum herald_outcome after_none, after_begun; /* of a call that ends so, by the attempts before */
};

static const struct outcome_row outcome_rows[] = {
    {END(NOT_SENT, UNAVAILABLE, SEND_FAILED), false, false, HERALD_NOT_SENT, HERALD_MAYBE_EXECUTED},
    {END(NOT_SENT, CANCELLED, CANCELLED), false, false, HERALD_NOT_SENT, HERALD_MAYBE_EXECUTED},
    {LOST, true, false, HERALD_MAYBE_EXECUTED, HERALD_MAYBE_EXECUTED},
    {END(EXECUTED, OK, NONE), true, true, HERALD_EXECUTED, HERALD_EXECUTED},
    {END(EXECUTED, ABORTED, NONE), true, true, HERALD_EXECUTED, HERALD_EXECUTED},
    {BUSY, true, false, HERALD_EXECUTED, HERALD_EXECUTED},
    {FULL, false, true, HERALD_EXECUTED, HERALD_MAYBE_EXECUTED},
    {DRAINS, false, false, HERALD_EXECUTED, HERALD_MAYBE_EXECUTED},
    {SIGNED_EARLY, false, false, HERALD_EXECUTED, HERALD_MAYBE_EXECUTED},
    {NO_ROOM, false, false, HERALD_EXECUTED, HERALD_MAYBE_EXECUTED},
    {END_DONE(EXECUTED, INVALID_ARGUMENT, NOTHING, INVALID_FIELD, 0), false, true, HERALD_EXECUTED,
     HERALD_MAYBE_EXECUTED},
    {END_DONE(EXECUTED, RESOURCE_EXHAUSTED, NOTHING, NO_STACK, 100), false, true, HERALD_EXECUTED,
     HERALD_MAYBE_EXECUTED},
    {END_DONE(MAYBE_EXECUTED, UNKNOWN, NOT_KNOWN, DATABASE_OUTCOME_UNKNOWN, 0), true, true, HERALD_MAYBE_EXECUTED,
     HERALD_MAYBE_EXECUTED},
    {END_DONE(MAYBE_EXECUTED, UNAVAILABLE, NOT_KNOWN, CONNECTION_LOST, 0), true, false, HERALD_MAYBE_EXECUTED,
     HERALD_MAYBE_EXECUTED},
};

static void test_outcome_is_never_less_than_what_attempts_may_have_done(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(outcome_rows) / sizeof(outcome_rows[0]); i++) {
        const struct outcome_row *row = &outcome_rows[i];
        assert_int_equal(herald_retry_carried(HERALD_NOT_SENT, &row->end),
                         row->begun ? HERALD_MAYBE_EXECUTED : HERALD_NOT_SENT);
        assert_int_equal(herald_retry_carried(HERALD_MAYBE_EXECUTED, &row->end), HERALD_MAYBE_EXECUTED);
        assert_int_equal(herald_retry_outcome(HERALD_NOT_SENT, &row->end), row->after_none);
        assert_int_equal(herald_retry_outcome(HERALD_MAYBE_EXECUTED, &row->end), row->after_begun);
        assert_int_equal(herald_retry_is_served(&row->end), row->served);
    }
}

static void test_attempt_end_maps_words_of_the_table_only(void **state) {
    (void)state;
    struct herald_error error;
    herald_error_set_code(&error, HERALD_UNAVAILABLE, "DRAINING", "for a test");
    error.retry_after_ms = 5;
    struct herald_attempt_end end = herald_attempt_end_of(HERALD_EXECUTED, &error);
    assert_int_equal(end.outcome, HERALD_EXECUTED);
    assert_int_equal(end.code, HERALD_UNAVAILABLE);
    assert_int_equal(end.reason, HERALD_REASON_DRAINING);
    assert_int_equal(end.retry_after_ms, 5);
    herald_error_set_code(&error, HERALD_UNAVAILABLE, "DRAINING_TOO", "for a test");
    end = herald_attempt_end_of(HERALD_EXECUTED, &error);
    assert_int_equal(end.reason, HERALD_REASON_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decision_of_each_row_is_as_the_table_says),
        cmocka_unit_test(test_decision_to_hold_back_keeps_to_the_deadline),
        cmocka_unit_test(test_outcome_is_never_less_than_what_attempts_may_have_done),
        cmocka_unit_test(test_attempt_end_maps_words_of_the_table_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
