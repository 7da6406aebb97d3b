/*
 * Reads replies. A reply owns the bytes that came, nng's message or a copy, and the unpacked message in a few blocks of
 * memory. The envelope is read by hand: proto/herald/rpc/v1/envelope.proto Response, ErrorDetail, Metadata and Timings.
 */
#include "client/src/reply.h"

#include "client/message/envelope_fields.h"
#include "client/message/wire.h"
#include "herald/unpack.h"
#include "herald/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Field numbers of proto/herald/rpc/v1/envelope.proto Timings. */
enum timings_field { TIMINGS_QUEUE_US = 1, TIMINGS_HANDLER_US = 2, TIMINGS_DOWNSTREAM_US = 3 };
enum detail_field { DETAIL_FIELD = 1, DETAIL_REASON = 2, DETAIL_MESSAGE = 3 };

struct reply_block {
    struct reply_block *next;
    size_t size_bytes;
    size_t used_bytes;
    _Alignas(16) unsigned char data[];
};

#define FIRST_BYTES       ((size_t)960)
#define REPLY_BLOCK_BYTES ((size_t)4000)

/* The `memory` of struct herald_reply. Its own bytes are enough for a small message, and few enough for malloc()'s fast
 * path. */
struct reply_memory {
    nng_msg *msg;               /* NULL: none; what came is in the blocks */
    struct reply_block *blocks; /* once the own bytes are used up, pieces are cut from the first block */
    size_t used_bytes;
    _Alignas(16) unsigned char data[FIRST_BYTES];
};
/* Most pairs of metadata: the schema's limit. */
#define METADATA_MAX 32u

const char *herald_outcome_name(enum herald_outcome outcome) {
    switch (outcome) {
    case HERALD_NOT_SENT:
        return "NOT_SENT";
    case HERALD_EXECUTED:
        return "EXECUTED";
    case HERALD_MAYBE_EXECUTED:
        return "MAYBE_EXECUTED";
    }
    return "UNKNOWN";
}

void herald_reply_init(struct herald_reply *reply) {
    reply->outcome = HERALD_NOT_SENT;
    reply->done = HERALD_DONE_AS_TOLD;
    reply->effect = (enum herald_effect)0;
    reply->error.code = HERALD_OK;
    reply->error.retry_after_ms = 0;
    reply->error.reason[0] = reply->error.message[0] = reply->error.origin[0] = '\0';
    reply->error.detail_count = 0;
    reply->message = NULL;
    reply->payload = NULL;
    reply->payload_bytes = 0;
    reply->call_id[0] = '\0';
    reply->idempotency_key[0] = '\0';
    reply->attempts = 0;
    reply->url = NULL;
    reply->timings = (struct herald_timings){.known = false};
    reply->metadata = NULL;
    reply->metadata_count = 0;
    reply->memory = NULL;
}

static void free_reply_memory(struct reply_memory *memory) {
    if (!memory) {
        return;
    }
    while (memory->blocks) {
        struct reply_block *block = memory->blocks;
        memory->blocks = block->next;
        free(block);
    }
    nng_msg_free(memory->msg);
    free(memory);
}

static void forget_memory(struct herald_reply *reply) {
    reply->memory = NULL;
    reply->message = NULL;
    reply->payload = NULL;
    reply->payload_bytes = 0;
    reply->metadata = NULL;
    reply->metadata_count = 0;
}

void herald_reply_clear(struct herald_reply *reply) {
    if (reply) {
        free_reply_memory(reply->memory);
        forget_memory(reply);
    }
}

struct herald_response herald_reply_take_response(struct herald_reply *reply) {
    const struct herald_response response = {reply->payload, reply->payload_bytes, reply->memory};
    forget_memory(reply);
    return response;
}

void herald_response_clear(struct herald_response *response) {
    free_reply_memory(response->memory);
    *response = (struct herald_response){.memory = NULL};
}

static void *reply_alloc(void *user, size_t bytes) {
    struct reply_memory *memory = user;
    struct reply_block *block = memory->blocks;
    size_t rounded = (bytes + 15) & ~(size_t)15;
    if (rounded < bytes) {
        return NULL;
    }
    if (!block && rounded <= FIRST_BYTES - memory->used_bytes) {
        memory->used_bytes += rounded;
        return memory->data + memory->used_bytes - rounded;
    }
    if (!block || block->size_bytes - block->used_bytes < rounded) {
        size_t size = rounded > REPLY_BLOCK_BYTES ? rounded : REPLY_BLOCK_BYTES;
        block = malloc(sizeof(*block) + size);
        if (!block) {
            return NULL;
        }
        block->size_bytes = size;
        block->used_bytes = 0;
        block->next = memory->blocks;
        memory->blocks = block;
    }
    void *piece = block->data + block->used_bytes;
    block->used_bytes += rounded;
    return piece;
}

static void reply_free(void *user, void *piece) {
    (void)user;
    (void)piece;
}

/* Copies a text field; false if the field is no valid text. */
static bool read_text(const struct wire_field *field, char *to, size_t to_bytes) {
    if (field->type != WIRE_BYTES || memchr(field->data, '\0', field->bytes) ||
        !herald_utf8_valid((const char *)field->data, field->bytes, NULL)) {
        return false;
    }
    size_t bytes = herald_utf8_cut((const char *)field->data, field->bytes, to_bytes - 1);
    memcpy(to, field->data, bytes);
    to[bytes] = '\0';
    return true;
}

static bool read_detail(const struct wire_field *field, struct herald_error *error) {
    if (field->type != WIRE_BYTES) {
        return false;
    }
    if (error->detail_count >= HERALD_ERROR_DETAILS_MAX) {
        return true;
    }
    struct herald_error_detail *detail = &error->details[error->detail_count++];
    detail->field[0] = detail->reason[0] = detail->message[0] = '\0';
    struct wire_cursor cursor = {field->data, field->data + field->bytes};
    while (cursor.at < cursor.end) {
        struct wire_field part;
        bool good = wire_read_field(&cursor, &part);
        if (good && part.number == DETAIL_FIELD) {
            good = read_text(&part, detail->field, sizeof(detail->field));
        } else if (good && part.number == DETAIL_REASON) {
            good = read_text(&part, detail->reason, sizeof(detail->reason));
        } else if (good && part.number == DETAIL_MESSAGE) {
            good = read_text(&part, detail->message, sizeof(detail->message));
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

/* Copies the key, for its NUL; the value stays in the message. */
static bool read_pair(const struct wire_field *field, struct reply_memory *memory, struct herald_metadata *ret_pair) {
    struct wire_cursor cursor = {field->data, field->data + field->bytes};
    *ret_pair = (struct herald_metadata){.key = ""};
    while (cursor.at < cursor.end) {
        struct wire_field part;
        if (!wire_read_field(&cursor, &part) || (part.number <= METADATA_VALUE && part.type != WIRE_BYTES)) {
            return false;
        }
        if (part.number == METADATA_VALUE) {
            ret_pair->value = part.data;
            ret_pair->value_bytes = part.bytes;
        } else if (part.number == METADATA_KEY) {
            char *key = reply_alloc(memory, part.bytes + 1);
            if (!key || !read_text(&part, key, part.bytes + 1)) {
                return false;
            }
            ret_pair->key = key;
        }
    }
    return true;
}

static bool read_metadata(const struct wire_field *field, struct herald_reply *reply) {
    if (field->type != WIRE_BYTES) {
        return false;
    }
    if (reply->metadata_count == METADATA_MAX) {
        return true;
    }
    if (!reply->metadata) {
        reply->metadata = reply_alloc(reply->memory, METADATA_MAX * sizeof(struct herald_metadata));
    }
    /* The pairs are the reply's own memory; only the caller's view is constant. */
    struct herald_metadata *pairs = (struct herald_metadata *)(uintptr_t)reply->metadata;
    return pairs && read_pair(field, reply->memory, &pairs[reply->metadata_count]) && ++reply->metadata_count;
}

static bool read_timings(const struct wire_field *field, struct herald_timings *timings) {
    if (field->type != WIRE_BYTES) {
        return false;
    }
    struct wire_cursor cursor = {field->data, field->data + field->bytes};
    timings->known = true;
    while (cursor.at < cursor.end) {
        struct wire_field part;
        if (!wire_read_field(&cursor, &part) || (part.number <= TIMINGS_DOWNSTREAM_US && part.type != WIRE_VARINT)) {
            return false;
        }
        if (part.number == TIMINGS_QUEUE_US) {
            timings->queue_us = part.value;
        } else if (part.number == TIMINGS_HANDLER_US) {
            timings->handler_us = part.value;
        } else if (part.number == TIMINGS_DOWNSTREAM_US) {
            timings->downstream_us = part.value;
        }
    }
    return true;
}

static bool read_response_field(struct herald_reply *reply, const struct wire_field *field) {
    struct herald_error *error = &reply->error;
    switch (field->number) {
    case RESPONSE_CODE:
        error->code = herald_code_from_wire((int)field->value);
        return field->type == WIRE_VARINT;
    case RESPONSE_MESSAGE:
        return read_text(field, error->message, sizeof(error->message));
    case RESPONSE_REASON:
        return read_text(field, error->reason, sizeof(error->reason));
    case RESPONSE_DETAILS:
        return read_detail(field, error);
    case RESPONSE_PAYLOAD:
        reply->payload = field->data;
        reply->payload_bytes = field->bytes;
        return field->type == WIRE_BYTES;
    case RESPONSE_RETRY_AFTER_MS:
        error->retry_after_ms = field->value > UINT32_MAX ? UINT32_MAX : (uint32_t)field->value;
        return field->type == WIRE_VARINT;
    case RESPONSE_METADATA:
        return read_metadata(field, reply);
    case RESPONSE_TIMINGS:
        return read_timings(field, &reply->timings);
    case RESPONSE_DONE:
        /* of a newer server's value nothing is known */
        reply->done = field->value <= HERALD_DONE_NOT_KNOWN ? (enum herald_done)field->value : HERALD_DONE_NOT_KNOWN;
        return field->type == WIRE_VARINT;
    default:
        return true;
    }
}

static bool read_response(struct herald_reply *reply, const uint8_t *bytes, size_t bytes_count) {
    struct wire_cursor cursor = {bytes, bytes + bytes_count};
    while (cursor.at < cursor.end) {
        struct wire_field field = {.value = 0};
        if (!wire_read_field(&cursor, &field) || !read_response_field(reply, &field)) {
            return false;
        }
    }
    return true;
}

static void read_reply_payload(struct herald_reply *reply, const struct herald_method_schema *method, bool packed) {
    ProtobufCAllocator allocator = {.alloc = reply_alloc, .free = reply_free, .allocator_data = reply->memory};
    struct herald_error error;
    ProtobufCMessage *message = NULL;
    enum herald_code code = herald_unpack(method->response, &allocator, reply->payload, reply->payload_bytes,
                                          packed ? NULL : &message, &error);
    reply->message = message;
    reply->done = code == HERALD_OK ? HERALD_DONE_AS_TOLD : HERALD_DONE_NOT_KNOWN;
    if (code == HERALD_RESOURCE_EXHAUSTED && herald_error_is(&error, HERALD_REASON_OUT_OF_MEMORY)) {
        herald_error_copy(&reply->error, &error);
    } else if (code != HERALD_OK) {
        herald_error_set(&reply->error, HERALD_REASON_MALFORMED_REPLY, "%s: the reply cannot be read: %s",
                         method->full_name, error.message);
    }
}

/* Makes the memory of a reply, with what came. Returns: the bytes that came | NULL: no memory */
static const uint8_t *keep_received(struct herald_reply *reply, const struct herald_received *received) {
    struct reply_memory *memory = malloc(sizeof(*memory));
    if (!memory) {
        nng_msg_free(received->msg);
        return NULL;
    }
    memory->msg = received->msg;
    memory->blocks = NULL;
    memory->used_bytes = 0;
    reply->memory = memory;
    if (received->msg) {
        return received->bytes;
    }
    uint8_t *copy = reply_alloc(memory, received->count);
    if (copy && received->count > 0) {
        memcpy(copy, received->bytes, received->count);
    }
    return copy;
}

/* Reads a reply but for its outcome. */
static void read_reply(struct herald_reply *reply, const struct herald_method_schema *method,
                       const struct herald_received *received, bool packed) {
    const uint8_t *bytes = keep_received(reply, received);
    reply->done = HERALD_DONE_AS_TOLD;
    if (!bytes) {
        reply->done = HERALD_DONE_NOT_KNOWN;
        herald_error_no_memory(&reply->error, "the reply of %s", method->full_name);
        return;
    }
    if (!read_response(reply, bytes, received->count)) {
        reply->payload = NULL;
        reply->payload_bytes = 0;
        reply->metadata_count = 0;
        reply->timings.known = false;
        reply->done = HERALD_DONE_NOT_KNOWN;
        herald_error_set(&reply->error, HERALD_REASON_MALFORMED_REPLY,
                         "%s: the reply of %zu bytes is no herald.rpc.v1.Response: is the peer a Herald server?",
                         method->full_name, received->count);
    } else if (reply->error.code == HERALD_OK) {
        read_reply_payload(reply, method, packed);
    } else {
        reply->payload = NULL;
        reply->payload_bytes = 0;
    }
}

void herald_reply_read(struct herald_reply *reply, const struct herald_method_schema *method,
                       const struct herald_received *received, bool packed) {
    read_reply(reply, method, received, packed);
    /* A server that says UNKNOWN does not know, also one that has not learnt yet to say so in `done`. */
    if (reply->error.code == HERALD_UNKNOWN && reply->done == HERALD_DONE_AS_TOLD) {
        reply->done = HERALD_DONE_NOT_KNOWN;
    }
    reply->outcome = reply->done == HERALD_DONE_NOT_KNOWN ? HERALD_MAYBE_EXECUTED : HERALD_EXECUTED;
}
