#ifndef HERALD_DURABLE_OUTBOX_RECORD_H
#define HERALD_DURABLE_OUTBOX_RECORD_H

/* What a service has promised to send, as a row of the outbox. */

#include "herald/schema.h"
#include "server/durable/outbox_store.h"

/** One CloudEvent to be sent. */
struct outbox_record {
    const char *id;    /* UUID: ce_id */
    const char *owner; /* service whose relay sends it: "event" */
    const char *topic;
    const char *key;      /* id of the aggregate */
    const char *source;   /* "/herald/event" */
    const char *encoding; /* settings->kafka_encoding: "json" | "protobuf" */
    int64_t time_us;      /* when it happened */
    uint32_t delay_ms;    /* how long the relay leaves the row to the inline path */
};

/**
 * Fills a row with an event: its type is the message's full name, its value the message in the chosen encoding.
 *
 * @ret_row  set only on HERALD_OK; its parts belong to @record and the running call's arena
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) | as herald_json_write()
 * Context:  a task with a call
 */
enum herald_code outbox_record_build(const struct outbox_record *record, const struct herald_message_schema *schema,
                                     const ProtobufCMessage *message, struct outbox_row *ret_row,
                                     struct herald_error *reterr);
/**
 * Fills a row that deletes a key in Redis @delay_ms after the transaction, because a reader may have refilled the cache
 * meanwhile.
 *
 * @cause  what it is for, kept as the row's value: an id; may be empty
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL)
 * Context: a task with a call
 */
enum herald_code outbox_cache_delete_build(const char *owner, const char *key, const char *cause, uint32_t delay_ms,
                                           struct outbox_row *ret_row, struct herald_error *reterr);

#endif
