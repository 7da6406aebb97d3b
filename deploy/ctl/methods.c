/* Finds methods and services by name in the schema tables. */
#include "deploy/ctl/methods.h"

#include "client/base/full_name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Calls @visit for every method of the schemas. */
static void each_method(void (*visit)(void *user, const struct herald_method_schema *method), void *user) {
    for (size_t i = 0; i < herald_schema_count; i++) {
        for (size_t j = 0; j < herald_schemas[i]->service_count; j++) {
            for (size_t k = 0; k < herald_schemas[i]->services[j]->method_count; k++) {
                visit(user, &herald_schemas[i]->services[j]->methods[k]);
            }
        }
    }
}

static bool same_character(char a, char b) {
    return a == b || (a == '/' && b == '.') || (a == '.' && b == '/');
}

/* Whether @full ends in @name, and @name begins where a part of @full begins. */
static bool ends_in(const char *full, const char *name) {
    size_t full_length = strlen(full), length = strlen(name);
    if (length == 0 || length > full_length) {
        return false;
    }
    size_t start = full_length - length;
    for (size_t i = 0; i < length; i++) {
        if (!same_character(full[start + i], name[i])) {
            return false;
        }
    }
    return start == 0 || full[start - 1] == '.' || full[start - 1] == '/';
}

/* Length of the beginning that two names share, whatever the case of letters. */
static size_t common_start(const char *a, const char *b) {
    size_t count = 0;
    while (a[count] != '\0' && strncasecmp(a, b, count + 1) == 0) {
        count++;
    }
    return count;
}

/* Whether a method's name is near to an unknown one: equal but for case, containing it, or beginning alike. */
static bool is_near(const struct herald_method_schema *method, const char *name) {
    const char *last = herald_last_part(name);
    if (last[0] == '\0') {
        return false;
    }
    return strcasestr(method->name, last) != NULL || strcasestr(last, method->name) != NULL ||
           common_start(method->name, last) >= 5;
}

struct find {
    const char *name;
    const struct herald_method_schema *exact, *found;
    unsigned found_count, near_count;
    char found_names[400], near_names[300];
};

static void append_name(char *names, size_t bytes, const char *name) {
    size_t length = strlen(names);
    snprintf(names + length, bytes - length, "%s%s", length > 0 ? ", " : "", name);
}

static void visit_find(void *user, const struct herald_method_schema *method) {
    struct find *find = user;
    if (strcmp(method->full_name, find->name) == 0) {
        find->exact = method;
    }
    if (ends_in(method->full_name, find->name)) {
        find->found = method;
        find->found_count++;
        append_name(find->found_names, sizeof(find->found_names), method->full_name);
    } else if (is_near(method, find->name) && find->near_count < 4) {
        find->near_count++;
        append_name(find->near_names, sizeof(find->near_names), method->full_name);
    }
}

enum herald_code methods_find(const char *name, const struct herald_method_schema **ret_method,
                              struct herald_error *reterr) {
    struct find find = {.name = name};
    each_method(visit_find, &find);
    if (find.exact == NULL && find.found_count == 0) {
        return herald_error_set(reterr, HERALD_REASON_METHOD_NOT_FOUND,
                                find.near_count > 0 ? "there is no method \"%s\"; near are %s"
                                                    : "there is no method \"%s\"%s; heraldctl ls --offline lists all",
                                name, find.near_names);
    }
    if (find.exact == NULL && find.found_count > 1) {
        return herald_error_set(reterr, HERALD_REASON_AMBIGUOUS_NAME, "\"%s\" may be any of %s; say more of the name",
                                name, find.found_names);
    }
    *ret_method = find.exact != NULL ? find.exact : find.found;
    return HERALD_OK;
}

/* The service whose full name ends in @name. */
static enum herald_code find_service_schema(const char *name, const struct herald_service_schema **ret_service,
                                            struct herald_error *reterr) {
    const struct herald_service_schema *found = NULL;
    for (size_t i = 0; i < herald_schema_count; i++) {
        for (size_t j = 0; j < herald_schemas[i]->service_count; j++) {
            const struct herald_service_schema *service = herald_schemas[i]->services[j];
            if (!ends_in(service->full_name, name)) {
                continue;
            }
            if (found != NULL) {
                return herald_error_set(reterr, HERALD_REASON_AMBIGUOUS_NAME,
                                        "\"%s\" may be %s or %s; say more of the name", name, found->full_name,
                                        service->full_name);
            }
            found = service;
        }
    }
    if (found == NULL) {
        return herald_error_set(reterr, HERALD_REASON_SERVICE_NOT_FOUND,
                                "there is no service \"%s\"; heraldctl ls --offline lists all", name);
    }
    *ret_service = found;
    return HERALD_OK;
}

enum herald_code methods_find_pattern(const char *pattern, char *ret_full, size_t bytes, struct herald_error *reterr) {
    const struct herald_method_schema *method = NULL;
    const struct herald_service_schema *service = NULL;
    size_t length = strlen(pattern);
    char name[METHODS_PATTERN_BYTES];
    enum herald_code code = HERALD_OK;
    if (length > 2 && length < sizeof(name) && strcmp(pattern + length - 2, "/*") == 0) {
        snprintf(name, sizeof(name), "%.*s", (int)(length - 2), pattern);
        code = find_service_schema(name, &service, reterr);
        if (code == HERALD_OK) {
            snprintf(ret_full, bytes, "%s/*", service->full_name);
        }
    } else if (strcmp(pattern, "*") == 0) {
        snprintf(ret_full, bytes, "*");
    } else {
        code = methods_find(pattern, &method, reterr);
        if (code == HERALD_OK) {
            snprintf(ret_full, bytes, "%s", method->full_name);
        }
    }
    return code;
}

const char *methods_url(const struct ctl_arguments *arguments, const struct settings *settings,
                        const struct herald_method_schema *method) {
    struct ctl_server servers[CTL_SERVER_COUNT];
    ctl_servers(settings, servers);
    if (arguments->url != NULL) {
        return arguments->url;
    }
    for (size_t i = 0; i < CTL_SERVER_COUNT; i++) {
        if (arguments->server != NULL
                ? strcmp(arguments->server, servers[i].section) == 0
                : strncmp(method->full_name, servers[i].package, strlen(servers[i].package)) == 0) {
            return servers[i].url;
        }
    }
    return servers[0].url;
}
