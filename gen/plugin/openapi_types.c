/* Which messages and enums the document needs, and their names in it. */
#include "gen/plugin/names.h"
#include "gen/plugin/openapi.h"

#include <ctype.h>
#include <string.h>

bool openapi_is_required(const struct model_field *field) {
    return field->rules != NULL && field->rules->required && !field->rules->acting_user;
}

bool openapi_is_repeated(const struct model_field *field) {
    return field->proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
}

bool openapi_is_timestamp(const struct model_field *field) {
    return field->message != NULL && strcmp(field->message->full_name, "google.protobuf.Timestamp") == 0;
}

/* ---- collecting ---- */

static void note_enum(struct openapi *openapi, enum openapi_use use, const struct model_enum *enumeration) {
    for (size_t i = 0; i < openapi->enum_count[use]; i++) {
        if (openapi->enums[use][i] == enumeration) {
            return;
        }
    }
    openapi->enums[use][openapi->enum_count[use]++] = enumeration;
}

static void note_field(struct openapi *openapi, enum openapi_use use, const struct model_field *field);

static void note_message(struct openapi *openapi, enum openapi_use use, const struct model_message *message) {
    for (size_t i = 0; i < openapi->message_count[use]; i++) {
        if (openapi->messages[use][i] == message) {
            return;
        }
    }
    openapi->messages[use][openapi->message_count[use]++] = message;
    for (size_t i = 0; i < message->field_count; i++) {
        note_field(openapi, use, &message->fields[i]);
    }
}

static void note_field(struct openapi *openapi, enum openapi_use use, const struct model_field *field) {
    if (field->enumeration != NULL) {
        note_enum(openapi, use, field->enumeration);
    } else if (field->message != NULL && !openapi_is_timestamp(field)) {
        note_message(openapi, use, field->message);
    }
}

/* A query parameter has no schema of a message, but those of the enums in it. */
static void note_query_field(struct openapi *openapi, const struct model_field *field) {
    if (field->message == NULL) {
        note_field(openapi, OPENAPI_INPUT, field);
        return;
    }
    for (size_t i = 0; i < field->message->field_count; i++) {
        note_query_field(openapi, &field->message->fields[i]);
    }
}

static void note_request(struct openapi *openapi, const struct route *route, const struct model_message *request) {
    for (size_t i = 0; i < request->field_count; i++) {
        const struct model_field *field = &request->fields[i];
        if (route_queries(route, field)) {
            note_query_field(openapi, field);
        } else {
            note_field(openapi, OPENAPI_INPUT, field);
        }
    }
    if (strcmp(route->body, "*") == 0) {
        note_message(openapi, OPENAPI_INPUT, request);
    }
}

static void allocate(struct openapi *openapi, const struct model *model) {
    size_t messages = 0, enums = 0;
    for (size_t i = 0; i < model->file_count; i++) {
        messages += model->files[i].message_count;
        enums += model->files[i].enum_count;
    }
    for (int use = 0; use < OPENAPI_USES; use++) {
        openapi->messages[use] = pool_array(&openapi->pool, messages, sizeof(*openapi->messages[use]));
        openapi->enums[use] = pool_array(&openapi->pool, enums, sizeof(*openapi->enums[use]));
    }
}

/* Messages that the gateway's own pages hold: openapi_frame.json refers to them. */
static const char *const shown_messages[] = {
    "herald.rpc.v1.ComponentHealth",
    "herald.rpc.v1.Gauge",
    "herald.rpc.v1.RecentCall",
};
#define SHOWN_COUNT (sizeof(shown_messages) / sizeof(shown_messages[0]))

static void note_shown(struct openapi *openapi, const struct model_file *file) {
    for (size_t i = 0; i < file->message_count; i++) {
        for (size_t j = 0; j < SHOWN_COUNT; j++) {
            if (strcmp(file->messages[i].full_name, shown_messages[j]) == 0) {
                note_message(openapi, OPENAPI_OUTPUT, &file->messages[i]);
            }
        }
    }
}

void openapi_init(struct openapi *openapi, const struct model *model) {
    *openapi = (struct openapi){.model = model};
    openapi->routes = emit_sorted_routes(&openapi->pool, model, &openapi->route_count);
    allocate(openapi, model);
    for (size_t i = 0; i < openapi->route_count; i++) {
        note_request(openapi, openapi->routes[i].route, openapi->routes[i].method->request);
        note_message(openapi, OPENAPI_OUTPUT, openapi->routes[i].method->response);
    }
    for (size_t i = 0; i < model->file_count; i++) {
        note_shown(openapi, &model->files[i]);
    }
}

void openapi_fini(struct openapi *openapi) {
    pool_fini(&openapi->pool);
}

/* ---- names ---- */

/* An element with a schema. */
struct element {
    const char *full_name;
    const struct model_file *file;
};

static const char *short_name(const struct element *element) {
    return name_short(element->file->package, element->full_name);
}

static bool is_other_of_name(const struct element *element, const struct element *other) {
    return strcmp(element->full_name, other->full_name) != 0 && strcmp(short_name(element), short_name(other)) == 0;
}

/* Whether another message or enum with a schema has the same short name. */
static bool is_ambiguous(const struct openapi *openapi, const struct element *element) {
    for (int use = 0; use < OPENAPI_USES; use++) {
        for (size_t i = 0; i < openapi->message_count[use]; i++) {
            const struct model_message *message = openapi->messages[use][i];
            if (is_other_of_name(element, &(struct element){message->full_name, message->file})) {
                return true;
            }
        }
        for (size_t i = 0; i < openapi->enum_count[use]; i++) {
            const struct model_enum *enumeration = openapi->enums[use][i];
            if (is_other_of_name(element, &(struct element){enumeration->full_name, enumeration->file})) {
                return true;
            }
        }
    }
    return false;
}

/* The word of a package: "event" of "herald.event.v1". */
static const char *package_word(struct openapi *openapi, const char *package) {
    const char *end = strrchr(package, '.');
    if (end == NULL) {
        return package;
    }
    const char *start = end;
    while (start > package && start[-1] != '.') {
        start--;
    }
    char *word = pool_printf(&openapi->pool, "%.*s", (int)(end - start), start);
    word[0] = (char)toupper((unsigned char)word[0]);
    return word;
}

static const char *element_name(struct openapi *openapi, const struct element *element, bool is_input) {
    const char *word = is_ambiguous(openapi, element) ? package_word(openapi, element->file->package) : "";
    return pool_printf(&openapi->pool, "%s%s%s", word, short_name(element), is_input ? "Input" : "");
}

const char *openapi_message_name(struct openapi *openapi, const struct model_message *message, enum openapi_use use) {
    bool is_both = false;
    for (size_t i = 0; use == OPENAPI_INPUT && i < openapi->message_count[OPENAPI_OUTPUT]; i++) {
        is_both |= openapi->messages[OPENAPI_OUTPUT][i] == message;
    }
    return element_name(openapi, &(struct element){message->full_name, message->file}, is_both);
}

const char *openapi_enum_name(struct openapi *openapi, const struct model_enum *enumeration, enum openapi_use use) {
    return element_name(openapi, &(struct element){enumeration->full_name, enumeration->file}, use == OPENAPI_INPUT);
}
