#ifndef HERALD_EVENT_EVENT_WATCH_H
#define HERALD_EVENT_EVENT_WATCH_H

/*
 * Those who wait for a change of an event, on one loop. All who wait for the same event share what is read for it: one
 * statement now and then reads the versions of all events that are waited for, and for each event that was approved one task
 * follows its distribution by WaitDistribution.
 */
#include "herald/error.h"
#include "server/runtime/task.h"

#include <stdbool.h>
#include <stdint.h>

struct event_service;
struct event_watch;

/** Starts the loop's watch. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK). Loop's thread. */
enum herald_code event_watch_start(struct event_service *service, struct event_watch **ret_watch,
                                   struct herald_error *reterr);
/** Cancels its tasks; its memory is freed when they have ended. NULL is allowed. Loop's thread. */
void event_watch_stop(struct event_watch *watch);
/** This loop has changed an event: versions are read now. NULL is allowed. Loop's thread. */
void event_watch_look(struct event_watch *watch);

/** An event that is waited for. The fields are for reading; they change while a task waits. */
struct watched_event {
    struct watched_event *next, **link; /* of its bucket */
    struct event_watch *watch;
    struct event_waiter *waiters;
    unsigned waiter_count;
    char id[37], user_id[65];
    uint64_t version;              /* of the event and its steps; 0: not read yet */
    uint64_t distribution_version; /* 0: not known */
    uint8_t *distribution;         /* packed GetDistributionResponse of that version; NULL: none */
    size_t distribution_bytes;
    bool is_approved;   /* it has, or will have, a distribution */
    bool was_looked_up; /* its distribution was asked for at least once, whatever the answer */
    bool is_missing;    /* the distribution service did not answer the last time */
    bool is_followed;   /* a task follows its distribution */
    bool is_listed;     /* in the statement that runs now */
    uint32_t refusals;  /* answers without a distribution, in a row */
    struct call call;   /* of that task */
    struct loop_work end;
};

/**
 * Begins to wait for an event that the caller may see. The caller leaves it by event_watch_leave().
 *
 * @is_approved  whether the event is no draft
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK)
 * Context: the loop's thread
 */
enum herald_code event_watch_join(struct event_watch *watch, const char *id, const char *user_id, bool is_approved,
                                  struct watched_event **ret_watched, struct herald_error *reterr);
void event_watch_leave(struct watched_event *watched);
/**
 * Waits until the event has a version above @version or its distribution one above @distribution_version; or until the
 * distribution was looked up, if it was not yet.
 *
 * Returns: HERALD_OK | HERALD_DEADLINE_EXCEEDED (WAIT_TIMEOUT): not within @ms | as call_check()
 * Context: suspends the task
 */
TASK_FN enum herald_code event_watch_wait(struct watched_event *watched, uint64_t version,
                                          uint64_t distribution_version, uint32_t ms, struct herald_error *reterr);

#endif
