#include "deploy/ctl/ask.h"

#include "deploy/ctl/methods.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "herald/json.h"

#include <stdlib.h>

int ask_print_json(const struct ctl *ctl, const struct herald_message_schema *schema, const ProtobufCMessage *message) {
    struct herald_json_write_options options = {.with_defaults = true};
    struct herald_error error;
    char *json = NULL;
    if (herald_json_write(schema, message, &options, &json, &error) != HERALD_OK) {
        report_error(stderr, ctl->arguments->format, "response", &error);
        return CTL_UNWRITTEN;
    }
    puts(json);
    free(json);
    return CTL_OK;
}

int ask(struct ctl *ctl, const struct herald_method_schema *method, const ProtobufCMessage *request,
        void (*show)(const struct ctl *ctl, const ProtobufCMessage *response)) {
    const struct herald_call_options options = {.timeout_ms = ctl->arguments->timeout_ms};
    struct herald_reply reply = {0};
    int status = CTL_OK;
    if (ctl_remote_call(methods_url(ctl->arguments, &ctl->settings, method), ctl->settings.rpc_max_message_bytes,
                        method, request, &options, &reply) != HERALD_OK) {
        report_reply(stderr, ctl->arguments->format, method->full_name, &reply);
        status = (int)report_status(&reply);
    } else if (ctl->arguments->format == CTL_JSON) {
        status = ask_print_json(ctl, method->response, reply.message);
    } else {
        show(ctl, reply.message);
    }
    herald_reply_clear(&reply);
    return status;
}
