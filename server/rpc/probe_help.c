#include "server/rpc/probe_help.h"

#include "client/json/text.h"
#include "herald/json.h"
#include "server/rpc/probe_text.h"
#include "server/rpc/summary.h"

#include <jansson.h>
#include <stdlib.h>

static enum herald_code dump(json_t *answer, char **ret_json, struct herald_error *reterr) {
    char *raw = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    char *json = raw ? json_escape_controls(raw) : NULL;
    free(raw);
    json_decref(answer);
    if (!json) {
        return herald_error_no_memory(reterr, "a probe");
    }
    *ret_json = json;
    return HERALD_OK;
}

static json_t *summary_json(const char *doc) {
    return json_stringn(doc ? doc : "", rpc_summary_bytes(doc));
}

static json_t *help_service(const struct herald_service_schema *service) {
    json_t *methods = json_object();
    for (size_t i = 0; i < service->method_count; i++) {
        (void)json_object_set_new(methods, service->methods[i].full_name, summary_json(service->methods[i].doc));
    }
    return json_pack("{s:s, s:o, s:o}", "name", service->full_name, "summary", summary_json(service->doc), "methods",
                     methods);
}

enum herald_code probe_help(const char *server_name, const struct registry *registry, char **ret_json,
                            struct herald_error *reterr) {
    json_t *services = json_array();
    for (size_t i = 0; i < registry->service_count; i++) {
        (void)json_array_append_new(services, help_service(registry->services[i]->schema));
    }
    json_t *usage = json_pack("[s, s, s, s, s]", "METHOD [JSON]",
                              "{\"method\": …, \"request\": {…}, \"timeoutMs\": …, \"idempotencyKey\": …, \"auth\": "
                              "{\"bearer\": …}}",
                              "describe NAME", "help", "bearer TOKEN METHOD [JSON] (or help, or describe NAME)");
    return dump(json_pack("{s:s, s:o, s:o}", "server", server_name, "usage", usage, "services", services), ret_json,
                reterr);
}

enum herald_code probe_describe(const char *name, char **ret_json, struct herald_error *reterr) {
    const char *full_name = NULL;
    const struct herald_file_schema *file = NULL;
    char *text = NULL;
    if (!*name) {
        return herald_error_set(reterr, HERALD_REASON_MALFORMED_PROBE,
                                "describe needs the name of a service, method, message or enum; %s", PROBE_USAGE);
    }
    enum herald_code code = herald_describe(name, &full_name, &file, &text, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    json_t *answer = json_pack("{s:s, s:s}", "name", full_name, "text", text);
    free(text);
    return dump(answer, ret_json, reterr);
}
