#include "deploy/ctl/clean.h"

#include "client/json/text.h"

#include <stdlib.h>

char *clean_text(char *text) {
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            *c = ' ';
        } else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) {
            c[0] = c[1] = ' ';
        }
    }
    return text;
}

char *clean_json(const json_t *json, size_t flags) {
    char *raw = json_dumps(json, flags);
    char *clean = raw != NULL ? json_escape_controls(raw) : NULL;
    free(raw);
    return clean;
}

void clean_print_json(FILE *out, const json_t *json, size_t flags) {
    char *text = clean_json(json, flags);
    fprintf(out, "%s\n", text != NULL ? text : "");
    free(text);
}
