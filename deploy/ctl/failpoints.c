/* heraldctl failpoints and failpoint: list and set the failpoints of servers. */
#include "deploy/ctl/clean.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/table.h"
#include "herald/rpc/v1/introspection.pb-c.h"
#include "herald/rpc/v1/introspection.schema.h"

#include <jansson.h>

/* The servers' answers, for both commands. */
struct failpoint_survey {
    struct table table;
    json_t *rows;
    int status;
};

static void call_server(struct ctl *ctl, struct failpoint_survey *survey, const struct ctl_server *server,
                        const struct herald_method_schema *method, const ProtobufCMessage *request,
                        void (*take)(struct failpoint_survey *survey, const struct ctl_server *server,
                                     const ProtobufCMessage *request, const ProtobufCMessage *response)) {
    const struct herald_call_options options = {.timeout_ms = ctl->arguments->timeout_ms};
    struct herald_reply reply = {0};
    if (ctl_remote_call(server->url, ctl->settings.rpc_max_message_bytes, method, request, &options, &reply) ==
        HERALD_OK) {
        take(survey, server, request, reply.message);
    } else {
        report_reply(stderr, ctl->arguments->format, server->name, &reply);
        survey->status = report_worse(survey->status, (int)report_status(&reply));
    }
    herald_reply_clear(&reply);
}

static void take_list(struct failpoint_survey *survey, const struct ctl_server *server, const ProtobufCMessage *request,
                      const ProtobufCMessage *response) {
    const Herald__Rpc__V1__ListFailpointsResponse *list = (const Herald__Rpc__V1__ListFailpointsResponse *)response;
    (void)request;
    for (size_t i = 0; i < list->n_failpoints; i++) {
        const Herald__Rpc__V1__Failpoint *point = list->failpoints[i];
        const char *cells[] = {server->name, point->name, point->action, point->about};
        table_add(&survey->table, cells);
        json_array_append_new(survey->rows, json_pack("{s:s, s:s, s:s, s:s}", "server", server->name, "name",
                                                      point->name, "action", point->action, "about", point->about));
    }
}

static void take_previous(struct failpoint_survey *survey, const struct ctl_server *server,
                          const ProtobufCMessage *request, const ProtobufCMessage *response) {
    const Herald__Rpc__V1__Failpoint *point = ((const Herald__Rpc__V1__SetFailpointRequest *)request)->failpoint;
    const char *previous = ((const Herald__Rpc__V1__SetFailpointResponse *)response)->previous;
    const char *cells[] = {server->name, point->name, point->action, previous};
    table_add(&survey->table, cells);
    json_array_append_new(survey->rows, json_pack("{s:s, s:s, s:s, s:s}", "server", server->name, "name", point->name,
                                                  "action", point->action, "previous", previous));
}

static int finish_failpoint_survey(struct ctl *ctl, struct failpoint_survey *survey) {
    bool empty = json_array_size(survey->rows) == 0;
    if (ctl->arguments->format == CTL_JSON) {
        clean_print_json(stdout, survey->rows, JSON_INDENT(2));
    } else if (!empty) {
        table_print(&survey->table, stdout);
    } else if (survey->status == CTL_OK) {
        fputs("heraldctl: these servers are built without failpoints\n", stderr);
    }
    json_decref(survey->rows);
    table_fini(&survey->table);
    return survey->status;
}

static void ask_failpoints(struct ctl *ctl, struct failpoint_survey *survey, const struct herald_method_schema *method,
                           const ProtobufCMessage *request,
                           void (*take)(struct failpoint_survey *survey, const struct ctl_server *server,
                                        const ProtobufCMessage *request, const ProtobufCMessage *response)) {
    struct ctl_server servers[CTL_SERVER_COUNT];
    size_t count = ctl_chosen_servers(ctl, servers);
    for (size_t i = 0; i < count; i++) {
        call_server(ctl, survey, &servers[i], method, request, take);
    }
}

int ctl_failpoints(struct ctl *ctl) {
    static const char *const heading[] = {"SERVER", "FAILPOINT", "ACTION", "WHERE"};
    Herald__Rpc__V1__ListFailpointsRequest request = HERALD__RPC__V1__LIST_FAILPOINTS_REQUEST__INIT;
    struct failpoint_survey survey = {.table = {.columns = 4}, .rows = json_array()};
    table_add(&survey.table, heading);
    ask_failpoints(ctl, &survey, herald_rpc_v1_introspection_list_failpoints_method, &request.base, take_list);
    return finish_failpoint_survey(ctl, &survey);
}

int ctl_failpoint(struct ctl *ctl) {
    static const char *const heading[] = {"SERVER", "FAILPOINT", "ACTION", "BEFORE"};
    Herald__Rpc__V1__SetFailpointRequest request = HERALD__RPC__V1__SET_FAILPOINT_REQUEST__INIT;
    Herald__Rpc__V1__Failpoint failpoint = HERALD__RPC__V1__FAILPOINT__INIT;
    struct failpoint_survey survey = {.table = {.columns = 4}, .rows = json_array()};
    failpoint.name = (char *)ctl->arguments->operands[0];
    failpoint.action = (char *)ctl->arguments->operands[1];
    request.failpoint = &failpoint;
    table_add(&survey.table, heading);
    ask_failpoints(ctl, &survey, herald_rpc_v1_introspection_set_failpoint_method, &request.base, take_previous);
    return finish_failpoint_survey(ctl, &survey);
}
