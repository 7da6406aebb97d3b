#ifndef HERALD_DURABLE_ONCE_H
#define HERALD_DURABLE_ONCE_H

#include "db/idempotency_store.h"
#include "herald/schema.h"

/*
 * ONCE methods: find the stored reply of a repeat, and prepare the row that the business transaction stores.
 */
struct once {
    bool keyed;                 /* the call carries an idempotency key */
    struct idempotency_row row; /* row.reply is empty until once_set_reply() */
};

/**
 * Looks up the running call's idempotency key.
 *
 * @ret_once      for once_set_reply(); its memory is the call's arena
 * @ret_replayed  true: @response was filled from the stored reply, and the handler returns HERALD_OK at once
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "IDEMPOTENCY_KEY_REUSED": the key belongs to another request)
 *           | a store's error
 */
TASK_FN enum herald_code once_begin(struct db *db, const struct herald_method_schema *method, const char *caller,
                                    const ProtobufCMessage *request, ProtobufCMessage *response, struct once *ret_once,
                                    bool *ret_replayed, struct herald_error *reterr);
/** Packs the reply into the row. Returns the row for the store, NULL when the call has no key or without memory. */
const struct idempotency_row *once_set_reply(struct once *once, const ProtobufCMessage *response);

#endif
