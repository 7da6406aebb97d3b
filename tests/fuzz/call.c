#include "tests/fuzz/call.h"

#include "client/src/reply.h"
#include "herald/distribution/v1/distribution.server.h"
#include "herald/event/v1/event.server.h"
#include "herald/job/v1/job.server.h"
#include "herald/validate.h"
#include "server/process/builtin.h"
#include "server/programs/settings.h"
#include "server/rpc/arrival.h"
#include "server/rpc/envelope.h"
#include "server/rpc/probe.h"
#include "server/rpc/probe_text.h"
#include "server/rpc/rpc_call.h"
#include "server/rpc/server.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rpc_server *server;

void fuzz_call_init(void) {
    static const char handlers[4096]; /* never called */
    static struct settings settings;
    static struct loop *loop;
    struct herald_error error;
    const struct herald_service_binding *services[] = {&herald_event_v1_event_service_binding,
                                                       &herald_job_v1_job_service_binding,
                                                       &herald_distribution_v1_distribution_service_binding};
    fuzz_require(settings_load(&settings, NULL, &error) == HERALD_OK, "the default settings are good");
    fuzz_require(loop_new(0, &loop, &error) == HERALD_OK, "there is a loop");
    fuzz_require(rpc_server_new("fuzzed", &settings, &loop, 1, &server, &error) == HERALD_OK, "there is a server");
    fuzz_require(builtin_services_add(server, &settings, &error) == HERALD_OK, "with the services of every server");
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        fuzz_require(rpc_server_add(server, services[i], handlers, NULL, NULL, &error) == HERALD_OK, "it serves all");
    }
}

/* ---- an engine that keeps the reply ---- */

static nng_msg *made_reply;

static void drop_nothing(struct exchange *exchange) {
    (void)exchange;
}

static uint8_t *make_kept_reply(struct exchange *exchange, size_t bytes) {
    (void)exchange;
    return nng_msg_alloc(&made_reply, bytes) == 0 ? nng_msg_body(made_reply) : NULL;
}

static const struct exchange_engine keeping_engine = {.drop = drop_nothing, .make = make_kept_reply};
static struct exchange_pool keeping_pool = {.engine = &keeping_engine};

static nng_msg *take_reply(void) {
    nng_msg *msg = made_reply;
    made_reply = NULL;
    fuzz_require(msg != NULL, "there is memory");
    return msg;
}

/* ---- what is checked ---- */

/* An answer that names no error would pass for success. */
static void check_binary_failure(const struct rpc_call *call) {
    static struct herald_reply reply;
    envelope_failure(&call->error, HERALD__RPC__V1__DONE__NOTHING, &(struct envelope_tail){.timings = NULL},
                     call->arrival->exchange);
    nng_msg *msg = take_reply();
    herald_reply_init(&reply);
    herald_reply_read(&reply, fuzz_method(0), &(struct herald_received){nng_msg_body(msg), nng_msg_len(msg), msg},
                      false);
    fuzz_require(reply.error.code == call->error.code, "a client reads the code that the server sent");
    fuzz_require(strcmp(reply.error.reason, call->error.reason) == 0, "and the reason");
    fuzz_require(reply.error.detail_count == call->error.detail_count, "and the details");
    herald_reply_clear(&reply);
}

static void check_text_failure(const struct rpc_call *call) {
    probe_failure(&call->error, HERALD__RPC__V1__DONE__NOTHING, call->arrival->exchange);
    nng_msg *msg = take_reply();
    json_t *answer = json_loadb(nng_msg_body(msg), nng_msg_len(msg), JSON_REJECT_DUPLICATES, NULL);
    json_t *code = json_object_get(json_object_get(answer, "error"), "code");
    fuzz_require(json_is_string(code), "a probe that is refused gets JSON with a code");
    fuzz_require(strcmp(json_string_value(code), herald_code_name((int)call->error.code)) == 0,
                 "the code is the error's");
    json_decref(answer);
    nng_msg_free(msg);
}

static void check_failure(const struct rpc_call *call, enum herald_code code) {
    fuzz_require(call->error.code == code && call->error.message[0], "a refusal says why");
    fuzz_require(call->request == NULL || code != HERALD_OK, "nothing unvalidated is accepted");
    if (call->probe) {
        check_text_failure(call);
    } else {
        check_binary_failure(call);
    }
}

static void check_success(struct rpc_call *call) {
    struct herald_error error;
    fuzz_require(call->text || (call->method && call->request), "what is accepted has a method and a request");
    if (!call->request) {
        return;
    }
    const struct herald_message_schema *schema = call->method->schema->request;
    fuzz_require(herald_validate(schema, call->request, &error) == HERALD_OK, "no unvalidated request is accepted");
    fuzz_check_message(schema, call->request);
}

/* What came of a message, to compare. */
struct verdict {
    enum herald_code code;
    char reason[64];
    const struct rpc_method *method;
    uint8_t *request;
    size_t request_bytes;
};

static void note_verdict(const struct rpc_call *call, enum herald_code code, struct verdict *ret_verdict) {
    *ret_verdict = (struct verdict){.code = code, .method = call->method};
    snprintf(ret_verdict->reason, sizeof(ret_verdict->reason), "%s", code == HERALD_OK ? "" : call->error.reason);
    if (code != HERALD_OK || !call->request) {
        return;
    }
    ret_verdict->request_bytes = protobuf_c_message_get_packed_size(call->request);
    ret_verdict->request = malloc(ret_verdict->request_bytes + 1);
    fuzz_require(ret_verdict->request != NULL, "there is memory");
    protobuf_c_message_pack(call->request, ret_verdict->request);
}

/* @in_full  an envelope is read the slow way, which finds errors */
static void read_call(const uint8_t *data, size_t bytes, bool in_full, struct verdict *ret_verdict) {
    static struct rpc_call call;
    alignas(struct exchange) static uint8_t room[sizeof(struct exchange) + sizeof(struct arrival)];
    struct exchange *exchange = (struct exchange *)room;
    memset(&call, 0, sizeof(call));
    memset(room, 0, sizeof(room));
    *exchange = (struct exchange){.pool = &keeping_pool, .data = data, .bytes = bytes, .received_us = clock_now_us()};
    struct arrival *arrival = arrival_look(rpc_server_parts(server), exchange);
    rpc_call_init(&call, arrival);
    if (in_full) {
        arrival->view.plain = false;
    }
    call.code = rpc_call_read(&call);
    if (call.code == HERALD_OK) {
        check_success(&call);
    } else {
        check_failure(&call, call.code);
    }
    note_verdict(&call, call.code, ret_verdict);
    free(call.text);
    arena_fini(&call.context.arena);
}

/* Where the request of a probe METHOD {… begins; 0: it is another one. */
static size_t request_offset(const uint8_t *data, size_t bytes, const char *method) {
    size_t at = strlen(method);
    if (bytes <= at || memcmp(data, method, at) != 0) {
        return 0;
    }
    while (at < bytes && data[at] == ' ') {
        at++;
    }
    return at < bytes && data[at] == '{' ? at : 0;
}

/* The same probe as an object. */
static void check_object(const uint8_t *data, size_t bytes, const struct verdict *words) {
    struct verdict verdict;
    const char *method = words->method ? words->method->schema->full_name : "";
    size_t request = request_offset(data, bytes, method);
    /* Only right JSON is compared: what is wrong may be right as a part of more, as {},"x":{ is. */
    if (!words->method || request == 0 || strcmp(words->reason, "INVALID_JSON") == 0) {
        return;
    }
    char *object = malloc(bytes + 64);
    fuzz_require(object != NULL, "there is memory");
    int head = sprintf(object, "{\"method\":\"%s\",\"request\":", method);
    memcpy(object + head, data + request, bytes - request);
    object[(size_t)head + bytes - request] = '}';
    read_call((const uint8_t *)object, (size_t)head + bytes - request + 1, false, &verdict);
    fuzz_require(verdict.code == words->code && strcmp(verdict.reason, words->reason) == 0,
                 "a probe as an object gets the verdict of the one in words");
    fuzz_require(verdict.request_bytes == words->request_bytes &&
                     (words->request_bytes == 0 || memcmp(verdict.request, words->request, words->request_bytes) == 0),
                 "and has the same request");
    free(verdict.request);
    free(object);
}

void fuzz_call(const uint8_t *data, size_t bytes) {
    struct verdict quick, slow;
    read_call(data, bytes, false, &quick);
    if (!probe_is(data, bytes)) {
        read_call(data, bytes, true, &slow);
        fuzz_require(quick.code == slow.code && strcmp(quick.reason, slow.reason) == 0,
                     "the quick way to read an envelope ends as the full one does");
        fuzz_require(quick.method == slow.method && quick.request_bytes == slow.request_bytes &&
                         (quick.request_bytes == 0 || memcmp(quick.request, slow.request, quick.request_bytes) == 0),
                     "and finds the same request");
        free(slow.request);
    } else {
        check_object(data, bytes, &quick);
    }
    free(quick.request);
}
