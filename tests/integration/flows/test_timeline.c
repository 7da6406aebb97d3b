/* The timeline of a publish and the wait for its changes, as a console sees them: by two event servers. */
#include "deliveries.h"
#include "herald/event/v1/event.schema.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OF_OWNER  "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}"
#define PUBLISH   "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":%s}"
#define WAIT      "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"version\":\"%s\",\"waitMs\":%u}"
#define SET_POINT "herald.rpc.v1.Introspection/SetFailpoint"
#define FAILPOINT "{\"failpoint\":{\"name\":\"%s\",\"action\":\"%s\"}}"
#define WAITERS   100
#define WINDOW_MS 3000
/* Fewer reads of a window than this are quiet. The reconcilers of two servers, which look five times a second, and one watch
 * for each loop need less than a third of it; waiters that looked each for itself would need 1,200. */
#define QUIET_READS 300

static struct stack *stack;

static int start(void **state) {
    (void)state;
    stack =
        stack_start((const char *const[]){"HERALD_CHANNELS_BACKOFF_MIN_MS=300", "HERALD_CHANNELS_BACKOFF_MAX_MS=500",
                                          "HERALD_CLAIMS_LEASE_MS=60000", "HERALD_RETENTION_EVENT_DAYS=3000", NULL});
    stack_run(stack, STACK_EVENT_2);
    stack_wait_serving(stack, STACK_EVENT_2);
    return 0;
}

static int stop(void **state) {
    (void)state;
    stack_stop(stack);
    return 0;
}

static int calm_channels(void **state) {
    (void)state;
    const char *const channels[] = {"WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV", "INSTAGRAM", "KAKAO_CHANNEL"};
    for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
        stack_channel_behaves(stack, channels[i], "{\"mode\":\"ok\"}");
    }
    return 0;
}

/* ---- reading a timeline ---- */

static struct answer timeline_of(const char *id, const char *user) {
    return stack_call_ok(stack, EVENTS "GetEventTimeline", OF_OWNER, id, user);
}

/* The entry of a step, a channel ("" for none) and an attempt (0: any); NULL: there is none. */
static const json_t *find_entry(const struct answer *timeline, const char *step, const char *channel, int attempt) {
    const json_t *entries = answer_at(timeline, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        const char *at = json_string_value(json_object_get(entry, "channel"));
        bool same_channel = channel[0] == '\0' || (at && strcmp(at, channel) == 0);
        if (same_channel && strcmp(json_string_value(json_object_get(entry, "step")), step) == 0 &&
            (attempt == 0 || json_integer_value(json_object_get(entry, "attempt")) == attempt)) {
            return entry;
        }
    }
    return NULL;
}

static const char *entry_text(const json_t *entry, const char *name) {
    const char *text = json_string_value(json_object_get(entry, name));
    return text ? text : "";
}

static void assert_entry(const struct answer *timeline, const char *step, const char *channel, int attempt,
                         const char *state, const char *reason) {
    const json_t *entry = find_entry(timeline, step, channel, attempt);
    if (!entry || strcmp(entry_text(entry, "state"), state) != 0 || strcmp(entry_text(entry, "reason"), reason) != 0) {
        char *all = json_dumps(answer_at(timeline, "entries"), JSON_INDENT(1));
        fail_msg("%s %s %d is not %s (%s) in %s", step, channel, attempt, state, reason, all);
    }
}

/* Positions and beginnings only grow; what has ended ended after it began. */
static void assert_in_order(const struct answer *timeline) {
    const json_t *entries = answer_at(timeline, "entries");
    long long last = 0;
    const char *began = "";
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        long long position = strtoll(entry_text(entry, "position"), NULL, 10);
        assert_true(position > last);
        last = position;
        assert_true(strncmp(entry_text(entry, "at"), began, 19) >= 0);
        began = entry_text(entry, "at");
    }
}

/* What may still change comes after the position at which the next call goes on. */
static void assert_resumes_before_what_is_open(const struct answer *timeline) {
    long long resume = strtoll(answer_text(timeline, "resumePosition"), NULL, 10);
    const json_t *entries = answer_at(timeline, "entries");
    size_t open = 0;
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        const char *state = entry_text(entry, "state");
        if (strcmp(state, "UNDER_WAY") == 0 || strcmp(state, "WAITS") == 0) {
            assert_true(strtoll(entry_text(entry, "position"), NULL, 10) > resume);
            open++;
        }
    }
    assert_true(open > 0);
}

/* Waits by WaitEvent until the publish is settled, and reads its timeline. */
static struct answer settled_timeline(const char *id, const char *user) {
    char version[24] = "0";
    long long deadline_ms = now_ms() + 60000;
    for (bool settled = false; !settled;) {
        struct answer answer = stack_call_ok(stack, EVENTS "WaitEvent", WAIT, id, user, version, 5000u);
        settled = json_is_true(answer_at(&answer, "settled"));
        snprintf(version, sizeof(version), "%s", answer_text(&answer, "version"));
        answer_clear(&answer);
        if (now_ms() > deadline_ms) {
            struct answer last = timeline_of(id, user);
            fail_msg("not settled: %s", json_dumps(last.json, JSON_INDENT(1)));
        }
    }
    for (;;) { /* the acknowledgement of DistributionCompleted raises no version */
        struct answer timeline = timeline_of(id, user);
        if (json_is_true(answer_at(&timeline, "settled"))) {
            return timeline;
        }
        if (!wait_again(deadline_ms)) {
            fail_msg("not settled: %s", json_dumps(timeline.json, JSON_INDENT(1)));
        }
        answer_clear(&timeline);
    }
}

static void becomes_entry(const char *id, const char *user, const char *step, const char *channel, int attempt,
                          const char *state) {
    long long deadline_ms = now_ms() + 60000;
    for (bool found = false; !found;) {
        struct answer timeline = timeline_of(id, user);
        const json_t *entry = find_entry(&timeline, step, channel, attempt);
        found = entry && strcmp(entry_text(entry, "state"), state) == 0;
        if (!found && !wait_again(deadline_ms)) {
            fail_msg("%s %s %d did not become %s: %s", step, channel, attempt, state,
                     json_dumps(timeline.json, JSON_INDENT(1)));
        }
        answer_clear(&timeline);
    }
}

/* ---- tests ---- */

static void test_timeline_of_a_publish_tells_each_step_from_request_to_reply(void **state) {
    (void)state;
    static const char *const OWN[] = {"REQUESTED",
                                      "LOADED",
                                      "APPROVED",
                                      "EVENT_CREATED_SENT",
                                      "DISTRIBUTE_CALLED",
                                      "DELIVERY_OPENED",
                                      "DISTRIBUTION_COMPLETED_SENT",
                                      "ACTIVATED",
                                      "CACHE_DELETED",
                                      "REPLIED"};
    static const char *const CHANNELS[] = {"WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV", "INSTAGRAM"};
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct answer before = timeline_of(id, user);
    assert_int_equal(json_array_size(answer_at(&before, "entries")), 0);
    assert_false(json_is_true(answer_at(&before, "settled")));
    answer_clear(&before);
    struct answer published = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user,
                                            "[\"WOORIDONGNE_TV\",\"RINGO_BIZ\",\"GENIE_TV\",\"INSTAGRAM\"]");
    answer_clear(&published);
    becomes_entry(id, user, "REPLIED", "", 1, "SUCCEEDED");
    becomes_entry(id, user, "CACHE_DELETED", "", 2, "SUCCEEDED");
    becomes_entry(id, user, "EVENT_CREATED_SENT", "", 0, "SUCCEEDED");
    struct answer timeline = settled_timeline(id, user);
    assert_in_order(&timeline);
    for (size_t i = 0; i < sizeof(OWN) / sizeof(OWN[0]); i++) {
        assert_entry(&timeline, OWN[i], "", 0, "SUCCEEDED", "");
    }
    for (size_t i = 0; i < sizeof(CHANNELS) / sizeof(CHANNELS[0]); i++) {
        assert_entry(&timeline, "POSTED", CHANNELS[i], 1, "SUCCEEDED", "");
        assert_entry(&timeline, "RESULT_STORED", CHANNELS[i], 1, "SUCCEEDED", "");
    }
    assert_entry(&timeline, "PREPARED", "INSTAGRAM", 1, "SUCCEEDED", "");
    assert_string_equal(entry_text(find_entry(&timeline, "POSTED", "GENIE_TV", 1), "from"), "DISTRIBUTION_SERVICE");
    assert_string_equal(entry_text(find_entry(&timeline, "POSTED", "GENIE_TV", 1), "to"), "CHANNEL_PARTY");
    assert_string_not_equal(entry_text(find_entry(&timeline, "REPLIED", "", 1), "by"), "");
    assert_string_not_equal(entry_text(find_entry(&timeline, "EVENT_CREATED_SENT", "", 0), "endedAt"), "");

    char resume[24];
    snprintf(resume, sizeof(resume), "%s", entry_text(find_entry(&timeline, "ACTIVATED", "", 0), "position"));
    struct answer rest =
        stack_call_ok(stack, EVENTS "GetEventTimeline",
                      "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"afterPosition\":\"%s\"}", id, user, resume);
    assert_null(find_entry(&rest, "ACTIVATED", "", 0));
    assert_non_null(find_entry(&rest, "CACHE_DELETED", "", 1));
    answer_clear(&rest);
    answer_clear(&timeline);
}

static void assert_same_refusal(struct answer *answer, struct answer *of_none) {
    assert_int_equal(answer->code, HERALD_NOT_FOUND);
    assert_string_equal(answer->error.reason, "EVENT_NOT_FOUND");
    assert_string_equal(answer->error.message, of_none->error.message);
    assert_int_equal(answer->error.detail_count, of_none->error.detail_count);
    answer_clear(answer);
    answer_clear(of_none);
}

static void test_timeline_and_wait_of_another_users_event_are_refused_as_of_none(void **state) {
    (void)state;
    char user[64], other[64], id[37];
    static const char NONE[] = "0189f2b0-0000-7000-8000-00000000dead";
    fresh_user(user);
    fresh_user(other);
    make_ready_draft(stack, user, id);
    struct answer answer = stack_call(stack, EVENTS "GetEventTimeline", OF_OWNER, id, other);
    struct answer of_none = stack_call(stack, EVENTS "GetEventTimeline", OF_OWNER, NONE, other);
    assert_same_refusal(&answer, &of_none);
    answer = stack_call(stack, EVENTS "WaitEvent", WAIT, id, other, "0", 1000u);
    of_none = stack_call(stack, EVENTS "WaitEvent", WAIT, NONE, other, "0", 1000u);
    assert_same_refusal(&answer, &of_none);
}

static void test_timeline_shows_a_channel_that_fails_waits_and_heals(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":503}");
    struct answer published =
        stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user, "[\"RINGO_BIZ\",\"GENIE_TV\"]");
    assert_string_equal(answer_text(&published, "status"), "ACTIVE");
    answer_clear(&published);
    struct answer timeline = timeline_of(id, user);
    assert_in_order(&timeline);
    assert_entry(&timeline, "POSTED", "GENIE_TV", 1, "FAILED_STEP", "CHANNEL_UNAVAILABLE");
    assert_false(json_is_true(answer_at(&timeline, "settled")));
    assert_resumes_before_what_is_open(&timeline);
    answer_clear(&timeline);
    becomes_entry(id, user, "WAITED", "GENIE_TV", 0, "SUCCEEDED");
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"ok\"}");
    timeline = settled_timeline(id, user);
    assert_in_order(&timeline);
    assert_entry(&timeline, "POSTED", "GENIE_TV", 1, "FAILED_STEP", "CHANNEL_UNAVAILABLE");
    char *attempts =
        stack_sql(stack, "SELECT attempts FROM deliveries WHERE event_id = '%s' AND channel = 'GENIE_TV'", id);
    int last = atoi(attempts);
    free(attempts);
    assert_true(last >= 2);
    assert_entry(&timeline, "WAITED", "GENIE_TV", 2, "SUCCEEDED", "CHANNEL_UNAVAILABLE");
    assert_entry(&timeline, "POSTED", "GENIE_TV", last, "SUCCEEDED", "");
    assert_entry(&timeline, "DISTRIBUTION_COMPLETED_SENT", "", 0, "SUCCEEDED", "");
    answer_clear(&timeline);
}

static void test_timeline_of_an_unknown_outcome_waits_for_a_person_and_tells_what_that_one_did(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    stack_channel_behaves(stack, "GENIE_TV", "{\"mode\":\"fail\",\"status\":409,\"count\":1}");
    struct answer published =
        stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user, "[\"RINGO_BIZ\",\"GENIE_TV\"]");
    answer_clear(&published);
    delivery_becomes(stack, id, "GENIE_TV", "OUTCOME_UNKNOWN");
    becomes_entry(id, user, "RESOLVED", "GENIE_TV", 0, "WAITS");
    struct answer timeline = timeline_of(id, user);
    char position[24];
    snprintf(position, sizeof(position), "%s",
             entry_text(find_entry(&timeline, "RESOLVED", "GENIE_TV", 0), "position"));
    answer_clear(&timeline);
    struct answer resolved =
        stack_call_ok(stack, DISTRIBUTION "ResolveDelivery",
                      "{\"eventId\":\"%s\",\"channel\":\"GENIE_TV\",\"resolution\":\"WAS_PUBLISHED\"}", id);
    answer_clear(&resolved);
    timeline = timeline_of(id, user);
    assert_entry(&timeline, "RESOLVED", "GENIE_TV", 0, "SUCCEEDED", "");
    assert_string_equal(entry_text(find_entry(&timeline, "RESOLVED", "GENIE_TV", 0), "position"), position);
    assert_string_equal(entry_text(find_entry(&timeline, "RESOLVED", "GENIE_TV", 0), "from"), "PERSON");
    answer_clear(&timeline);
}

static void test_timeline_passes_a_channels_hostile_text_as_text(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    stack_channel_behaves(stack, "GENIE_TV",
                          "{\"mode\":\"fail\",\"status\":422,\"error\":{\"code\":\"x\",\"message\":"
                          "\"<script>'; DROP TABLE event_drafts;-- \\u202e \\\\ \\\"\"}}");
    struct answer published =
        stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user, "[\"RINGO_BIZ\",\"GENIE_TV\"]");
    answer_clear(&published);
    delivery_becomes(stack, id, "GENIE_TV", "REJECTED");
    struct answer timeline = timeline_of(id, user);
    const json_t *entry = find_entry(&timeline, "POSTED", "GENIE_TV", 1);
    assert_string_equal(entry_text(entry, "state"), "FAILED_STEP");
    char *message =
        stack_sql(stack, "SELECT message FROM deliveries WHERE event_id = '%s' AND channel = 'GENIE_TV'", id);
    assert_string_equal(entry_text(entry, "message"), message);
    free(message);
    answer_clear(&timeline);
}

struct publish {
    pthread_t thread;
    char id[37], user[64];
    struct answer answer;
};

static void *publish_body(void *arg) {
    struct publish *publish = arg;
    publish->answer = stack_call_at(stack, STACK_EVENT, EVENTS "PublishEvent", PUBLISH, publish->id, publish->user,
                                    "[\"RINGO_BIZ\"]");
    return NULL;
}

static void test_timeline_of_a_publish_whose_server_is_killed_is_closed_by_the_next(void **state) {
    (void)state;
    struct publish publish = {0};
    fresh_user(publish.user);
    make_ready_draft(stack, publish.user, publish.id);
    struct answer point =
        stack_call_at(stack, STACK_EVENT, SET_POINT, FAILPOINT, "event.before_activate", "1*delay(600000)");
    assert_int_equal(point.code, HERALD_OK);
    answer_clear(&point);
    assert_int_equal(pthread_create(&publish.thread, NULL, publish_body, &publish), 0);
    delivery_becomes(stack, publish.id, "RINGO_BIZ", "PUBLISHED");
    struct answer timeline =
        stack_call_at(stack, STACK_EVENT_2, EVENTS "GetEventTimeline", OF_OWNER, publish.id, publish.user);
    assert_int_equal(timeline.code, HERALD_OK);
    assert_entry(&timeline, "DISTRIBUTE_CALLED", "", 1, "UNDER_WAY", "");
    assert_entry(&timeline, "POSTED", "RINGO_BIZ", 1, "SUCCEEDED", "");
    char position[24], by[37];
    snprintf(position, sizeof(position), "%s",
             entry_text(find_entry(&timeline, "DISTRIBUTE_CALLED", "", 1), "position"));
    snprintf(by, sizeof(by), "%s", entry_text(find_entry(&timeline, "DISTRIBUTE_CALLED", "", 1), "by"));
    answer_clear(&timeline);
    stack_kill(stack, STACK_EVENT, SIGKILL);
    stack_sql_becomes(stack, "ACTIVE", "SELECT status FROM event_drafts WHERE id = '%s'", publish.id);
    pthread_join(publish.thread, NULL);
    answer_clear(&publish.answer);
    stack_run(stack, STACK_EVENT);
    stack_wait_serving(stack, STACK_EVENT);
    timeline = settled_timeline(publish.id, publish.user);
    assert_in_order(&timeline);
    assert_entry(&timeline, "DISTRIBUTE_CALLED", "", 1, "FAILED_STEP", "PROCESS_ENDED");
    const json_t *dead = find_entry(&timeline, "DISTRIBUTE_CALLED", "", 1);
    assert_string_equal(entry_text(dead, "position"), position);
    assert_string_equal(entry_text(dead, "by"), by);
    assert_entry(&timeline, "DISTRIBUTE_CALLED", "", 2, "SUCCEEDED", "");
    assert_string_not_equal(entry_text(find_entry(&timeline, "DISTRIBUTE_CALLED", "", 2), "by"), by);
    assert_entry(&timeline, "EVENT_CREATED_SENT", "", 0, "SUCCEEDED", "");
    assert_entry(&timeline, "ACTIVATED", "", 0, "SUCCEEDED", "");
    assert_null(find_entry(&timeline, "REPLIED", "", 0)); /* its caller got none */
    answer_clear(&timeline);
}

static void test_timeline_tells_when_the_distribution_service_is_away(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    stack_kill(stack, STACK_DISTRIBUTION, SIGTERM);
    struct answer published = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user, "[\"RINGO_BIZ\"]");
    assert_string_equal(answer_text(&published, "status"), "APPROVED");
    answer_clear(&published);
    struct answer timeline = timeline_of(id, user);
    assert_true(json_is_true(answer_at(&timeline, "deliveriesMissing")));
    assert_false(json_is_true(answer_at(&timeline, "settled")));
    assert_entry(&timeline, "DISTRIBUTE_CALLED", "", 1, "FAILED_STEP", "DISTRIBUTION_UNAVAILABLE");
    answer_clear(&timeline);
    stack_run(stack, STACK_DISTRIBUTION);
    stack_wait_serving(stack, STACK_DISTRIBUTION);
    timeline = settled_timeline(id, user);
    assert_in_order(&timeline);
    assert_false(json_is_true(answer_at(&timeline, "deliveriesMissing")));
    assert_entry(&timeline, "DISTRIBUTE_CALLED", "", 1, "FAILED_STEP", "DISTRIBUTION_UNAVAILABLE");
    assert_entry(&timeline, "WAITED", "", 0, "SUCCEEDED", "");
    assert_entry(&timeline, "POSTED", "RINGO_BIZ", 1, "SUCCEEDED", "");
    answer_clear(&timeline);
}

/* ---- waiting ---- */

struct waiting {
    pthread_t thread;
    const char *id, *user;
    char version[24];
    struct answer answer;
};

static void *wait_body(void *arg) {
    struct waiting *waiting = arg;
    waiting->answer = stack_call_at(stack, STACK_EVENT_2, EVENTS "WaitEvent", WAIT, waiting->id, waiting->user,
                                    waiting->version, 30000u);
    return NULL;
}

static void test_wait_event_is_told_by_another_server_of_each_change(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct answer answer = stack_call_ok(stack, EVENTS "WaitEvent", WAIT, id, user, "0", 30000u);
    assert_true(json_is_true(answer_at(&answer, "changed")));
    assert_string_equal(answer_text(&answer, "event.status"), "DRAFT");
    struct waiting waiting = {.id = id, .user = user};
    snprintf(waiting.version, sizeof(waiting.version), "%s", answer_text(&answer, "version"));
    answer_clear(&answer);
    answer = stack_call_ok(stack, EVENTS "WaitEvent", WAIT, id, user, waiting.version, 300u);
    assert_false(json_is_true(answer_at(&answer, "changed")));
    assert_string_equal(answer_text(&answer, "version"), waiting.version);
    answer_clear(&answer);

    long long began_ms = now_ms();
    assert_int_equal(pthread_create(&waiting.thread, NULL, wait_body, &waiting), 0);
    answer = stack_call_at(stack, STACK_EVENT, EVENTS "SelectObjective",
                           "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"objective\":\"AWARENESS\"}", id, user);
    assert_int_equal(answer.code, HERALD_OK);
    answer_clear(&answer);
    pthread_join(waiting.thread, NULL);
    assert_true(now_ms() - began_ms < 15000);
    assert_int_equal(waiting.answer.code, HERALD_OK);
    assert_true(json_is_true(answer_at(&waiting.answer, "changed")));
    assert_string_equal(answer_text(&waiting.answer, "event.objective"), "AWARENESS");
    snprintf(waiting.version, sizeof(waiting.version), "%s", answer_text(&waiting.answer, "version"));
    answer_clear(&waiting.answer);

    answer = stack_call_at(stack, STACK_EVENT, EVENTS "PublishEvent", PUBLISH, id, user, "[\"RINGO_BIZ\"]");
    assert_int_equal(answer.code, HERALD_OK);
    answer_clear(&answer);
    bool published = false;
    for (long long deadline_ms = now_ms() + 60000; !published;) {
        wait_body(&waiting);
        assert_int_equal(waiting.answer.code, HERALD_OK);
        const json_t *results = answer_at(&waiting.answer, "distributionResults");
        published = strcmp(answer_text(&waiting.answer, "event.status"), "ACTIVE") == 0 &&
                    json_array_size(results) == 1 &&
                    strcmp(answer_text(&waiting.answer, "distributionResults.0.state"), "PUBLISHED") == 0;
        snprintf(waiting.version, sizeof(waiting.version), "%s", answer_text(&waiting.answer, "version"));
        answer_clear(&waiting.answer);
        assert_true(now_ms() < deadline_ms);
    }
}

struct crowd {
    atomic_uint ended, changed;
};

static void on_waited(void *user, struct herald_reply *reply) {
    struct crowd *crowd = user;
    const Herald__Event__V1__WaitEventResponse *response = (const Herald__Event__V1__WaitEventResponse *)reply->message;
    if (reply->error.code == HERALD_OK && response && response->changed) {
        atomic_fetch_add(&crowd->changed, 1);
    }
    atomic_fetch_add(&crowd->ended, 1);
    herald_reply_clear(reply);
}

static long count_scans(void) {
    char *count =
        stack_sql(stack, "SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'event_drafts'");
    long scans = atol(count);
    free(count);
    return scans;
}

/*
 * Waits for WINDOW_MS in which the table of events is read less often than QUIET_READS. Postgres counts late, so the first
 * windows still have what came before.
 */
static void assert_becomes_quiet(void) {
    long long deadline_ms = now_ms() + 40000;
    long read = QUIET_READS;
    while (read >= QUIET_READS && now_ms() < deadline_ms) {
        long before = count_scans();
        for (long long end_ms = now_ms() + WINDOW_MS; wait_again(end_ms);) {
            continue;
        }
        read = count_scans() - before;
    }
    assert_true(read < QUIET_READS);
}

static void test_wait_event_of_a_hundred_waiters_reads_the_database_as_of_one(void **state) {
    (void)state;
    static struct crowd crowd;
    char user[64], id[37], version[24];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct answer answer = stack_call_ok(stack, EVENTS "WaitEvent", WAIT, id, user, "0", 1000u);
    snprintf(version, sizeof(version), "%s", answer_text(&answer, "version"));
    answer_clear(&answer);
    Herald__Event__V1__WaitEventRequest request = HERALD__EVENT__V1__WAIT_EVENT_REQUEST__INIT;
    request.event_draft_id = id;
    request.user_id = user;
    request.version = strtoull(version, NULL, 10);
    request.wait_ms = 60000;
    for (size_t i = 0; i < WAITERS; i++) {
        assert_int_equal(herald_call_start(stack_channel(stack, STACK_EVENT),
                                           herald_event_v1_event_service_wait_event_method, &request.base, NULL,
                                           on_waited, &crowd, NULL, NULL),
                         HERALD_OK);
    }
    assert_becomes_quiet();
    assert_int_equal(atomic_load(&crowd.ended), 0);
    answer = stack_call_ok(stack, EVENTS "SelectObjective",
                           "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"objective\":\"AWARENESS\"}", id, user);
    answer_clear(&answer);
    long long deadline_ms = now_ms() + 30000;
    while (atomic_load(&crowd.ended) < WAITERS && wait_again(deadline_ms)) {
        continue;
    }
    assert_int_equal(atomic_load(&crowd.changed), WAITERS);
}

static void test_timeline_dies_with_its_event(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct answer answer = stack_call_ok(stack, EVENTS "PublishEvent", PUBLISH, id, user, "[\"RINGO_BIZ\"]");
    answer_clear(&answer);
    answer = settled_timeline(id, user);
    answer_clear(&answer);
    stack_sql_becomes(stack, "t", "SELECT count(*) > 3 FROM event_steps WHERE event_id = '%s'", id);
    free(stack_sql(
        stack, "UPDATE event_drafts SET status = 'ENDED', ended_at = now() - interval '10 years' WHERE id = '%s'", id));
    stack_kill(stack, STACK_EVENT_2, SIGTERM); /* it prunes when it starts */
    stack_run(stack, STACK_EVENT_2);
    stack_wait_serving(stack, STACK_EVENT_2);
    stack_sql_becomes(stack, "0", "SELECT count(*) FROM event_drafts WHERE id = '%s'", id);
    stack_sql_is(stack, "0", "SELECT count(*) FROM event_steps WHERE event_id = '%s'", id);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_timeline_of_a_publish_tells_each_step_from_request_to_reply, calm_channels),
        cmocka_unit_test_setup(test_timeline_and_wait_of_another_users_event_are_refused_as_of_none, calm_channels),
        cmocka_unit_test_setup(test_timeline_shows_a_channel_that_fails_waits_and_heals, calm_channels),
        cmocka_unit_test_setup(test_timeline_of_an_unknown_outcome_waits_for_a_person_and_tells_what_that_one_did,
                               calm_channels),
        cmocka_unit_test_setup(test_timeline_passes_a_channels_hostile_text_as_text, calm_channels),
        cmocka_unit_test_setup(test_timeline_of_a_publish_whose_server_is_killed_is_closed_by_the_next, calm_channels),
        cmocka_unit_test_setup(test_timeline_tells_when_the_distribution_service_is_away, calm_channels),
        cmocka_unit_test_setup(test_wait_event_is_told_by_another_server_of_each_change, calm_channels),
        cmocka_unit_test_setup(test_wait_event_of_a_hundred_waiters_reads_the_database_as_of_one, calm_channels),
        cmocka_unit_test_setup(test_timeline_dies_with_its_event, calm_channels),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
