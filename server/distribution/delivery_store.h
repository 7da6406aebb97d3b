#ifndef HERALD_DISTRIBUTION_DELIVERY_STORE_H
#define HERALD_DISTRIBUTION_DELIVERY_STORE_H

/*
 * Distributions, one for each event, and their deliveries, one row for each (event, channel). An attempt that the channel has
 * accepted stands in its delivery's row; others that ended have rows of their own, and are only added to. States are the
 * numbers of herald.distribution.v1.DeliveryState. Strings are never NULL in what is read.
 */

#include "server/durable/outbox_store.h"
#include "server/durable/signatures.h"
#include "server/store/postgres/db.h"

struct delivery_row {
    int channel;
    int state;
    bool settled;
    const char *remote_id, *step_id, *post_url, *reason, *message; /* empty for none */
    uint32_t attempts, failures;
    int64_t next_at_us, expires_at_us, started_at_us, finished_at_us; /* 0: none */
};

struct distribution_row {
    const char *id; /* UUID */
    const char *event_id;
    const char *owner;      /* empty: not told */
    const uint8_t *content; /* packed Content */
    size_t content_bytes;
    const int *channels;
    size_t channel_count;
    uint32_t unsettled;
    uint64_t version;
    int64_t created_at_us, completed_at_us, scheduled_at_us, expires_at_us; /* 0: none */
    const char *time_zone;
};

/** How a delivery of a new distribution begins. */
struct delivery_plan {
    int channel;
    int state;
    bool claimed; /* attempt 1 has begun; else it is due after next_in_ms */
    uint64_t next_in_ms;
    const char *reason, *message;
    const char *step_id; /* what is prepared already; NULL: nothing */
};

/**
 * Makes an event's distribution with its deliveries, in one statement. What is claimed is claimed by @holder.
 *
 * @row         id, event_id, owner, content, scheduled_at_us, time_zone, expires_at_us; created_at_us, when what is claimed
 *              begins: 0 for the database's time
 * @plans       one for each channel, @count of them
 * @signature   taken with it; NULL: none
 * @ret_made    false: the event has a distribution, or the signature was not taken, and nothing was made
 * @ret_signed  false: the signature was not taken: it is not new, or the memory of signatures is too young. NULL without one
 * Returns:     HERALD_OK | as db_run()
 */
TASK_FN enum herald_code delivery_store_open(struct db *db, const struct distribution_row *row,
                                             const struct delivery_plan *plans, size_t count, const char *holder,
                                             const struct riding_signature *signature, bool *ret_made, bool *ret_signed,
                                             struct herald_error *reterr);
#define DISTRIBUTION_NOT_FOUND_TEXT "the event was never distributed"
/**
 * Reads an event's distribution and its deliveries, in the order of its channels.
 *
 * Returns: HERALD_OK | HERALD_NOT_FOUND (DISTRIBUTION_NOT_FOUND) | as db_run()
 */
TASK_FN enum herald_code delivery_store_load(struct db *db, const char *event_id, struct distribution_row *ret_row,
                                             struct delivery_row **ret_deliveries, size_t *ret_count,
                                             struct herald_error *reterr);

/** A delivery that was taken, with what is needed of its distribution. */
struct taken_delivery {
    struct delivery_row delivery; /* state: PREPARING, COMMITTING or RECONCILING; as it was when expired */
    bool expired;
    const char *distribution_id, *event_id, *owner;
    const uint8_t *content;
    size_t content_bytes;
};
/** How many deliveries to take of a channel. */
struct delivery_want {
    int channel;
    uint32_t most;
    bool has_steps; /* the channel needs steps before the post: PREPARING, not COMMITTING */
    bool is_probe;  /* what waits for the cause of a pause counts as due */
};
/**
 * Takes due deliveries and claims them (FOR UPDATE SKIP LOCKED).
 *
 * Returns: HERALD_OK, @ret_count may be 0 | as db_run()
 */
TASK_FN enum herald_code delivery_store_take(struct db *db, const char *holder, const struct delivery_want *wants,
                                             size_t want_count, struct taken_delivery **ret_taken, size_t *ret_count,
                                             struct herald_error *reterr);
/** Makes deliveries EXPIRED whose time has ended while they waited. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code delivery_store_expire(struct db *db, uint32_t limit, uint32_t report_ms,
                                               struct herald_error *reterr);

/** A change of a delivery that this process drives. */
struct delivery_change {
    const char *event_id;
    const struct delivery_row *row; /* the row afterwards; attempts: the attempt that changes it */
    bool stays;                     /* the claim stays; it must be this process's */
    uint64_t next_in_ms;            /* unused when it stays or is settled */
};
/** The record of DistributionCompleted of a distribution of which all is settled after the changes. */
struct completed_record {
    const char *event_id;
    struct outbox_row row; /* kind, topic, ce_type, ce_source, content_type alike for all of one call */
};
/** What became of a change. */
struct change_result {
    bool changed;   /* false: another process has the delivery by now, or it was settled */
    bool completed; /* its distribution is complete now, and the record stored */
    uint32_t unsettled;
    uint64_t version;
};
/**
 * Stores changes, and the records of distributions that they complete, in one statement.
 *
 * @report_ms    how long after the change DistributionProgressed is due
 * @ret_results  @count of them
 * Returns:      HERALD_OK | as db_run()
 */
TASK_FN enum herald_code delivery_store_finish(struct db *db, const char *holder, const struct delivery_change *changes,
                                               size_t count, const struct completed_record *records,
                                               size_t record_count, uint32_t report_ms,
                                               struct change_result *ret_results, struct herald_error *reterr);

/** Takes distributions of which a report is due. Returns: HERALD_OK, @ret_count may be 0 | as db_run() */
TASK_FN enum herald_code delivery_store_take_reports(struct db *db, uint32_t limit, uint32_t lease_ms,
                                                     const char ***ret_event_ids, size_t *ret_count,
                                                     struct herald_error *reterr);
/**
 * Ends a report: stores its record.
 *
 * @ret_stored  false: the distribution has changed since @version; the report stays due
 * Returns:     HERALD_OK | as db_run()
 */
TASK_FN enum herald_code delivery_store_end_report(struct db *db, const char *event_id, uint64_t version,
                                                   bool completes, const struct outbox_row *record, bool *ret_stored,
                                                   struct herald_error *reterr);

/** How far a distribution is. */
struct distribution_version {
    const char *event_id;
    uint64_t version;
    uint32_t unsettled;
};
/** Reads versions; events without a distribution are left out. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code delivery_store_versions(struct db *db, const char *const *event_ids, size_t count,
                                                 struct distribution_version **ret_versions, size_t *ret_count,
                                                 struct herald_error *reterr);
/** A delivery that this process holds. */
struct held_delivery {
    const char *event_id;
    int channel;
    uint32_t attempts;
};
/** Lists what a process holds. Returns: HERALD_OK, @ret_count may be 0 | as db_run() */
TASK_FN enum herald_code delivery_store_held(struct db *db, const char *holder, struct held_delivery **ret_held,
                                             size_t *ret_count, struct herald_error *reterr);
/** Releases deliveries that were claimed and never driven: nothing was sent. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code delivery_store_unclaim(struct db *db, const char *holder, const struct held_delivery *lost,
                                                size_t count, struct herald_error *reterr);
/** Releases deliveries that name a process without a row. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code delivery_store_adopt(struct db *db, struct herald_error *reterr);

/*
 * What a person does. @channel  0: all channels of the event. The number of deliveries that it changes may be 0.
 */
/** Begins deliveries anew that are over without a post, and makes those due that wait. Returns: HERALD_OK
 *  | as db_run() */
TASK_FN enum herald_code delivery_store_retry(struct db *db, const char *event_id, int channel, uint64_t keep_trying_ms,
                                              uint32_t report_ms, uint32_t *ret_changed, struct herald_error *reterr);
/** Cancels what is not sent. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code delivery_store_cancel(struct db *db, const char *event_id, int channel, uint32_t report_ms,
                                               uint32_t *ret_changed, struct herald_error *reterr);
/** Moves what is not sent to another instant. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code delivery_store_schedule(struct db *db, const char *event_id, int64_t scheduled_at_us,
                                                 const char *time_zone, uint64_t keep_trying_ms, uint32_t *ret_changed,
                                                 struct herald_error *reterr);
/**
 * Settles a delivery, or sends it again, by what a person says.
 *
 * @from     names of the states of which the delivery has one, @from_count of them
 * @row      channel, state, settled, remote_id, post_url, reason, message
 * Returns:  HERALD_OK | as db_run()
 */
TASK_FN enum herald_code delivery_store_resolve(struct db *db, const char *event_id, const int *from, size_t from_count,
                                                const struct delivery_row *row, uint64_t keep_trying_ms,
                                                uint32_t report_ms, uint32_t *ret_changed, struct herald_error *reterr);

/** An attempt, as it ended. */
struct attempt_row {
    int channel, state;
    uint32_t attempt;
    const char *reason, *message;
    int64_t started_at_us, finished_at_us;
};
/** Reads an event's attempts, the newest first. Returns: HERALD_OK, @ret_count may be 0 | as db_run() */
TASK_FN enum herald_code delivery_store_attempts(struct db *db, const char *event_id, uint32_t limit,
                                                 struct attempt_row **ret_rows, size_t *ret_count,
                                                 struct herald_error *reterr);

/** What happened to a delivery beside its attempts. */
struct step_row {
    int channel, state;
    uint32_t attempt;
    const char *step, *reason, *message;
    int64_t started_at_us, finished_at_us;
};
/**
 * Reads an event's steps, the newest first, and whether the record of DistributionCompleted waits to be published.
 *
 * Returns: HERALD_OK, @ret_count may be 0 | as db_run()
 */
TASK_FN enum herald_code delivery_store_steps(struct db *db, const char *event_id, const char *distribution_id,
                                              uint32_t limit, struct step_row **ret_rows, size_t *ret_count,
                                              bool *ret_record_waits, struct herald_error *reterr);

/** A delivery whose outcome only a person can find out. */
struct unknown_row {
    const char *event_id, *owner;
    struct delivery_row delivery;
    int64_t updated_at_us;
};
/** A place in the list of unknown deliveries; event_id NULL: before the first. */
struct unknown_place {
    int64_t updated_at_us;
    const char *event_id;
    int channel;
};
/** Lists them, the oldest first, after a place. @channel  0: all. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code delivery_store_unknown(struct db *db, int channel, const struct unknown_place *after,
                                                uint32_t limit, struct unknown_row **ret_rows, size_t *ret_count,
                                                struct herald_error *reterr);

/** A wall-clock time in a time zone. */
struct local_time {
    bool zone_known;
    bool exists, twice; /* the time exists there; it exists twice */
    int64_t at_us;      /* 0: no time was asked for */
};
/**
 * Finds the instant of a wall-clock time, by the time zones that Postgres knows.
 *
 * @local  "2026-12-24T09:00:00"; NULL: only the zone is checked
 * Returns: HERALD_OK | as db_run(): HERALD_INTERNAL (DATABASE_ERROR) for a text that is no time
 */
TASK_FN enum herald_code delivery_store_local_time(struct db *db, const char *time_zone, const char *local,
                                                   struct local_time *ret_time, struct herald_error *reterr);

#endif
