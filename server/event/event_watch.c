/*
 * The watch of a loop: a table of the events that are waited for, a task that reads their versions, and a task for each event
 * that follows its distribution.
 *
 * An event stays in the table while somebody waits for it or its task runs. The task ends a few seconds after the last waiter
 * has left, so that a client that waits again and again finds it.
 */
#include "server/event/event_watch.h"

#include "client/base/backoff.h"
#include "herald/distribution/v1/distribution.task.h"
#include "server/event/event_service.h"
#include "server/event/step_store.h"
#include "server/runtime/proto_arena.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BUCKETS          1024u
#define LOOK_MS          250u  /* between two looks at versions */
#define LISTED_MOST      500u  /* of one statement */
#define FOLLOW_MS        5000u /* one WaitDistribution */
#define FOLLOW_MARGIN_MS 2000u
#define FIRST_REFUSAL_MS 50u /* until a distribution is asked for again that is not there, or whose service is away; */
#define LAST_REFUSAL_MS  2000u /* doubled up to this */

struct event_waiter {
    struct event_waiter *next, **link;
    uint64_t version, distribution_version; /* the last ones that it knows */
    bool waits_for_look_up;
    struct completion changed;
};

struct event_watch {
    struct event_service *service;
    struct watched_event *buckets[BUCKETS];
    size_t count; /* of events */
    struct call call;
    struct loop_work end;
    struct completion wake;
    bool must_look;
    unsigned running; /* tasks */
    bool stopping;
};

static void event_watch_unref(struct event_watch *watch) {
    if (--watch->running == 0) {
        call_fini(&watch->call);
        free(watch);
    }
}

static void on_looks_end(struct loop_work *work) {
    event_watch_unref((struct event_watch *)(void *)((char *)work - offsetof(struct event_watch, end)));
}

/* ---- the table ---- */

/* FNV-1a of the UUID, whatever the case of its letters. */
static struct watched_event **watched_bucket(struct event_watch *watch, const char *id) {
    uint32_t hash = 2166136261u;
    for (const char *at = id; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)(*at | 0x20)) * 16777619u;
    }
    return &watch->buckets[hash % BUCKETS];
}

static struct watched_event *find_watched(struct event_watch *watch, const char *id) {
    struct watched_event *watched = *watched_bucket(watch, id);
    while (watched && strcasecmp(watched->id, id) != 0) {
        watched = watched->next;
    }
    return watched;
}

static struct watched_event *watched_new(struct event_watch *watch, const char *id, const char *user_id) {
    struct watched_event *watched = calloc(1, sizeof(*watched));
    if (!watched) {
        return NULL;
    }
    (void)snprintf(watched->id, sizeof(watched->id), "%s", id);
    (void)snprintf(watched->user_id, sizeof(watched->user_id), "%s", user_id);
    watched->watch = watch;
    struct watched_event **bucket = watched_bucket(watch, id);
    watched->next = *bucket;
    watched->link = bucket;
    if (watched->next) {
        watched->next->link = &watched->next;
    }
    *bucket = watched;
    watch->count++;
    return watched;
}

/* Frees an event that nobody waits for and nobody follows. */
static void drop_if_unused(struct watched_event *watched) {
    if (watched->waiter_count > 0 || watched->is_followed) {
        return;
    }
    *watched->link = watched->next;
    if (watched->next) {
        watched->next->link = watched->link;
    }
    watched->watch->count--;
    free(watched->distribution);
    free(watched);
}

/* Wakes those who know less. */
static void tell_waiters(struct watched_event *watched) {
    for (struct event_waiter *waiter = watched->waiters; waiter; waiter = waiter->next) {
        if (watched->version > waiter->version || watched->distribution_version > waiter->distribution_version ||
            (waiter->waits_for_look_up && watched->was_looked_up)) {
            completion_complete(&waiter->changed);
        }
    }
}

/* ---- following a distribution ---- */

typedef Herald__Distribution__V1__GetDistributionResponse distribution_state;

/* Keeps a newer state. Without memory the one of before stays, and is asked for again. */
static void keep_distribution(struct watched_event *watched, const distribution_state *state) {
    if (!state || state->version <= watched->distribution_version) {
        return;
    }
    size_t bytes = protobuf_c_message_get_packed_size(&state->base);
    uint8_t *packed = malloc(bytes + 1);
    if (packed) {
        watched->distribution_bytes = protobuf_c_message_pack(&state->base, packed);
        free(watched->distribution);
        watched->distribution = packed;
        watched->distribution_version = state->version;
    }
}

/* Asks once, waiting for a change of what is known. */
TASK_FN static enum herald_code ask_for_distribution(struct watched_event *watched, struct herald_error *reterr) {
    Herald__Distribution__V1__WaitDistributionRequest request =
        HERALD__DISTRIBUTION__V1__WAIT_DISTRIBUTION_REQUEST__INIT;
    const Herald__Distribution__V1__WaitDistributionResponse *response = NULL;
    const struct remote_options options = {.timeout_ms = FOLLOW_MS + FOLLOW_MARGIN_MS};
    request.event_id = watched->id;
    request.user_id = watched->user_id;
    request.after_version = watched->distribution_version;
    request.wait_ms = FOLLOW_MS;
    enum herald_code code = herald_distribution_v1_distribution_service_wait_distribution_task(
        watched->watch->service->distribution, &request, &options, NULL, &response, reterr);
    if (code == HERALD_OK) {
        keep_distribution(watched, response->distribution);
    }
    return code;
}

static enum herald_code follow_if_approved(struct watched_event *watched, struct herald_error *reterr);

static void on_follow_end(struct loop_work *work) {
    struct watched_event *watched =
        (struct watched_event *)(void *)((char *)work - offsetof(struct watched_event, end));
    struct event_watch *watch = watched->watch;
    call_fini(&watched->call);
    watched->is_followed = false;
    watched->was_looked_up = false;
    if (watched->waiter_count > 0) { /* somebody has come after the last round */
        (void)follow_if_approved(watched, NULL);
    }
    drop_if_unused(watched);
    event_watch_unref(watch);
}

static bool goes_on(const struct watched_event *watched) {
    return !watched->watch->stopping && watched->call.end_code == HERALD_OK;
}

TASK_FN static void follow(void *arg) {
    struct watched_event *watched = arg;
    bool is_wanted = true;
    while (is_wanted && goes_on(watched)) {
        struct herald_error error = {0};
        enum herald_code code = ask_for_distribution(watched, &error);
        watched->is_missing = code != HERALD_OK && code != HERALD_NOT_FOUND;
        watched->was_looked_up = true;
        watched->refusals = code == HERALD_OK ? 0 : watched->refusals + 1;
        tell_waiters(watched);
        arena_fini(&watched->call.arena);
        arena_init(&watched->call.arena, 0);
        if (code != HERALD_OK && goes_on(watched)) {
            (void)task_sleep(herald_backoff_bound_ms(FIRST_REFUSAL_MS, LAST_REFUSAL_MS, watched->refusals), NULL);
        }
        is_wanted = watched->waiter_count > 0;
    }
    loop_post(watched->watch->service->loop, &watched->end);
}

static enum herald_code follow_if_approved(struct watched_event *watched, struct herald_error *reterr) {
    struct event_watch *watch = watched->watch;
    if (!watched->is_approved || watched->is_followed || watch->stopping) {
        return HERALD_OK;
    }
    call_init(&watched->call, "follow a distribution", NULL, 0, 0);
    watched->end.run = on_follow_end;
    enum herald_code code = task_spawn(watch->service->loop, &watched->call, "event-follow", follow, watched, reterr);
    if (code != HERALD_OK) {
        call_fini(&watched->call);
        return code;
    }
    watched->is_followed = true;
    watched->refusals = 0;
    watch->running++;
    return HERALD_OK;
}

/* ---- looking at versions ---- */

/* Lists events that were not listed in this look, at most LISTED_MOST. Returns: how many; 0: all were, or no memory */
static size_t list_watched(struct event_watch *watch, const char **ret_ids) {
    size_t count = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct watched_event *watched = watch->buckets[i]; watched && count < LISTED_MOST;
             watched = watched->next) {
            if (watched->is_listed || watched->waiter_count == 0) {
                continue;
            }
            ret_ids[count] = arena_strdup(call_arena(), watched->id); /* its waiters may leave during the statement */
            if (!ret_ids[count]) {
                return 0;
            }
            watched->is_listed = true;
            count++;
        }
    }
    return count;
}

static void take_version(struct event_watch *watch, const struct event_version *version) {
    struct watched_event *watched = find_watched(watch, version->id);
    if (!watched) {
        return;
    }
    watched->is_approved = watched->is_approved || version->is_approved;
    (void)follow_if_approved(watched, NULL); /* without memory the next look tries again */
    if (version->version > watched->version) {
        watched->version = version->version;
        tell_waiters(watched);
    }
}

/* Reads the versions of all events that are waited for. An unavailable database shows in the server's health. */
TASK_FN static void look_at_versions(struct event_watch *watch) {
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct watched_event *watched = watch->buckets[i]; watched; watched = watched->next) {
            watched->is_listed = false;
        }
    }
    enum herald_code code = HERALD_OK;
    for (size_t count = LISTED_MOST; code == HERALD_OK && count == LISTED_MOST;) {
        const char *ids[LISTED_MOST];
        struct event_version *versions = NULL;
        size_t found = 0;
        count = list_watched(watch, ids);
        code = count > 0 ? step_store_versions(watch->service->db, ids, count, &versions, &found, NULL) : HERALD_OK;
        for (size_t i = 0; code == HERALD_OK && i < found; i++) {
            take_version(watch, &versions[i]);
        }
        arena_fini(&watch->call.arena);
        arena_init(&watch->call.arena, 0);
    }
}

static bool looks_end(const struct event_watch *watch) {
    return watch->stopping || watch->call.end_code != HERALD_OK;
}

TASK_FN static void watch_body(void *arg) {
    struct event_watch *watch = arg;
    while (!looks_end(watch)) {
        completion_init(&watch->wake);
        watch->wake.what = "events that are waited for";
        watch->must_look = false;
        if (watch->count > 0) {
            look_at_versions(watch);
        }
        if (looks_end(watch) || watch->must_look) {
            continue;
        }
        if (watch->count > 0) {
            (void)completion_wait_for(&watch->wake, LOOK_MS, NULL);
        } else {
            (void)completion_wait(&watch->wake, NULL);
        }
    }
    loop_post(watch->service->loop, &watch->end);
}

void event_watch_look(struct event_watch *watch) {
    if (watch && watch->count > 0) {
        watch->must_look = true;
        completion_complete(&watch->wake);
    }
}

/* ---- waiting ---- */

enum herald_code event_watch_join(struct event_watch *watch, const char *id, const char *user_id, bool is_approved,
                                  struct watched_event **ret_watched, struct herald_error *reterr) {
    struct watched_event *watched = find_watched(watch, id);
    if (!watched) {
        watched = watched_new(watch, id, user_id);
    }
    if (!watched) {
        return herald_error_no_memory(reterr, "the wait for an event");
    }
    watched->is_approved = watched->is_approved || is_approved;
    watched->waiter_count++;
    enum herald_code code = follow_if_approved(watched, reterr);
    if (code != HERALD_OK) {
        event_watch_leave(watched);
        return code;
    }
    completion_complete(&watch->wake); /* which may wait for the first event */
    *ret_watched = watched;
    return HERALD_OK;
}

void event_watch_leave(struct watched_event *watched) {
    watched->waiter_count--;
    drop_if_unused(watched);
}

TASK_FN enum herald_code event_watch_wait(struct watched_event *watched, uint64_t version,
                                          uint64_t distribution_version, uint32_t ms, struct herald_error *reterr) {
    if (watched->version > version || watched->distribution_version > distribution_version) {
        return call_check(reterr);
    }
    struct event_waiter waiter = {
        .version = version,
        .distribution_version = distribution_version,
        .waits_for_look_up = watched->is_approved && !watched->was_looked_up,
        .next = watched->waiters,
        .link = &watched->waiters,
    };
    completion_init(&waiter.changed);
    waiter.changed.what = "a change of the event";
    if (waiter.next) {
        waiter.next->link = &waiter.next;
    }
    watched->waiters = &waiter;
    enum herald_code code = completion_wait_for(&waiter.changed, ms, reterr);
    *waiter.link = waiter.next;
    if (waiter.next) {
        waiter.next->link = waiter.link;
    }
    return code;
}

/* ---- life ---- */

enum herald_code event_watch_start(struct event_service *service, struct event_watch **ret_watch,
                                   struct herald_error *reterr) {
    struct event_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) {
        return herald_error_no_memory(reterr, "the watch of events");
    }
    watch->service = service;
    watch->running = 1;
    watch->end.run = on_looks_end;
    completion_init(&watch->wake);
    call_init(&watch->call, "event watch", NULL, 0, 0);
    enum herald_code code = task_spawn(service->loop, &watch->call, "event-watch", watch_body, watch, reterr);
    if (code != HERALD_OK) {
        event_watch_unref(watch);
        return code;
    }
    *ret_watch = watch;
    return HERALD_OK;
}

void event_watch_stop(struct event_watch *watch) {
    if (!watch) {
        return;
    }
    watch->stopping = true;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct watched_event *watched = watch->buckets[i]; watched; watched = watched->next) {
            if (watched->is_followed) {
                task_cancel_call(watch->service->loop, &watched->call, HERALD_CANCELLED);
            }
        }
    }
    task_cancel_call(watch->service->loop, &watch->call, HERALD_CANCELLED);
}
