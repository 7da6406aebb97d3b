#ifndef HERALD_KAFKA_KAFKA_H
#define HERALD_KAFKA_KAFKA_H

#include "herald/error.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Kafka: one idempotent producer a process, shared by its loops; consumers of their own. Records follow the CloudEvents
 * 1.0 Kafka binding, binary mode.
 */
struct cloud_event {
    const char *topic;
    const char *key;
    const char *id;           /* ce_id */
    const char *type;         /* ce_type */
    const char *source;       /* ce_source */
    const char *content_type; /* header content-type */
    int64_t time_us;          /* ce_time, RFC 3339 with microseconds, UTC */
    const void *value;
    size_t value_bytes;
    const char *reason; /* ce_reason, an extension: why a record is on the dead-letter topic; NULL: none */
};

struct kafka_producer;
#define KAFKA_PRODUCER_TOPICS_MAX 8
struct kafka_producer_options {
    const char *bootstrap;
    const char *client_id;
    uint32_t delivery_timeout_ms;
    const char *topics[KAFKA_PRODUCER_TOPICS_MAX]; /* it serves only while these exist; NULL ends the list */
    void (*on_health)(void *user, const struct herald_error *error); /* NULL error: it serves. Any thread */
    void *user;
};

/** Makes the producer; the cluster need not be there. Remakes it by itself after a fatal error. Any thread. */
enum herald_code kafka_producer_open(const struct kafka_producer_options *options, struct kafka_producer **ret_producer,
                                     struct herald_error *reterr);
/** Flushes for up to @flush_ms and closes. Blocks. Not on a loop with tasks that wait for it. NULL is allowed. */
void kafka_producer_close(struct kafka_producer *producer, uint32_t flush_ms);

/**
 * Produces a record and waits for the acknowledgement.
 *
 * @wait_ms  longest wait; 0: until delivery or its time-out, or the call's deadline
 * Returns:  HERALD_OK: acknowledged | HERALD_UNAVAILABLE: certainly not sent (queue full, no broker; origin: the code)
 *           | HERALD_OUTCOME_UNKNOWN: the wait was over or delivery timed out; it may be there
 *           | HERALD_INVALID_ARGUMENT: too big for the broker
 */
TASK_FN enum herald_code kafka_produce(struct kafka_producer *producer, const struct cloud_event *event,
                                       uint32_t wait_ms, struct herald_error *reterr);

/*
 * A consumer in a group, on a thread of its own. Records are handed to a loop; their offsets are stored only when they
 * are given back, in order per partition, so that what was not finished comes again.
 */
struct kafka_consumer;
struct kafka_record {
    const char *topic;
    int32_t partition;
    int64_t offset;
    const void *key;
    size_t key_bytes; /* may be NULL */
    const void *value;
    size_t value_bytes;                             /* may be NULL */
    char ce_id[64], ce_type[128], content_type[64]; /* empty when the header is missing */
};
struct kafka_consumer_options {
    const char *bootstrap;
    const char *client_id;
    const char *group;
    const char *topic;
    unsigned max_in_flight; /* records handed out and not given back */
    struct loop *loop;
    /** On the loop's thread. The record stays valid until kafka_record_done(). */
    void (*on_record)(void *user, struct kafka_record *record);
    void (*on_health)(void *user, const struct herald_error *error); /* any thread */
    void *user;
};
enum herald_code kafka_consumer_open(const struct kafka_consumer_options *options, struct kafka_consumer **ret_consumer,
                                     struct herald_error *reterr);
/** The work of a record is done (its result is durable elsewhere): its offset may be committed. Loop's thread. */
void kafka_record_done(struct kafka_consumer *consumer, struct kafka_record *record);
/** Gives a record back undone (shutting down): it comes again to somebody, but not to this consumer. Loop's thread. */
void kafka_record_abandon(struct kafka_consumer *consumer, struct kafka_record *record);
/** Hands out no more records: after this, on_record is not called. First step of shutting down. Loop's thread. */
void kafka_consumer_stop(struct kafka_consumer *consumer);
/**
 * Commits what is done, leaves the group, closes. Blocks: for records that are still out too, which are awaited, unless
 * it is called on the loop's thread, where all must have been given back. NULL is allowed.
 */
void kafka_consumer_close(struct kafka_consumer *consumer);

#endif
