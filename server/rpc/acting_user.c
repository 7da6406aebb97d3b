#include "server/rpc/acting_user.h"

#include <stdint.h>
#include <string.h>

/* The request's field with the rule acting_user; NULL: none has it. The generator allows one, a top-level string. */
static char **find_user_field(const struct herald_message_schema *schema, ProtobufCMessage *request,
                              const char **ret_json_name) {
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &schema->descriptor->fields[i];
        if (!schema->fields[i].rules.acting_user || field->type != PROTOBUF_C_TYPE_STRING) {
            continue;
        }
        *ret_json_name = schema->fields[i].json_name;
        return (char **)(void *)((char *)request + field->offset);
    }
    return NULL;
}

enum herald_code acting_user_apply(const struct herald_message_schema *schema, ProtobufCMessage *request, char *user,
                                   struct herald_error *reterr) {
    const char *json_name = NULL;
    if (!*user) {
        return HERALD_OK;
    }
    char **text = find_user_field(schema, request, &json_name);
    if (!text || (*text && strcmp(*text, user) == 0)) {
        return HERALD_OK;
    }
    if (!*text || !**text) {
        *text = user;
        return HERALD_OK;
    }
    herald_error_set(reterr, HERALD_REASON_NOT_YOUR_USER,
                     "the credential is for another user than the request's %s; leave that empty", json_name);
    herald_error_add_detail(reterr, json_name, HERALD_REASON_NOT_YOUR_USER,
                            "must be empty or the user of the credential");
    return HERALD_PERMISSION_DENIED;
}

const char *acting_user_of(const struct herald_message_schema *schema, const ProtobufCMessage *request) {
    const char *json_name = NULL;
    char **text = find_user_field(schema, (ProtobufCMessage *)(uintptr_t)request, &json_name);
    return text && *text ? *text : "";
}
