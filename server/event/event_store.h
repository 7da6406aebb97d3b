#ifndef HERALD_EVENT_EVENT_STORE_H
#define HERALD_EVENT_EVENT_STORE_H

/* Event drafts. Every statement names the user: another user's draft counts as not found. */

#include "server/durable/idempotency_store.h"
#include "server/durable/outbox_store.h"
#include "server/store/postgres/db.h"

enum event_status { EVENT_DRAFT = 1, EVENT_APPROVED, EVENT_ACTIVE, EVENT_ENDED };

/** One row of event_drafts. Strings are never NULL: empty for NULL. Codes are numbers of the schemas' enums. */
struct event_draft {
    const char *id, *user_id;
    enum event_status status;
    const char *title, *prize, *brand_color, *logo_url;
    const char *store_name, *store_address, *store_phone;
    int objective;                                                                 /* 0: not chosen */
    const char *recommendation_id, *recommendation_title, *recommendation_summary; /* id empty: not chosen */
    const char *image_job_id;                                                      /* empty: none */
    const char *content_job_id;                                                    /* empty: not chosen */
    int content_style;
    const char *content_png_url, *content_jpeg_url;
    const int *channels;
    size_t channel_count;
    int64_t created_at_us, updated_at_us, approved_at_us, published_at_us, ended_at_us;
    int64_t starts_at_us, ends_at_us;
    int64_t scheduled_at_us;     /* 0: published at the approval */
    const char *time_zone;       /* of scheduled_at, for display; may be empty */
    uint32_t reconcile_attempts; /* how often the reconciler has taken it */
    const uint8_t *results;      /* packed PublishEventResponse stored with ACTIVE; NULL before */
    size_t results_bytes;
    const int *delivery_channels, *delivery_states; /* of a list alone: channel and state of each delivery */
    size_t delivery_count;
    const int *tried_channels; /* of these, those with an attempt */
    size_t tried_count;
};

/**
 * Inserts a draft as given (id and times included) and, if @once is not NULL, the idempotency row, in one transaction.
 *
 * Returns: HERALD_OK | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): nothing was written | as db_run()
 */
TASK_FN enum herald_code event_store_create(struct db *db, const struct event_draft *draft,
                                            const struct idempotency_row *once, struct herald_error *reterr);
/** Adds the statement that reads a user's event to another batch. */
void event_store_add_load(struct db_batch *batch, const char *id, const char *user_id);
/**
 * Reads the event from statement number @index of a reply.
 *
 * Returns: HERALD_OK | HERALD_NOT_FOUND (EVENT_NOT_FOUND) | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL)
 */
enum herald_code event_store_read_load(const struct db_reply *reply, unsigned index, struct event_draft *ret_draft,
                                       struct herald_error *reterr);
/** The error of an event that is not there, or is another user's. Returns: HERALD_NOT_FOUND (EVENT_NOT_FOUND) */
enum herald_code event_store_not_found(struct herald_error *reterr);
/** Reads a user's event. Returns: HERALD_OK | HERALD_NOT_FOUND (EVENT_NOT_FOUND) | as db_run() */
TASK_FN enum herald_code event_store_load(struct db *db, const char *id, const char *user_id,
                                          struct event_draft *ret_draft, struct herald_error *reterr);
/**
 * Reads a page of a user's events, newest first by (created_at, id), strictly below (@before_us, @before_id) unless
 * @before_id is empty.
 *
 * @status      enum event_status; 0: all
 * @query       text that the title, the prize or the store's name has, whatever the case; empty: any
 * @ret_drafts  @ret_count of them, at most @limit
 * Returns: HERALD_OK | as db_run()
 */
TASK_FN enum herald_code event_store_list(struct db *db, const char *user_id, int status, const char *query,
                                          int64_t before_us, const char *before_id, unsigned limit,
                                          struct event_draft **ret_drafts, size_t *ret_count,
                                          struct herald_error *reterr);

/*
 * Changes of a draft: only in state DRAFT.
 *
 * @ret_draft  the row as stored
 * Returns:    HERALD_OK | HERALD_NOT_FOUND (EVENT_NOT_FOUND)
 *             | HERALD_FAILED_PRECONDITION (WRONG_STATE): the message names the present state
 *             | as db_run()
 */
/** Chooses what the event is for. Returns: as said above. */
TASK_FN enum herald_code event_store_set_objective(struct db *db, const char *id, const char *user_id, int objective,
                                                   struct event_draft *ret_draft, struct herald_error *reterr);
/** Chooses the idea; NULL for the title or the summary is the empty text. Returns: as said above. */
TASK_FN enum herald_code event_store_set_recommendation(struct db *db, const char *id, const char *user_id,
                                                        const char *recommendation_id, const char *title,
                                                        const char *summary, struct event_draft *ret_draft,
                                                        struct herald_error *reterr);
/** Chooses the picture of a job; NULL for an address is the empty text. Returns: as said above. */
TASK_FN enum herald_code event_store_set_content(struct db *db, const char *id, const char *user_id, const char *job_id,
                                                 int style, const char *png_url, const char *jpeg_url,
                                                 struct event_draft *ret_draft, struct herald_error *reterr);
/** Chooses the period; 0 removes a part. The caller has checked their order. Returns: as said above. */
TASK_FN enum herald_code event_store_set_period(struct db *db, const char *id, const char *user_id,
                                                int64_t starts_at_us, int64_t ends_at_us, struct event_draft *ret_draft,
                                                struct herald_error *reterr);
/**
 * Stores the id of the last job and, if @once is not NULL, the idempotency row.
 *
 * Returns: as said above | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): nothing was written
 */
TASK_FN enum herald_code event_store_set_image_job(struct db *db, const char *id, const char *user_id,
                                                   const char *job_id, const struct idempotency_row *once,
                                                   struct herald_error *reterr);
/** Deletes a draft. Returns: as said above. */
TASK_FN enum herald_code event_store_delete(struct db *db, const char *id, const char *user_id,
                                            struct herald_error *reterr);

/** What an approval writes. */
struct event_approval {
    const char *id, *user_id;
    const int *channels;
    size_t channel_count;
    int64_t approved_at_us;
    int64_t scheduled_at_us; /* 0: now */
    const char *time_zone;   /* empty: none */
    const char *holder;      /* UUID of the process that goes on; NULL: none, any process takes it at scheduled_at_us */
    const struct outbox_row *event_created;
    const struct idempotency_row *claim; /* of the call's key; NULL: none */
};

/**
 * DRAFT → APPROVED, in one transaction: state, channels, schedule, holder, outbox row and claim of the key. It is guarded
 * by the state, by the row being ready to publish (objective, recommendation and content are set), and by the end of its
 * period.
 *
 * Returns: HERALD_OK: this call made the transition
 *          | HERALD_INVALID_ARGUMENT (INVALID_FIELD): the time zone is not known
 *          | HERALD_ABORTED (EVENT_MOVED): the row is not, or not any more, a ready DRAFT, or its period is over; load it
 *          again
 *          | HERALD_NOT_FOUND (EVENT_NOT_FOUND)
 *          | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): the claim's key is taken; nothing was written
 *          | as db_run()
 */
TASK_FN enum herald_code event_store_approve(struct db *db, const struct event_approval *approval,
                                             struct herald_error *reterr);
/** A call of the distribution service that has ended, as the event's timeline keeps it. */
struct event_call {
    int64_t ended_at_us;
    const char *by;      /* UUID of the process that made it */
    const char *reason;  /* empty: it succeeded */
    const char *message; /* valid UTF-8 */
};
/**
 * APPROVED → ACTIVE with the results, in one transaction. It sets published_at once, inserts the outbox row (cache
 * deletion) and, if @once is not NULL, the idempotency row unless its key is taken.
 *
 * @call    that brought the results, and succeeded
 * Returns: HERALD_OK
 *          | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): the event is ACTIVE; the key has another reply, or is another
 *          request's
 *          | HERALD_ABORTED (EVENT_MOVED): the row is not, or not any more, APPROVED; load it again
 *          | as db_run()
 */
TASK_FN enum herald_code event_store_activate(struct db *db, const char *id, const char *user_id,
                                              const uint8_t *results, size_t results_bytes,
                                              const struct event_call *call, const struct outbox_row *cache_delete,
                                              const struct idempotency_row *once, struct herald_error *reterr);
/**
 * ACTIVE → ENDED; an ENDED event is returned unchanged.
 *
 * Returns: HERALD_OK | HERALD_NOT_FOUND (EVENT_NOT_FOUND) | HERALD_FAILED_PRECONDITION (WRONG_STATE) | as db_run()
 */
TASK_FN enum herald_code event_store_end(struct db *db, const char *id, const char *user_id,
                                         struct event_draft *ret_draft, struct herald_error *reterr);
/**
 * Reads the user's newest event in state DRAFT with an objective.
 *
 * @ret_objective  0: there is none
 * @ret_id         empty when there is none
 * Returns:        HERALD_OK | as db_run()
 */
TASK_FN enum herald_code event_store_purpose(struct db *db, const char *user_id, int *ret_objective,
                                             const char **ret_id, struct herald_error *reterr);

/**
 * Ends published events whose period is over and that no process holds, at most EVENT_END_ROWS.
 *
 * @ret_count  EVENT_END_ROWS: more may be due
 * Returns:    HERALD_OK | as db_run()
 */
#define EVENT_END_ROWS 200
TASK_FN enum herald_code event_store_end_due(struct db *db, unsigned *ret_count, struct herald_error *reterr);

/*
 * Claims. The column holder names the process that publishes an APPROVED event: @holder is its instance_id(). An event
 * without a holder may be taken from the instant attend_at on; never, if that is NULL. Queries of instance_options
 * (event_bury.sql, event_release.sql) release the events of processes that die or end.
 */

/**
 * Reads ids of up to @limit events that are due, chosen by chance among the oldest.
 *
 * Returns: HERALD_OK, @ret_count may be 0 | as db_run()
 */
TASK_FN enum herald_code event_store_due(struct db *db, unsigned limit, const char *const **ret_ids, size_t *ret_count,
                                         struct herald_error *reterr);
/**
 * Claims an event that is due, and reads it; reconcile_attempts grows by one.
 *
 * Returns: HERALD_OK | HERALD_ABORTED (EVENT_LEASED): it is not due any more | as db_run()
 */
TASK_FN enum herald_code event_store_take(struct db *db, const char *id, const char *holder,
                                          struct event_draft *ret_draft, struct herald_error *reterr);
/**
 * Claims an APPROVED event that nobody holds, whether it is due or not.
 *
 * Returns: HERALD_OK
 *          | HERALD_ABORTED (EVENT_LEASED): another call holds it, or it is not APPROVED
 *          | as db_run()
 */
TASK_FN enum herald_code event_store_claim(struct db *db, const char *id, const char *holder,
                                           struct herald_error *reterr);
/** Lets a process take an APPROVED event now; one that is held is left alone. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code event_store_make_due(struct db *db, const char *id, const char *user_id,
                                              struct herald_error *reterr);
/**
 * Releases an APPROVED event. It is due @due_in_ms from now, or never with EVENT_NEVER_DUE: then it waits for
 * event_store_make_due().
 *
 * @call      that @holder has made for it; NULL: none
 * @ret_held  whether @holder held it; may be NULL
 * Returns: HERALD_OK, also when @holder does not hold it | as db_run()
 */
#define EVENT_NEVER_DUE UINT32_MAX
TASK_FN enum herald_code event_store_unclaim(struct db *db, const char *id, const char *holder, uint32_t due_in_ms,
                                             const struct event_call *call, bool *ret_held,
                                             struct herald_error *reterr);

#endif
