#ifndef HERALD_DISTRIBUTION_ROUND_H
#define HERALD_DISTRIBUTION_ROUND_H

/*
 * Deliveries of one event that this loop drives now: each in a task of its own, beside those that it only knows.
 *
 * A round is counted by its deliveries and by who has made it. Its strings live in its own arena. A caller that leaves,
 * or whose time ends, changes nothing about it.
 */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/distribution/delivery_store.h"
#include "server/distribution/engine.h"

struct round;

struct delivery {
    struct loop_work end; /* frees the task's context after the task has ended */
    struct call call;
    struct round *round;
    const struct channel_row *channel;
    struct delivery_row row; /* as it stands, or will once the writer has stored it */
    struct channel_permit permit;
    uint64_t era; /* of the lease with which it was claimed */
    bool early;   /* its drive begins before its claim is stored: round_await_opening() */
    bool driven;  /* a task drives it */
    bool expired; /* its time had ended when it was taken */
    /* the writer's: */
    struct delivery *next_pending;
    struct completion *stored; /* of a task that waits for the change; NULL: none */
    bool pending, changed, stays, in_batch;
    uint64_t next_in_ms;
};

struct round {
    struct engine *engine;
    struct round *next, **link; /* of engine->rounds */
    unsigned refs;
    struct arena arena;
    const char *event_id, *distribution_id, *owner;
    const Herald__Distribution__V1__Content *content;
    bool whole;                 /* the deliveries are all of the distribution */
    bool is_opening;            /* the statement that makes the distribution is on its way: what it says is settled */
    bool made;                  /* it has made it */
    struct completion prepared; /* the early delivery has prepared, or cannot */
    struct completion opened;   /* the distribution is made or not, for early deliveries */
    unsigned driven;            /* deliveries that a task drives */
    unsigned pending;           /* deliveries whose last change is not stored */
    uint64_t version;           /* of the distribution, as last stored */
    struct completion done;     /* nothing is driven or pending any more */
    size_t count;
    struct delivery deliveries[];
};

/**
 * Makes a round.
 *
 * @content  packed; copied, as all strings
 * @count    how many deliveries it has; the caller fills channel, row and permit of each, and drives some
 * Returns:  HERALD_OK, with one reference | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, ARENA_FULL)
 *           | HERALD_DATA_LOSS (STORED_CONTENT_UNREADABLE)
 * Context:  the loop's thread
 */
enum herald_code round_new(struct engine *engine, const char *event_id, const char *distribution_id, const char *owner,
                           const uint8_t *content, size_t content_bytes, size_t count, struct round **ret_round,
                           struct herald_error *reterr);
void round_unref(struct round *round);
/** Copies a row's strings into the round. Returns: false: no memory; the row is unchanged. */
bool round_keep_row(struct round *round, struct delivery_row *row);
/**
 * Starts the task of a delivery, whose row is claimed and whose permit is held. Without memory for a task the delivery
 * is given back to the database, for later.
 *
 * Context: the loop's thread
 */
void round_drive(struct round *round, struct delivery *delivery);
/** Starts the task of an early delivery. Returns: false: no memory, and nothing has begun. The loop's thread. */
bool round_drive_early(struct round *round, struct delivery *delivery);
/**
 * Waits, in an early drive, until the distribution is made; tells before that the delivery has prepared, or cannot. A delivery whose
 * row is COMMITTING by then is made so. Others go on at once.
 *
 * Returns: false: it is not made, and nothing of it is stored
 */
TASK_FN bool round_await_opening(struct delivery *delivery);
/** Completes round->done when nothing is driven or pending; for a round of which nothing was driven at all. */
void round_check_done(struct round *round);
/** The writer has stored the delivery's last change. */
void round_stored(struct round *round);
/** Cancels the waits of all tasks of the loop's rounds. The loop's thread. */
void rounds_cancel(struct engine *engine);

#endif
