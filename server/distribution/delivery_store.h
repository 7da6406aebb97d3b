#ifndef HERALD_DISTRIBUTION_DELIVERY_STORE_H
#define HERALD_DISTRIBUTION_DELIVERY_STORE_H

/*
 * Deliveries: one row for each (event, channel), rounds ("distributions") over them, attempts append-only. States are
 * the numbers of herald.distribution.v1.DeliveryState.
 */

#include "server/durable/outbox_store.h"
#include "server/store/postgres/db.h"

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
 * Opens a round of the event. Openings of one event wait for each other.
 *
 * - If the event has an open round, it gets the new channels and keeps its content.
 * - If the last round was completed with a delivery accepted (PUBLISHED or AWAITING_OPERATOR), that round is returned
 *   as it is, whatever @channels are.
 * - Else a new round is made with @new_id.
 *
 * Channels of the round without a delivery get a PENDING one. In a new round, deliveries that a channel refused before
 * (REJECTED, NEEDS_AUTH) become PENDING again. All others stay: READY ones can be claimed, OUTCOME_UNKNOWN ones must be
 * looked up.
 *
 * @ret_round       the round
 * @ret_deliveries  one for each of the round's channels, @ret_count of them
 * Returns:         HERALD_OK | HERALD_NOT_FOUND (DISTRIBUTION_NOT_FOUND): there is no round, and none was made
 *                  | as db_run()
 */
TASK_FN enum herald_code delivery_store_open_round(struct db *db, const char *event_id, const char *new_id,
                                                   const int *channels, size_t channel_count, const uint8_t *content,
                                                   size_t content_bytes, struct distribution_row *ret_round,
                                                   struct delivery_row **ret_deliveries, size_t *ret_count,
                                                   struct herald_error *reterr);
/**
 * Reads the event's last round and all deliveries of the event.
 *
 * Returns: HERALD_OK | HERALD_NOT_FOUND (DISTRIBUTION_NOT_FOUND) | as db_run()
 */
TASK_FN enum herald_code delivery_store_load(struct db *db, const char *event_id, struct distribution_row *ret_round,
                                             struct delivery_row **ret_deliveries, size_t *ret_count,
                                             struct herald_error *reterr);
/**
 * Claims a delivery for one attempt: PENDING or READY → COMMITTING, attempts + 1, a new attempt row, leased for
 * @lease_ms. The claim is committed when this returns.
 *
 * @ret_attempt  number of the attempt, from 1
 * @ret_now      set on HERALD_OK and HERALD_ABORTED
 * Returns:      HERALD_OK
 *               | HERALD_ABORTED (DELIVERY_MOVED): the delivery is in another state; @ret_now holds the row
 *               | HERALD_NOT_FOUND (DELIVERY_NOT_FOUND): the event has no delivery to the channel
 *               | as db_run()
 */
TASK_FN enum herald_code delivery_store_claim(struct db *db, const char *event_id, int channel, uint32_t lease_ms,
                                              uint32_t *ret_attempt, struct delivery_row *ret_now,
                                              struct herald_error *reterr);
/**
 * COMMITTING or RECONCILING → @row->state with the result, and ends attempt number @attempt; only if @attempt is still
 * the delivery's last one.
 *
 * @row     NULL for a text is the empty text; started_at_us 0: as stored
 * Returns: HERALD_OK
 *          | HERALD_ABORTED (DELIVERY_MOVED): another attempt is the last one, or none is in progress
 *          | as db_run()
 */
TASK_FN enum herald_code delivery_store_finish(struct db *db, const char *event_id, uint32_t attempt,
                                               const struct delivery_row *row, struct herald_error *reterr);
/**
 * Takes a delivery for a look-up: COMMITTING or RECONCILING with an expired lease, or OUTCOME_UNKNOWN → RECONCILING,
 * leased for @lease_ms.
 *
 * @ret_attempt  number of the attempt to finish
 * @ret_now      set on HERALD_OK and HERALD_ABORTED
 * Returns:      HERALD_OK
 *               | HERALD_ABORTED (DELIVERY_MOVED): the delivery is in another state, or leased; @ret_now holds the row
 *               | HERALD_NOT_FOUND (DELIVERY_NOT_FOUND): the event has no delivery to the channel
 *               | as db_run()
 */
TASK_FN enum herald_code delivery_store_reconcile(struct db *db, const char *event_id, int channel, uint32_t lease_ms,
                                                  uint32_t *ret_attempt, struct delivery_row *ret_now,
                                                  struct herald_error *reterr);
/**
 * Completes a round once, with its outbox row, in one transaction.
 *
 * Returns: HERALD_OK | HERALD_ABORTED (ROUND_COMPLETED): it is completed already, or there is none | as db_run()
 */
TASK_FN enum herald_code delivery_store_complete_round(struct db *db, const char *round_id,
                                                       const struct outbox_row *distribution_completed,
                                                       struct herald_error *reterr);
/**
 * Takes up to @limit open rounds that were idle for @idle_ms: not taken by a rescuer, no delivery changed, no attempt's
 * lease running. A round that is taken is not idle any more.
 *
 * Returns: HERALD_OK, @ret_count may be 0 | as db_run()
 */
TASK_FN enum herald_code delivery_store_take_open_rounds(struct db *db, uint32_t idle_ms, unsigned limit,
                                                         struct distribution_row **ret_rounds, size_t *ret_count,
                                                         struct herald_error *reterr);

#endif
