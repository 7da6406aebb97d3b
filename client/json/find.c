/* Finds schema elements by full or short names, and near names for errors. Looks at every element of the tables. */
#include "client/json/find.h"

#include "client/base/edit_distance.h"
#include "client/base/full_name.h"
#include "client/base/minimum.h"
#include "client/json/near.h"
#include "herald/json.h"

#include <stdio.h>
#include <string.h>

/* How many names an error lists. */
#define LISTED_MAX 8

/* A search: the elements that match so far, at most LISTED_MAX, the best first. */
struct search {
    const char *name;
    bool near;          /* near names instead of equal ones */
    bool messages_only; /* skip services, methods and enums */
    struct element found[LISTED_MAX];
    unsigned distances[LISTED_MAX];
    size_t found_count; /* may exceed LISTED_MAX */
};

/* Whether @name is the whole of @full_name or what follows one of its dots or its slash. */
static bool is_end_of(const char *full_name, const char *name) {
    size_t full_bytes = strlen(full_name);
    size_t bytes = strlen(name);
    if (bytes == 0 || bytes > full_bytes || strcmp(full_name + full_bytes - bytes, name) != 0) {
        return false;
    }
    return bytes == full_bytes || full_name[full_bytes - bytes - 1] == '.' || full_name[full_bytes - bytes - 1] == '/';
}

/* How far an element is from the name searched for; NEAR_MAX + 1: too far. A part of a name is near. */
static unsigned nearness(const char *full_name, const char *name) {
    const char *part = herald_last_part(name);
    if (strlen(part) >= 3 && strcasestr(herald_last_part(full_name), part)) {
        return 1;
    }
    return herald_edit_distance(herald_last_part(full_name), part);
}

static void search_add(struct search *search, const struct element *element, unsigned how_far) {
    size_t at = herald_min_size(search->found_count, LISTED_MAX);
    search->found_count++;
    while (at > 0 && search->distances[at - 1] > how_far) {
        if (at < LISTED_MAX) {
            search->found[at] = search->found[at - 1];
            search->distances[at] = search->distances[at - 1];
        }
        at--;
    }
    if (at < LISTED_MAX) {
        search->found[at] = *element;
        search->distances[at] = how_far;
    }
}

static void search_visit(struct search *search, enum kind kind, const char *full_name, const void *schema,
                         const struct herald_file_schema *file) {
    struct element element = {kind, full_name, schema, file};
    if (search->messages_only && kind != KIND_MESSAGE) {
        return;
    }
    if (search->near) {
        unsigned how_far = nearness(full_name, search->name);
        if (how_far <= NEAR_MAX) {
            search_add(search, &element, how_far);
        }
    } else if (strcmp(full_name, search->name) == 0) {
        search->found[0] = element; /* a full name is never ambiguous: nothing else is looked for */
        search->found_count = 1;
        search->name = "";
    } else if (is_end_of(full_name, search->name)) {
        search_add(search, &element, 0);
    }
}

static void search_file(struct search *search, const struct herald_file_schema *file) {
    for (size_t i = 0; i < file->service_count; i++) {
        const struct herald_service_schema *service = file->services[i];
        search_visit(search, KIND_SERVICE, service->full_name, service, file);
        for (size_t m = 0; m < service->method_count; m++) {
            search_visit(search, KIND_METHOD, service->methods[m].full_name, &service->methods[m], file);
        }
    }
    for (size_t i = 0; i < file->message_count; i++) {
        search_visit(search, KIND_MESSAGE, file->messages[i]->full_name, file->messages[i], file);
    }
    for (size_t i = 0; i < file->enum_count; i++) {
        search_visit(search, KIND_ENUM, file->enums[i]->full_name, file->enums[i], file);
    }
}

static void search_all(struct search *search) {
    for (size_t i = 0; i < herald_schema_count; i++) {
        search_file(search, herald_schemas[i]);
    }
}

/* Writes the names found, separated by commas. */
static void list_found(const struct search *search, char *ret_text, size_t text_bytes) {
    size_t used = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < search->found_count && i < LISTED_MAX; i++) {
        int bytes = snprintf(ret_text + used, text_bytes - used, "%s%s", i > 0 ? ", " : "", search->found[i].full_name);
        if (bytes < 0 || (size_t)bytes >= text_bytes - used) {
            ret_text[used] = '\0';
            return;
        }
        used += (size_t)bytes;
    }
}

static enum herald_code element_not_found(const char *name, bool messages_only, struct herald_error *reterr) {
    struct search near = {.name = name, .near = true, .messages_only = messages_only};
    char names[320];
    search_all(&near);
    list_found(&near, names, sizeof(names));
    if (near.found_count == 0) {
        return herald_error_set(reterr, HERALD_REASON_NO_SUCH_NAME, "%s is called \"%.64s\"%s",
                                messages_only ? "no message" : "nothing", name,
                                messages_only ? "" : ": ask for a service, method, message or enum");
    }
    return herald_error_set(reterr, HERALD_REASON_NO_SUCH_NAME, "%s is called \"%.64s\"; near it: %s",
                            messages_only ? "no message" : "nothing", name, names);
}

enum herald_code find_element(const char *name, bool messages_only, struct element *ret_element,
                              struct herald_error *reterr) {
    struct search search = {.name = name, .messages_only = messages_only};
    search_all(&search);
    if (search.found_count == 0) {
        return element_not_found(name, messages_only, reterr);
    }
    if (search.found_count > 1) {
        char names[320];
        list_found(&search, names, sizeof(names));
        return herald_error_set(reterr, HERALD_REASON_AMBIGUOUS_NAME,
                                "\"%.64s\" may be one of several; use more of its name: %s", name, names);
    }
    *ret_element = search.found[0];
    return HERALD_OK;
}

enum herald_code herald_find_message(const char *name, const struct herald_message_schema **ret_schema,
                                     struct herald_error *reterr) {
    struct element element = {.schema = NULL};
    enum herald_code code = find_element(name, true, &element, reterr);
    if (code == HERALD_OK) {
        *ret_schema = element.schema;
    }
    return code;
}
