/* Fits the text of top to a screen: cuts columns, and divides the rows among the sections. */
#include "deploy/ctl/screen.h"
#include "deploy/ctl/table.h"
#include "deploy/ctl/top.h"

#include <stdlib.h>
#include <string.h>

static const char ellipsis[] = "…";

void top_divide(size_t rows, struct top_section *sections, size_t count) {
    bool given = true;
    for (size_t i = 0; i < count; i++) {
        sections[i].rows = 0;
    }
    while (given) {
        given = false;
        for (size_t i = 0; i < count; i++) {
            size_t cost = 1 + (sections[i].rows == 0 ? sections[i].around : 0);
            if (sections[i].rows == sections[i].wanted || cost > rows) {
                continue;
            }
            sections[i].rows++;
            rows -= cost;
            given = true;
        }
    }
}

char *top_cut(const char *text, size_t columns) {
    size_t bytes = strlen(text);
    char *cut = NULL;
    if (table_text_columns(text) <= columns) {
        return strdup(text);
    }
    bytes = screen_clip(text, bytes, columns > 0 ? columns - 1 : 0);
    return asprintf(&cut, "%.*s%s", (int)bytes, text, columns > 0 ? ellipsis : "") < 0 ? NULL : cut;
}

char *top_cut_method(const char *method, size_t columns) {
    const char *slash = strchr(method, '/');
    char *cut = NULL;
    if (slash == NULL) {
        return top_cut(method, columns);
    }
    const char *service = memrchr(method, '.', (size_t)(slash - method));
    service = service != NULL ? service + 1 : method;
    size_t own = strlen(slash);
    /* The method's name matters more than the service's. */
    if (strlen(service) <= columns) {
        return strdup(service);
    }
    if (own + 2 > columns) {
        return top_cut(slash + 1, columns);
    }
    return asprintf(&cut, "%.*s%s%s", (int)(columns - own - 1), service, ellipsis, slash) < 0 ? NULL : cut;
}

char *top_cut_server(const char *server, size_t columns) {
    static const char prefix[] = "herald-";
    bool ours = strncmp(server, prefix, sizeof(prefix) - 1) == 0;
    return top_cut(ours ? server + sizeof(prefix) - 1 : server, columns);
}
