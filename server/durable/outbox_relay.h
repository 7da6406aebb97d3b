#ifndef HERALD_DURABLE_OUTBOX_RELAY_H
#define HERALD_DURABLE_OUTBOX_RELAY_H

/*
 * Sends the rows of the outbox: inline, right after the transaction; in the background, the rows that are left. A row
 * that was sent is deleted a moment later, with others: at the latest after poll_ms.
 *
 * A record that Kafka refuses for good, as too large for one, is parked: it is kept and tried again now and then, and
 * later records of its key go on without it.
 *
 * When Kafka does not acknowledge, the inline path leaves all records to the background, except for one a second.
 */

#include "server/durable/outbox_store.h"
#include "server/store/kafka/kafka.h"
#include "server/store/redis/redis.h"

#include <stdbool.h>
#include <stddef.h>

struct outbox_relay;

struct outbox_relay_options {
    const char *owner; /* owner of the rows: "event" */
    struct loop *loop;
    struct db *db;
    struct kafka_producer *kafka;
    struct redis *redis; /* NULL for owners without cache deletions */
    uint32_t poll_ms, lease_ms;
    void (*on_error)(void *user, const struct herald_error *error); /* a round failed; for the log */
    /** A record was refused and is parked from now on. May be NULL. */
    void (*on_refused)(void *user, const struct outbox_row *row, const struct herald_error *error);
    /** How many rows are parked: at the start, once a minute, and when one was parked or sent after all. May be NULL. */
    void (*on_parked)(void *user, const struct outbox_parked *parked);
    void *user;
};

/**
 * Starts the background task. It polls for rows, sends them, and deletes rows that were sent.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_STACK)
 * Context: the loop's thread
 */
enum herald_code outbox_relay_start(const struct outbox_relay_options *options, struct outbox_relay **ret_relay,
                                    struct herald_error *reterr);
/**
 * Lets the relay carry a rider from now on, in place of the one before; NULL: none. The one before is not called any more, also if
 * its statement is on its way.
 *
 * Context: the loop's thread
 */
void outbox_relay_carry(struct outbox_relay *relay, const struct outbox_rider *rider);
/** Says that the rider has @count more that is to be written, or less: outbox_relay_is_settled() waits for it. NULL is allowed.
 *  Loop's thread. */
void outbox_relay_expect(struct outbox_relay *relay, ptrdiff_t count);
/** Cancels its tasks; the last one to end frees the relay. NULL is allowed. Loop's thread. */
void outbox_relay_stop(struct outbox_relay *relay);
/** Makes the relay look for rows now: some have become due early. NULL is allowed. Loop's thread. */
void outbox_relay_wake(struct outbox_relay *relay);
/** Keeps the relay's memory for a task that will call outbox_send_now(). NULL is allowed. Loop's thread. */
void outbox_relay_ref(struct outbox_relay *relay);
void outbox_relay_unref(struct outbox_relay *relay);
/**
 * Makes the relay delete rows at once from now on: the process ends. NULL is allowed. Called once, before
 * outbox_relay_stop(); any thread.
 */
void outbox_relay_settle(struct outbox_relay *relay);
/**
 * Whether nothing that went inline is on its way, and every row that was sent is deleted: what is not, another process
 * sends again. NULL is. Any thread.
 */
bool outbox_relay_is_settled(struct outbox_relay *relay);

/**
 * Sends one row inline, whose transaction has just committed.
 *
 * @wait_ms  longest wait for the acknowledgement
 * Returns:  HERALD_OK: sent; if deleting the row fails, the relay sends it again
 *           | HERALD_INTERNAL (OUTBOX_KIND) | as kafka_produce() or redis_del(): the relay will send it
 * Context:  suspends the task; the relay's loop
 */
TASK_FN enum herald_code outbox_send_now(struct outbox_relay *relay, const struct outbox_row *row, uint32_t wait_ms,
                                         struct herald_error *reterr);
/**
 * Begins to send one row of Kafka, whose transaction has just committed, and does not wait. What cannot be sent so, for
 * want of memory too, is left to the background.
 *
 * @row     id, key and value are copied; its other strings must live as long as the relay
 * Context: the relay's loop
 */
void outbox_send_soon(struct outbox_relay *relay, const struct outbox_row *row);

#endif
