/*
 * Three event servers behind one channel, under load, while they are killed and restarted. Counted from outside: no
 * READ call is lost, and a ONCE call took effect once, or did not, as its outcome says.
 */
#include "herald/event/v1/event.client.h"
#include "herald/uuid.h"
#include "tests/integration/flows/stack.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SERVERS       3
#define READERS       4
#define CREATORS      3
#define PUBLISHERS    6
#define CALLS_MAX     20000 /* of a creator */
#define DRAFTS        80    /* of a publisher */
#define KILLS         6
#define CALLS_BETWEEN 60 /* that end between two faults */
#define PROGRESS_MS   60000

static const enum stack_program servers[SERVERS] = {STACK_EVENT, STACK_EVENT_2, STACK_EVENT_3};

/** A ONCE call and what was said of it. */
struct record {
    char key[37];
    char id[37]; /* of the draft published; of a created one when the call was OK */
    bool made;
    enum herald_code code;
    enum herald_outcome outcome;
    char said[640]; /* reason and message */
};

struct worker {
    pthread_t thread;
    struct load *load;
    unsigned number;
    struct record *records;
    unsigned count, capacity;
    unsigned failed; /* READ calls */
    struct herald_error error;
};

struct load {
    struct stack *stack;
    struct herald_channel *channel;
    char user[64], draft_id[37];
    atomic_bool over;
    atomic_uint ended; /* calls */
    struct worker readers[READERS], creators[CREATORS], publishers[PUBLISHERS];
};

/* ---- workers ---- */

/* So that the servers are busy, and the machine not only with us. */
static void breathe(void) {
    const struct timespec pause = {.tv_nsec = 4000000};
    (void)nanosleep(&pause, NULL);
}

static enum herald_code get_event(struct load *load, struct herald_reply *reply) {
    Herald__Event__V1__GetEventRequest request = HERALD__EVENT__V1__GET_EVENT_REQUEST__INIT;
    request.event_draft_id = load->draft_id;
    request.user_id = load->user;
    const Herald__Event__V1__GetEventResponse *response = NULL;
    return herald_event_v1_event_service_get_event(load->channel, &request, NULL, reply, &response);
}

static enum herald_code list_events(struct load *load, struct herald_reply *reply) {
    Herald__Event__V1__ListEventsRequest request = HERALD__EVENT__V1__LIST_EVENTS_REQUEST__INIT;
    request.user_id = load->user;
    request.page_size = 5;
    const Herald__Event__V1__ListEventsResponse *response = NULL;
    return herald_event_v1_event_service_list_events(load->channel, &request, NULL, reply, &response);
}

static void *read_events(void *arg) {
    struct worker *worker = arg;
    struct load *load = worker->load;
    for (unsigned i = 0; !atomic_load(&load->over); i++) {
        struct herald_reply reply = {0};
        if ((i % 2 ? get_event(load, &reply) : list_events(load, &reply)) != HERALD_OK) {
            worker->failed++;
            herald_error_copy(&worker->error, &reply.error);
        }
        herald_reply_clear(&reply);
        atomic_fetch_add(&load->ended, 1);
        breathe();
    }
    return NULL;
}

static void note(struct record *record, const struct herald_reply *reply) {
    record->made = true;
    record->code = reply->error.code;
    record->outcome = reply->outcome;
    snprintf(record->said, sizeof(record->said), "%s: %s", reply->error.reason, reply->error.message);
}

static void create_one(struct load *load, struct record *record) {
    Herald__Event__V1__CreateEventRequest request = HERALD__EVENT__V1__CREATE_EVENT_REQUEST__INIT;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    store.name = (char[]){"shop"};
    request.user_id = load->user;
    request.title = record->key;
    request.store_info = &store;
    struct herald_call_options options = {.idempotency_key = record->key};
    struct herald_reply reply = {0};
    const Herald__Event__V1__CreateEventResponse *response = NULL;
    if (herald_event_v1_event_service_create_event(load->channel, &request, &options, &reply, &response) == HERALD_OK) {
        snprintf(record->id, sizeof(record->id), "%s", response->event->event_draft_id);
    }
    note(record, &reply);
    herald_reply_clear(&reply);
}

static void publish_one(struct load *load, struct record *record) {
    Herald__Event__V1__PublishEventRequest request = HERALD__EVENT__V1__PUBLISH_EVENT_REQUEST__INIT;
    Herald__Distribution__V1__Channel channels[] = {HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM};
    request.event_draft_id = record->id;
    request.user_id = load->user;
    request.selected_channels = channels;
    request.n_selected_channels = 1;
    struct herald_call_options options = {.idempotency_key = record->key};
    struct herald_reply reply = {0};
    const Herald__Event__V1__PublishEventResponse *response = NULL;
    (void)herald_event_v1_event_service_publish_event(load->channel, &request, &options, &reply, &response);
    note(record, &reply);
    herald_reply_clear(&reply);
}

static void work(struct worker *worker, void (*call)(struct load *load, struct record *record)) {
    struct load *load = worker->load;
    while (!atomic_load(&load->over) && worker->count < worker->capacity) {
        struct record *record = &worker->records[worker->count++];
        herald_uuid7(record->key);
        call(load, record);
        atomic_fetch_add(&load->ended, 1);
        breathe();
    }
}

static void *create_events(void *arg) {
    work(arg, create_one);
    return NULL;
}

static void *publish_events(void *arg) {
    work(arg, publish_one);
    return NULL;
}

/* ---- the load ---- */

/* Copies of a ready draft, one for each publication. */
static void make_drafts(struct load *load, struct worker *publisher) {
    for (unsigned i = 0; i < publisher->capacity; i++) {
        herald_uuid7(publisher->records[i].id);
        free(
            stack_sql(load->stack,
                      "INSERT INTO event_drafts (id, user_id, status, title, prize, brand_color, logo_url, store_name, "
                      "store_address, store_phone, objective, recommendation_id, recommendation_title, "
                      "recommendation_summary, image_job_id, content_job_id, content_style, content_png_url, "
                      "content_jpeg_url, created_at, updated_at) SELECT '%s', user_id, status, title, prize, "
                      "brand_color, logo_url, store_name, store_address, store_phone, objective, recommendation_id, "
                      "recommendation_title, recommendation_summary, image_job_id, content_job_id, content_style, "
                      "content_png_url, content_jpeg_url, created_at, updated_at FROM event_drafts WHERE id = '%s'",
                      publisher->records[i].id, load->draft_id));
    }
}

static void start_worker(struct load *load, struct worker *worker, unsigned number, unsigned capacity,
                         void *(*body)(void *)) {
    *worker = (struct worker){.load = load, .number = number, .capacity = capacity};
    worker->records = calloc(capacity ? capacity : 1, sizeof(*worker->records));
    assert_non_null(worker->records);
    if (body == publish_events) {
        make_drafts(load, worker);
    }
    assert_int_equal(pthread_create(&worker->thread, NULL, body, worker), 0);
}

static struct load *load_start(struct stack *stack) {
    struct load *load = calloc(1, sizeof(*load));
    assert_non_null(load);
    load->stack = stack;
    fresh_user(load->user);
    make_ready_draft(stack, load->user, load->draft_id);
    char urls[256];
    snprintf(urls, sizeof(urls), "%s,%s,%s", stack_url(stack, servers[0]), stack_url(stack, servers[1]),
             stack_url(stack, servers[2]));
    assert_int_equal(herald_channel_open(urls, NULL, &load->channel, NULL), HERALD_OK);
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        start_worker(load, &load->publishers[i], i, DRAFTS, publish_events);
    }
    for (unsigned i = 0; i < CREATORS; i++) {
        start_worker(load, &load->creators[i], i, CALLS_MAX, create_events);
    }
    for (unsigned i = 0; i < READERS; i++) {
        start_worker(load, &load->readers[i], i, 0, read_events);
    }
    return load;
}

static void load_stop(struct load *load) {
    atomic_store(&load->over, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(load->readers[i].thread, NULL);
    }
    for (unsigned i = 0; i < CREATORS; i++) {
        pthread_join(load->creators[i].thread, NULL);
    }
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        pthread_join(load->publishers[i].thread, NULL);
    }
}

static void load_free(struct load *load) {
    herald_channel_close(load->channel);
    for (unsigned i = 0; i < READERS; i++) {
        free(load->readers[i].records);
    }
    for (unsigned i = 0; i < CREATORS; i++) {
        free(load->creators[i].records);
    }
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        free(load->publishers[i].records);
    }
    free(load);
}

static void wait_for_progress(struct load *load) {
    unsigned wanted = atomic_load(&load->ended) + CALLS_BETWEEN;
    long long deadline_ms = now_ms() + PROGRESS_MS;
    while (atomic_load(&load->ended) < wanted) {
        if (!wait_again(deadline_ms)) {
            fail_msg("the load has come to a halt");
        }
    }
}

static void kill_and_restart(struct load *load, enum stack_program server, int signal) {
    wait_for_progress(load);
    stack_kill(load->stack, server, signal);
    wait_for_progress(load);
    stack_run(load->stack, server);
    stack_wait_serving(load->stack, server);
}

/* ---- counting ---- */

struct counts {
    unsigned ok, maybe, not_sent;
};

/* What a server may say that it did is OK alone; all else must be left open, or said not to have happened. */
static void count_outcome(const struct record *record, struct counts *counts) {
    if (record->code == HERALD_OK) {
        counts->ok++;
    } else if (record->outcome == HERALD_NOT_SENT) {
        counts->not_sent++;
    } else if (record->outcome == HERALD_MAYBE_EXECUTED) {
        counts->maybe++;
    } else {
        fail_msg("a ONCE call was answered with %s %s", herald_code_name((int)record->code), record->said);
    }
}

static long number_of(struct stack *stack, const char *format, const char *what) {
    char *cell = stack_sql(stack, format, what);
    long number = strtol(cell, NULL, 10);
    free(cell);
    return number;
}

static void assert_created(struct load *load, struct record *record) {
    long created = number_of(load->stack, "SELECT count(*) FROM event_drafts WHERE title = '%s'", record->key);
    if (record->code == HERALD_OK) {
        assert_int_equal(created, 1);
        return;
    }
    assert_in_range(created, 0, record->outcome == HERALD_NOT_SENT ? 0 : 1);
    create_one(load, record); /* under the same key: now it is known */
    assert_int_equal(record->code, HERALD_OK);
    assert_int_equal(number_of(load->stack, "SELECT count(*) FROM event_drafts WHERE title = '%s'", record->key), 1);
}

static struct counts count_created(struct load *load) {
    struct counts counts = {0};
    for (unsigned w = 0; w < CREATORS; w++) {
        for (unsigned i = 0; i < load->creators[w].count; i++) {
            count_outcome(&load->creators[w].records[i], &counts);
        }
    }
    long created = number_of(
        load->stack, "SELECT count(*) FROM event_drafts WHERE user_id = '%s' AND store_name = 'shop'", load->user);
    assert_in_range(created, counts.ok, counts.ok + counts.maybe);
    for (unsigned w = 0; w < CREATORS; w++) {
        for (unsigned i = 0; i < load->creators[w].count; i++) {
            assert_created(load, &load->creators[w].records[i]);
        }
    }
    created = number_of(load->stack, "SELECT count(*) FROM event_drafts WHERE user_id = '%s' AND store_name = 'shop'",
                        load->user);
    assert_int_equal(created, counts.ok + counts.maybe + counts.not_sent);
    return counts;
}

static void assert_published(struct load *load, struct record *record) {
    const char *status = "SELECT status FROM event_drafts WHERE id = '%s'";
    if (record->code == HERALD_OK) {
        stack_sql_is(load->stack, "ACTIVE", status, record->id);
    } else {
        if (record->outcome == HERALD_NOT_SENT) {
            stack_sql_is(load->stack, "DRAFT", status, record->id);
        }
        publish_one(load, record);
        assert_int_equal(record->code, HERALD_OK);
        stack_sql_is(load->stack, "ACTIVE", status, record->id);
    }
    json_t *posts = stack_posts(load->stack, record->id);
    assert_int_equal(json_array_size(posts), 1);
    json_decref(posts);
}

static struct counts count_published(struct load *load) {
    struct counts counts = {0};
    for (unsigned w = 0; w < PUBLISHERS; w++) {
        for (unsigned i = 0; i < load->publishers[w].count; i++) {
            count_outcome(&load->publishers[w].records[i], &counts);
            assert_published(load, &load->publishers[w].records[i]);
        }
    }
    return counts;
}

static void assert_no_read_was_lost(struct load *load) {
    for (unsigned i = 0; i < READERS; i++) {
        const struct worker *reader = &load->readers[i];
        if (reader->failed) {
            fail_msg("%u READ calls were lost, the last one with %s %s: %s", reader->failed,
                     herald_code_name((int)reader->error.code), reader->error.reason, reader->error.message);
        }
    }
}

static void settle(struct load *load) {
    load_stop(load);
    assert_no_read_was_lost(load);
    struct counts created = count_created(load), published = count_published(load);
    print_message("%u calls; CreateEvent: %u OK, %u maybe, %u not sent; PublishEvent: %u OK, %u maybe, %u not sent\n",
                  atomic_load(&load->ended), created.ok, created.maybe, created.not_sent, published.ok, published.maybe,
                  published.not_sent);
    assert_true(created.ok > 0 && published.ok > 0);
    load_free(load);
}

/* ---- tests ---- */

static struct stack *stack;

static int start(void **state) {
    (void)state;
    stack = stack_start(NULL);
    stack_run(stack, STACK_EVENT_2);
    stack_run(stack, STACK_EVENT_3);
    stack_wait_serving(stack, STACK_EVENT_2);
    stack_wait_serving(stack, STACK_EVENT_3);
    return 0;
}

static int stop(void **state) {
    (void)state;
    stack_stop(stack);
    return 0;
}

static void test_event_servers_killed_under_load_lose_no_read_and_double_nothing(void **state) {
    (void)state;
    struct load *load = load_start(stack);
    for (unsigned i = 0; i < KILLS; i++) {
        kill_and_restart(load, servers[i % SERVERS], SIGKILL);
    }
    wait_for_progress(load);
    settle(load);
}

static void test_event_servers_restarted_in_turn_under_load_lose_nothing(void **state) {
    (void)state;
    struct load *load = load_start(stack);
    for (unsigned i = 0; i < SERVERS; i++) {
        kill_and_restart(load, servers[i], SIGTERM);
    }
    wait_for_progress(load);
    settle(load);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_servers_killed_under_load_lose_no_read_and_double_nothing),
        cmocka_unit_test(test_event_servers_restarted_in_turn_under_load_lose_nothing),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
