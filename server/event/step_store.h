#ifndef HERALD_EVENT_STEP_STORE_H
#define HERALD_EVENT_STEP_STORE_H

/*
 * The steps of a publish that have ended. Those of one that goes well are columns of the event; all others have a row each, never
 * changed. What has not ended is told by the rows of the event and of the outbox.
 */
#include "server/event/event_store.h"

/** The words of event_steps.step. */
#define EVENT_STEP_APPROVED      "APPROVED"
#define EVENT_STEP_CREATED_SENT  "EVENT_CREATED_SENT"
#define EVENT_STEP_DISTRIBUTE    "DISTRIBUTE_CALLED"
#define EVENT_STEP_CACHE_DELETED "CACHE_DELETED"
#define EVENT_STEP_CACHE_AGAIN   "CACHE_DELETED_AGAIN" /* the second deletion, by the outbox */
#define EVENT_STEP_REPLIED       "REPLIED"

/** A step that has ended. Strings are never NULL in what is read. */
struct event_step {
    const char *step;
    int64_t at_us, ended_at_us; /* ended_at: 0: the process died that knew */
    int64_t next_at_us;         /* when it is tried again; 0: not */
    const char *reason;         /* empty: it succeeded */
    const char *message;
    const char *by; /* UUID of the process; empty: not known */
};

/** A record that waits in the outbox. */
struct waiting_record {
    int64_t since_us; /* 0: none waits */
    int64_t next_at_us;
    uint32_t tries; /* of relays */
};

/** How far an event is, by one statement. */
struct event_progress {
    enum event_status status;
    int64_t created_at_us, approved_at_us, published_at_us, ended_at_us; /* 0: not yet */
    int64_t held_at_us;                                                  /* when a process last took it; 0: never */
    int64_t attend_at_us;                                                /* when one may take it; 0: not */
    const char *holder;                                                  /* empty: none */
    int64_t read_at_us;                                                  /* the database's time */
    struct waiting_record created, cache;                                /* EventCreated; the second cache deletion */
    uint64_t version;                                                    /* with the number of rows of steps */
    const struct event_step *steps;                                      /* those of one word in their order */
    size_t step_count;
};

/**
 * Reads how far a user's event is.
 *
 * @topic         of EventCreated
 * @ret_progress  in the running call's arena
 * Returns: HERALD_OK | HERALD_NOT_FOUND (EVENT_NOT_FOUND) | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) | as db_run()
 */
TASK_FN enum herald_code step_store_progress(struct db *db, const char *id, const char *user_id, const char *topic,
                                             struct event_progress *ret_progress, struct herald_error *reterr);

/** Adds the statement of step_store_progress() to another batch. */
void step_store_add_progress(struct db_batch *batch, const char *id, const char *user_id, const char *topic);
/** Reads its result from statement number @index. Returns: as step_store_progress() */
enum herald_code step_store_read_progress(const struct db_reply *reply, unsigned index,
                                          struct event_progress *ret_progress, struct herald_error *reterr);
/** How an event has moved on. */
struct event_version {
    const char *id;
    uint64_t version;
    bool is_approved; /* it is no draft */
};
/** Reads versions; events that are not there are left out. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code step_store_versions(struct db *db, const char *const *ids, size_t count,
                                             struct event_version **ret_versions, size_t *ret_count,
                                             struct herald_error *reterr);

/** A step that is written late. */
struct late_step {
    char event_id[37];
    const char *step; /* static */
    int64_t at_us, ended_at_us;
    const char *reason; /* static; empty: it succeeded */
    char message[200];
};
/**
 * Adds the statement that writes steps to another batch. Parameters live in the running call's arena.
 *
 * @by      UUID of this process
 * Returns: false: no memory; the batch is as it was
 */
bool step_store_add(struct db_batch *batch, const struct late_step *steps, size_t count, const char *by);

#endif
