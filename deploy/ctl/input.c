#include "deploy/ctl/input.h"

#include "herald/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum herald_code input_read_stream(FILE *file, const char *name, size_t max_bytes, char **ret_text, size_t *ret_bytes,
                                   struct herald_error *reterr) {
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    char buffer[16384];
    size_t count, all = 0;
    if (memory == NULL) {
        return herald_error_no_memory(reterr, "the input");
    }
    while (all <= max_bytes && (count = fread(buffer, 1, sizeof(buffer), file)) > 0) {
        all += count;
        fwrite(buffer, 1, count, memory);
    }
    int read_errno = ferror(file) ? errno : 0;
    bool kept = fclose(memory) == 0;
    if (read_errno == 0 && kept && all <= max_bytes) {
        *ret_text = text;
        *ret_bytes = length;
        return HERALD_OK;
    }
    free(text);
    if (all > max_bytes) {
        return herald_error_set(reterr, HERALD_REASON_TOO_LONG, "%s is longer than %zu bytes", name, max_bytes);
    }
    return herald_error_set(reterr, HERALD_REASON_UNREADABLE, "cannot read %s: %s", name,
                            strerror(read_errno != 0 ? read_errno : ENOMEM));
}

enum herald_code input_read(const char *data, char **ret_text, size_t *ret_bytes, struct herald_error *reterr) {
    if (data != NULL && strcmp(data, "-") == 0) {
        return input_read_stream(stdin, "standard input", INPUT_MAX_BYTES, ret_text, ret_bytes, reterr);
    }
    if (data != NULL && data[0] == '@') {
        FILE *file = fopen(data + 1, "re");
        if (file == NULL) {
            return herald_error_set(reterr, HERALD_REASON_INPUT_NOT_FOUND, "cannot open %s: %s", data + 1,
                                    strerror(errno));
        }
        enum herald_code code = input_read_stream(file, data + 1, INPUT_MAX_BYTES, ret_text, ret_bytes, reterr);
        fclose(file);
        return code;
    }
    char *copy = strdup(data != NULL ? data : "{}");
    if (copy == NULL) {
        return herald_error_no_memory(reterr, "the input");
    }
    *ret_text = copy;
    *ret_bytes = strlen(copy);
    return HERALD_OK;
}

enum herald_code input_read_message(const char *data, const struct herald_message_schema *schema,
                                    ProtobufCMessage **ret_message, struct herald_error *reterr) {
    char *text = NULL;
    size_t bytes = 0;
    enum herald_code code = input_read(data, &text, &bytes, reterr);
    if (code == HERALD_OK) {
        code = herald_json_read(schema, text, bytes, NULL, NULL, ret_message, reterr);
    }
    free(text);
    return code;
}
