#include "server/inspect/telemetry.h"

#include "client/base/random.h"
#include "server/inspect/inspect_log.h"
#include "server/inspect/recent.h"
#include "server/rpc/interceptor.h"
#include "server/rpc/rpc_call.h"
#include "server/rpc/server.h"

#include <stdio.h>
#include <string.h>

/* ---- traces ---- */

/* traceparent of version 00: "00-<trace, 32 hex>-<span, 16 hex>-<flags, 2 hex>". Source: W3C Trace Context */
#define TRACE_AT          3
#define TRACE_CHARS       32
#define SPAN_AT           36
#define SPAN_CHARS        16
#define FLAGS_AT          53
#define TRACEPARENT_CHARS 55

static bool is_hex(const char *text, size_t chars) {
    return strspn(text, "0123456789abcdef") >= chars;
}

static bool is_zero(const char *text, size_t chars) {
    return strspn(text, "0") >= chars;
}

/* True for version 00, and for a later version, whose first part has the same form. */
static bool is_usable(const char *parent) {
    return strnlen(parent, TRACEPARENT_CHARS) == TRACEPARENT_CHARS && is_hex(parent, 2) &&
           strncmp(parent, "ff", 2) != 0 && parent[2] == '-' && is_hex(parent + TRACE_AT, TRACE_CHARS) &&
           !is_zero(parent + TRACE_AT, TRACE_CHARS) && parent[SPAN_AT - 1] == '-' &&
           is_hex(parent + SPAN_AT, SPAN_CHARS) && !is_zero(parent + SPAN_AT, SPAN_CHARS) &&
           parent[FLAGS_AT - 1] == '-' && is_hex(parent + FLAGS_AT, 2);
}

static void put_random_hex(char *to, size_t chars) {
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char bytes[TRACE_CHARS / 2];
    herald_random_bytes(bytes, chars / 2);
    bytes[0] |= 1; /* an id of zeros is invalid */
    for (size_t i = 0; i < chars; i++) {
        to[i] = DIGITS[i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4];
    }
}

static enum herald_code trace_on_head(void *self, struct rpc_call *call, const struct rpc_call_head *head,
                                      struct herald_error *reterr) {
    char *own = call->context.traceparent;
    (void)self;
    (void)head;
    (void)reterr;
    if (is_usable(own)) {
        memcpy(call->parent_span, own + SPAN_AT, SPAN_CHARS);
        call->parent_span[SPAN_CHARS] = '\0';
        memcpy(own, "00", 2);
    } else {
        memcpy(own, "00-", TRACE_AT);
        put_random_hex(own + TRACE_AT, TRACE_CHARS);
        memcpy(own + FLAGS_AT - 1, "-00", 3); /* flags: not sampled */
    }
    own[SPAN_AT - 1] = '-';
    put_random_hex(own + SPAN_AT, SPAN_CHARS);
    own[TRACEPARENT_CHARS] = '\0';
    return HERALD_OK;
}

/* ---- logs ---- */

static bool is_servers_fault(enum herald_code code) {
    return code == HERALD_UNKNOWN || code == HERALD_INTERNAL || code == HERALD_UNAVAILABLE ||
           code == HERALD_DATA_LOSS || code == HERALD_OUTCOME_UNKNOWN;
}

/* True for errors of the server. UNAVAILABLE before the handler began does not count: a draining server refuses many
 * calls with it, and a line for each would flood the log. */
static bool is_worth_a_warning(const struct rpc_call *call) {
    return is_servers_fault(call->code) && (call->begun_us != 0 || call->code != HERALD_UNAVAILABLE);
}

static void log_on_end(void *self, const struct rpc_call *call) {
    bool warn = is_worth_a_warning(call);
    (void)self;
    if (!log_wants(warn ? &LOG_RPC_CALL_FAILED : &LOG_RPC_CALL)) {
        return;
    }
    const struct call *context = &call->context;
    char trace[TRACE_CHARS + 1], span[SPAN_CHARS + 1];
    (void)snprintf(trace, sizeof(trace), "%.*s", TRACE_CHARS,
                   *context->traceparent ? context->traceparent + TRACE_AT : "");
    (void)snprintf(span, sizeof(span), "%.*s", SPAN_CHARS, *context->traceparent ? context->traceparent + SPAN_AT : "");
    struct log_field method = log_str("method", context->method),
                     latency = log_u64("latency_us", rpc_call_latency_us(call));
    struct log_field own = log_str("span_id", span), parent = log_str("parent_span_id", call->parent_span);
    /* In a task log_emit() adds the ids of call and trace. */
    struct log_field id = call_current() ? LOG_END : log_str("call_id", context->id);
    struct log_field trace_id = log_str("trace_id", trace);
    if (warn) {
        log_emit(&LOG_RPC_CALL_FAILED, method, log_error(&call->error), latency, own, parent, id, trace_id, LOG_END);
    } else {
        log_emit(&LOG_RPC_CALL, method, log_str("code", herald_code_name((int)call->code)),
                 log_str("reason", call->error.reason), latency, own, parent, id, trace_id, LOG_END);
    }
}

/* ---- recent calls ---- */

static void recent_on_end(void *self, const struct rpc_call *call) {
    const struct telemetry *telemetry = self;
    uint64_t us = rpc_call_latency_us(call);
    if (call->code != HERALD_OK || us >= telemetry->slow_call_us) {
        recent_note(telemetry->recent, call, us);
    }
}

enum herald_code telemetry_add(struct rpc_server *server, struct telemetry *telemetry, struct herald_error *reterr) {
    const struct rpc_interceptor all[] = {
        {.name = "trace", .on_head = trace_on_head},
        {.name = "log", .on_end = log_on_end},
        {.name = "recent", .on_end = recent_on_end, .self = telemetry},
    };
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; code == HERALD_OK && i < sizeof(all) / sizeof(*all); i++) {
        code = rpc_server_intercept(server, &all[i], reterr);
    }
    return code;
}
