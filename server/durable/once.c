#include "server/durable/once.h"

#include "server/runtime/arena.h"
#include "server/runtime/call.h"

#include <openssl/sha.h>
#include <string.h>

static enum herald_code no_memory(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                            "the call's memory does not suffice for its idempotency record");
}

/* Packs into the arena; NULL without memory. An empty message gives a valid pointer. */
static uint8_t *pack(const ProtobufCMessage *message, size_t *ret_bytes) {
    uint8_t *packed = arena_alloc(call_arena(), protobuf_c_message_get_packed_size(message));
    if (packed) {
        *ret_bytes = protobuf_c_message_pack(message, packed);
    }
    return packed;
}

static uint8_t *hash_request(const ProtobufCMessage *request) {
    size_t bytes = 0;
    uint8_t *packed = pack(request, &bytes);
    uint8_t *hash = arena_alloc(call_arena(), SHA256_DIGEST_LENGTH);
    return packed && hash ? SHA256(packed, bytes, hash) : NULL;
}

/* Fills @response with the stored reply; what it points to is the arena's. */
static enum herald_code replay(const struct idempotency_row *stored, const struct herald_method_schema *method,
                               ProtobufCMessage *response, struct herald_error *reterr) {
    const ProtobufCMessageDescriptor *descriptor = method->response->descriptor;
    ProtobufCMessage *reply =
        protobuf_c_message_unpack(descriptor, &call_arena()->protobuf, stored->reply_bytes, stored->reply);
    if (!reply) {
        return herald_error_set(reterr, HERALD_DATA_LOSS, "STORED_REPLY_UNREADABLE",
                                "the stored reply of %s for this idempotency key cannot be read; the call was carried "
                                "out once",
                                method->full_name);
    }
    memcpy(response, reply, descriptor->sizeof_message);
    return HERALD_OK;
}

static enum herald_code check_repeat(const struct idempotency_row *stored, const struct idempotency_row *row,
                                     const struct herald_method_schema *method, struct herald_error *reterr) {
    if (memcmp(stored->request_hash, row->request_hash, SHA256_DIGEST_LENGTH) != 0) {
        return herald_error_set(reterr, HERALD_INVALID_ARGUMENT, "IDEMPOTENCY_KEY_REUSED",
                                "the idempotency key '%s' was used for another request of %s: use a new key for a new "
                                "request",
                                row->key, method->name);
    }
    return HERALD_OK;
}

TASK_FN enum herald_code once_begin(struct db *db, const struct herald_method_schema *method, const char *caller,
                                    const ProtobufCMessage *request, ProtobufCMessage *response, struct once *ret_once,
                                    bool *ret_replayed, struct herald_error *reterr) {
    const char *key = call_current()->idempotency_key;
    if (!key[0]) {
        *ret_once = (struct once){.keyed = false};
        *ret_replayed = false;
        return HERALD_OK;
    }
    struct once once = {
        .keyed = true,
        .row = {.method = method->full_name, .caller = caller, .key = key, .request_hash = hash_request(request)},
    };
    if (!once.row.request_hash) {
        return no_memory(reterr);
    }
    struct idempotency_row stored;
    struct herald_error error = {0};
    enum herald_code code = idempotency_store_find(db, method->full_name, caller, key, &stored, &error);
    if (code == HERALD_NOT_FOUND) {
        *ret_once = once;
        *ret_replayed = false;
        return HERALD_OK;
    }
    if (code != HERALD_OK) {
        herald_error_copy(reterr, &error);
        return code;
    }
    code = check_repeat(&stored, &once.row, method, reterr);
    if (code == HERALD_OK) {
        code = replay(&stored, method, response, reterr);
    }
    if (code == HERALD_OK) {
        *ret_once = once;
        *ret_replayed = true;
    }
    return code;
}

const struct idempotency_row *once_set_reply(struct once *once, const ProtobufCMessage *response) {
    if (!once->keyed) {
        return NULL;
    }
    once->row.reply = pack(response, &once->row.reply_bytes);
    return once->row.reply ? &once->row : NULL;
}
