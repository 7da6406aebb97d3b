#ifndef HERALD_CLIENT_REQUEST_H
#define HERALD_CLIENT_REQUEST_H

#include "client/base/buffer.h"
#include "herald/client.h"

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The envelope is written by hand: its fields are few and known, so a struct of them would only be one more copy of the
 * payload. What all attempts at a call have in common is packed once and kept with the call; each attempt's message is
 * a copy of it with the attempt's own fields behind. A unit test unpacks what is written here with the generated code.
 */
struct herald_request {
    struct herald_buffer common;
    size_t payload_at, payload_bytes; /* in common */
    size_t key_at, key_bytes;         /* the idempotency key, in common */
    char user[65];                    /* for whom the call acts, signed; may be empty */
};

/**
 * Packs what attempts have in common.
 *
 * @credential  that attempts will carry; NULL: none
 * @call_id     36 characters
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (a request that cannot be packed, or a user or key that cannot be
 *           signed) | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code herald_request_pack(struct herald_request *packed, const struct herald_method_schema *method,
                                     const ProtobufCMessage *request, const struct herald_call_options *options,
                                     const struct herald_credential *credential, const char *call_id,
                                     struct herald_error *reterr);

/** What is an attempt's own. */
struct herald_attempt {
    uint32_t number;
    uint64_t ticket;
    bool want_timings;
    uint32_t timeout_ms;
    const struct herald_credential *credential; /* NULL: none */
    const struct herald_buffer *metadata;       /* pairs that interceptors added, packed as fields of the envelope */
};

/**
 * Makes an attempt's message.
 *
 * @max_bytes  longest message allowed
 * @ret_msg    the caller's
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED
 */
enum herald_code herald_request_make(const struct herald_request *packed, const struct herald_method_schema *method,
                                     const struct herald_attempt *attempt, uint32_t max_bytes, nng_msg **ret_msg,
                                     struct herald_error *reterr);
/** Adds a pair to packed metadata. False: no memory. */
bool herald_request_add_metadata(struct herald_buffer *metadata, const char *key, const void *value,
                                 size_t value_bytes);

#endif
