/* Prints the table of herald/route.h: the routes of all wanted files. */
#include "gen/plugin/emit.h"
#include "gen/plugin/names.h"

#include <stdlib.h>
#include <string.h>

static int compare_entries(const void *a, const void *b) {
    const struct model_route *left = a, *right = b;
    return route_compare(left->route, right->route);
}

struct model_route *emit_sorted_routes(struct pool *pool, const struct model *model, size_t *ret_count) {
    size_t capacity = 0, count = 0;
    for (size_t i = 0; i < model->file_count; i++) {
        for (size_t j = 0; model->files[i].wanted && j < model->files[i].service_count; j++) {
            for (size_t k = 0; k < model->files[i].services[j].method_count; k++) {
                capacity += model->files[i].services[j].methods[k].route_count;
            }
        }
    }
    struct model_route *entries = pool_array(pool, capacity, sizeof(*entries));
    for (size_t i = 0; i < model->file_count; i++) {
        for (size_t j = 0; model->files[i].wanted && j < model->files[i].service_count; j++) {
            const struct model_service *service = &model->files[i].services[j];
            for (size_t k = 0; k < service->method_count; k++) {
                for (size_t l = 0; l < service->methods[k].route_count; l++) {
                    entries[count++] =
                        (struct model_route){&service->methods[k].routes[l], service, &service->methods[k], l};
                }
            }
        }
    }
    if (count > 0) {
        qsort(entries, count, sizeof(*entries), compare_entries);
    }
    *ret_count = count;
    return entries;
}

static void emit_segments(struct text *out, const struct route *route) {
    text_addf(out, "        .segments = (const struct herald_route_segment[%zu]){\n", route->segment_count);
    for (size_t i = 0; i < route->segment_count; i++) {
        const struct route_segment *segment = &route->segments[i];
        if (segment->field != NULL) {
            text_addf(out, "            {.field = \"%s\"},\n", segment->field->proto->name);
        } else {
            text_addf(out, "            {.literal = \"%s\"},\n", segment->literal);
        }
    }
    text_addf(out, "        },\n        .segment_count = %zu,\n", route->segment_count);
}

/* ---- where to look for what a call made ---- */

/* The field that ends the path of a GET route, and is the only one in it; else NULL. */
static const struct model_field *last_field(const struct route *route) {
    size_t last = route->segment_count;
    for (size_t i = 0; i + 1 < route->segment_count; i++) {
        if (route->segments[i].field != NULL) {
            return NULL;
        }
    }
    return route->method == ROUTE_GET && last > 0 ? route->segments[last - 1].field : NULL;
}

static const struct model_field *find_text_field(const struct model_message *message, const char *name) {
    for (size_t i = 0; i < message->field_count; i++) {
        const struct model_field *field = &message->fields[i];
        if (strcmp(field->proto->name, name) == 0 && field->message == NULL && field->enumeration == NULL &&
            field->proto->label != GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED) {
            return field;
        }
    }
    return NULL;
}

/* The way to a field of a response: "jobId", "event.eventDraftId". NULL: it has none of this name. */
static const char *way_to(struct pool *pool, const struct model_message *response, const char *name) {
    const struct model_field *found = find_text_field(response, name);
    if (found != NULL) {
        return found->json_name;
    }
    for (size_t i = 0; i < response->field_count; i++) {
        const struct model_field *outer = &response->fields[i];
        bool repeated = outer->proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
        found = outer->message != NULL && !repeated ? find_text_field(outer->message, name) : NULL;
        if (found != NULL) {
            return pool_printf(pool, "%s.%s", outer->json_name, found->json_name);
        }
    }
    return NULL;
}

const char *emit_location(struct pool *pool, const struct model_route *entries, size_t count,
                          const struct model_route *entry) {
    unsigned status = emit_status(entry->method);
    for (size_t i = 0; (status == 201 || status == 202) && i < count; i++) {
        const struct route *route = entries[i].route;
        const struct model_field *field = last_field(route);
        const char *way = field != NULL ? way_to(pool, entry->method->response, field->proto->name) : NULL;
        if (way != NULL) {
            return pool_printf(pool, "%.*s/{%s}", (int)(strrchr(route->text, '/') - route->text), route->text, way);
        }
    }
    return NULL;
}

static void emit_route(struct text *out, const struct model_route *entry, const char *location) {
    const struct route *route = entry->route;
    text_addf(out, "    {\n        .http_method = HERALD_HTTP_%s,\n        .template = \"%s\",\n",
              route_method_name(route->method), route->text);
    emit_segments(out, route);
    text_addf(out, "        .body = \"%s\",\n        .status = %u,\n", route->body, emit_status(entry->method));
    if (location != NULL) {
        text_addf(out, "        .location = \"%s\",\n", location);
    }
    text_addf(out, "        .service = &%s_schema,\n        .method = %s_%s_method,\n    },\n", entry->service->symbol,
              entry->service->symbol, entry->method->snake);
}

static bool file_has_routes(const struct model_file *file) {
    for (size_t i = 0; i < file->service_count; i++) {
        for (size_t j = 0; j < file->services[i].method_count; j++) {
            if (file->services[i].methods[j].route_count > 0) {
                return true;
            }
        }
    }
    return false;
}

static void emit_includes(struct text *out, const struct model *model) {
    for (size_t i = 0; i < model->file_count; i++) {
        if (model->files[i].wanted && file_has_routes(&model->files[i])) {
            emit_include(out, &model->files[i], "schema.h");
        }
    }
}

void emit_routes(struct text *out, const struct model *model) {
    struct pool pool = {0};
    size_t count;
    const struct model_route *entries = emit_sorted_routes(&pool, model, &count);
    text_add(out,
             "/* Generated by protoc-gen-herald from all schemas; do not edit. */\n#include \"herald/route.h\"\n\n");
    emit_includes(out, model);
    text_addf(out, "\nconst struct herald_route herald_routes[%zu] = {\n", count > 0 ? count : 1);
    for (size_t i = 0; i < count; i++) {
        emit_route(out, &entries[i], emit_location(&pool, entries, count, &entries[i]));
    }
    text_add(out, count > 0 ? "};\n" : "    {0},\n};\n");
    text_addf(out, "const size_t herald_route_count = %zu;\n", count);
    pool_fini(&pool);
}

unsigned emit_status(const struct model_method *method) {
    return method->policy->http_status != 0 ? (unsigned)method->policy->http_status : 200;
}
