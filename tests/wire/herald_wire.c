/*
 * Herald's own implementation behind the line protocol of tests/wire/README.md: one JSON object a line on standard
 * input, one answer a line on standard output. The verdicts are the code's own: messages are read by herald_unpack(),
 * herald_validate() and the JSON mapping, and whole requests go over a socket to a server in this process, which serves
 * every service with no handlers, so that METHOD_NOT_IMPLEMENTED means that everything about the request was in order.
 */
#include "client/json/base64.h"
#include "client/message/signature.h"
#include "herald/distribution/v1/distribution.server.h"
#include "herald/event/v1/event.server.h"
#include "herald/job/v1/job.server.h"
#include "herald/json.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "herald/unpack.h"
#include "herald/validate.h"
#include "server/process/builtin.h"
#include "server/programs/settings.h"
#include "server/rpc/auth.h"
#include "server/rpc/probe_text.h"
#include "server/rpc/server.h"

#include <jansson.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLY_TIMEOUT_MS 20000

struct wire {
    struct settings settings;
    struct loop *loop;
    pthread_t thread;
    struct rpc_server *server;
    nng_socket socket;
};

struct bytes {
    uint8_t *data; /* free() it */
    size_t count;
};

/* ---- a server of all services, without handlers ---- */

static void *run_loop(void *arg) {
    loop_run(arg);
    return NULL;
}

static enum herald_code add_services(struct rpc_server *server, struct herald_error *reterr) {
    static const struct herald_event_v1_event_service_handlers event;
    static const struct herald_job_v1_job_service_handlers job;
    static const struct herald_distribution_v1_distribution_service_handlers distribution;
    enum herald_code code = rpc_server_add(server, &herald_event_v1_event_service_binding, &event, NULL, NULL, reterr);
    if (code == HERALD_OK) {
        code = rpc_server_add(server, &herald_job_v1_job_service_binding, &job, NULL, NULL, reterr);
    }
    if (code == HERALD_OK) {
        code = rpc_server_add(server, &herald_distribution_v1_distribution_service_binding, &distribution, NULL, NULL,
                              reterr);
    }
    return code;
}

static enum herald_code start_server(struct wire *wire, struct herald_error *reterr) {
    enum herald_code code = settings_load(&wire->settings, NULL, reterr);
    if (code == HERALD_OK) {
        code = loop_new(0, &wire->loop, reterr);
    }
    if (code == HERALD_OK) {
        code = rpc_server_new("herald-wire", &wire->settings, &wire->loop, 1, &wire->server, reterr);
    }
    if (code == HERALD_OK) {
        code = builtin_services_add(wire->server, &wire->settings, reterr);
    }
    if (code == HERALD_OK) {
        code = rpc_server_secure(wire->server, reterr);
    }
    if (code == HERALD_OK) {
        code = add_services(wire->server, reterr);
    }
    if (code == HERALD_OK) {
        code = rpc_server_listen(wire->server, "tcp://127.0.0.1:0", reterr);
    }
    return code;
}

static int connect_to_server(struct wire *wire) {
    int failure = nng_req0_open(&wire->socket);
    if (failure == 0) {
        failure = nng_socket_set_ms(wire->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    }
    if (failure == 0) {
        failure = nng_socket_set_ms(wire->socket, NNG_OPT_RECVTIMEO, REPLY_TIMEOUT_MS);
    }
    if (failure == 0) {
        failure = nng_socket_set_ms(wire->socket, NNG_OPT_SENDTIMEO, REPLY_TIMEOUT_MS);
    }
    return failure == 0 ? nng_dial(wire->socket, rpc_server_url(wire->server), NULL, 0) : failure;
}

/* ---- JSON in and out ---- */

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const json_t *op, const char *name, struct bytes *ret_bytes) {
    const char *hex = json_string_value(json_object_get(op, name));
    size_t digits = hex ? strlen(hex) : 1;
    uint8_t *data = digits % 2 == 0 ? malloc(digits / 2 + 1) : NULL;
    for (size_t i = 0; data && i < digits; i += 2) {
        int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);
        if (high < 0 || low < 0) {
            free(data);
            return false;
        }
        data[i / 2] = (uint8_t)(high << 4 | low);
    }
    *ret_bytes = (struct bytes){data, digits / 2};
    return data != NULL;
}

static json_t *hex_of(const uint8_t *data, size_t count) {
    static const char digits[] = "0123456789abcdef";
    char *hex = malloc(2 * count + 1);
    for (size_t i = 0; hex && i < count; i++) {
        hex[2 * i] = digits[data[i] >> 4];
        hex[2 * i + 1] = digits[data[i] & 15];
    }
    json_t *text = hex ? json_stringn(hex, 2 * count) : NULL;
    free(hex);
    return text;
}

static json_t *accepted(void) {
    return json_pack("{s:b}", "ok", 1);
}

static json_t *refused(const struct herald_error *error) {
    json_t *details = json_array();
    for (uint32_t i = 0; i < error->detail_count; i++) {
        const struct herald_error_detail *detail = &error->details[i];
        (void)json_array_append_new(details, json_pack("{s:s, s:s, s:s}", "field", detail->field, "reason",
                                                       detail->reason, "message", detail->message));
    }
    return json_pack("{s:b, s:s, s:s, s:s, s:o}", "ok", 0, "code", herald_code_name((int)error->code), "reason",
                     error->reason, "message", error->message, "details", details);
}

static json_t *bad_line(const char *what) {
    struct herald_error error;
    herald_error_set_code(&error, HERALD_INVALID_ARGUMENT, "BAD_LINE", "%s", what);
    return refused(&error);
}

static const struct herald_message_schema *type_of(const json_t *op) {
    const char *name = json_string_value(json_object_get(op, "type"));
    return name ? herald_schema_find_message(name) : NULL;
}

/* ---- operations on messages ---- */

static enum herald_code to_json(const struct herald_message_schema *schema, const ProtobufCMessage *message,
                                json_t **ret_json, struct herald_error *reterr) {
    char *text = NULL;
    enum herald_code code = herald_json_write(schema, message, NULL, &text, reterr);
    if (code == HERALD_OK) {
        *ret_json = json_loads(text, 0, NULL);
    }
    free(text);
    return code;
}

/* decode and validate: they differ in whether the rules are checked. */
static json_t *read_message(const json_t *op, bool rules) {
    const struct herald_message_schema *schema = type_of(op);
    struct bytes bytes;
    struct herald_error error;
    ProtobufCMessage *message = NULL;
    json_t *json = NULL;
    if (!schema || !read_hex(op, "hex", &bytes)) {
        return bad_line("it needs a known \"type\" and \"hex\"");
    }
    enum herald_code code = herald_unpack(schema, NULL, bytes.data, bytes.count, &message, &error);
    free(bytes.data);
    if (code == HERALD_OK) {
        code = rules ? herald_validate(schema, message, &error) : to_json(schema, message, &json, &error);
    }
    if (message) {
        protobuf_c_message_free_unpacked(message, NULL);
    }
    if (code != HERALD_OK) {
        return refused(&error);
    }
    return json ? json_pack("{s:b, s:o}", "ok", 1, "json", json) : accepted();
}

static json_t *encode(const json_t *op) {
    const struct herald_message_schema *schema = type_of(op);
    char *text = json_dumps(json_object_get(op, "json"), JSON_ENCODE_ANY);
    struct herald_error error;
    ProtobufCMessage *message = NULL;
    if (!schema || !text) {
        free(text);
        return bad_line("it needs a known \"type\" and \"json\"");
    }
    enum herald_code code = herald_json_read(schema, text, strlen(text), NULL, NULL, &message, &error);
    free(text);
    if (code != HERALD_OK) {
        return refused(&error);
    }
    size_t count = protobuf_c_message_get_packed_size(message);
    uint8_t *data = malloc(count + 1);
    json_t *hex = data ? hex_of(data, protobuf_c_message_pack(message, data)) : NULL;
    free(data);
    protobuf_c_message_free_unpacked(message, NULL);
    return json_pack("{s:b, s:o}", "ok", 1, "hex", hex);
}

static const char *text_of(const json_t *op, const char *name) {
    const char *text = json_string_value(json_object_get(op, name));
    return text ? text : "";
}

static json_t *sign(const json_t *op) {
    struct bytes key = {0}, nonce = {0}, payload = {0};
    uint8_t mac[HERALD_SIGNATURE_BYTES];
    json_t *answer = NULL;
    if (read_hex(op, "keyHex", &key) && read_hex(op, "nonceHex", &nonce) && read_hex(op, "payloadHex", &payload)) {
        const char *method = text_of(op, "method");
        const struct herald_signed_parts parts = {.key_id = text_of(op, "keyId"),
                                                  .time_ms = json_integer_value(json_object_get(op, "timeMs")),
                                                  .nonce = nonce.data,
                                                  .nonce_bytes = nonce.count,
                                                  .method = method,
                                                  .method_bytes = strlen(method),
                                                  .user = text_of(op, "user"),
                                                  .idempotency_key = text_of(op, "idempotencyKey"),
                                                  .payload = payload.data,
                                                  .payload_bytes = payload.count};
        if (herald_signature_compute(&parts, key.data, key.count, mac)) {
            answer = json_pack("{s:b, s:o}", "ok", 1, "hex", hex_of(mac, sizeof(mac)));
        }
    }
    free(key.data);
    free(nonce.data);
    free(payload.data);
    return answer ? answer : bad_line("it needs \"keyHex\", \"nonceHex\" and \"payloadHex\"");
}

/* ---- whole requests ---- */

/* Sends a message and waits for its reply. Returns nng's failure, 0 for none. */
static int exchange(struct wire *wire, const struct bytes *bytes, nng_msg **ret_reply) {
    nng_msg *message = NULL;
    int failure = nng_msg_alloc(&message, bytes->count);
    if (failure != 0) {
        return failure;
    }
    memcpy(nng_msg_body(message), bytes->data, bytes->count);
    failure = nng_sendmsg(wire->socket, message, 0);
    if (failure != 0) {
        nng_msg_free(message);
        return failure;
    }
    return nng_recvmsg(wire->socket, ret_reply, 0);
}

static json_t *request(struct wire *wire, const json_t *op) {
    struct bytes bytes;
    nng_msg *reply = NULL;
    if (!read_hex(op, "hex", &bytes)) {
        return bad_line("it needs \"hex\"");
    }
    int failure = exchange(wire, &bytes, &reply);
    free(bytes.data);
    if (failure != 0) {
        return json_pack("{s:b, s:b, s:s}", "ok", 0, "closed", 1, "message", nng_strerror(failure));
    }
    json_t *answer = json_pack("{s:b, s:o}", "ok", 1, "hex", hex_of(nng_msg_body(reply), nng_msg_len(reply)));
    nng_msg_free(reply);
    return answer;
}

static json_t *form(const json_t *op) {
    struct bytes bytes;
    if (!read_hex(op, "hex", &bytes)) {
        return bad_line("it needs \"hex\"");
    }
    bool probe = probe_is(bytes.data, bytes.count);
    free(bytes.data);
    return json_pack("{s:b, s:s}", "ok", 1, "form", probe ? "probe" : "envelope");
}

/* ---- credentials ---- */

/* Writes the callers as a callers file. */
static void write_callers(FILE *file, const json_t *callers) {
    const json_t *caller, *item;
    const char *id;
    size_t i, j;
    json_array_foreach(callers, i, caller) {
        fprintf(file, "[caller %s]\n", text_of(caller, "name"));
        json_object_foreach(json_object_get(caller, "keys"), id, item) {
            struct bytes key;
            char base64[512] = "";
            if (!read_hex(json_object_get(caller, "keys"), id, &key)) {
                continue;
            }
            herald_base64_write(key.data, key.count, base64);
            fprintf(file, "key.%s = %s\n", id, base64);
            free(key.data);
        }
        json_array_foreach(json_object_get(caller, "methods"), j, item)
            fprintf(file, "methods = %s\n", json_string_value(item));
        fprintf(file, "act_for = %s", json_array_size(json_object_get(caller, "actFor")) ? "" : "none");
        json_array_foreach(json_object_get(caller, "actFor"), j, item)
            fprintf(file, "%s%s", j ? ", " : "", json_string_value(item));
        fprintf(file, "\n");
    }
}

/* What checks credentials by these callers; NULL: @reterr says why. */
static struct auth *auth_of(const json_t *callers, struct herald_error *reterr) {
    char path[] = "/tmp/herald-wire-callers-XXXXXX", audience[] = "herald";
    struct auth_settings settings = {.auth_required = true, .auth_callers_file = path, .auth_audience = audience};
    struct auth *auth = NULL;
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file) {
        herald_error_set_code(reterr, HERALD_INTERNAL, "TEMPORARY_FILE", "%s cannot be made", path);
        return NULL;
    }
    write_callers(file, callers);
    fclose(file);
    (void)auth_new(&settings, &auth, reterr);
    unlink(path);
    return auth;
}

static json_t *check_envelope(struct auth *auth, const Herald__Rpc__V1__Request *envelope, const json_t *op) {
    const struct rpc_call_head head = {.method = envelope->method,
                                       .idempotency_key = envelope->idempotency_key,
                                       .auth = envelope->auth,
                                       .payload = envelope->payload.data,
                                       .payload_bytes = envelope->payload.len};
    const struct herald_method_schema *method = herald_schema_find_method(envelope->method);
    json_int_t now_ms = json_integer_value(json_object_get(op, "nowMs"));
    json_int_t up_ms = json_integer_value(json_object_get(op, "upMs"));
    json_int_t times = json_integer_value(json_object_get(op, "times"));
    struct auth_identity identity = {.caller = ""};
    struct herald_error error;
    enum herald_code code = HERALD_OK;
    if (!method) {
        return bad_line("the method is not known");
    }
    auth_begin(auth, 0);
    for (json_int_t i = 0; i < times && code == HERALD_OK; i++) {
        code = auth_check(auth, method, &head, now_ms, (uint64_t)up_ms, &identity, &error);
    }
    return code == HERALD_OK ? json_pack("{s:b, s:s, s:s}", "ok", 1, "caller", identity.caller, "user", identity.user)
                             : refused(&error);
}

static json_t *credential(const json_t *op) {
    struct herald_error error;
    struct bytes bytes;
    ProtobufCMessage *message = NULL;
    if (!read_hex(op, "hex", &bytes)) {
        return bad_line("it needs \"hex\"");
    }
    enum herald_code code = herald_unpack(herald_schema_find_message("herald.rpc.v1.Request"), NULL, bytes.data,
                                          bytes.count, &message, &error);
    free(bytes.data);
    if (code != HERALD_OK) {
        return refused(&error);
    }
    struct auth *auth = auth_of(json_object_get(op, "callers"), &error);
    json_t *answer = auth ? check_envelope(auth, (const Herald__Rpc__V1__Request *)message, op) : refused(&error);
    auth_free(auth);
    protobuf_c_message_free_unpacked(message, NULL);
    return answer;
}

/* ---- lines ---- */

static json_t *answer_to(struct wire *wire, const json_t *op) {
    const char *name = text_of(op, "op");
    if (strcmp(name, "decode") == 0) {
        return read_message(op, false);
    }
    if (strcmp(name, "validate") == 0) {
        return read_message(op, true);
    }
    if (strcmp(name, "encode") == 0) {
        return encode(op);
    }
    if (strcmp(name, "sign") == 0) {
        return sign(op);
    }
    if (strcmp(name, "form") == 0) {
        return form(op);
    }
    if (strcmp(name, "credential") == 0) {
        return credential(op);
    }
    if (strcmp(name, "request") == 0) {
        return request(wire, op);
    }
    return json_pack("{s:b, s:b}", "ok", 0, "unsupported", 1);
}

static void serve_line(struct wire *wire, const char *line) {
    json_error_t wrong;
    json_t *op = json_loads(line, JSON_ALLOW_NUL, &wrong);
    json_t *answer = op ? answer_to(wire, op) : bad_line(wrong.text);
    json_t *id = json_object_get(op, "id");
    if (id) {
        (void)json_object_set(answer, "id", id);
    }
    json_dumpf(answer, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(answer);
    json_decref(op);
}

static void serve_lines(struct wire *wire) {
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        serve_line(wire, line);
    }
    free(line);
}

int main(void) {
    struct wire wire = {.loop = NULL};
    struct herald_error error;
    if (start_server(&wire, &error) != HERALD_OK) {
        fprintf(stderr, "herald-wire: %s\n", error.message);
        return 1;
    }
    if (pthread_create(&wire.thread, NULL, run_loop, wire.loop) != 0 || connect_to_server(&wire) != 0) {
        fprintf(stderr, "herald-wire: cannot call its own server\n");
        return 1;
    }
    serve_lines(&wire);
    nng_close(wire.socket);
    loop_stop(wire.loop);
    pthread_join(wire.thread, NULL);
    if (rpc_server_free(wire.server)) {
        loop_free(wire.loop);
    }
    settings_fini(&wire.settings);
    return 0;
}
