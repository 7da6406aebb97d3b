#include "herald/json.h"

#include "deploy/ctl/convert.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/report.h"

static int json_usage(const char *sentence) {
    fprintf(stderr, "heraldctl: %s; see heraldctl json --help\n", sentence);
    return CTL_USAGE;
}

int ctl_json(struct ctl *ctl) {
    const struct ctl_arguments *arguments = ctl->arguments;
    struct conversion conversion = {.to_json = arguments->to_json,
                                    .ignore_unknown = arguments->ignore_unknown,
                                    .indent = arguments->indent,
                                    .validate = arguments->validate};
    struct herald_error error;
    size_t record = 0;
    char where[32] = "json";
    if (arguments->type == NULL) {
        return json_usage("json needs --type TYPE");
    }
    if (arguments->to_json == arguments->to_binary) {
        return json_usage("json needs either --to-json or --to-binary");
    }
    if (arguments->stream && arguments->indent) {
        return json_usage("--indent does not go with --stream, which has a line for each message");
    }
    enum herald_code code = herald_find_message(arguments->type, &conversion.schema, &error);
    if (code == HERALD_OK) {
        code = arguments->stream ? convert_stream(&conversion, stdin, stdout, &record, &error)
                                 : convert_one(&conversion, stdin, stdout, &error);
    }
    if (code == HERALD_OK) {
        return CTL_OK;
    }
    if (record > 0) {
        snprintf(where, sizeof(where), "message %zu", record);
    }
    fflush(stdout);
    report_error(stderr, arguments->format, where, &error);
    return CTL_USAGE;
}
