/* heraldctl ls: lists services and methods, of the servers or of the tables built in. */
#include "deploy/ctl/clean.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/enum_name.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/table.h"
#include "herald/rpc/v1/reflection.pb-c.h"
#include "herald/rpc/v1/reflection.schema.h"

#include <jansson.h>
#include <string.h>

/* One list, filled from servers or from the tables, printed as a table or as JSON. */
struct listing {
    struct table table;
    json_t *methods;
};

struct line {
    const char *server, *url, *method, *request, *response, *effect, *caller, *summary;
    uint32_t deadline_ms;
};

static void add_line(struct listing *listing, const struct line *line) {
    char deadline[24];
    snprintf(deadline, sizeof(deadline), "%u ms", (unsigned)line->deadline_ms);
    const char *cells[] = {line->url, line->method, line->effect, deadline, line->caller, line->summary};
    table_add(&listing->table, cells);
    json_array_append_new(listing->methods,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:s}", "server", line->server, "url",
                                    line->url, "method", line->method, "requestType", line->request, "responseType",
                                    line->response, "effect", line->effect, "deadlineMs", (int)line->deadline_ms,
                                    "caller", line->caller, "summary", line->summary));
}

static void add_service_methods(struct listing *listing, const struct ctl_server *server,
                                const Herald__Rpc__V1__ServiceSummary *service) {
    for (size_t i = 0; i < service->n_methods; i++) {
        const Herald__Rpc__V1__MethodSummary *method = service->methods[i];
        struct line line = {
            .server = server->name,
            .url = server->url,
            .method = method->name,
            .request = method->request_type,
            .response = method->response_type,
            .effect = ctl_enum_name(&herald__rpc__v1__effect__descriptor, (int)method->effect),
            .caller = ctl_enum_name(&herald__rpc__v1__caller__descriptor, (int)method->caller),
            .summary = method->summary,
            .deadline_ms = method->deadline_ms,
        };
        add_line(listing, &line);
    }
}

static int list_server(struct ctl *ctl, struct listing *listing, const struct ctl_server *server) {
    Herald__Rpc__V1__ListServicesRequest request = HERALD__RPC__V1__LIST_SERVICES_REQUEST__INIT;
    struct herald_call_options options = {.timeout_ms = ctl->arguments->timeout_ms};
    struct herald_reply reply = {0};
    enum herald_code code =
        ctl_remote_call(server->url, ctl->settings.rpc_max_message_bytes, herald_rpc_v1_reflection_list_services_method,
                        &request.base, &options, &reply);
    int status = (int)report_status(&reply);
    if (code == HERALD_OK) {
        const Herald__Rpc__V1__ListServicesResponse *response =
            (const Herald__Rpc__V1__ListServicesResponse *)reply.message;
        for (size_t i = 0; i < response->n_services; i++) {
            add_service_methods(listing, server, response->services[i]);
        }
    } else {
        char what[256];
        snprintf(what, sizeof(what), "%s at %s", server->name, server->url);
        report_reply(stderr, ctl->arguments->format, what, &reply);
    }
    herald_reply_clear(&reply);
    return status;
}

/* Lists the servers' methods. Returns the worst exit status, so that an unreachable server does not go unnoticed. */
static int list_servers(struct ctl *ctl, struct listing *listing) {
    struct ctl_server servers[CTL_SERVER_COUNT];
    struct ctl_server one = {"server", "", "", ctl->arguments->url};
    int status = CTL_OK;
    if (ctl->arguments->url != NULL) {
        return list_server(ctl, listing, &one);
    }
    ctl_servers(&ctl->settings, servers);
    for (size_t i = 0; i < CTL_SERVER_COUNT; i++) {
        status = report_worse(status, list_server(ctl, listing, &servers[i]));
    }
    return status;
}

/* The first sentence of a documentation, or its first line. */
static void first_sentence(const char *doc, char *ret_sentence, size_t bytes) {
    const char *end = strstr(doc, ". ");
    size_t length = strcspn(doc, "\n");
    if (end != NULL && (size_t)(end - doc) < length) {
        length = (size_t)(end - doc) + 1;
    }
    snprintf(ret_sentence, bytes, "%.*s", (int)length, doc);
}

/* The server that the settings name for a service. All servers have those of herald.rpc.v1. */
static struct ctl_server server_of(const struct settings *settings, const struct herald_service_schema *service) {
    struct ctl_server servers[CTL_SERVER_COUNT];
    ctl_servers(settings, servers);
    for (size_t i = 0; i < CTL_SERVER_COUNT; i++) {
        if (strncmp(service->full_name, servers[i].package, strlen(servers[i].package)) == 0) {
            return servers[i];
        }
    }
    return (struct ctl_server){.name = "every server", .url = "every server"};
}

static void list_schema_service(struct ctl *ctl, struct listing *listing, const struct herald_service_schema *service) {
    struct ctl_server server = server_of(&ctl->settings, service);
    char summary[256];
    for (size_t i = 0; i < service->method_count; i++) {
        const struct herald_method_schema *method = &service->methods[i];
        first_sentence(method->doc, summary, sizeof(summary));
        struct line line = {
            .server = server.name,
            .url = server.url,
            .method = method->full_name,
            .request = method->request->full_name,
            .response = method->response->full_name,
            .effect = ctl_enum_name(&herald__rpc__v1__effect__descriptor, (int)method->effect),
            .caller = ctl_enum_name(&herald__rpc__v1__caller__descriptor, (int)method->caller),
            .summary = summary,
            .deadline_ms = method->deadline_ms,
        };
        add_line(listing, &line);
    }
}

static void list_schemas(struct ctl *ctl, struct listing *listing) {
    for (size_t i = 0; i < herald_schema_count; i++) {
        for (size_t j = 0; j < herald_schemas[i]->service_count; j++) {
            list_schema_service(ctl, listing, herald_schemas[i]->services[j]);
        }
    }
}

int ctl_ls(struct ctl *ctl) {
    static const char *const heading[] = {"SERVER", "METHOD", "EFFECT", "DEADLINE", "CALLER", "SUMMARY"};
    struct listing listing = {.table = {.columns = sizeof(heading) / sizeof(heading[0])}, .methods = json_array()};
    int status = CTL_OK;
    table_add(&listing.table, heading);
    if (ctl->arguments->offline) {
        list_schemas(ctl, &listing);
    } else {
        status = list_servers(ctl, &listing);
    }
    if (ctl->arguments->format == CTL_JSON) {
        clean_print_json(stdout, listing.methods, JSON_INDENT(2));
    } else if (json_array_size(listing.methods) > 0) {
        table_print(&listing.table, stdout);
    }
    json_decref(listing.methods);
    table_fini(&listing.table);
    return status;
}
