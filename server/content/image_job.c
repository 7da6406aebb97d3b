#include "server/content/image_job.h"

#include "herald/job/v1/image_job.schema.h"
#include "herald/json.h"
#include "herald/unpack.h"
#include "herald/validate.h"
#include "server/rpc/request_text.h"
#include "server/runtime/call.h"

#include <string.h>
#include <strings.h>

/* "application/json; charset=utf-8" is application/json. */
static bool is_type(const char *content_type, const char *wanted) {
    size_t bytes = strcspn(content_type, "; ");
    return bytes == strlen(wanted) && strncasecmp(content_type, wanted, bytes) == 0;
}

static enum herald_code decode_record(const struct kafka_record *record, ProtobufCMessage **ret_message,
                                      struct herald_error *reterr) {
    ProtobufCAllocator *allocator = &call_arena()->protobuf;
    const struct herald_message_schema *schema = &herald_job_v1_image_job_schema;
    if (record->content_type[0] == '\0' || is_type(record->content_type, "application/json")) {
        return herald_json_read(schema, record->value, record->value_bytes, NULL, allocator, ret_message, reterr);
    }
    if (is_type(record->content_type, "application/protobuf")) {
        return herald_unpack(schema, allocator, record->value, record->value_bytes, ret_message, reterr);
    }
    return herald_error_set(reterr, HERALD_REASON_CONTENT_TYPE,
                            "content-type is \"%s\"; application/json and application/protobuf can be read",
                            record->content_type);
}

enum herald_code image_job_read(const struct kafka_record *record, const Herald__Job__V1__ImageJob **ret_job,
                                struct herald_error *reterr) {
    const char *type = herald_job_v1_image_job_schema.full_name;
    ProtobufCMessage *message = NULL;
    if (record->value == NULL || record->value_bytes == 0) {
        return herald_error_set(reterr, HERALD_REASON_NO_VALUE, "the record has no value");
    }
    if (record->ce_type[0] != '\0' && strcmp(record->ce_type, type) != 0) {
        return herald_error_set(reterr, HERALD_REASON_EVENT_TYPE, "ce_type is \"%s\", not \"%s\"", record->ce_type,
                                type);
    }
    enum herald_code code = decode_record(record, &message, reterr);
    if (code == HERALD_OK) {
        code = request_text_clean(&herald_job_v1_image_job_schema, message, call_arena(), reterr);
    }
    if (code == HERALD_OK) {
        code = herald_validate(&herald_job_v1_image_job_schema, message, reterr);
    }
    if (code == HERALD_OK) {
        *ret_job = (const Herald__Job__V1__ImageJob *)message;
    }
    return code;
}
