#include "server/rpc/probe.h"

#include "client/src/credential.h"
#include "herald/client.h"
#include "herald/json.h"
#include "herald/utf8.h"
#include "herald/validate.h"
#include "server/rpc/envelope.h"
#include "server/rpc/near.h"
#include "server/rpc/probe_help.h"
#include "server/runtime/proto_arena.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] = "write METHOD [JSON], {\"method\": …, \"request\": {…}}, help, or describe NAME, the words "
                            "after \"bearer TOKEN\" where a credential is needed";

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
    enum herald_code code = herald_json_read(call->method->schema->request, json, bytes, NULL,
                                             &call->context.arena.protobuf, &call->request, &call->error);
    return code == HERALD_OK ? rpc_call_check_request(call) : code;
}

/* A person at a terminal has no idempotency key at hand: one is made, so that the call is logged and stored alike. */
static enum herald_code begin_call(struct rpc_call *call, struct rpc_call_head *head, const char *json,
                                   size_t json_bytes) {
    head->payload = (const uint8_t *)json;
    head->payload_bytes = json_bytes;
    enum herald_code code = rpc_call_accept(call, head);
    if (code != HERALD_OK)
        return code;
    if (call->method->schema->effect == HERALD_EFFECT_ONCE && !*call->context.idempotency_key)
        herald_uuid7(call->context.idempotency_key);
    return read_request(call, json, json_bytes);
}

/* What is left of a probe in words. */
struct words {
    const char *text;
    size_t bytes;
};

/* Takes the next word into the arena, terminated; a '{' ends it too. Empty at the end, NULL without memory. */
static char *take_word(struct rpc_call *call, struct words *words) {
    size_t bytes = 0;
    while (bytes < words->bytes && !is_space(words->text[bytes]) && words->text[bytes] != '{')
        bytes++;
    char *word = arena_strndup(&call->context.arena, words->text, bytes);
    for (; bytes < words->bytes && is_space(words->text[bytes]); bytes++)
        continue;
    words->text += bytes;
    words->bytes -= bytes;
    return word;
}

/* What help and describe show is what Reflection serves, and open to the same callers. */
static enum herald_code read_help(struct rpc_call *call, struct rpc_call_head *head) {
    head->method = "herald.rpc.v1.Reflection/ListServices";
    enum herald_code code = rpc_call_accept(call, head);
    return code == HERALD_OK ? probe_help(call->server, &call->text, &call->error) : code;
}

static enum herald_code read_describe(struct rpc_call *call, struct rpc_call_head *head, const struct words *rest) {
    const char *name = arena_strndup(&call->context.arena, rest->text, rest->bytes);
    head->method = "herald.rpc.v1.Reflection/Describe";
    enum herald_code code = name ? rpc_call_accept(call, head) : no_memory(&call->error);
    if (code != HERALD_OK)
        return code;
    return *name ? probe_describe(name, &call->text, &call->error)
                 : malformed(call, "describe needs the name of a service, method, message or enum");
}

/* A credential made of a bearer token. */
static enum herald_code take_bearer(struct rpc_call *call, char *token, Herald__Rpc__V1__Auth *auth,
                                    struct rpc_call_head *head) {
    herald__rpc__v1__auth__init(auth);
    auth->proof_case = HERALD__RPC__V1__AUTH__PROOF_BEARER;
    auth->bearer = token;
    head->auth = auth;
    return herald_validate(call->server->auth, &auth->base, &call->error);
}

/* [bearer TOKEN] METHOD [JSON] | help | describe NAME */
static enum herald_code read_words(struct rpc_call *call, const char *text, size_t bytes) {
    struct words words = {text, bytes};
    struct rpc_call_head head = {.method = NULL};
    Herald__Rpc__V1__Auth auth;
    char *word = take_word(call, &words);
    if (word && strcmp(word, "bearer") == 0) {
        char *token = take_word(call, &words);
        word = token ? take_word(call, &words) : NULL;
        if (word && !*word)
            return malformed(call, "bearer needs a token, a space and a method");
        if (word && take_bearer(call, token, &auth, &head) != HERALD_OK)
            return call->error.code;
    }
    if (!word)
        return no_memory(&call->error);
    if (strcmp(word, "help") == 0)
        return read_help(call, &head);
    if (strcmp(word, "describe") == 0)
        return read_describe(call, &head, &words);
    head.method = word;
    return words.bytes > 0 ? begin_call(call, &head, words.text, words.bytes) : begin_call(call, &head, "{}", 2);
}

static enum herald_code wrong_member(struct rpc_call *call, const char *key) {
    char shown[RPC_NAME_SHOWN_MAX];
    rpc_show_name(key, shown);
    return herald_error_set(&call->error, HERALD_INVALID_ARGUMENT, "MALFORMED_PROBE",
                            "\"%s\" is unknown or has a wrong value: \"method\" (text), \"request\" (object), "
                            "\"timeoutMs\" (0 to %u), \"idempotencyKey\" (at most 128 characters of printable ASCII "
                            "without spaces) and \"auth\" ({\"bearer\": text}) are known",
                            shown, RPC_TIMEOUT_MAX_MS);
}

/* The object form, as far as it was read; its text belongs to the JSON. */
struct probe_object {
    struct rpc_call_head head;
    Herald__Rpc__V1__Auth auth;
    json_t *request; /* NULL: empty */
};

/* {"bearer": "…"}: a signature covers bytes that a probe does not have. */
static bool is_auth(json_t *value) {
    return json_is_object(value) && json_object_size(value) == 1 && json_is_string(json_object_get(value, "bearer"));
}

static bool is_idempotency_key(const struct rpc_call *call, const json_t *value) {
    return json_is_string(value) && herald_credential_can_sign(json_string_value(value), json_string_length(value),
                                                               sizeof call->context.idempotency_key - 1);
}

/* Takes one member of the object form. */
static enum herald_code read_member(struct rpc_call *call, const char *key, json_t *value, struct probe_object *probe) {
    struct rpc_call_head *head = &probe->head;
    if (strcmp(key, "method") == 0 && json_is_string(value))
        head->method = json_string_value(value);
    else if (strcmp(key, "request") == 0 && json_is_object(value))
        probe->request = value;
    else if (strcmp(key, "auth") == 0 && is_auth(value))
        return take_bearer(call, borrow_str(json_string_value(json_object_get(value, "bearer"))), &probe->auth, head);
    else if (strcmp(key, "idempotencyKey") == 0 && is_idempotency_key(call, value))
        head->idempotency_key = json_string_value(value);
    else if (strcmp(key, "timeoutMs") == 0 && json_is_integer(value) && json_integer_value(value) >= 0 &&
             json_integer_value(value) <= RPC_TIMEOUT_MAX_MS)
        head->timeout_ms = (uint32_t)json_integer_value(value);
    else
        return wrong_member(call, key);
    return HERALD_OK;
}

static enum herald_code read_members(struct rpc_call *call, json_t *object) {
    struct probe_object probe = {.request = NULL};
    json_t *value;
    const char *key;
    json_object_foreach(object, key, value) {
        enum herald_code code = read_member(call, key, value, &probe);
        if (code != HERALD_OK)
            return code;
    }
    if (!probe.head.method)
        return malformed(call, "the object has no \"method\"");
    char *json = probe.request ? json_dumps(probe.request, JSON_COMPACT) : strdup("{}");
    enum herald_code code = json ? begin_call(call, &probe.head, json, strlen(json)) : no_memory(&call->error);
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
