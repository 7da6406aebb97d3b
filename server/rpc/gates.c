#include "server/rpc/gates.h"

#include "herald/validate.h"
#include "server/rpc/acting_user.h"
#include "server/rpc/adaptive.h"

#include <inttypes.h>
#include <stdio.h>

#define QUEUE_LONG_PART 20u

static enum herald_code retry_after(uint32_t ms, enum herald_code code, struct herald_error *reterr) {
    if (reterr) {
        reterr->retry_after_ms = ms;
    }
    return code;
}

/* ---- on arrival ---- */

enum herald_code gate_connection(const struct rpc_limits *limits, bool has_place, struct herald_error *reterr) {
    if (has_place) {
        return HERALD_OK;
    }
    return retry_after(GATE_CONNECTIONS_RETRY_AFTER_MS,
                       herald_error_set(reterr, HERALD_REASON_TOO_MANY_CONNECTIONS,
                                        "%s has its limit of %u connections (rpc.max_connections) and closes this one; "
                                        "try again later",
                                        limits->server_name, limits->max_connections),
                       reterr);
}

enum herald_code gate_message_size(const struct rpc_limits *limits, size_t bytes, struct herald_error *reterr) {
    if (bytes <= limits->max_message_bytes) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_MESSAGE_TOO_LARGE,
                            "the message has %zu bytes, the limit is rpc.max_message_bytes = %u", bytes,
                            limits->max_message_bytes);
}

enum herald_code gate_probes(const struct rpc_limits *limits, bool probe, struct herald_error *reterr) {
    if (!probe || limits->probes) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_PROBES_OFF,
                            "plain-text probes are switched off here (rpc.probes = false); send a packed "
                            "herald.rpc.v1.Request");
}

enum herald_code gate_in_flight(const struct rpc_limits *limits, struct in_flight *in_flight,
                                struct herald_error *reterr) {
    if (in_flight_enter(in_flight, limits->max_in_flight)) {
        return HERALD_OK;
    }
    return retry_after(GATE_RETRY_AFTER_MS,
                       herald_error_set(reterr, HERALD_REASON_TOO_MANY_CALLS,
                                        "%s has its limit of %u calls in flight (rpc.max_in_flight); try again later",
                                        limits->server_name, limits->max_in_flight),
                       reterr);
}

enum herald_code gate_stranger(const struct rpc_limits *limits, struct in_flight *in_flight,
                               struct herald_error *reterr) {
    if (in_flight_enter_part(&in_flight->strangers, limits->max_strangers)) {
        return HERALD_OK;
    }
    return retry_after(
        GATE_RETRY_AFTER_MS,
        herald_error_set(reterr, HERALD_REASON_TOO_MANY_CALLS,
                         "%s has its limit of %u calls in flight of callers that are neither servers nor "
                         "operators (rpc.max_in_flight, rpc.reserved_for_servers); try again later",
                         limits->server_name, limits->max_strangers),
        reterr);
}

enum herald_code gate_waiting(const struct rpc_limits *limits, struct in_flight *in_flight,
                              struct herald_error *reterr) {
    if (in_flight_enter_part(&in_flight->waiting, limits->max_waiting)) {
        return HERALD_OK;
    }
    return retry_after(GATE_WAITING_RETRY_AFTER_MS,
                       herald_error_set(reterr, HERALD_REASON_TOO_MANY_CALLS,
                                        "%s has its limit of %u calls in flight of methods that wait "
                                        "(rpc.waiting_share of rpc.max_in_flight); try again later",
                                        limits->server_name, limits->max_waiting),
                       reterr);
}

enum herald_code gate_anonymous(const struct rpc_limits *limits, struct in_flight *in_flight,
                                struct herald_error *reterr) {
    if (in_flight_enter_part(&in_flight->anonymous, limits->max_anonymous)) {
        return HERALD_OK;
    }
    return retry_after(GATE_RETRY_AFTER_MS,
                       herald_error_set(reterr, HERALD_REASON_TOO_MANY_CALLS,
                                        "%s has its limit of %u calls in flight without a credential "
                                        "(rpc.anonymous_share); try again later, or with a credential",
                                        limits->server_name, limits->max_anonymous),
                       reterr);
}

enum herald_code gate_anonymous_waiting(const struct rpc_limits *limits, struct in_flight *in_flight,
                                        struct herald_error *reterr) {
    if (in_flight_enter_part(&in_flight->anonymous_waiting, limits->max_anonymous_waiting)) {
        return HERALD_OK;
    }
    return retry_after(
        GATE_WAITING_RETRY_AFTER_MS,
        herald_error_set(reterr, HERALD_REASON_TOO_MANY_CALLS,
                         "%s has its limit of %u calls in flight of methods that wait, without a credential "
                         "(rpc.waiting_share of rpc.anonymous_share); try again later, or with a credential",
                         limits->server_name, limits->max_anonymous_waiting),
        reterr);
}

enum herald_code gate_draining(const struct rpc_limits *limits, const struct in_flight *in_flight,
                               struct herald_error *reterr) {
    if (!atomic_load(&in_flight->draining)) {
        return HERALD_OK;
    }
    return retry_after(GATE_DRAINING_RETRY_AFTER_MS,
                       herald_error_set(reterr, HERALD_REASON_DRAINING, "%s is about to end and takes no more calls",
                                        limits->server_name),
                       reterr);
}

static enum herald_code method_full(const struct rpc_limits *limits, const struct rpc_method *method,
                                    struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_TOO_MANY_CALLS_OF_METHOD,
                            "%s has its limit of %u calls of %s in flight (rpc.max_in_flight_per_method); try again "
                            "later",
                            limits->server_name, limits->max_in_flight_per_method, method->schema->full_name);
}

static enum herald_code method_overloaded(const struct rpc_limits *limits, struct rpc_method *method,
                                          enum adaptive_group group, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_LIMIT_REACHED,
                            "%s is overloaded: %u calls of %s wait for their turn, as many as now may "
                            "(rpc.adaptive_limit); try again later",
                            limits->server_name, atomic_load(&method->adaptive[group].limit),
                            method->schema->full_name);
}

enum herald_code gate_method(const struct rpc_limits *limits, struct places *places, struct rpc_method *method,
                             enum adaptive_group group, uint64_t received_us, struct herald_error *reterr) {
    if (method->own) {
        return HERALD_OK;
    }
    struct adaptive *adaptive = limits->adaptive ? &method->adaptive[group] : NULL;
    switch (places_take_of_method(places, method, limits->max_in_flight_per_method, adaptive, received_us)) {
    case PLACE_TAKEN:
        return HERALD_OK;
    case PLACE_OVERLOADED:
        return retry_after(GATE_RETRY_AFTER_MS, method_overloaded(limits, method, group, reterr), reterr);
    default:
        return retry_after(GATE_RETRY_AFTER_MS, method_full(limits, method, reterr), reterr);
    }
}

enum herald_code gate_kept(const struct rpc_limits *limits, struct places *places, uint64_t received_us,
                           struct herald_error *reterr) {
    struct rpc_method *method = places->method;
    if (places_take_waiting(places, &method->adaptive[ADAPTIVE_KEPT], received_us) == PLACE_TAKEN) {
        return HERALD_OK;
    }
    return retry_after(GATE_RETRY_AFTER_MS, method_overloaded(limits, method, ADAPTIVE_KEPT, reterr), reterr);
}

/* @who  the caller or the connection, as the message names it  @of_what  which calls  @setting  the limit's */
static enum herald_code caller_full(const struct rpc_limits *limits, const char *who, uint32_t most,
                                    const char *of_what, const char *setting, struct herald_error *reterr) {
    return retry_after(GATE_RETRY_AFTER_MS,
                       herald_error_set(reterr, HERALD_REASON_TOO_MANY_CALLS_OF_CALLER,
                                        "%s has its limit of %u calls in flight%s on %s (%s); try again later", who,
                                        most, of_what, limits->server_name, setting),
                       reterr);
}

static const char OF_WAITING_METHODS[] = " of methods that wait";

enum herald_code gate_connection_calls(const struct rpc_limits *limits, bool full, struct herald_error *reterr) {
    return full ? caller_full(limits, "the connection", limits->max_in_flight_per_connection, "",
                              "rpc.max_in_flight_per_connection", reterr)
                : HERALD_OK;
}

enum herald_code gate_connection_waits(const struct rpc_limits *limits, bool full, struct herald_error *reterr) {
    return full ? caller_full(limits, "the connection", limits->max_waiting_per_connection, OF_WAITING_METHODS,
                              "rpc.waiting_share of rpc.max_in_flight_per_connection", reterr)
                : HERALD_OK;
}

/* ---- the head is known ---- */

enum herald_code gate_deadline(const char *method, uint32_t timeout_ms, uint64_t received_us, uint64_t now_us,
                               struct herald_error *reterr) {
    if (now_us < received_us + (uint64_t)timeout_ms * 1000) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_DEADLINE_EXCEEDED,
                            "the call's %u ms were spent before %s began: the server is busy", timeout_ms, method);
}

static uint32_t longest_queue_ms(const struct rpc_limits *limits, uint32_t deadline_ms) {
    uint32_t part_ms = deadline_ms >= ADAPTIVE_LONG_MS ? deadline_ms / QUEUE_LONG_PART : 0;
    return part_ms > limits->max_queue_ms ? part_ms : limits->max_queue_ms;
}

enum herald_code gate_queue(const struct rpc_limits *limits, const char *method, uint32_t deadline_ms,
                            uint64_t received_us, uint64_t now_us, struct herald_error *reterr) {
    uint64_t waited_us = now_us - received_us;
    uint32_t longest_ms = longest_queue_ms(limits, deadline_ms);
    if (limits->max_queue_ms == 0 || waited_us <= (uint64_t)longest_ms * 1000) {
        return HERALD_OK;
    }
    return retry_after(GATE_RETRY_AFTER_MS,
                       herald_error_set(reterr, HERALD_REASON_QUEUE_TIMEOUT,
                                        "%s waited for its turn for %" PRIu64 " ms, longer than %s = %" PRIu32 "%s; "
                                        "try again later",
                                        method, waited_us / 1000,
                                        longest_ms > limits->max_queue_ms ? "1/20 of its deadline" : "rpc.max_queue_ms",
                                        longest_ms, longest_ms > limits->max_queue_ms ? " ms" : ""),
                       reterr);
}

enum herald_code gate_time_left(const struct rpc_method *method, uint64_t deadline_us, uint64_t now_us,
                                struct herald_error *reterr) {
    uint64_t left_us = deadline_us - now_us;
    uint64_t least_us = least_latency_us(&method->least, now_us);
    if (left_us >= least_us || method->schema->effect == HERALD_EFFECT_ONCE) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_CANNOT_FINISH_IN_TIME,
                            "%s has %" PRIu64 " ms left, and its quickest call of late took %" PRIu64
                            " ms: it was not begun; give it more time",
                            method->schema->full_name, left_us / 1000, (least_us + 999) / 1000);
}

enum herald_code gate_caller(const struct rpc_limits *limits, struct places *places, struct caller_counts *counts,
                             const char *caller, enum caller_class class, bool waits, struct herald_error *reterr) {
    bool server = class == CALLER_CLASS_SERVER;
    uint32_t most = server ? limits->max_in_flight_per_server : limits->max_in_flight_per_caller;
    uint32_t most_waiting = server || !waits ? 0 : limits->max_waiting_per_caller;
    char who[96];
    if (most == 0) {
        return HERALD_OK;
    }
    enum place place = places_take_of_caller(places, counts, caller, most, most_waiting);
    snprintf(who, sizeof(who), "the caller \"%s\"", caller);
    switch (place) {
    case PLACE_TAKEN:
        return HERALD_OK;
    case PLACE_NO_MEMORY:
        return herald_error_no_memory(reterr, "another caller");
    case PLACE_NO_WAITING_LEFT:
        return caller_full(limits, who, most_waiting, OF_WAITING_METHODS,
                           "rpc.waiting_share of rpc.max_in_flight_per_caller", reterr);
    default:
        return caller_full(limits, who, most, "",
                           server ? "rpc.max_in_flight_per_server" : "rpc.max_in_flight_per_caller", reterr);
    }
}

/* ---- the request is decoded ---- */

enum herald_code gate_request(const struct herald_message_schema *schema, ProtobufCMessage *request, char *user,
                              struct herald_error *reterr) {
    enum herald_code code = acting_user_apply(schema, request, user, reterr);
    return code == HERALD_OK ? herald_validate(schema, request, reterr) : code;
}

enum herald_code gate_drain_cut(const struct rpc_limits *limits, bool cut, struct herald_error *reterr) {
    return cut ? herald_error_set(reterr, HERALD_REASON_DRAINING, "%s is about to end", limits->server_name)
               : HERALD_OK;
}

enum herald_code gate_wanted(const struct herald_method_schema *method, bool cancelled, struct herald_error *reterr) {
    if (!cancelled || method->effect == HERALD_EFFECT_ONCE) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_CANCELLED, "%s was cancelled before it began", method->full_name);
}
