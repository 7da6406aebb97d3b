#include "server/rpc/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct caller_count {
    char name[sizeof((struct call *)NULL)->caller];
    unsigned in_flight;
    UT_hash_handle hh;
};

void caller_counts_init(struct caller_counts *counts) {
    counts->table = NULL;
    pthread_mutex_init(&counts->lock, NULL);
}

void caller_counts_fini(struct caller_counts *counts) {
    struct caller_count *count = counts->table, *next;
    HASH_CLEAR(hh, counts->table); /* the items stay in their list */
    for (; count; count = next) {
        next = count->hh.next;
        free(count);
    }
    pthread_mutex_destroy(&counts->lock);
}

static enum herald_code refuse(struct herald_error *reterr, enum herald_reason reason, const char *message) {
    herald_error_set(reterr, reason, "%s; try again later", message);
    if (reterr) {
        reterr->retry_after_ms = LIMITS_RETRY_AFTER_MS;
    }
    return HERALD_RESOURCE_EXHAUSTED;
}

/* ---- methods ---- */

static enum herald_code refuse_of_method(const struct rpc_server *server, const struct rpc_method *method,
                                         struct herald_error *reterr) {
    char message[sizeof(reterr->message)];
    snprintf(message, sizeof(message), "%s has its limit of %u calls of %s in flight (rpc.max_in_flight_per_method)",
             server->name, server->limits.max_in_flight_per_method, method->schema->full_name);
    return refuse(reterr, HERALD_REASON_TOO_MANY_CALLS_OF_METHOD, message);
}

static enum herald_code refuse_of_adaptive(const struct rpc_server *server, struct rpc_method *method,
                                           struct herald_error *reterr) {
    char message[sizeof(reterr->message)];
    snprintf(message, sizeof(message),
             "%s is overloaded: %u calls of %s wait for their turn, as many as now may (rpc.adaptive_limit)",
             server->name, atomic_load(&method->adaptive.limit), method->schema->full_name);
    return refuse(reterr, HERALD_REASON_LIMIT_REACHED, message);
}

enum herald_code limits_enter_method(struct arrival *arrival, struct rpc_method *method, struct herald_error *reterr) {
    const struct rpc_server *server = arrival->server;
    unsigned limit = server->limits.max_in_flight_per_method;
    if (arrival->held_method || method->passes_limits) {
        return HERALD_OK;
    }
    if (limit != 0 && atomic_fetch_add_explicit(&method->in_flight, 1, memory_order_relaxed) >= limit) {
        atomic_fetch_sub_explicit(&method->in_flight, 1, memory_order_relaxed);
        return refuse_of_method(server, method, reterr);
    }
    arrival->held_method = method;
    if (!server->limits.adaptive) {
        return HERALD_OK;
    }
    arrival->holds_wait = adaptive_enter(&method->adaptive, arrival->exchange->received_us);
    return arrival->holds_wait ? HERALD_OK : refuse_of_adaptive(server, method, reterr);
}

static void leave_wait(struct arrival *arrival) {
    if (arrival->holds_wait) {
        adaptive_leave(&arrival->held_method->adaptive);
    }
    arrival->holds_wait = false;
}

void limits_begin(struct arrival *arrival, uint64_t now_us) {
    if (arrival->holds_wait) {
        adaptive_begin(&arrival->held_method->adaptive, now_us - arrival->exchange->received_us, now_us);
    }
    arrival->holds_wait = false;
}

static void leave_method(struct arrival *arrival) {
    leave_wait(arrival);
    if (arrival->held_method && arrival->server->limits.max_in_flight_per_method != 0) {
        atomic_fetch_sub_explicit(&arrival->held_method->in_flight, 1, memory_order_relaxed);
    }
    arrival->held_method = NULL;
}

/* ---- callers ---- */

/* A call with a credential is its caller's, who is known only when the head has been read. */
unsigned limits_of_connection(const struct arrival *arrival) {
    bool passes = arrival->method && arrival->method->passes_limits;
    return arrival->probe || arrival->view.auth.data || passes ? 0 : arrival->server->limits.max_in_flight_per_caller;
}

enum herald_code limits_refuse_caller(const struct rpc_server *server, const char *who, struct herald_error *reterr) {
    char message[sizeof(reterr->message)];
    snprintf(message, sizeof(message), "%s has its limit of %u calls in flight on %s (rpc.max_in_flight_per_caller)",
             who, server->limits.max_in_flight_per_caller, server->name);
    return refuse(reterr, HERALD_REASON_TOO_MANY_CALLS_OF_CALLER, message);
}

static struct caller_count *find_or_add_locked(struct caller_counts *counts, const char *name) {
    struct caller_count *count;
    HASH_FIND_STR(counts->table, name, count);
    if (count) {
        return count;
    }
    count = calloc(1, sizeof(*count));
    if (!count) {
        return NULL;
    }
    snprintf(count->name, sizeof(count->name), "%s", name);
    HASH_ADD_STR(counts->table, name, count);
    return count;
}

/* A call without a caller that was not counted on arrival: a probe, or one with a credential that nobody looks at. */
static enum herald_code check_connection(struct rpc_call *call) {
    struct arrival *arrival = call->arrival;
    bool checked = limits_of_connection(arrival) != 0;
    if (checked || exchange_in_flight(arrival->exchange) <= call->server->limits.max_in_flight_per_caller) {
        return HERALD_OK;
    }
    return limits_refuse_caller(call->server, "the connection", &call->error);
}

enum herald_code limits_enter_caller(struct rpc_call *call) {
    struct rpc_server *server = call->server;
    struct arrival *arrival = call->arrival;
    unsigned limit = server->limits.max_in_flight_per_caller;
    char who[96];
    if (limit == 0 || !call->loop || call->method->passes_limits || arrival->held_caller) {
        return HERALD_OK;
    }
    if (!*call->context.caller) {
        return check_connection(call);
    }
    pthread_mutex_lock(&server->callers.lock);
    struct caller_count *count = find_or_add_locked(&server->callers, call->context.caller);
    bool full = count && count->in_flight >= limit;
    if (count && !full) {
        count->in_flight++;
    }
    pthread_mutex_unlock(&server->callers.lock);
    if (!count) {
        return herald_error_set(&call->error, HERALD_REASON_NO_MEMORY, "the server has no memory for another caller");
    }
    if (!full) {
        arrival->held_caller = count;
        return HERALD_OK;
    }
    snprintf(who, sizeof(who), "the caller \"%s\"", call->context.caller);
    return limits_refuse_caller(server, who, &call->error);
}

void limits_leave(struct arrival *arrival) {
    struct rpc_server *server = arrival->server;
    leave_method(arrival);
    if (!arrival->held_caller) {
        return;
    }
    pthread_mutex_lock(&server->callers.lock);
    arrival->held_caller->in_flight--;
    pthread_mutex_unlock(&server->callers.lock);
    arrival->held_caller = NULL;
}
