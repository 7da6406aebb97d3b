#include "server/rpc/probe.h"

#include "herald/client.h"
#include "herald/json.h"
#include "herald/utf8.h"
#include "herald/validate.h"
#include "server/rpc/envelope.h"
#include "server/rpc/near.h"
#include "server/rpc/probe_help.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] = "write METHOD [JSON], {\"method\": …, \"request\": {…}}, help, or describe NAME";

bool probe_is(const uint8_t *data, size_t bytes) {
    return bytes > 0 && (data[0] == '{' || (data[0] >= 'a' && data[0] <= 'z'));
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool probe_is_text(const uint8_t *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if ((data[i] < 0x20 && !is_space((char)data[i])) || data[i] == 0x7f)
            return false;
    return bytes > 0 && herald_utf8_valid((const char *)data, bytes, NULL);
}

static enum herald_code malformed(struct rpc_call *call, const char *what) {
    return herald_error_set(&call->error, HERALD_INVALID_ARGUMENT, "MALFORMED_PROBE", "%s; %s", what, USAGE);
}

static enum herald_code no_memory(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "NO_MEMORY", "the server has no memory for this probe");
}

/* ---- in ---- */

static enum herald_code read_request(struct rpc_call *call, const char *json, size_t bytes) {
    const struct herald_message_schema *schema = call->method->schema->request;
    enum herald_code code =
        herald_json_read(schema, json, bytes, &call->context.arena.protobuf, &call->request, &call->error);
    return code == HERALD_OK ? herald_validate(schema, call->request, &call->error) : code;
}

/* A person at a terminal has no idempotency key at hand: one is made, so that the call is logged and stored alike. */
static enum herald_code begin_call(struct rpc_call *call, const struct rpc_call_head *head, const char *json,
                                   size_t json_bytes) {
    enum herald_code code = rpc_call_accept(call, head);
    if (code != HERALD_OK)
        return code;
    if (call->method->schema->effect == HERALD_EFFECT_ONCE && !*call->context.idempotency_key)
        herald_uuid7(call->context.idempotency_key);
    return read_request(call, json, json_bytes);
}

/* METHOD [JSON]; the word is in the arena, terminated. */
static enum herald_code read_words(struct rpc_call *call, const char *text, size_t bytes) {
    size_t word_bytes = 0;
    while (word_bytes < bytes && !is_space(text[word_bytes]) && text[word_bytes] != '{')
        word_bytes++;
    const char *word = arena_strndup(&call->context.arena, text, word_bytes);
    if (!word)
        return no_memory(&call->error);
    const char *rest = text + word_bytes;
    size_t rest_bytes = bytes - word_bytes;
    for (; rest_bytes > 0 && is_space(*rest); rest++)
        rest_bytes--;
    if (strcmp(word, "help") == 0)
        return probe_help(call->server, &call->text, &call->error);
    if (strcmp(word, "describe") == 0) {
        const char *name = arena_strndup(&call->context.arena, rest, rest_bytes);
        return !name    ? no_memory(&call->error)
               : !*name ? malformed(call, "describe needs the name of a service, method, message or enum")
                        : probe_describe(name, &call->text, &call->error);
    }
    const struct rpc_call_head head = {.method = word};
    return rest_bytes > 0 ? begin_call(call, &head, rest, rest_bytes) : begin_call(call, &head, "{}", 2);
}

static enum herald_code wrong_member(struct rpc_call *call, const char *key) {
    char shown[RPC_NAME_SHOWN_MAX];
    rpc_show_name(key, shown);
    return herald_error_set(&call->error, HERALD_INVALID_ARGUMENT, "MALFORMED_PROBE",
                            "\"%s\" is unknown or has a wrong value: \"method\" (text), \"request\" (object), "
                            "\"timeoutMs\" (0 to %u) and \"idempotencyKey\" (text of at most 128 bytes) are known",
                            shown, RPC_TIMEOUT_MAX_MS);
}

/* Takes one member of the object form. */
static enum herald_code read_member(struct rpc_call *call, const char *key, json_t *value, struct rpc_call_head *head,
                                    json_t **ret_request) {
    if (strcmp(key, "method") == 0 && json_is_string(value))
        head->method = json_string_value(value);
    else if (strcmp(key, "request") == 0 && json_is_object(value))
        *ret_request = value;
    else if (strcmp(key, "idempotencyKey") == 0 && json_is_string(value) &&
             json_string_length(value) < sizeof call->context.idempotency_key)
        head->idempotency_key = json_string_value(value);
    else if (strcmp(key, "timeoutMs") == 0 && json_is_integer(value) && json_integer_value(value) >= 0 &&
             json_integer_value(value) <= RPC_TIMEOUT_MAX_MS)
        head->timeout_ms = (uint32_t)json_integer_value(value);
    else
        return wrong_member(call, key);
    return HERALD_OK;
}

static enum herald_code read_members(struct rpc_call *call, json_t *object) {
    struct rpc_call_head head = {.method = NULL};
    json_t *request = NULL, *value;
    const char *key;
    json_object_foreach(object, key, value) {
        enum herald_code code = read_member(call, key, value, &head, &request);
        if (code != HERALD_OK)
            return code;
    }
    if (!head.method)
        return malformed(call, "the object has no \"method\"");
    char *json = request ? json_dumps(request, JSON_COMPACT) : strdup("{}");
    enum herald_code code = json ? begin_call(call, &head, json, strlen(json)) : no_memory(&call->error);
    free(json);
    return code;
}

static enum herald_code read_object(struct rpc_call *call, const char *text, size_t bytes) {
    json_error_t wrong;
    json_t *object = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &wrong);
    if (!object)
        return herald_error_set(&call->error, HERALD_INVALID_ARGUMENT, "MALFORMED_PROBE", "line %d, column %d: %s; %s",
                                wrong.line, wrong.column, wrong.text, USAGE);
    enum herald_code code = read_members(call, object);
    json_decref(object);
    return code;
}

enum herald_code probe_read(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    const char *text = (const char *)data;
    while (bytes > 0 && is_space(text[bytes - 1]))
        bytes--;
    if (!probe_is_text(data, bytes))
        return malformed(call, "the probe is not printable text in UTF-8");
    return text[0] == '{' ? read_object(call, text, bytes) : read_words(call, text, bytes);
}

/* ---- out ---- */

static nng_msg *text_message(const char *before, const char *text, const char *after) {
    nng_msg *reply = NULL;
    if (nng_msg_alloc(&reply, 0) != 0)
        return NULL;
    if (nng_msg_append(reply, before, strlen(before)) == 0 && nng_msg_append(reply, text, strlen(text)) == 0 &&
        nng_msg_append(reply, after, strlen(after)) == 0)
        return reply;
    nng_msg_free(reply);
    return NULL;
}

static enum herald_code checked_message(const struct rpc_call *call, const char *json, nng_msg **ret_reply,
                                        struct herald_error *reterr) {
    if (strlen(json) > call->server->limits.max_message_bytes)
        return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "RESPONSE_TOO_LARGE",
                                "the answer has %zu bytes, the limit is rpc.max_message_bytes = %u; ask for less",
                                strlen(json), call->server->limits.max_message_bytes);
    nng_msg *reply = text_message("", json, "");
    if (!reply)
        return no_memory(reterr);
    *ret_reply = reply;
    return HERALD_OK;
}

enum herald_code probe_success(const struct rpc_call *call, nng_msg **ret_reply, struct herald_error *reterr) {
    if (call->text)
        return checked_message(call, call->text, ret_reply, reterr);
    const struct herald_json_write_options options = {.with_defaults = true};
    char *json = NULL;
    enum herald_code code = herald_json_write(call->method->schema->response, call->response, &options, &json, reterr);
    if (code == HERALD_INVALID_ARGUMENT) {
        reterr->code = HERALD_INTERNAL; /* the handler's doing, not the caller's */
        return HERALD_INTERNAL;
    }
    if (code == HERALD_OK)
        code = checked_message(call, json, ret_reply, reterr);
    free(json);
    return code;
}

nng_msg *probe_failure(const struct herald_error *error) {
    struct envelope_error filled;
    char *json = NULL;
    envelope_error_fill(&filled, error);
    const struct herald_message_schema *schema = herald_schema_find_message("herald.rpc.v1.Response");
    if (!schema || herald_json_write(schema, &filled.response.base, NULL, &json, NULL) != HERALD_OK)
        return text_message("{\"error\":{\"code\":\"", herald_code_name((int)error->code), "\"}}");
    nng_msg *reply = text_message("{\"error\":", json, "}");
    free(json);
    return reply;
}
