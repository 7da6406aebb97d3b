#include "client/ctl/ctl.h"
#include "client/ctl/input.h"
#include "client/ctl/methods.h"
#include "client/ctl/remote.h"
#include "client/ctl/report.h"
#include "client/ctl/shell.h"
#include "herald/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

static int usage_error(const struct ctl *ctl, const char *what, const struct herald_error *error) {
    report_error(stderr, ctl->arguments->format, what, error);
    return CTL_USAGE;
}

static enum herald_code read_request(const struct ctl *ctl, const struct herald_method_schema *method,
                                     ProtobufCMessage **ret_request, struct herald_error *reterr) {
    char *text = NULL;
    size_t bytes = 0;
    enum herald_code code = input_read(ctl->arguments->data, &text, &bytes, reterr);
    if (code == HERALD_OK)
        code = herald_json_read(method->request, text, bytes, NULL, ret_request, reterr);
    free(text);
    return code;
}

/* A probe: "METHOD JSON", or an object where there is more to say. NULL without memory. */
static char *probe_text(const struct ctl *ctl, const struct herald_method_schema *method, const char *json) {
    const struct ctl_arguments *arguments = ctl->arguments;
    char key[37];
    bool once = method->effect == HERALD_EFFECT_ONCE;
    if (arguments->timeout_ms == 0 && arguments->idempotency_key == NULL && !once) {
        char *text = NULL;
        return asprintf(&text, "%s %s", method->full_name, json) < 0 ? NULL : text;
    }
    json_t *probe = json_pack("{s:s, s:o}", "method", method->full_name, "request", json_loads(json, 0, NULL));
    if (arguments->timeout_ms != 0)
        json_object_set_new(probe, "timeoutMs", json_integer(arguments->timeout_ms));
    if (arguments->idempotency_key == NULL && once)
        herald_uuid7(key);
    if (arguments->idempotency_key != NULL || once)
        json_object_set_new(probe, "idempotencyKey",
                            json_string(arguments->idempotency_key != NULL ? arguments->idempotency_key : key));
    char *text = json_dumps(probe, JSON_COMPACT);
    json_decref(probe);
    return text;
}

static int print_nngcat(struct ctl *ctl, const struct herald_method_schema *method, const ProtobufCMessage *request) {
    struct herald_error error;
    char *json = NULL;
    enum herald_code code = herald_json_write(method->request, request, NULL, &json, &error);
    if (code != HERALD_OK)
        return usage_error(ctl, "request", &error);
    char *probe = probe_text(ctl, method, json);
    free(json);
    if (probe == NULL) {
        herald_error_set(&error, HERALD_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY", "out of memory");
        return usage_error(ctl, "request", &error);
    }
    uint32_t timeout_ms = ctl->arguments->timeout_ms != 0 ? ctl->arguments->timeout_ms : method->deadline_ms;
    char *line = shell_nngcat(probe, methods_url(ctl->arguments, &ctl->settings, method), timeout_ms);
    puts(line);
    free(line);
    free(probe);
    return CTL_OK;
}

static int print_response(const struct ctl *ctl, const struct herald_method_schema *method,
                          const struct herald_reply *reply) {
    struct herald_json_write_options options = {.indent = ctl->arguments->format == CTL_TABLE, .with_defaults = true};
    struct herald_error error;
    char *json = NULL;
    if (herald_json_write(method->response, reply->message, &options, &json, &error) != HERALD_OK) {
        report_error(stderr, ctl->arguments->format, "response", &error);
        return CTL_FAILED;
    }
    puts(json);
    free(json);
    return CTL_OK;
}

static double milliseconds_since(const struct timespec *start) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) * 1e3 + (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

static int make_call(struct ctl *ctl, const struct herald_method_schema *method, const ProtobufCMessage *request) {
    const char *url = methods_url(ctl->arguments, &ctl->settings, method);
    struct herald_call_options options = {.timeout_ms = ctl->arguments->timeout_ms,
                                          .idempotency_key = ctl->arguments->idempotency_key};
    struct herald_reply reply = {0};
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    enum herald_code code =
        ctl_remote_call(url, ctl->settings.rpc_max_message_bytes, method, request, &options, &reply);
    double elapsed_ms = milliseconds_since(&start);
    int status = (int)report_status(&reply);
    if (code == HERALD_OK)
        status = print_response(ctl, method, &reply);
    else
        report_reply(stderr, ctl->arguments->format, method->full_name, &reply);
    if (ctl->arguments->verbose)
        fprintf(stderr, "%s on %s: %s, outcome %s, call id %s, %.1f ms\n", method->full_name, url,
                herald_code_name((int)code), herald_outcome_name(reply.outcome),
                reply.call_id[0] != '\0' ? reply.call_id : "none", elapsed_ms);
    herald_reply_clear(&reply);
    return status;
}

int ctl_call(struct ctl *ctl) {
    const struct herald_method_schema *method = NULL;
    ProtobufCMessage *request = NULL;
    struct herald_error error;
    if (methods_find(ctl->arguments->operands[0], &method, &error) != HERALD_OK)
        return usage_error(ctl, "method", &error);
    if (read_request(ctl, method, &request, &error) != HERALD_OK)
        return usage_error(ctl, "request", &error);
    int status = ctl->arguments->print_nngcat ? print_nngcat(ctl, method, request) : make_call(ctl, method, request);
    protobuf_c_message_free_unpacked(request, NULL);
    return status;
}
