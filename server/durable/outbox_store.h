#ifndef HERALD_DURABLE_OUTBOX_STORE_H
#define HERALD_DURABLE_OUTBOX_STORE_H

/*
 * The outbox: what a transaction has promised to send. A row is written in the business transaction, sent at least once
 * with the same id and bytes, then deleted.
 */

#include "server/store/postgres/db.h"

struct db_batch;

enum outbox_kind {
    OUTBOX_KAFKA = 1,        /* produce a CloudEvent */
    OUTBOX_CACHE_DELETE = 2, /* DEL key in Redis */
};

struct outbox_row {
    const char *id; /* UUID: ce_id */
    enum outbox_kind kind;
    const char *owner;        /* service whose relay sends it: "event", "job", "distribution" */
    const char *topic;        /* Kafka: topic; cache: empty */
    const char *key;          /* Kafka: record key; cache: the Redis key */
    const char *ce_type;      /* "herald.event.v1.EventCreated"; cache: empty */
    const char *ce_source;    /* "/herald/event"; cache: empty */
    const char *content_type; /* "application/json" | "application/protobuf" */
    int64_t ce_time_us;       /* 0: that of the transaction */
    const uint8_t *value;
    size_t value_bytes;
    uint32_t delay_ms; /* how long the relay leaves the row to the inline path */
    bool parked;       /* of a row that was taken: Kafka has refused it before */
};

/** The rows of an owner that Kafka refuses for good. They hold up no others, and are tried again now and then. */
struct outbox_parked {
    uint64_t count;
    const char *topic, *why; /* of the oldest; empty without one */
    uint64_t bytes;          /* of its value */
};

/** How long a parked row waits for its next try: once to twice this, at random. */
#define OUTBOX_PARK_S 300

/**
 * Leases up to @limit unsent rows of @owner that are due, oldest first, for @lease_ms (FOR UPDATE SKIP LOCKED). A row
 * waits while another relay holds an older unsent row of the same topic and key.
 *
 * Returns: HERALD_OK, @ret_count may be 0 | as db_run()
 */
TASK_FN enum herald_code outbox_store_take(struct db *db, const char *owner, unsigned limit, uint32_t lease_ms,
                                           struct outbox_row **ret_rows, size_t *ret_count,
                                           struct herald_error *reterr);
/**
 * What travels in the transactions of the relay's rounds, because they are made anyway: rows of its owner that may come late.
 * All its functions are called on the loop's thread, and may not suspend.
 */
struct outbox_rider {
    void *self;
    /** Adds at most one statement to a round's batch; its parameters live in the running call's arena. Returns: whether it did */
    bool (*add)(void *self, struct db_batch *batch);
    /** The transaction has ended, of a batch to which add() has added. Not called of a rider that has left meanwhile. */
    void (*end)(void *self, enum herald_code code);
    /** A row was sent, inline or by a round. */
    void (*sent)(void *self, const struct outbox_row *row);
};

/** The text of an id, with its end. */
#define OUTBOX_ID_BYTES 37
/**
 * Deletes rows that were sent and takes others as outbox_store_take() does, in one transaction. It waits for no disk and no standby:
 * a crash of the database may lose it, and a record is then sent again, under its id.
 *
 * @ids      some may be gone
 * @carried  the rider whose statement goes with them, or NULL; it is read again after the wait, as the rider may have left.
 *           NULL: there is none
 * Returns:  HERALD_OK, @ret_count may be 0 | as db_run()
 */
TASK_FN enum herald_code outbox_store_delete_and_take(struct db *db, const char (*ids)[OUTBOX_ID_BYTES],
                                                      size_t id_count, const char *owner, unsigned limit,
                                                      uint32_t lease_ms, const struct outbox_rider *const *carried,
                                                      struct outbox_row **ret_rows, size_t *ret_count,
                                                      struct herald_error *reterr);
/** Parks a row, or parks it again. @why  what Kafka says. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code outbox_store_park(struct db *db, const char *id, const char *why, struct herald_error *reterr);
/** Looks how many rows of @owner are parked. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code outbox_store_parked(struct db *db, const char *owner, struct outbox_parked *ret_parked,
                                             struct herald_error *reterr);
/** Deletes rows that servers of before have marked as sent more than @age_s ago, at most 1000. Returns: HERALD_OK | as db_run() */
TASK_FN enum herald_code outbox_store_prune(struct db *db, uint32_t age_s, unsigned *ret_deleted,
                                            struct herald_error *reterr);

/**
 * Adds the parameters of an outbox row: id, kind, owner, topic, key, ce_type, ce_source, content_type, ce_time, value,
 * delay.
 */
void outbox_store_put(struct db_batch *batch, const struct outbox_row *row);

#endif
