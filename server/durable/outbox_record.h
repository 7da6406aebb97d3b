#ifndef HERALD_DURABLE_OUTBOX_RECORD_H
#define HERALD_DURABLE_OUTBOX_RECORD_H

#include "herald/schema.h"
#include "server/durable/outbox_store.h"

/* What a service promises to send, as a row of the outbox. */

/** One CloudEvent to come. */
struct outbox_record {
    const char *id;    /* UUID: ce_id */
    const char *owner; /* service that relays it: "event" */
    const char *topic;
    const char *key;      /* id of the aggregate */
    const char *source;   /* "/herald/event" */
    const char *encoding; /* settings->kafka_encoding: "json" | "protobuf" */
    int64_t time_us;      /* when it happened */
    uint32_t delay_ms;    /* how long the relay leaves it to the inline path */
};

/**
 * Fills a row with an event: its type is the message's full name, its value the message in the chosen encoding.
 *
 * @ret_row  set only on success; what it holds is @record's and the running call's arena's
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED | as herald_json_write()
 * Context:  a task with a call
 */
enum herald_code outbox_record_build(const struct outbox_record *record, const struct herald_message_schema *schema,
                                     const ProtobufCMessage *message, struct outbox_row *ret_row,
                                     struct herald_error *reterr);
/** Fills a row that deletes a key in Redis @delay_ms after the transaction: a reader may have refilled it meanwhile. */
enum herald_code outbox_cache_delete_build(const char *owner, const char *key, int64_t time_us, uint32_t delay_ms,
                                           struct outbox_row *ret_row, struct herald_error *reterr);

#endif
