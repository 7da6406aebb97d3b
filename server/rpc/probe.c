#include "server/rpc/probe.h"

#include "client/base/ascii.h"
#include "client/json/text.h"
#include "herald/json.h"
#include "herald/validate.h"
#include "server/rpc/envelope.h"
#include "server/rpc/probe_object.h"
#include "server/rpc/probe_text.h"

#include <stdlib.h>
#include <string.h>

static const char NOT_PRINTABLE[] = "the probe is not printable text in UTF-8";

static enum herald_code malformed_probe(const char *what, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_MALFORMED_PROBE, "%s; %s", what, PROBE_USAGE);
}

/* ---- in ---- */

/* The rest of a probe in words. */
struct words {
    const char *text;
    size_t bytes;
};

/* Copies the next word into the arena, terminated. White space or '{' ends a word. Empty at the end; NULL without
 * memory. */
static char *take_word(struct arena *arena, struct words *words) {
    size_t bytes = 0;
    while (bytes < words->bytes && !herald_is_space(words->text[bytes]) && words->text[bytes] != '{') {
        bytes++;
    }
    char *word = arena_strndup(arena, words->text, bytes);
    for (; bytes < words->bytes && herald_is_space(words->text[bytes]); bytes++) {
        continue;
    }
    words->text += bytes;
    words->bytes -= bytes;
    return word;
}

/* Makes a credential of a bearer token. */
static enum herald_code take_bearer(const struct herald_message_schema *auth_schema, char *token,
                                    struct probe_head *head, struct herald_error *reterr) {
    herald__rpc__v1__auth__init(&head->auth);
    head->auth.proof_case = HERALD__RPC__V1__AUTH__PROOF_BEARER;
    head->auth.bearer = token;
    head->head.auth = &head->auth;
    return herald_validate(auth_schema, &head->auth.base, reterr);
}

/* Takes an optional "bearer TOKEN", and the word after it. @ret_word  set to NULL without memory */
static enum herald_code take_first_word(const struct herald_message_schema *auth_schema, struct arena *arena,
                                        struct words *words, struct probe_head *head, char **ret_word,
                                        struct herald_error *reterr) {
    char *word = take_word(arena, words);
    enum herald_code code = HERALD_OK;
    if (word && strcmp(word, "bearer") == 0) {
        char *token = take_word(arena, words);
        word = token ? take_word(arena, words) : NULL;
        if (word && !*word) {
            return malformed_probe("bearer needs a token, a space and a method", reterr);
        }
        code = word ? take_bearer(auth_schema, token, head, reterr) : HERALD_OK;
    }
    if (code == HERALD_OK && !word) {
        code = herald_error_no_memory(reterr, "a probe");
    }
    *ret_word = word;
    return code;
}

static enum herald_code read_describe(struct arena *arena, const struct words *rest, struct probe_head *head,
                                      struct herald_error *reterr) {
    head->kind = PROBE_DESCRIBE;
    head->head.method = "herald.rpc.v1.Reflection/Describe";
    head->name = arena_strndup(arena, rest->text, rest->bytes);
    for (const char *at = head->name; at && *at; at++) {
        if (json_control_bytes(at) > 0) { /* allowed in strings of JSON only */
            return malformed_probe(NOT_PRINTABLE, reterr);
        }
    }
    return head->name ? HERALD_OK : herald_error_no_memory(reterr, "a probe");
}

/* @json  the request; of 0 bytes: {} */
static void read_call(const char *method, const char *json, size_t json_bytes, struct probe_head *head) {
    head->kind = PROBE_CALL;
    head->head.method = method;
    head->head.payload = (const uint8_t *)(json_bytes > 0 ? json : "{}");
    head->head.payload_bytes = json_bytes > 0 ? json_bytes : 2;
}

/* Reads [bearer TOKEN] METHOD [JSON] | help | describe NAME. Help and describe count as calls of Reflection's methods,
 * so they are open to the same callers. */
static enum herald_code read_words(const struct herald_message_schema *auth_schema, struct arena *arena,
                                   const char *text, size_t bytes, struct probe_head *head,
                                   struct herald_error *reterr) {
    struct words words = {text, bytes};
    char *word = NULL;
    enum herald_code code = take_first_word(auth_schema, arena, &words, head, &word, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (strcmp(word, "help") == 0) {
        head->kind = PROBE_HELP;
        head->head.method = "herald.rpc.v1.Reflection/ListServices";
    } else if (strcmp(word, "describe") == 0) {
        return read_describe(arena, &words, head, reterr);
    } else {
        read_call(word, words.text, words.bytes, head);
    }
    return HERALD_OK;
}

static enum herald_code read_object(const struct herald_message_schema *auth_schema, struct arena *arena,
                                    const char *text, size_t bytes, struct probe_head *head,
                                    struct herald_error *reterr) {
    struct probe_object object;
    enum herald_code code = probe_object_read(arena, text, bytes, &object, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    read_call(object.method, object.request, object.request_bytes, head);
    head->head.idempotency_key = object.idempotency_key;
    head->head.timeout_ms = object.timeout_ms;
    return object.bearer ? take_bearer(auth_schema, object.bearer, head, reterr) : HERALD_OK;
}

enum herald_code probe_read(const struct herald_message_schema *auth_schema, struct arena *arena, const uint8_t *data,
                            size_t bytes, struct probe_head *ret_head, struct herald_error *reterr) {
    const char *text = (const char *)data;
    while (bytes > 0 && herald_is_space(text[bytes - 1])) {
        bytes--;
    }
    if (!probe_is_text(data, bytes)) {
        return malformed_probe(NOT_PRINTABLE, reterr);
    }
    *ret_head = (struct probe_head){.kind = PROBE_CALL};
    return text[0] == '{' ? read_object(auth_schema, arena, text, bytes, ret_head, reterr)
                          : read_words(auth_schema, arena, text, bytes, ret_head, reterr);
}

/* ---- out ---- */

static uint8_t *put_probe_text(uint8_t *to, const char *text, size_t bytes) {
    memcpy(to, text, bytes);
    return to + bytes;
}

/* False: no memory. */
static bool reply_text(struct exchange *exchange, const char *before, const char *text, const char *after) {
    size_t before_bytes = strlen(before), text_bytes = strlen(text), after_bytes = strlen(after);
    uint8_t *to = exchange_make_reply(exchange, before_bytes + text_bytes + after_bytes);
    if (to) {
        to = put_probe_text(to, before, before_bytes);
        put_probe_text(put_probe_text(to, text, text_bytes), after, after_bytes);
    }
    return to != NULL;
}

enum herald_code probe_answer(const char *json, uint32_t max_bytes, struct exchange *exchange,
                              struct herald_error *reterr) {
    size_t bytes = strlen(json);
    if (bytes > max_bytes) {
        return herald_error_set(reterr, HERALD_REASON_RESPONSE_TOO_LARGE,
                                "the answer has %zu bytes, the limit is rpc.max_message_bytes = %u; ask for less",
                                bytes, max_bytes);
    }
    return reply_text(exchange, "", json, "") ? HERALD_OK : herald_error_no_memory(reterr, "a probe");
}

enum herald_code probe_success(const struct herald_message_schema *schema, const ProtobufCMessage *response,
                               uint32_t max_bytes, struct exchange *exchange, struct herald_error *reterr) {
    const struct herald_json_write_options options = {.with_defaults = true};
    char *json = NULL;
    enum herald_code code = herald_json_write(schema, response, &options, &json, reterr);
    if (code == HERALD_INVALID_ARGUMENT) {
        if (reterr) {
            reterr->code = HERALD_INTERNAL; /* the handler's doing, not the caller's */
        }
        return HERALD_INTERNAL;
    }
    if (code == HERALD_OK) {
        code = probe_answer(json, max_bytes, exchange, reterr);
    }
    free(json);
    return code;
}

void probe_failure(const struct herald_error *error, Herald__Rpc__V1__Done done, struct exchange *exchange) {
    struct envelope_error filled;
    char *json = NULL;
    envelope_error_fill(&filled, error, done);
    const struct herald_message_schema *schema = herald_schema_find_message("herald.rpc.v1.Response");
    if (!schema || herald_json_write(schema, &filled.response.base, NULL, &json, NULL) != HERALD_OK) {
        (void)reply_text(exchange, "{\"error\":{\"code\":\"", herald_code_name((int)error->code), "\"}}");
    } else {
        (void)reply_text(exchange, "{\"error\":", json, "}");
    }
    free(json);
}
