#include "server/rpc/probe.h"

#include "client/base/ascii.h"
#include "client/json/text.h"
#include "herald/client.h"
#include "herald/json.h"
#include "herald/utf8.h"
#include "herald/validate.h"
#include "server/rpc/envelope.h"
#include "server/rpc/probe_help.h"
#include "server/rpc/probe_object.h"

#include <stdlib.h>
#include <string.h>

static const char NOT_PRINTABLE[] = "the probe is not printable text in UTF-8";

bool probe_is(const uint8_t *data, size_t bytes) {
    return bytes > 0 && (data[0] == '{' || (data[0] >= 'a' && data[0] <= 'z'));
}

/* Strings of JSON may hold DEL and U+0080 to U+009F, as JSON has it; the JSON of a probe begins at its first '{'. */
bool probe_is_text(const uint8_t *data, size_t bytes) {
    bool json = false, quoted = false, escaped = false;
    for (size_t i = 0; i < bytes; i++) {
        uint8_t c = data[i];
        if (c < 0x20 && !herald_is_space((char)c)) {
            return false;
        }
        if (!quoted && (c == 0x7f || (c == 0xc2 && i + 1 < bytes && data[i + 1] < 0xa0))) {
            return false;
        }
        json = json || c == '{';
        if (c == '"' && !escaped) {
            quoted = json && !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    return bytes > 0 && herald_utf8_valid((const char *)data, bytes, NULL);
}

static enum herald_code malformed(struct rpc_call *call, const char *what) {
    return herald_error_set(&call->error, HERALD_REASON_MALFORMED_PROBE, "%s; %s", what, PROBE_USAGE);
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
    if (code != HERALD_OK) {
        return code;
    }
    if (call->method->schema->effect == HERALD_EFFECT_ONCE && !*call->context.idempotency_key) {
        herald_uuid7(call->context.idempotency_key);
    }
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
    while (bytes < words->bytes && !herald_is_space(words->text[bytes]) && words->text[bytes] != '{') {
        bytes++;
    }
    char *word = arena_strndup(&call->context.arena, words->text, bytes);
    for (; bytes < words->bytes && herald_is_space(words->text[bytes]); bytes++) {
        continue;
    }
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
    for (const char *at = name; at && *at; at++) {
        if (json_control_bytes(at) > 0) { /* what it quotes is no JSON */
            return malformed(call, NOT_PRINTABLE);
        }
    }
    head->method = "herald.rpc.v1.Reflection/Describe";
    enum herald_code code = name ? rpc_call_accept(call, head) : herald_error_no_memory(&call->error, "a probe");
    if (code != HERALD_OK) {
        return code;
    }
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
        if (word && !*word) {
            return malformed(call, "bearer needs a token, a space and a method");
        }
        if (word && take_bearer(call, token, &auth, &head) != HERALD_OK) {
            return call->error.code;
        }
    }
    if (!word) {
        return herald_error_no_memory(&call->error, "a probe");
    }
    if (strcmp(word, "help") == 0) {
        return read_help(call, &head);
    }
    if (strcmp(word, "describe") == 0) {
        return read_describe(call, &head, &words);
    }
    head.method = word;
    return words.bytes > 0 ? begin_call(call, &head, words.text, words.bytes) : begin_call(call, &head, "{}", 2);
}

static enum herald_code read_object(struct rpc_call *call, const char *text, size_t bytes) {
    struct probe_object object;
    Herald__Rpc__V1__Auth auth;
    enum herald_code code = probe_object_read(&call->context.arena, text, bytes, &object, &call->error);
    if (code != HERALD_OK) {
        return code;
    }
    struct rpc_call_head head = {
        .method = object.method, .idempotency_key = object.idempotency_key, .timeout_ms = object.timeout_ms};
    if (object.bearer && take_bearer(call, object.bearer, &auth, &head) != HERALD_OK) {
        return call->error.code;
    }
    return begin_call(call, &head, object.request, object.request_bytes);
}

enum herald_code probe_read(struct rpc_call *call, const uint8_t *data, size_t bytes) {
    const char *text = (const char *)data;
    while (bytes > 0 && herald_is_space(text[bytes - 1])) {
        bytes--;
    }
    if (!probe_is_text(data, bytes)) {
        return malformed(call, NOT_PRINTABLE);
    }
    return text[0] == '{' ? read_object(call, text, bytes) : read_words(call, text, bytes);
}

/* ---- out ---- */

static nng_msg *text_message(const char *before, const char *text, const char *after) {
    nng_msg *reply = NULL;
    if (nng_msg_alloc(&reply, 0) != 0) {
        return NULL;
    }
    if (nng_msg_append(reply, before, strlen(before)) == 0 && nng_msg_append(reply, text, strlen(text)) == 0 &&
        nng_msg_append(reply, after, strlen(after)) == 0) {
        return reply;
    }
    nng_msg_free(reply);
    return NULL;
}

static enum herald_code checked_message(const struct rpc_call *call, const char *json, nng_msg **ret_reply,
                                        struct herald_error *reterr) {
    if (strlen(json) > call->server->limits.max_message_bytes) {
        return herald_error_set(reterr, HERALD_REASON_RESPONSE_TOO_LARGE,
                                "the answer has %zu bytes, the limit is rpc.max_message_bytes = %u; ask for less",
                                strlen(json), call->server->limits.max_message_bytes);
    }
    nng_msg *reply = text_message("", json, "");
    if (!reply) {
        return herald_error_no_memory(reterr, "a probe");
    }
    *ret_reply = reply;
    return HERALD_OK;
}

enum herald_code probe_success(const struct rpc_call *call, nng_msg **ret_reply, struct herald_error *reterr) {
    if (call->text) {
        return checked_message(call, call->text, ret_reply, reterr);
    }
    const struct herald_json_write_options options = {.with_defaults = true};
    char *json = NULL;
    enum herald_code code = herald_json_write(call->method->schema->response, call->response, &options, &json, reterr);
    if (code == HERALD_INVALID_ARGUMENT) {
        reterr->code = HERALD_INTERNAL; /* the handler's doing, not the caller's */
        return HERALD_INTERNAL;
    }
    if (code == HERALD_OK) {
        code = checked_message(call, json, ret_reply, reterr);
    }
    free(json);
    return code;
}

nng_msg *probe_failure(const struct herald_error *error) {
    struct envelope_error filled;
    char *json = NULL;
    envelope_error_fill(&filled, error);
    const struct herald_message_schema *schema = herald_schema_find_message("herald.rpc.v1.Response");
    if (!schema || herald_json_write(schema, &filled.response.base, NULL, &json, NULL) != HERALD_OK) {
        return text_message("{\"error\":{\"code\":\"", herald_code_name((int)error->code), "\"}}");
    }
    nng_msg *reply = text_message("{\"error\":", json, "}");
    free(json);
    return reply;
}
