/*
 * herald.rpc.v1.Introspection: GetInfo, GetStats and ListRecentCalls, which read counters and the ring of recent calls.
 * introspection_tasks.c has ListTasks, introspection_control.c the methods that change a server.
 */
#include "server/inspect/introspection.h"

#include "herald/rpc/v1/introspection.server.h"
#include "server/inspect/gauges.h"
#include "server/inspect/recent.h"
#include "server/rpc/near.h"
#include "server/rpc/rpc_call.h"
#include "server/rpc/server.h"
#include "server/rpc/server_parts.h"
#include "server/runtime/failpoint.h"
#include "server/transport/listener.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define LIBRARY_COUNT  4u
#define RECENT_DEFAULT 20u

/* ---- GetInfo ---- */

static bool fill_libraries(struct arena *arena, Herald__Rpc__V1__GetInfoResponse *response) {
    response->libraries = arena_calloc(arena, LIBRARY_COUNT, sizeof(*response->libraries));
    if (!response->libraries) {
        return false;
    }
    char **libraries = response->libraries;
    libraries[0] = arena_printf(arena, "nng %s", listener_library_version());
    libraries[1] = arena_printf(arena, "protobuf-c %s", protobuf_c_version());
    libraries[2] = arena_printf(arena, "libuv %s", uv_version_string());
    libraries[3] = arena_printf(arena, "jansson %s", jansson_version_str());
    response->n_libraries = LIBRARY_COUNT;
    return libraries[0] && libraries[1] && libraries[2] && libraries[3];
}

static bool fill_listeners(struct arena *arena, const struct rpc_server *server,
                           Herald__Rpc__V1__GetInfoResponse *response) {
    size_t count = rpc_server_listener_count(server);
    response->listeners = arena_calloc(arena, count, sizeof(*response->listeners));
    if (!response->listeners) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        response->listeners[response->n_listeners++] = (char *)listener_url(rpc_server_listener(server, i));
    }
    return true;
}

static Google__Protobuf__Timestamp *make_timestamp(struct arena *arena, int64_t wall_us) {
    Google__Protobuf__Timestamp *timestamp = arena_alloc(arena, sizeof(*timestamp));
    if (!timestamp) {
        return NULL;
    }
    google__protobuf__timestamp__init(timestamp);
    timestamp->seconds = wall_us / 1000000;
    timestamp->nanos = (int32_t)(wall_us % 1000000) * 1000;
    return timestamp;
}

enum herald_code introspection_get_info(void *self, const Herald__Rpc__V1__GetInfoRequest *request,
                                        Herald__Rpc__V1__GetInfoResponse *response, struct herald_error *reterr) {
    const struct introspection *introspection = self;
    const struct server_parts *parts = rpc_server_parts(introspection->server);
    struct arena *arena = rpc_call_arena();
    (void)request;
    response->server = (char *)parts->name;
    response->version = (char *)HERALD_VERSION;
    response->pid = (uint32_t)getpid();
    response->loops = parts->loops.count;
    for (unsigned i = 0; i < parts->loops.count; i++) {
        response->tasks += loop_task_count(parts->loops.all[i].loop);
    }
    response->calls_in_flight = atomic_load(&parts->in_flight.count);
    response->calls_in_flight_limit = parts->limits.max_in_flight;
    response->max_message_bytes = parts->limits.max_message_bytes;
    response->failpoints = failpoint_count() > 0;
    response->started_at = make_timestamp(arena, introspection->started_wall_us);
    bool filled = response->started_at && fill_libraries(arena, response) &&
                  fill_listeners(arena, introspection->server, response);
    return filled ? HERALD_OK : arena_full(reterr, "the reply");
}

/* ---- GetStats ---- */

typedef Herald__Rpc__V1__MethodStats shown_stats;

static bool was_called(struct rpc_method *method) {
    if (atomic_load(&method->stats.in_flight) > 0) {
        return true;
    }
    for (unsigned i = 0; i < STATS_CODE_COUNT; i++) {
        if (atomic_load(&method->stats.codes[i]) > 0) {
            return true;
        }
    }
    return false;
}

static bool fill_codes(struct arena *arena, struct method_stats *stats, shown_stats *shown) {
    Herald__Rpc__V1__CodeCount *counts = arena_calloc(arena, STATS_CODE_COUNT, sizeof(*counts));
    shown->codes = arena_calloc(arena, STATS_CODE_COUNT, sizeof(*shown->codes));
    if (!counts || !shown->codes) {
        return false;
    }
    for (unsigned i = 0; i < STATS_CODE_COUNT; i++) {
        herald__rpc__v1__code_count__init(&counts[i]);
        counts[i].code = (Herald__Rpc__V1__Code)i;
        counts[i].count = atomic_load(&stats->codes[i]);
        if (counts[i].count > 0) {
            shown->codes[shown->n_codes++] = &counts[i];
        }
    }
    return true;
}

static bool fill_latency(struct arena *arena, struct method_stats *stats, shown_stats *shown) {
    Herald__Rpc__V1__LatencyBucket *buckets = arena_calloc(arena, STATS_BUCKET_COUNT, sizeof(*buckets));
    shown->latency = arena_calloc(arena, STATS_BUCKET_COUNT, sizeof(*shown->latency));
    if (!buckets || !shown->latency) {
        return false;
    }
    for (unsigned i = 0; i < STATS_BUCKET_COUNT; i++) {
        herald__rpc__v1__latency_bucket__init(&buckets[i]);
        buckets[i].le_us = stats_bucket_bound_us(i);
        buckets[i].count = atomic_load(&stats->latency[i]);
        if (buckets[i].count > 0) {
            shown->latency[shown->n_latency++] = &buckets[i];
        }
    }
    return true;
}

static bool fill_method_stats(struct arena *arena, struct rpc_method *method, shown_stats *shown) {
    herald__rpc__v1__method_stats__init(shown);
    shown->method = (char *)method->schema->full_name;
    shown->in_flight = atomic_load(&method->stats.in_flight);
    return fill_codes(arena, &method->stats, shown) && fill_latency(arena, &method->stats, shown);
}

static bool add_method(struct arena *arena, struct rpc_method *method, Herald__Rpc__V1__GetStatsResponse *response) {
    shown_stats *shown = arena_alloc(arena, sizeof(*shown));
    if (!shown || !fill_method_stats(arena, method, shown)) {
        return false;
    }
    response->methods[response->n_methods++] = shown;
    return true;
}

static enum herald_code find_counted_method(const struct server_parts *parts, const char *name,
                                            struct rpc_method **ret_method, struct herald_error *reterr) {
    struct rpc_method *method = registry_find(&parts->registry, name, strlen(name));
    if (method) {
        *ret_method = method;
        return HERALD_OK;
    }
    char near[256];
    rpc_near_methods(&parts->registry, name, near, sizeof(near));
    return herald_error_set(reterr, HERALD_REASON_METHOD_NOT_FOUND, "%s knows no method %s%s%s", parts->name, name,
                            *near ? "; near names: " : "", near);
}

static enum herald_code one_method(const struct server_parts *parts, const char *name,
                                   Herald__Rpc__V1__GetStatsResponse *response, struct herald_error *reterr) {
    struct rpc_method *method = NULL;
    enum herald_code code = find_counted_method(parts, name, &method, reterr);
    if (code == HERALD_OK && !add_method(rpc_call_arena(), method, response)) {
        code = arena_full(reterr, "the reply");
    }
    return code;
}

enum herald_code introspection_get_stats(void *self, const Herald__Rpc__V1__GetStatsRequest *request,
                                         Herald__Rpc__V1__GetStatsResponse *response, struct herald_error *reterr) {
    struct rpc_server *server = ((struct introspection *)self)->server;
    const struct server_parts *parts = rpc_server_parts(server);
    const struct registry *registry = &parts->registry;
    struct arena *arena = rpc_call_arena();
    response->methods = arena_calloc(arena, HASH_COUNT(registry->methods), sizeof(*response->methods));
    if (!response->methods) {
        return arena_full(reterr, "the reply");
    }
    if (*request->method) {
        return one_method(parts, request->method, response, reterr);
    }
    for (size_t s = 0; s < registry->service_count; s++) {
        for (size_t m = 0; m < registry->services[s]->schema->method_count; m++) {
            struct rpc_method *method = &registry->services[s]->methods[m];
            if (was_called(method) && !add_method(arena, method, response)) {
                return arena_full(reterr, "the reply");
            }
        }
    }
    return gauges_fill(server, arena, response, reterr);
}

/* ---- ListRecentCalls ---- */

static Herald__Rpc__V1__Timings *make_timings(struct arena *arena, const struct recent_call *call) {
    Herald__Rpc__V1__Timings *timings = arena_alloc(arena, sizeof(*timings));
    if (!timings) {
        return NULL;
    }
    herald__rpc__v1__timings__init(timings);
    timings->queue_us = call->queue_us;
    timings->handler_us = call->handler_us;
    timings->downstream_us = call->downstream_us;
    return timings;
}

static Herald__Rpc__V1__RecentCall *make_recent(struct arena *arena, const struct recent_call *call) {
    Herald__Rpc__V1__RecentCall *shown = arena_alloc(arena, sizeof(*shown));
    if (!shown) {
        return NULL;
    }
    herald__rpc__v1__recent_call__init(shown);
    shown->method = (char *)call->method;
    shown->call_id = arena_strdup(arena, call->id);
    shown->code = (Herald__Rpc__V1__Code)call->code;
    shown->reason = arena_strdup(arena, call->reason);
    shown->message = arena_strdup(arena, call->message);
    shown->caller = arena_strdup(arena, call->caller);
    shown->ended_at = make_timestamp(arena, call->ended_wall_us);
    shown->total_us = call->total_us;
    shown->timings = make_timings(arena, call);
    bool made = shown->call_id && shown->reason && shown->message && shown->caller && shown->ended_at && shown->timings;
    return made ? shown : NULL;
}

static enum herald_code fill_recent(struct recent *recent, const Herald__Rpc__V1__ListRecentCallsRequest *request,
                                    size_t limit, Herald__Rpc__V1__ListRecentCallsResponse *response,
                                    struct herald_error *reterr) {
    struct arena *arena = rpc_call_arena();
    struct recent_call call;
    uint64_t cursor = 0;
    while (response->n_calls < limit && recent_next(recent, &cursor, &call)) {
        if ((request->failed_only && call.code == HERALD_OK) ||
            (*request->method && strcmp(request->method, call.method) != 0)) {
            continue;
        }
        response->calls[response->n_calls] = make_recent(arena, &call);
        if (!response->calls[response->n_calls++]) {
            return arena_full(reterr, "the reply");
        }
    }
    return HERALD_OK;
}

enum herald_code introspection_list_recent_calls(void *self, const Herald__Rpc__V1__ListRecentCallsRequest *request,
                                                 Herald__Rpc__V1__ListRecentCallsResponse *response,
                                                 struct herald_error *reterr) {
    const struct introspection *introspection = self;
    struct rpc_method *method = NULL;
    size_t limit = request->limit ? request->limit : RECENT_DEFAULT;
    enum herald_code code = *request->method ? find_counted_method(rpc_server_parts(introspection->server),
                                                                   request->method, &method, reterr)
                                             : HERALD_OK;
    if (code != HERALD_OK) {
        return code;
    }
    response->calls = arena_calloc(rpc_call_arena(), limit, sizeof(*response->calls));
    if (!response->calls) {
        return arena_full(reterr, "the reply");
    }
    return fill_recent(introspection->recent, request, limit, response, reterr);
}

static const struct herald_rpc_v1_introspection_handlers HANDLERS = HERALD_RPC_V1_INTROSPECTION_HANDLERS;

enum herald_code introspection_service_add(struct rpc_server *server, struct introspection *introspection,
                                           struct herald_error *reterr) {
    return rpc_server_add(server, &herald_rpc_v1_introspection_binding, &HANDLERS, NULL, introspection, reterr);
}
