/*
 * How soon another server finishes what one held that is killed under load. Two event and two distribution servers, 24
 * publishers without a pause, channels that answer after 100 ms. Of each kill it looks, in Postgres, at the events and
 * deliveries that the dead held at that moment: when they are released, and when they are finished (the event ACTIVE,
 * the delivery settled). Posts are counted at the channels.
 *
 *   tests/support/with-services --build build -- build/tests/bench_takeover [KILLS]
 *
 * One JSON line on stdout. It is no test: it asserts no times.
 */
#include "tests/integration/flows/deliveries.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PUBLISHERS 24
#define DRAFTS     60000
#define ITEMS_MAX  4096
#define LOAD_MS    2500 /* before each kill */
#define FINISH_MS  30000
#define PUBLISH_BODY                                                                                                   \
    "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":[\"RINGO_BIZ\",\"KAKAO_CHANNEL\"]}"

static struct stack *stack;
static unsigned kills = 20;
static char user[64];
static char (*drafts)[37];
static unsigned draft_count;
static atomic_uint next_draft;
static atomic_bool over;

/* A sample for each kind: released, finished. */
static struct samples {
    const char *name;
    unsigned count;
    long long ms[ITEMS_MAX];
} released_events = {.name = "events_released"}, finished_events = {.name = "events_finished"},
  released_deliveries = {.name = "deliveries_released"}, finished_deliveries = {.name = "deliveries_finished"};
static unsigned unfinished, posts_accepted, posts_doubled, held_by_nobody_killed;

static void pause_ms(long ms) {
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static void *publisher_body(void *arg) {
    enum stack_program program = *(const enum stack_program *)arg;
    while (!atomic_load(&over)) {
        unsigned at = atomic_fetch_add(&next_draft, 1);
        if (at >= draft_count) {
            return NULL;
        }
        struct answer answer = stack_call_at(stack, program, EVENTS "PublishEvent", PUBLISH_BODY, drafts[at], user);
        bool failed = answer.code != HERALD_OK;
        answer_clear(&answer);
        if (failed) {
            pause_ms(20);
        }
    }
    return NULL;
}

/* As many drafts as may be needed, as copies of one. */
static void make_drafts(void) {
    char first[37];
    fresh_user(user);
    make_ready_draft(stack, user, first);
    free(stack_sql(stack,
                   "INSERT INTO event_drafts SELECT copy.* FROM event_drafts AS one, generate_series(1, %d) AS n, "
                   "jsonb_populate_record(one, jsonb_build_object('id', md5(one.id::text || n))) AS copy "
                   "WHERE one.id = '%s' RETURNING 1",
                   DRAFTS, first));
    char *ids = stack_sql(stack, "SELECT string_agg(id::text, '') FROM event_drafts WHERE user_id = '%s'", user);
    draft_count = (unsigned)(strlen(ids) / 36);
    drafts = calloc(draft_count, sizeof(*drafts));
    for (unsigned i = 0; i < draft_count; i++) {
        memcpy(drafts[i], ids + 36 * (size_t)i, 36);
    }
    free(ids);
}

/* The rows of leases of the service, as an array of Postgres. */
static char *instances_of(const char *service) {
    return stack_sql(stack, "SELECT coalesce(array_agg(id), '{}')::text FROM instances WHERE service = '%s'", service);
}

/* Adds @count samples. */
static void add_samples(struct samples *samples, long count, long long ms) {
    while (count-- > 0 && samples->count < ITEMS_MAX) {
        samples->ms[samples->count++] = ms;
    }
}

static long number_of_sql(const char *sql, const char *first, const char *second) {
    char *value = stack_sql(stack, sql, first, second);
    long number = value ? atol(value) : 0;
    free(value);
    return number;
}

/* What to look at for one kind of work; %s stands for a list. */
struct kind {
    const char *held;     /* by the instances %s: their ids as an array */
    const char *holds;    /* how many of the ids %s the instances %s still hold */
    const char *finished; /* how many of the ids %s are */
    struct samples *released, *done;
};

static const struct kind of_events = {
    "SELECT coalesce(array_agg(id), '{}')::text FROM event_drafts WHERE holder = ANY ('%s')",
    "SELECT count(*) FROM event_drafts WHERE id = ANY ('%s') AND holder = ANY ('%s')",
    "SELECT count(*) FROM event_drafts WHERE id = ANY ('%s') AND status = 'ACTIVE'", &released_events,
    &finished_events};
static const struct kind of_deliveries = {
    "SELECT coalesce(array_agg(event_id || '/' || channel), '{}')::text FROM deliveries WHERE holder = ANY ('%s')",
    "SELECT count(*) FROM deliveries WHERE event_id || '/' || channel = ANY ('%s') AND holder = ANY ('%s')",
    "SELECT count(*) FROM deliveries WHERE event_id || '/' || channel = ANY ('%s') AND settled", &released_deliveries,
    &finished_deliveries};

/* Watches what the dead held until it is finished. */
static void watch(const struct kind *kind, const char *dead, long long killed_ms) {
    char *items = stack_sql(stack, kind->held, dead);
    long held = number_of_sql("SELECT cardinality('%s'::text[])", items, NULL), left_held = held;
    long left = held - number_of_sql(kind->finished, items, NULL);
    held_by_nobody_killed += held == 0;
    long long released_ms = 0, finished_ms = 0;
    while (left > 0 && now_ms() - killed_ms < FINISH_MS) {
        long still = number_of_sql(kind->holds, items, dead),
             unfinished_now = held - number_of_sql(kind->finished, items, NULL);
        long long ms = now_ms() - killed_ms;
        add_samples(kind->released, left_held - still, ms);
        add_samples(kind->done, left - unfinished_now, ms);
        released_ms = still < left_held ? ms : released_ms;
        finished_ms = unfinished_now < left ? ms : finished_ms;
        left_held = still;
        left = unfinished_now;
        pause_ms(10);
    }
    unfinished += (unsigned)left;
    fprintf(stderr, "%s: %ld held; the last released after %lld ms, finished after %lld ms\n", kind->done->name, held,
            released_ms, finished_ms);
    free(items);
}

/* Starts the second server of a service, lets it work, and kills it. The ids of its leases are those that are new. */
static void kill_and_watch(enum stack_program program, const char *service, const struct kind *kind) {
    char *before = instances_of(service);
    stack_run(stack, program);
    stack_wait_serving(stack, program);
    pause_ms(LOAD_MS);
    char *mine = stack_sql(stack,
                           "SELECT coalesce(array_agg(id), '{}')::text FROM instances WHERE service = '%s' "
                           "AND id <> ALL ('%s')",
                           service, before);
    stack_signal(stack, program, SIGKILL);
    long long killed_ms = now_ms();
    watch(kind, mine, killed_ms);
    stack_kill(stack, program, SIGKILL); /* takes its status */
    free(before);
    free(mine);
}

/* Counts deliveries that a channel has accepted more than once. */
static void count_doubled(void) {
    char url[256];
    snprintf(url, sizeof(url), "%s/log", stack_setting(stack, "HERALD_CHANNELS_URL"));
    char *text = stack_get(url, NULL), *rest = text;
    json_t *seen = json_object();
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        json_t *post = json_loads(line, 0, NULL);
        const char *id = json_string_value(json_object_get(post, "event_id"));
        const char *channel = json_string_value(json_object_get(post, "channel"));
        char name[96];
        snprintf(name, sizeof(name), "%s/%s", id ? id : "", channel ? channel : "");
        bool accepted = id && id[0]; /* a repeat that the channel has recognised counts too */
        posts_doubled += accepted && json_object_get(seen, name) ? 1 : 0;
        if (accepted) {
            json_object_set_new(seen, name, json_true());
        }
        json_decref(post);
    }
    posts_accepted = (unsigned)json_object_size(seen);
    json_decref(seen);
    free(text);
}

static int by_value(const void *a, const void *b) {
    long long x = *(const long long *)a, y = *(const long long *)b;
    return x < y ? -1 : x > y;
}

static void print_samples(struct samples *samples) {
    qsort(samples->ms, samples->count, sizeof(samples->ms[0]), by_value);
    unsigned n = samples->count;
    printf("\"%s\":{\"count\":%u,\"p50_ms\":%lld,\"p99_ms\":%lld,\"max_ms\":%lld},", samples->name, n,
           n ? samples->ms[n / 2] : -1, n ? samples->ms[n * 99 / 100] : -1, n ? samples->ms[n - 1] : -1);
}

static void test_kills(void **state) {
    (void)state;
    pthread_t threads[PUBLISHERS];
    static enum stack_program servers[2] = {STACK_EVENT, STACK_EVENT_2};
    stack = stack_start((const char *const[]){"HERALD_CHANNELS_POLL_MS=1000", "HERALD_PUBLISH_RECONCILE_POLL_MS=1000",
                                              "HERALD_OUTBOX_POLL_MS=1000", "HERALD_OUTBOX_LEASE_MS=10000", NULL});
    make_drafts();
    stack_channel_behaves(stack, "RINGO_BIZ", "{\"mode\":\"slow\",\"delayMs\":100}");
    stack_channel_behaves(stack, "KAKAO_CHANNEL", "{\"mode\":\"slow\",\"delayMs\":100}");
    char both[64];
    snprintf(both, sizeof(both), "%s,%s", stack_url(stack, STACK_DISTRIBUTION), stack_url(stack, STACK_DISTRIBUTION_2));
    stack_run(stack, STACK_EVENT_2); /* once, so that there is a channel to it */
    stack_wait_serving(stack, STACK_EVENT_2);
    stack_kill(stack, STACK_EVENT_2, SIGTERM);
    stack_kill(stack, STACK_EVENT, SIGTERM);
    stack_set(stack, "HERALD_DISTRIBUTION_CALL_URL=%s", both);
    stack_run(stack, STACK_EVENT);
    stack_wait_serving(stack, STACK_EVENT);
    for (size_t i = 0; i < PUBLISHERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, publisher_body, &servers[i % 2]), 0);
    }
    for (unsigned i = 0; i < kills; i++) {
        kill_and_watch(STACK_EVENT_2, "event", &of_events);
        kill_and_watch(STACK_DISTRIBUTION_2, "distribution", &of_deliveries);
    }
    atomic_store(&over, true);
    for (size_t i = 0; i < PUBLISHERS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("{\"bench\":\"takeover\",\"kills\":%u,\"published\":%ld,", 2 * kills,
           number_of_sql("SELECT count(*) FROM event_drafts WHERE user_id = '%s' AND status = 'ACTIVE'", user, NULL));
    print_samples(&released_events);
    print_samples(&finished_events);
    print_samples(&released_deliveries);
    print_samples(&finished_deliveries);
    count_doubled();
    printf("\"unfinished\":%u,\"posts_accepted\":%u,\"posts_doubled\":%u,\"kills_that_held_nothing\":%u}\n", unfinished,
           posts_accepted, posts_doubled, held_by_nobody_killed);
    stack_stop(stack);
    free(drafts);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kills)};
    kills = argc > 1 ? (unsigned)atoi(argv[1]) : kills;
    return cmocka_run_group_tests_name("bench_takeover", tests, NULL, NULL);
}
