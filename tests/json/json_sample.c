/* Converts messages of the generator's sample schemas as `heraldctl json` does those of ours. */
#include "deploy/ctl/convert.h"
#include "sample/v1/kinds.schema.h"
#include "sample/v1/routes.schema.h"
#include "sample/v1/service.schema.h"
#include "sample/v1/types.schema.h"

#include <string.h>

static const struct herald_message_schema *find_message(const char *full_name) {
    static const struct herald_file_schema *const files[] = {&sample_v1_kinds_file, &sample_v1_routes_file,
                                                             &sample_v1_service_file, &sample_v1_types_file};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        for (size_t j = 0; j < files[i]->message_count; j++) {
            if (strcmp(files[i]->messages[j]->full_name, full_name) == 0) {
                return files[i]->messages[j];
            }
        }
    }
    return NULL;
}

/* json --type T --to-json|--to-binary [--stream|--ignore-unknown] */
int main(int argc, char **argv) {
    struct conversion conversion = {.schema = argc > 4 ? find_message(argv[3]) : NULL};
    struct herald_error error;
    size_t record = 0;
    if (!conversion.schema) {
        fprintf(stderr, "usage: json_sample json --type TYPE --to-json|--to-binary [--stream|--ignore-unknown]\n");
        return 64;
    }
    const char *option = argc > 5 ? argv[5] : "";
    conversion.to_json = strcmp(argv[4], "--to-json") == 0;
    conversion.ignore_unknown = strcmp(option, "--ignore-unknown") == 0;
    enum herald_code code = strcmp(option, "--stream") == 0
                                ? convert_stream(&conversion, stdin, stdout, &record, &error)
                                : convert_one(&conversion, stdin, stdout, &error);
    if (code == HERALD_OK) {
        return 0;
    }
    fprintf(stderr, "message %zu: %s\n", record, error.message);
    return 2;
}
