#include "deploy/ctl/clean.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/report.h"
#include "herald/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int ctl_describe(struct ctl *ctl) {
    const char *full_name = NULL;
    const struct herald_file_schema *file = NULL;
    char *text = NULL;
    struct herald_error error;
    if (herald_describe(ctl->arguments->operands[0], &full_name, &file, &text, &error) != HERALD_OK) {
        report_error(stderr, ctl->arguments->format, "describe", &error);
        return CTL_USAGE;
    }
    if (ctl->arguments->format == CTL_JSON) {
        json_t *element = json_pack("{s:s, s:s, s:s}", "name", full_name, "file", file->name, "text", text);
        clean_print_json(stdout, element, JSON_COMPACT);
        json_decref(element);
    } else {
        printf("// %s, in %s\n%s%s", full_name, file->name, text,
               text[0] != '\0' && strchr(text, '\0')[-1] == '\n' ? "" : "\n");
    }
    free(text);
    return CTL_OK;
}
