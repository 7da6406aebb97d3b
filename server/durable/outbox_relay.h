#ifndef HERALD_DURABLE_OUTBOX_RELAY_H
#define HERALD_DURABLE_OUTBOX_RELAY_H

#include "server/durable/outbox_store.h"
#include "server/store/kafka/kafka.h"
#include "server/store/redis/redis.h"

/*
 * Sends what the outbox holds: inline, right after the transaction, and in the background what that left behind.
 */
struct outbox_relay;

struct outbox_relay_options {
    const char *owner; /* whose rows: "event" */
    struct loop *loop;
    struct db *db;
    struct kafka_producer *kafka;
    struct redis *redis; /* NULL for owners without cache deletions */
    uint32_t poll_ms, lease_ms;
    void (*on_error)(void *user, const struct herald_error *error); /* a round failed; for the log */
    void *user;
};

/** Starts the background task, which polls, sends, marks, and prunes what was sent a day ago. Loop's thread. */
enum herald_code outbox_relay_start(const struct outbox_relay_options *options, struct outbox_relay **ret_relay,
                                    struct herald_error *reterr);
/** Ends it: cancels the task; memory goes when the task has ended. NULL is allowed. Loop's thread. */
void outbox_relay_stop(struct outbox_relay *relay);
/** Wakes the background task now. */
void outbox_relay_kick(struct outbox_relay *relay);

/**
 * Sends one row inline, whose transaction has just committed, and marks it sent.
 *
 * @wait_ms  longest wait for the acknowledgement
 * Returns:  HERALD_OK: sent (marking may be left to the relay) | as kafka_produce() or redis_del(): the relay sends it
 */
TASK_FN enum herald_code outbox_send_now(struct outbox_relay *relay, const struct outbox_row *row, uint32_t wait_ms,
                                         struct herald_error *reterr);

#endif
