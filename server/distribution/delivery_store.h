#ifndef HERALD_DISTRIBUTION_DELIVERY_STORE_H
#define HERALD_DISTRIBUTION_DELIVERY_STORE_H

#include "server/durable/outbox_store.h"
#include "server/store/postgres/db.h"

/* Deliveries: one row for each (event, channel), rounds ("distributions") over them, attempts append-only. States are
 * the numbers of herald.distribution.v1.DeliveryState. */

struct delivery_row {
    int channel;
    int state;
    const char *remote_id, *reason, *message; /* empty for none */
    uint32_t attempts;
    int64_t started_at_us, finished_at_us;
};

struct distribution_row {
    const char *id; /* UUID of the round */
    const char *event_id;
    bool completed;
    const uint8_t *content; /* packed Content of the round */
    size_t content_bytes;
    const int *channels;
    size_t channel_count;
};

/**
 * Opens a round: returns the event's round that is not completed; or, when the last round was completed with at least
 * one delivery accepted (PUBLISHED or AWAITING_OPERATOR), that round, completed as it is, whatever @channels are; or
 * else makes one with @new_id. Makes PENDING delivery rows for channels of the round that have none. A round that is
 * open gets the new channels and keeps its content. In a new round, what its channels refused before (REJECTED,
 * NEEDS_AUTH) is PENDING again; other deliveries stay as they are: READY ones can be claimed, OUTCOME_UNKNOWN ones are
 * to be looked up. Openings of one event wait for each other.
 *
 * @ret_round       the round
 * @ret_deliveries  one for each of the round's channels, @ret_count of them
 * Returns: HERALD_OK | HERALD_NOT_FOUND (DISTRIBUTION_NOT_FOUND): there is no round, and none was made | as db_run()
 */
TASK_FN enum herald_code delivery_store_open_round(struct db *db, const char *event_id, const char *new_id,
                                                   const int *channels, size_t channel_count, const uint8_t *content,
                                                   size_t content_bytes, struct distribution_row *ret_round,
                                                   struct delivery_row **ret_deliveries, size_t *ret_count,
                                                   struct herald_error *reterr);
/** Reads the event's last round and all deliveries of the event. Returns: HERALD_OK | HERALD_NOT_FOUND
 *  (DISTRIBUTION_NOT_FOUND) | as db_run() */
TASK_FN enum herald_code delivery_store_load(struct db *db, const char *event_id, struct distribution_row *ret_round,
                                             struct delivery_row **ret_deliveries, size_t *ret_count,
                                             struct herald_error *reterr);
/**
 * Claims a delivery for one attempt: PENDING or READY → COMMITTING, attempts + 1, an attempt row, claimed for
 * @lease_ms. Committed before it returns.
 *
 * @ret_attempt  number of the attempt, from 1
 * @ret_now      set on HERALD_OK and HERALD_ABORTED
 * Returns: HERALD_OK | HERALD_ABORTED (DELIVERY_MOVED): not in such a state; @ret_now holds the row as it is
 *          | HERALD_NOT_FOUND (DELIVERY_NOT_FOUND): the event has no delivery to the channel | as db_run()
 */
TASK_FN enum herald_code delivery_store_claim(struct db *db, const char *event_id, int channel, uint32_t lease_ms,
                                              uint32_t *ret_attempt, struct delivery_row *ret_now,
                                              struct herald_error *reterr);
/**
 * COMMITTING or RECONCILING → @row->state with the result, and ends attempt number @attempt; only if @attempt is still
 * the delivery's last one.
 *
 * @row     NULL for a text is the empty text; started_at_us 0: as stored
 * Returns: HERALD_OK | HERALD_ABORTED (DELIVERY_MOVED): another attempt is the last one, or none is under way | as
 *          db_run()
 */
TASK_FN enum herald_code delivery_store_finish(struct db *db, const char *event_id, uint32_t attempt,
                                               const struct delivery_row *row, struct herald_error *reterr);
/**
 * Takes deliveries of the event that nobody drives any more for looking up: COMMITTING or RECONCILING whose lease is
 * over, or OUTCOME_UNKNOWN → RECONCILING, leased for @lease_ms.
 *
 * @ret_attempt  number of the attempt to finish
 * @ret_now      set on HERALD_OK and HERALD_ABORTED
 * Returns: HERALD_OK | HERALD_ABORTED (DELIVERY_MOVED): not such a delivery; @ret_now holds the row as it is
 *          | HERALD_NOT_FOUND (DELIVERY_NOT_FOUND): the event has no delivery to the channel | as db_run()
 */
TASK_FN enum herald_code delivery_store_reconcile(struct db *db, const char *event_id, int channel, uint32_t lease_ms,
                                                  uint32_t *ret_attempt, struct delivery_row *ret_now,
                                                  struct herald_error *reterr);
/** Completes a round once, with its outbox row, in one transaction. Returns: HERALD_OK | HERALD_ABORTED
 *  (ROUND_COMPLETED: it was, or there is none) | as db_run() */
TASK_FN enum herald_code delivery_store_complete_round(struct db *db, const char *round_id,
                                                       const struct outbox_row *distribution_completed,
                                                       struct herald_error *reterr);
/**
 * Takes open rounds that nobody has driven for @idle_ms, up to @limit: not taken up, no delivery changed, no attempt's
 * lease running. They become "driven now".
 *
 * Returns: HERALD_OK, @ret_count may be 0 | as db_run()
 */
TASK_FN enum herald_code delivery_store_take_open_rounds(struct db *db, uint32_t idle_ms, unsigned limit,
                                                         struct distribution_row **ret_rounds, size_t *ret_count,
                                                         struct herald_error *reterr);

#endif
