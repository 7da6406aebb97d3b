/* Asks the servers for heraldctl top: one thread for each server, which shares nothing with the others. */
#include "client/base/clock.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/top.h"
#include "herald/rpc/v1/introspection.client.h"

#include <pthread.h>
#include <string.h>

/* Short, so that an unreachable server does not delay the rows of the others. */
#define CONNECT_MS     500
#define ANSWER_MS      1000
#define READY_MS       2000 /* a gateway asks its servers for up to 1.5 s */
#define TASKS_SHOWN    8
#define FAILURES_SHOWN 5

enum herald_code top_open(struct top *top, struct ctl *ctl, struct herald_error *reterr) {
    const struct herald_channel_options options = {
        .connect_timeout_ms = CONNECT_MS, .retry.max_attempts = 1, .health_check_ms = UINT32_MAX};
    struct ctl_server servers[CTL_SERVER_COUNT];
    size_t count = ctl_chosen_servers(ctl, servers);
    memset(top, 0, sizeof(*top));
    top->ctl = ctl;
    top->own_methods = ctl->arguments->verbose;
    if (ctl->arguments->url == NULL && ctl->arguments->server == NULL) {
        struct gateway_look looks[CTL_GATEWAYS_MAX];
        top->gateway_count = gateways_of(&ctl->settings, looks);
        for (size_t i = 0; i < top->gateway_count; i++) {
            top->gateways[i].now = looks[i];
        }
    }
    for (size_t i = 0; i < count; i++) {
        top->servers[i].server = servers[i];
        enum herald_code code = ctl_remote_open(servers[i].url, ctl->settings.rpc_max_message_bytes, &options,
                                                &top->servers[i].channel, reterr);
        if (code != HERALD_OK) {
            top_close(top);
            return code;
        }
        top->count++;
    }
    return HERALD_OK;
}

static void clear(struct top_look *look) {
    herald_reply_clear(&look->info_reply);
    herald_reply_clear(&look->stats_reply);
    herald_reply_clear(&look->tasks_reply);
    herald_reply_clear(&look->recent_reply);
    memset(look, 0, sizeof(*look));
}

void top_close(struct top *top) {
    for (size_t i = 0; i < top->count; i++) {
        clear(&top->servers[i].before);
        clear(&top->servers[i].now);
        herald_channel_close(top->servers[i].channel);
    }
    top->count = 0;
}

/* Makes the two calls that any caller may make. Without them there is nothing to show. */
static enum herald_code ask_counters(struct top_server *server) {
    const struct herald_call_options options = {.timeout_ms = ANSWER_MS};
    Herald__Rpc__V1__GetInfoRequest info = HERALD__RPC__V1__GET_INFO_REQUEST__INIT;
    Herald__Rpc__V1__GetStatsRequest stats = HERALD__RPC__V1__GET_STATS_REQUEST__INIT;
    struct top_look *look = &server->now;
    const struct herald_reply *reply = &look->info_reply;
    enum herald_code code =
        herald_rpc_v1_introspection_get_info(server->channel, &info, &options, &look->info_reply, &look->info);
    if (code == HERALD_OK) {
        reply = &look->stats_reply;
        code =
            herald_rpc_v1_introspection_get_stats(server->channel, &stats, &options, &look->stats_reply, &look->stats);
    }
    if (code != HERALD_OK) {
        snprintf(look->problem, sizeof(look->problem), "%s: %s", herald_code_name((int)code), reply->error.message);
        look->outcome = reply->outcome;
        look->status = (int)report_status(reply);
    }
    return code;
}

/* Makes the two calls that a server may restrict to known callers. */
static void ask_details(struct top_server *server) {
    const struct herald_call_options options = {.timeout_ms = ANSWER_MS};
    Herald__Rpc__V1__ListTasksRequest tasks = HERALD__RPC__V1__LIST_TASKS_REQUEST__INIT;
    Herald__Rpc__V1__ListRecentCallsRequest recent = HERALD__RPC__V1__LIST_RECENT_CALLS_REQUEST__INIT;
    struct top_look *look = &server->now;
    tasks.limit = TASKS_SHOWN + 1; /* one of them is the task of this call */
    recent.failed_only = true;
    recent.limit = FAILURES_SHOWN;
    if (herald_rpc_v1_introspection_list_tasks(server->channel, &tasks, &options, &look->tasks_reply, &look->tasks) !=
        HERALD_OK) {
        snprintf(look->problem, sizeof(look->problem), "tasks and failures are not shown: %s: %s",
                 herald_code_name((int)look->tasks_reply.error.code), look->tasks_reply.error.message);
    } else {
        (void)herald_rpc_v1_introspection_list_recent_calls(server->channel, &recent, &options, &look->recent_reply,
                                                            &look->failures);
    }
}

static void *ask_top_server(void *user) {
    struct top_server *server = user;
    server->now.at_us = herald_monotonic_us();
    server->now.answered = ask_counters(server) == HERALD_OK;
    if (server->now.answered) {
        ask_details(server);
    }
    return NULL;
}

/* Asks the gateways, beside the servers. */
static void *ask_top_gateways(void *user) {
    struct top *top = user;
    struct gateway_look looks[CTL_GATEWAYS_MAX];
    for (size_t i = 0; i < top->gateway_count; i++) {
        struct top_gateway *gateway = &top->gateways[i];
        gateway->before = gateway->now;
        looks[i] = (struct gateway_look){.expected = gateway->now.expected};
        memcpy(looks[i].url, gateway->now.url, sizeof(looks[i].url));
    }
    gateways_ask(looks, top->gateway_count, READY_MS);
    for (size_t i = 0; i < top->gateway_count; i++) {
        top->gateways[i].now = looks[i];
    }
    return NULL;
}

void top_look(struct top *top) {
    pthread_t threads[CTL_SERVER_COUNT], gateways;
    bool gateways_started = top->gateway_count > 0 && pthread_create(&gateways, NULL, ask_top_gateways, top) == 0;
    bool started[CTL_SERVER_COUNT];
    for (size_t i = 0; i < top->count; i++) {
        struct top_server *server = &top->servers[i];
        clear(&server->before);
        server->before = server->now;
        memset(&server->now, 0, sizeof(server->now));
        started[i] = pthread_create(&threads[i], NULL, ask_top_server, server) == 0;
        if (!started[i]) {
            (void)ask_top_server(server);
        }
    }
    for (size_t i = 0; i < top->count; i++) {
        if (started[i]) {
            pthread_join(threads[i], NULL);
        }
    }
    if (gateways_started) {
        pthread_join(gateways, NULL);
    } else {
        (void)ask_top_gateways(top);
    }
}
