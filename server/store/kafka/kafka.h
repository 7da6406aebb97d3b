#ifndef HERALD_KAFKA_KAFKA_H
#define HERALD_KAFKA_KAFKA_H

/*
 * Kafka: one idempotent producer for each process, shared by its loops; and consumers. Records follow the CloudEvents
 * 1.0 Kafka binding, binary mode.
 */

#include "herald/error.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    const char *reason; /* ce_reason, an extension: why the record is on the dead-letter topic; NULL: none */
};

struct kafka_producer;
#define KAFKA_PRODUCER_TOPICS_MAX 8
struct kafka_producer_options {
    const char *bootstrap;
    const char *client_id;
    uint32_t delivery_timeout_ms;
    const char *topics[KAFKA_PRODUCER_TOPICS_MAX]; /* it is healthy only while these exist; NULL ends the list */
    void (*on_health)(void *user, const struct herald_error *error); /* NULL error: healthy. Any thread */
    void *user;
};

/**
 * Makes the producer; the cluster need not be there yet. After a fatal error the producer replaces its client by
 * itself.
 *
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (KAFKA_SETTING)
 *          | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, KAFKA_CLIENT, NO_THREAD)
 * Context: any thread
 */
enum herald_code kafka_producer_open(const struct kafka_producer_options *options, struct kafka_producer **ret_producer,
                                     struct herald_error *reterr);
/**
 * Flushes for up to @flush_ms and closes. NULL is allowed.
 *
 * Context: blocks; any thread but one of a loop with tasks in kafka_produce()
 */
void kafka_producer_close(struct kafka_producer *producer, uint32_t flush_ms);

/**
 * Produces a record and waits for the acknowledgement.
 *
 * @wait_ms  longest wait; 0: until delivery or its time-out, or the call's deadline
 * Returns:  HERALD_OK: acknowledged
 *           | HERALD_UNAVAILABLE (KAFKA_UNAVAILABLE, KAFKA_QUEUE_FULL): not sent; the origin is Kafka's code
 *           | HERALD_OUTCOME_UNKNOWN (KAFKA_OUTCOME_UNKNOWN): the wait or the delivery timed out; the record may be
 *           there
 *           | HERALD_INVALID_ARGUMENT (KAFKA_RECORD_REFUSED): too big for the broker, or invalid
 *           | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED, …: the call had ended before; nothing was sent
 * Context:  suspends the task; any loop
 */
TASK_FN enum herald_code kafka_produce(struct kafka_producer *producer, const struct cloud_event *event,
                                       uint32_t wait_ms, struct herald_error *reterr);

/**
 * Says whether the last record was acknowledged, for all loops of the process.
 *
 * Context: any thread
 */
void kafka_producer_note(struct kafka_producer *producer, bool acknowledged);
/** Whether the last record was not acknowledged. Any thread. */
bool kafka_producer_is_away(const struct kafka_producer *producer);
/** Whether a caller may wait for a record now: always, but while Kafka is away once a second in the process. Any thread. */
bool kafka_producer_may_wait(struct kafka_producer *producer);

/*
 * A consumer in a group, on a thread of its own. It hands records to a loop. It stores their offsets in order for each
 * partition, and only once they are done. A record that was not done is therefore consumed again.
 *
 * A consumer that gets no records or has no place in the group, while Kafka serves, reports KAFKA_STALLED as its health
 * and is opened anew by itself.
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
    unsigned max_in_flight; /* records handed out and neither done, abandoned nor set aside */
    uint32_t stall_ms;      /* Kafka serves and it gets nothing for so long: it is opened anew; 0: never */
    struct loop *loop;
    /** Called on the loop's thread. The record stays valid until kafka_record_done() or kafka_record_abandon(). */
    void (*on_record)(void *user, struct kafka_record *record);
    void (*on_health)(void *user, const struct herald_error *error); /* any thread */
    void *user;
};
/**
 * Joins the group and begins to hand out records; the cluster need not be there yet.
 *
 * @options  copied, its strings too
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (KAFKA_SETTING, KAFKA_TOPIC)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, KAFKA_CLIENT, NO_THREAD)
 * Context:  any thread
 */
enum herald_code kafka_consumer_open(const struct kafka_consumer_options *options, struct kafka_consumer **ret_consumer,
                                     struct herald_error *reterr);
/** Says that a record's work is done, its result durable elsewhere: its offset may be committed. Loop's thread. */
void kafka_record_done(struct kafka_consumer *consumer, struct kafka_record *record);
/** Releases a record undone, at shutdown: another consumer gets it again, this one does not. Loop's thread. */
void kafka_record_abandon(struct kafka_consumer *consumer, struct kafka_record *record);
/**
 * Says that a record waits for something else: it makes room for another one, and is still to be done or abandoned.
 * Offsets are not committed beyond it. Once for a record. Loop's thread.
 */
void kafka_record_set_aside(struct kafka_consumer *consumer, struct kafka_record *record);
/** Whether the record's partition was taken away: another member gets the record. Loop's thread. */
bool kafka_record_is_revoked(struct kafka_consumer *consumer, const struct kafka_record *record);

/** How a consumer stands. */
struct kafka_consumer_view {
    bool member;         /* it has its place in the group */
    unsigned partitions; /* that it has */
    unsigned in_flight, aside;
    int64_t lag; /* records that wait in them, as last seen, at most stall_ms / 4 ago; -1: not known */
    uint64_t reopened;
};
/** Any thread. */
void kafka_consumer_look(struct kafka_consumer *consumer, struct kafka_consumer_view *ret_view);
/** Hands out no more records: on_record is not called any more. First step of shutting down. Loop's thread. */
void kafka_consumer_stop(struct kafka_consumer *consumer);
/**
 * Commits the offsets of done records, leaves the group and closes. NULL is allowed.
 *
 * Context: blocks until all records are done or abandoned, and then for up to 12 s, also if Kafka is away. On the loop's
 *          thread all of them must already be
 */
void kafka_consumer_close(struct kafka_consumer *consumer);

#endif
