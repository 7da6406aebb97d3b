#include "server/gateway/transcode.h"

#include "client/json/parameter.h"
#include "herald/json.h"

static enum herald_code empty_message(const struct herald_message_schema *schema, struct arena *arena,
                                      ProtobufCMessage **ret_message, struct herald_error *reterr) {
    ProtobufCMessage *message = arena_alloc(arena, schema->descriptor->sizeof_message);
    if (message == NULL) {
        return arena_full(reterr, "a %s", schema->full_name);
    }
    protobuf_c_message_init(schema->descriptor, message);
    *ret_message = message;
    return HERALD_OK;
}

/* Reads the body into the field that holds it. */
static enum herald_code read_body_field(const struct route_match *match, struct request *request,
                                        ProtobufCMessage *message, struct herald_error *reterr) {
    const struct herald_message_schema *schema = match->route->method->request;
    ProtobufCAllocator *allocator = &request->call.arena.protobuf;
    for (unsigned i = 0; i < schema->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &schema->descriptor->fields[i];
        if (strcmp(field->name, match->route->body) == 0) {
            ProtobufCMessage **to = (ProtobufCMessage **)(void *)((char *)message + field->offset);
            return herald_json_read(schema->fields[i].message, request->body.at, request->body.bytes, NULL, allocator,
                                    to, reterr);
        }
    }
    return HERALD_OK;
}

/* Begins the message with what the body says. */
static enum herald_code begin_with_body(const struct route_match *match, struct request *request,
                                        ProtobufCMessage **ret_message, struct herald_error *reterr) {
    const struct herald_message_schema *schema = match->route->method->request;
    if (request->body.bytes > 0 && strcmp(match->route->body, HERALD_BODY_ALL) == 0) {
        return herald_json_read(schema, request->body.at, request->body.bytes, NULL, &request->call.arena.protobuf,
                                ret_message, reterr);
    }
    enum herald_code code = empty_message(schema, &request->call.arena, ret_message, reterr);
    return code == HERALD_OK && request->body.bytes > 0 ? read_body_field(match, request, *ret_message, reterr) : code;
}

static enum herald_code take_path(const struct route_match *match, struct request *request, ProtobufCMessage *message,
                                  struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < match->route->segment_count; i++) {
        const char *field = match->route->segments[i].field;
        if (field != NULL) {
            code = herald_json_set_parameter(match->route->method->request, message, field, match->values[i].at,
                                             &request->call.arena.protobuf, reterr);
        }
    }
    return code;
}

static enum herald_code bad_query(const char *name, const char *what, struct herald_error *reterr) {
    herald_error_set(reterr, HERALD_REASON_INVALID_JSON, "the query cannot be read: %s", what);
    herald_error_add_detail(reterr, name, HERALD_REASON_INVALID_JSON, "%s", what);
    return HERALD_INVALID_ARGUMENT;
}

/* Takes the query's parameters, each a field that is in neither path nor body. */
static enum herald_code take_query(const struct route_match *match, struct request *request, ProtobufCMessage *message,
                                   struct herald_error *reterr) {
    struct span rest = request->head.query;
    struct uri_parameter parameter;
    const char *why = "";
    enum herald_code code = HERALD_OK;
    while (code == HERALD_OK) {
        if (!uri_query_next(&rest, &request->call.arena, &parameter, &why)) {
            return bad_query(parameter.name != NULL ? parameter.name : "", why, reterr);
        }
        if (parameter.name == NULL) {
            break;
        }
        if (strcmp(match->route->body, HERALD_BODY_ALL) == 0) {
            return bad_query(parameter.name, "this path takes its fields in the JSON body, not in the query", reterr);
        }
        code = herald_json_set_parameter(match->route->method->request, message, parameter.name, parameter.value,
                                         &request->call.arena.protobuf, reterr);
    }
    return code;
}

enum herald_code transcode_request(const struct route_match *match, struct request *request,
                                   ProtobufCMessage **ret_message, bool *ret_in_query, struct herald_error *reterr) {
    ProtobufCMessage *message = NULL;
    *ret_in_query = false;
    enum herald_code code = begin_with_body(match, request, &message, reterr);
    if (code == HERALD_OK) {
        code = take_path(match, request, message, reterr);
    }
    if (code == HERALD_OK) {
        code = take_query(match, request, message, reterr);
        *ret_in_query = code == HERALD_INVALID_ARGUMENT;
    }
    if (code == HERALD_OK) {
        *ret_message = message;
    }
    return code;
}
