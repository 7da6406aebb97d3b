/* heraldctl health: prints the health that each server and each gateway reports. */
#include "deploy/ctl/clean.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/enum_name.h"
#include "deploy/ctl/gateways.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/table.h"
#include "herald/rpc/v1/health.pb-c.h"
#include "herald/rpc/v1/health.schema.h"

#include <jansson.h>

struct survey {
    struct table table;
    json_t *servers;
    bool healthy;
    bool refused; /* a call could not be made, because of a URL or the settings */
};

static const char *serving_name(Herald__Rpc__V1__ServingStatus status) {
    return ctl_enum_name(&herald__rpc__v1__serving_status__descriptor, (int)status);
}

static void add_row(struct survey *survey, const struct ctl_server *server, const char *service, const char *component,
                    const char *status, const char *message) {
    const char *cells[] = {server->name, server->url, service, component, status, message};
    table_add(&survey->table, cells);
}

static json_t *add_service_health(struct survey *survey, const struct ctl_server *server,
                                  const Herald__Rpc__V1__ServiceHealth *service) {
    json_t *components = json_array();
    add_row(survey, server, service->service, "", serving_name(service->status), "");
    survey->healthy = survey->healthy && service->status == HERALD__RPC__V1__SERVING_STATUS__SERVING;
    for (size_t i = 0; i < service->n_components; i++) {
        const Herald__Rpc__V1__ComponentHealth *component = service->components[i];
        add_row(survey, server, service->service, component->name, serving_name(component->status), component->message);
        json_array_append_new(components, json_pack("{s:s, s:s, s:s}", "name", component->name, "status",
                                                    serving_name(component->status), "message", component->message));
    }
    return json_pack("{s:s, s:s, s:o}", "service", service->service, "status", serving_name(service->status),
                     "components", components);
}

static void add_answer(struct survey *survey, const struct ctl_server *server,
                       const Herald__Rpc__V1__HealthCheckResponse *response) {
    json_t *services = json_array();
    survey->healthy = survey->healthy && response->status == HERALD__RPC__V1__SERVING_STATUS__SERVING;
    for (size_t i = 0; i < response->n_services; i++) {
        json_array_append_new(services, add_service_health(survey, server, response->services[i]));
    }
    json_array_append_new(survey->servers, json_pack("{s:s, s:s, s:s, s:o}", "server", server->name, "url", server->url,
                                                     "status", serving_name(response->status), "services", services));
}

static void add_silence(struct survey *survey, const struct ctl_server *server, const struct herald_reply *reply) {
    char message[1024];
    size_t length = (size_t)snprintf(message, sizeof(message), "%s", reply->error.message);
    for (uint32_t i = 0; i < reply->error.detail_count && length < sizeof(message); i++) {
        length += (size_t)snprintf(message + length, sizeof(message) - length, "; %s: %s",
                                   reply->error.details[i].field, reply->error.details[i].message);
    }
    survey->healthy = false;
    survey->refused = survey->refused || report_status(reply) == CTL_USAGE;
    add_row(survey, server, "", "", herald_code_name((int)reply->error.code), message);
    json_array_append_new(survey->servers,
                          json_pack("{s:s, s:s, s:s, s:s, s:[]}", "server", server->name, "url", server->url, "status",
                                    herald_code_name((int)reply->error.code), "message", message, "services"));
}

static void ask_server_health(struct ctl *ctl, struct survey *survey, const struct ctl_server *server) {
    Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    struct herald_call_options options = {.timeout_ms = ctl->arguments->timeout_ms};
    struct herald_reply reply = {0};
    if (ctl_remote_call(server->url, ctl->settings.rpc_max_message_bytes, herald_rpc_v1_health_check_method,
                        &request.base, &options, &reply) == HERALD_OK) {
        add_answer(survey, server, (const Herald__Rpc__V1__HealthCheckResponse *)reply.message);
    } else {
        add_silence(survey, server, &reply);
    }
    herald_reply_clear(&reply);
}

static void add_gateway(struct survey *survey, const struct gateway_look *look) {
    static const char name[] = "herald-gateway";
    const char *state = gateway_state_name(look->state);
    json_t *components = json_array();
    char message[640];
    snprintf(message, sizeof(message), "%s%s%s", look->problem, look->remedy[0] != '\0' ? ": " : "", look->remedy);
    const char *cells[] = {name, look->url, "", "", state, message};
    table_add(&survey->table, cells);
    for (size_t i = 0; i < look->backend_count; i++) {
        const struct gateway_backend_health *backend = &look->backends[i];
        const char *row[] = {name, look->url, "", backend->name, backend->status, ""};
        table_add(&survey->table, row);
        json_array_append_new(
            components, json_pack("{s:s, s:s, s:s}", "name", backend->name, "status", backend->status, "message", ""));
    }
    survey->healthy = survey->healthy && look->state == GATEWAY_SERVING;
    json_array_append_new(survey->servers,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:o}]}", "server", name, "url", look->url,
                                    "status", state, "message", message, "version", look->version, "services",
                                    "service", "", "status", state, "components", components));
}

static void ask_gateways(struct ctl *ctl, struct survey *survey) {
    struct gateway_look looks[CTL_GATEWAYS_MAX];
    size_t count = gateways_of(&ctl->settings, looks);
    gateways_ask(looks, count, ctl->arguments->timeout_ms);
    for (size_t i = 0; i < count; i++) {
        if (gateway_is_shown(&looks[i])) {
            add_gateway(survey, &looks[i]);
        }
    }
}

static void ask_servers(struct ctl *ctl, struct survey *survey) {
    struct ctl_server servers[CTL_SERVER_COUNT];
    struct ctl_server one = {"server", "", "", ctl->arguments->url};
    if (ctl->arguments->url != NULL) {
        ask_server_health(ctl, survey, &one);
        return;
    }
    ctl_servers(&ctl->settings, servers);
    for (size_t i = 0; i < CTL_SERVER_COUNT; i++) {
        ask_server_health(ctl, survey, &servers[i]);
    }
    ask_gateways(ctl, survey);
}

int ctl_health(struct ctl *ctl) {
    static const char *const heading[] = {"SERVER", "URL", "SERVICE", "COMPONENT", "STATUS", "MESSAGE"};
    struct survey survey = {
        .table = {.columns = sizeof(heading) / sizeof(heading[0])}, .servers = json_array(), .healthy = true};
    table_add(&survey.table, heading);
    ask_servers(ctl, &survey);
    if (ctl->arguments->format == CTL_JSON) {
        clean_print_json(stdout, survey.servers, JSON_INDENT(2));
    } else {
        table_print(&survey.table, stdout);
    }
    json_decref(survey.servers);
    table_fini(&survey.table);
    return survey.refused ? CTL_USAGE : survey.healthy ? CTL_OK : CTL_UNHEALTHY;
}
