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
    uint32_t reconcile_attempts; /* how often the reconciler has leased it */
    const uint8_t *results;      /* packed PublishEventResponse stored with ACTIVE; NULL before */
    size_t results_bytes;
};

/**
 * Inserts a draft as given (id and times included) and, if @once is not NULL, the idempotency row, in one transaction.
 *
 * Returns: HERALD_OK | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): nothing was written | as db_run()
 */
TASK_FN enum herald_code event_store_create(struct db *db, const struct event_draft *draft,
                                            const struct idempotency_row *once, struct herald_error *reterr);
/** Reads a user's event. Returns: HERALD_OK | HERALD_NOT_FOUND (EVENT_NOT_FOUND) | as db_run() */
TASK_FN enum herald_code event_store_load(struct db *db, const char *id, const char *user_id,
                                          struct event_draft *ret_draft, struct herald_error *reterr);
/**
 * Reads a page of a user's events, newest first by (created_at, id), strictly below (@before_us, @before_id) unless
 * @before_id is empty.
 *
 * @status      enum event_status; 0: all
 * @ret_drafts  @ret_count of them, at most @limit
 * Returns: HERALD_OK | as db_run()
 */
TASK_FN enum herald_code event_store_list(struct db *db, const char *user_id, int status, int64_t before_us,
                                          const char *before_id, unsigned limit, struct event_draft **ret_drafts,
                                          size_t *ret_count, struct herald_error *reterr);

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

/**
 * DRAFT → APPROVED, in one transaction. It is guarded by the state and by the row being ready to publish: objective,
 * recommendation and content are set. It sets approved_at = @approved_at_us and the channels, leases the event for
 * @lease_ms, inserts the outbox row and, if @claim is not NULL, claims its key.
 *
 * Returns: HERALD_OK: this call made the transition
 *          | HERALD_ABORTED (EVENT_MOVED): the row is not, or not any more, a ready DRAFT; load it again
 *          | HERALD_NOT_FOUND (EVENT_NOT_FOUND)
 *          | HERALD_ALREADY_EXISTS (IDEMPOTENCY_KEY_EXISTS): the claim's key is taken; nothing was written
 *          | as db_run()
 */
TASK_FN enum herald_code event_store_approve(struct db *db, const char *id, const char *user_id, const int *channels,
                                             size_t channel_count, int64_t approved_at_us, uint32_t lease_ms,
                                             const struct outbox_row *event_created,
                                             const struct idempotency_row *claim, struct herald_error *reterr);
/**
 * APPROVED → ACTIVE with the results, in one transaction. It sets published_at once, inserts the outbox row (cache
 * deletion) and, if @once is not NULL, the idempotency row unless its key is taken.
 *
 * Returns: HERALD_OK
 *          | HERALD_ABORTED (EVENT_MOVED): the row is not, or not any more, APPROVED; load it again
 *          | as db_run()
 */
TASK_FN enum herald_code event_store_activate(struct db *db, const char *id, const char *user_id,
                                              const uint8_t *results, size_t results_bytes,
                                              const struct outbox_row *cache_delete, const struct idempotency_row *once,
                                              struct herald_error *reterr);
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
 * Leases up to @limit APPROVED events for the reconciler (FOR UPDATE SKIP LOCKED): those whose lease has expired and
 * whose reconcile_at has come. The lease ends @lease_ms from now; reconcile_attempts grows by one.
 *
 * Returns: HERALD_OK, @ret_count may be 0 | as db_run()
 */
TASK_FN enum herald_code event_store_take_approved(struct db *db, unsigned limit, uint32_t lease_ms,
                                                   struct event_draft **ret_drafts, size_t *ret_count,
                                                   struct herald_error *reterr);
/**
 * Prolongs the lease of an APPROVED event to now + @lease_ms.
 *
 * Returns: HERALD_OK, also when it is not APPROVED | as db_run()
 */
TASK_FN enum herald_code event_store_lease(struct db *db, const char *id, uint32_t lease_ms,
                                           struct herald_error *reterr);
/**
 * Releases the lease of an APPROVED event. event_store_try_lease() may take it at once; event_store_take_approved()
 * after @reconcile_in_ms, or never with EVENT_RECONCILE_NEVER: the event then waits until its owner publishes again.
 * Two columns hold this: lease_until and reconcile_at.
 *
 * Returns: HERALD_OK, also when it is not APPROVED | as db_run()
 */
#define EVENT_RECONCILE_NEVER UINT32_MAX
TASK_FN enum herald_code event_store_release(struct db *db, const char *id, uint32_t reconcile_in_ms,
                                             struct herald_error *reterr);
/**
 * Takes the lease of an APPROVED event if it has expired or was released, even with EVENT_RECONCILE_NEVER. If the
 * holder then dies, the reconciler finishes the event.
 *
 * Returns: HERALD_OK
 *          | HERALD_ABORTED (EVENT_LEASED): another call holds the lease, or the event is not APPROVED
 *          | as db_run()
 */
TASK_FN enum herald_code event_store_try_lease(struct db *db, const char *id, uint32_t lease_ms,
                                               struct herald_error *reterr);

#endif
