#include "client/json/describe.h"

#include "client/json/find.h"
#include "herald/json.h"

#include <stdlib.h>

static void describe_element(FILE *out, const struct element *element) {
    switch (element->kind) {
    case KIND_SERVICE:
        herald_describe_service(out, element->schema);
        break;
    case KIND_METHOD:
        herald_describe_method(out, element->schema);
        break;
    case KIND_MESSAGE:
        herald_describe_message(out, element->schema);
        break;
    case KIND_ENUM:
        herald_describe_enum(out, element->schema);
        break;
    }
}

enum herald_code herald_describe(const char *name, const char **ret_full_name,
                                 const struct herald_file_schema **ret_file, char **ret_text,
                                 struct herald_error *reterr) {
    struct element element = {.schema = NULL};
    enum herald_code code = find_element(name, false, &element, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *out = open_memstream(&text, &text_bytes);
    if (out) {
        describe_element(out, &element);
    }
    if (!out || fclose(out) != 0) {
        free(text);
        return herald_error_no_memory(reterr, "the description of %s", name);
    }
    *ret_full_name = element.full_name;
    *ret_file = element.file;
    *ret_text = text;
    return HERALD_OK;
}
