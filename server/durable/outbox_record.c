/* Builds outbox rows: CloudEvents in JSON or protobuf, and cache deletions. */
#include "server/durable/outbox_record.h"

#include "herald/client.h"
#include "herald/json.h"
#include "server/runtime/arena.h"
#include "server/runtime/call.h"

#include <stdlib.h>
#include <string.h>

static enum herald_code encode_json(const struct herald_message_schema *schema, const ProtobufCMessage *message,
                                    struct outbox_row *row, struct herald_error *reterr) {
    char *json = NULL;
    enum herald_code code = herald_json_write(schema, message, NULL, &json, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    row->content_type = "application/json";
    row->value_bytes = strlen(json);
    row->value = arena_memdup(call_arena(), json, row->value_bytes);
    free(json);
    return row->value ? HERALD_OK : arena_full(reterr, "an outbox record");
}

static enum herald_code encode_protobuf(const ProtobufCMessage *message, struct outbox_row *row,
                                        struct herald_error *reterr) {
    size_t bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = arena_alloc(call_arena(), bytes);
    if (!packed) {
        return arena_full(reterr, "an outbox record");
    }
    row->content_type = "application/protobuf";
    row->value_bytes = protobuf_c_message_pack(message, packed);
    row->value = packed;
    return HERALD_OK;
}

enum herald_code outbox_record_build(const struct outbox_record *record, const struct herald_message_schema *schema,
                                     const ProtobufCMessage *message, struct outbox_row *ret_row,
                                     struct herald_error *reterr) {
    struct outbox_row row = {
        .id = record->id,
        .kind = OUTBOX_KAFKA,
        .owner = record->owner,
        .topic = record->topic,
        .key = record->key,
        .ce_type = schema->full_name,
        .ce_source = record->source,
        .ce_time_us = record->time_us,
        .delay_ms = record->delay_ms,
    };
    enum herald_code code = strcmp(record->encoding, "protobuf") == 0 ? encode_protobuf(message, &row, reterr)
                                                                      : encode_json(schema, message, &row, reterr);
    if (code == HERALD_OK) {
        *ret_row = row;
    }
    return code;
}

enum herald_code outbox_cache_delete_build(const char *owner, const char *key, const char *cause, uint32_t delay_ms,
                                           struct outbox_row *ret_row, struct herald_error *reterr) {
    char id[37];
    herald_uuid7(id);
    struct outbox_row row = {
        .id = arena_strdup(call_arena(), id),
        .kind = OUTBOX_CACHE_DELETE,
        .owner = owner,
        .topic = "",
        .key = key,
        .ce_type = "",
        .ce_source = "",
        .content_type = "",
        .value = (const uint8_t *)cause,
        .value_bytes = strlen(cause),
        .delay_ms = delay_ms,
    };
    if (!row.id) {
        return arena_full(reterr, "an outbox record");
    }
    *ret_row = row;
    return HERALD_OK;
}
