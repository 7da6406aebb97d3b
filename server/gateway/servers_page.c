#include "server/gateway/servers_page.h"

#include "herald/rpc/v1/health.pb-c.h"
#include "herald/rpc/v1/health.schema.h"
#include "herald/rpc/v1/introspection.pb-c.h"
#include "herald/rpc/v1/introspection.schema.h"
#include "server/gateway/backend_call.h"
#include "server/gateway/request_options.h"
#include "server/gateway/session_page.h"

#include <jansson.h>
#include <stdlib.h>

/* How long a server may take to say how it is. */
#define ASK_MS 1500u
/* Recent calls that are shown of each kind. */
#define RECENT_COUNT 20u

/* What one server is asked. The answers are JSON; NULL: it did not answer. */
struct inquiry {
    const struct gateway_endpoint *endpoint;
    struct herald_credential *credential;
    bool all; /* not its health alone */
    json_t *health, *info, *stats, *slow, *failed;
};

TASK_FN static json_t *ask(const struct inquiry *inquiry, const struct herald_method_schema *method,
                           const ProtobufCMessage *request) {
    const struct backend_call_options options = {.timeout_ms = ASK_MS, .credential = inquiry->credential};
    struct backend_end end;
    backend_call(inquiry->endpoint->channel, method, request, &options, &end);
    json_t *answer = end.code == HERALD_OK ? json_loadb(end.json, end.json_bytes, 0, NULL) : NULL;
    backend_end_clear(&end);
    return answer;
}

static void ask_server(void *arg) {
    struct inquiry *inquiry = arg;
    Herald__Rpc__V1__HealthCheckRequest health = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    Herald__Rpc__V1__GetInfoRequest info = HERALD__RPC__V1__GET_INFO_REQUEST__INIT;
    Herald__Rpc__V1__GetStatsRequest stats = HERALD__RPC__V1__GET_STATS_REQUEST__INIT;
    Herald__Rpc__V1__ListRecentCallsRequest recent = HERALD__RPC__V1__LIST_RECENT_CALLS_REQUEST__INIT;
    inquiry->health = ask(inquiry, herald_rpc_v1_health_check_method, &health.base);
    if (!inquiry->all || inquiry->health == NULL) {
        return;
    }
    inquiry->info = ask(inquiry, herald_rpc_v1_introspection_get_info_method, &info.base);
    inquiry->stats = ask(inquiry, herald_rpc_v1_introspection_get_stats_method, &stats.base);
    recent.limit = RECENT_COUNT;
    inquiry->slow = ask(inquiry, herald_rpc_v1_introspection_list_recent_calls_method, &recent.base);
    recent.failed_only = true;
    inquiry->failed = ask(inquiry, herald_rpc_v1_introspection_list_recent_calls_method, &recent.base);
}

/* Asks all servers at once. @ret_inquiries  gateway->endpoint_count of them */
TASK_FN static void inquire(const struct gateway *gateway, bool all, struct herald_credential *credential,
                            struct inquiry *ret_inquiries) {
    struct task_group group;
    task_group_init(&group);
    for (size_t i = 0; i < gateway->endpoint_count; i++) {
        ret_inquiries[i] = (struct inquiry){.endpoint = &gateway->endpoints[i], .credential = credential, .all = all};
        (void)task_group_spawn(&group, "inquiry", ask_server, &ret_inquiries[i], NULL);
    }
    task_group_join(&group);
}

static void forget(struct inquiry *inquiries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        json_decref(inquiries[i].health);
        json_decref(inquiries[i].info);
        json_decref(inquiries[i].stats);
        json_decref(inquiries[i].slow);
        json_decref(inquiries[i].failed);
    }
}

static const char *health_status(const struct inquiry *inquiry) {
    const char *status = inquiry->health != NULL ? json_string_value(json_object_get(inquiry->health, "status")) : NULL;
    return status != NULL ? status : "UNREACHABLE";
}

static void send_page(struct response *response, unsigned status, json_t *page) {
    char *text = page != NULL ? json_dumps(page, JSON_COMPACT) : NULL;
    json_decref(page);
    response_header(response, "cache-control", "no-store");
    response_send(response, status, "application/json", span_of(text != NULL ? text : "{}"), false);
    free(text);
}

/* ---- readiness ---- */

void serve_readyz(const struct gateway *gateway, struct request *request, struct response *response) {
    struct inquiry inquiries[GATEWAY_ENDPOINTS_MAX];
    json_t *dependencies = json_array();
    bool ready = !http_port_is_draining(request->port);
    inquire(gateway, false, NULL, inquiries);
    for (int backend = 0; backend < BACKEND_COUNT; backend++) {
        const char *status = "UNREACHABLE";
        for (size_t i = 0; i < gateway->endpoint_count; i++) {
            if (inquiries[i].endpoint->backend == (enum gateway_backend)backend && strcmp(status, "SERVING") != 0) {
                status = health_status(&inquiries[i]);
            }
        }
        bool serves = strcmp(status, "SERVING") == 0;
        ready &= serves || *gateway_backend_service((enum gateway_backend)backend) == '\0';
        json_array_append_new(dependencies, json_pack("{s:s, s:s}", "name",
                                                      gateway_backend_name((enum gateway_backend)backend), "status",
                                                      serves                               ? "SERVING"
                                                      : strcmp(status, "UNREACHABLE") == 0 ? status
                                                                                           : "NOT_SERVING"));
    }
    json_t *page = json_pack("{s:s, s:s, s:o}", "status", ready ? "SERVING" : "NOT_SERVING", "version", HERALD_VERSION,
                             "dependencies", dependencies);
    forget(inquiries, gateway->endpoint_count);
    if (!ready) {
        response_header(response, "retry-after", "1");
    }
    send_page(response, ready ? 200 : 503, page);
}

/* ---- the servers in full ---- */

static json_int_t number_of(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? atoll(json_string_value(value)) : json_integer_value(value);
}

/* The upper bound of the bucket in which a share of the calls ends, milliseconds. */
static double percentile_ms(const json_t *buckets, json_int_t calls, unsigned percent) {
    json_int_t seen = 0;
    const json_t *bucket;
    size_t i;
    json_array_foreach(buckets, i, bucket) {
        seen += number_of(bucket, "count");
        if (seen * 100 >= calls * percent) {
            return (double)number_of(bucket, "leUs") / 1000.0;
        }
    }
    return 0;
}

static json_t *method_page(const json_t *method) {
    json_int_t calls = 0, errors = 0;
    const json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(method, "codes"), i, entry) {
        json_int_t count = number_of(entry, "count");
        const char *code = json_string_value(json_object_get(entry, "code"));
        calls += count;
        errors += code != NULL && strcmp(code, "OK") != 0 ? count : 0;
    }
    const json_t *latency = json_object_get(method, "latency");
    return json_pack("{s:O, s:I, s:I, s:f, s:f, s:I}", "method", json_object_get(method, "method"), "calls", calls,
                     "errors", errors, "p50Ms", percentile_ms(latency, calls, 50), "p99Ms",
                     percentile_ms(latency, calls, 99), "inFlight", number_of(method, "inFlight"));
}

/* All that the services of a server need, each once. */
static json_t *dependencies_of(const json_t *health) {
    json_t *found = json_object(), *list = json_array();
    const json_t *service;
    json_t *component;
    size_t i, j;
    json_array_foreach(json_object_get(health, "services"), i, service) {
        json_array_foreach(json_object_get(service, "components"), j, component) {
            const char *name = json_string_value(json_object_get(component, "name"));
            if (name != NULL && json_object_get(found, name) == NULL) {
                json_object_set(found, name, component);
                json_array_append(list, component);
            }
        }
    }
    json_decref(found);
    return list;
}

static void add_method_pages(const struct inquiry *inquiry, json_t *page) {
    json_t *methods = json_array();
    json_int_t calls = 0, errors = 0;
    const json_t *method;
    size_t i;
    json_array_foreach(json_object_get(inquiry->stats, "methods"), i, method) {
        json_t *row = method_page(method);
        calls += number_of(row, "calls");
        errors += number_of(row, "errors");
        json_array_append_new(methods, row);
    }
    json_object_set_new(page, "calls", json_integer(calls));
    json_object_set_new(page, "errors", json_integer(errors));
    json_object_set_new(page, "methods", methods);
    json_object_set(page, "gauges", json_object_get(inquiry->stats, "gauges"));
}

static json_t *server_page(const struct inquiry *inquiry) {
    json_t *page = json_pack("{s:s, s:s, s:s, s:o}", "name", gateway_backend_name(inquiry->endpoint->backend), "url",
                             inquiry->endpoint->url, "status", health_status(inquiry), "dependencies",
                             dependencies_of(inquiry->health));
    if (inquiry->info != NULL) {
        json_object_set(page, "version", json_object_get(inquiry->info, "version"));
        json_object_set(page, "pid", json_object_get(inquiry->info, "pid"));
        json_object_set(page, "startedAt", json_object_get(inquiry->info, "startedAt"));
        json_object_set_new(page, "inFlight", json_integer(number_of(inquiry->info, "callsInFlight")));
        json_object_set(page, "inFlightLimit", json_object_get(inquiry->info, "callsInFlightLimit"));
    }
    add_method_pages(inquiry, page);
    json_t *slow = inquiry->slow != NULL ? json_object_get(inquiry->slow, "calls") : NULL;
    json_t *failed = inquiry->failed != NULL ? json_object_get(inquiry->failed, "calls") : NULL;
    json_object_set_new(page, "recentSlow", slow != NULL ? json_incref(slow) : json_array());
    json_object_set_new(page, "recentFailed", failed != NULL ? json_incref(failed) : json_array());
    return page;
}

/* Whether the caller may see the servers. Returns: false: the request was answered. */
static bool check_operator(const struct gateway *gateway, const struct request *request, struct response *response) {
    struct session session;
    struct herald_reply reply = {.outcome = HERALD_NOT_SENT};
    if (session_of(gateway, request, &session, &reply.error) == HERALD_OK) {
        if (!session.is_checked || session.class == CALLER_CLASS_OPERATOR || session.class == CALLER_CLASS_SERVER) {
            return true;
        }
        enum herald_reason reason = session.class == CALLER_CLASS_NONE ? HERALD_REASON_CREDENTIAL_MISSING
                                                                       : HERALD_REASON_CALLER_NOT_AN_OPERATOR;
        herald_error_set(&reply.error, reason, "the servers' state is for operators");
    }
    response_failure(response, &reply);
    return false;
}

static struct herald_credential *credential_of(const struct request *request) {
    struct herald_credential *credential = NULL;
    struct span token;
    char text[OPTIONS_TOKEN_MAX + 1];
    if (options_bearer(&request->head, &token) && token.at != NULL) {
        memcpy(text, token.at, token.bytes);
        text[token.bytes] = '\0';
        (void)herald_credential_bearer(text, &credential, NULL);
    }
    return credential;
}

void serve_servers(const struct gateway *gateway, struct request *request, struct response *response) {
    struct inquiry inquiries[GATEWAY_ENDPOINTS_MAX];
    if (!check_operator(gateway, request, response)) {
        return;
    }
    struct herald_credential *credential = credential_of(request);
    inquire(gateway, true, credential, inquiries);
    herald_credential_unref(credential);
    json_t *servers = json_array();
    for (size_t i = 0; i < gateway->endpoint_count; i++) {
        json_array_append_new(servers, server_page(&inquiries[i]));
    }
    forget(inquiries, gateway->endpoint_count);
    send_page(response, 200, json_pack("{s:o}", "servers", servers));
}
