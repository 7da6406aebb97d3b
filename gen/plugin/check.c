/* Runs the checks of schemas, and those of files, services and documentation. */
#include "gen/plugin/check.h"

#include "gen/plugin/names.h"

#include <string.h>

#define DEADLINE_MAX_MS     600000
#define ENVELOPE_NUMBER_MAX 11

static void check_doc(const struct model_file *file, struct problems *problems, const struct source *source,
                      const char *kind, const char *scope, const char *name) {
    if (source->doc == NULL) {
        problem_add(problems, file, source->line,
                    "%s %s%s%s is not documented: write a comment above it; comments are the API's documentation", kind,
                    scope, scope[0] == '\0' ? "" : ".", name);
    }
}

static void check_policy(const struct model_file *file, struct problems *problems, const struct model_service *service,
                         const struct model_method *method) {
    const Herald__Rpc__V1__MethodPolicy *policy = method->policy;
    const char *scope = service->proto->name, *name = method->proto->name;
    int line = method->source.line;
    if (method->policy_unreadable) {
        problem_add(problems, file, line, "method %s.%s: option (herald.rpc.v1.policy) cannot be read", scope, name);
        return;
    }
    if (policy == NULL) {
        problem_add(problems, file, line,
                    "method %s.%s has no option (herald.rpc.v1.policy): say effect, deadline_ms and caller", scope,
                    name);
        return;
    }
    if (policy->effect == HERALD__RPC__V1__EFFECT__EFFECT_UNSPECIFIED) {
        problem_add(problems, file, line, "method %s.%s does not say its effect: READ, IDEMPOTENT or ONCE", scope,
                    name);
    }
    if (policy->deadline_ms == 0) {
        problem_add(problems, file, line, "method %s.%s does not say its deadline_ms: 1..%d", scope, name,
                    DEADLINE_MAX_MS);
    }
    if (policy->deadline_ms > DEADLINE_MAX_MS) {
        problem_add(problems, file, line, "method %s.%s has deadline_ms %u: allowed are 1..%d", scope, name,
                    (unsigned)policy->deadline_ms, DEADLINE_MAX_MS);
    }
    if (policy->caller == HERALD__RPC__V1__CALLER__CALLER_UNSPECIFIED) {
        problem_add(problems, file, line,
                    "method %s.%s does not say its caller: ANYONE, IDENTIFIED, OPERATOR or SERVER", scope, name);
    }
    if (policy->answer_inline && policy->waits) {
        problem_add(problems, file, line, "method %s.%s cannot be answer_inline: it waits", scope, name);
    }
    if (policy->answer_inline && policy->effect == HERALD__RPC__V1__EFFECT__ONCE) {
        problem_add(problems, file, line, "method %s.%s cannot be answer_inline: ONCE waits for the idempotency store",
                    scope, name);
    }
}

static void check_service(const struct model_file *file, struct problems *problems,
                          const struct model_service *service) {
    check_doc(file, problems, &service->source, "service", "", service->proto->name);
    for (size_t i = 0; i < service->method_count; i++) {
        const struct model_method *method = &service->methods[i];
        check_doc(file, problems, &method->source, "method", service->proto->name, method->proto->name);
        check_policy(file, problems, service, method);
        if (method->proto->client_streaming || method->proto->server_streaming) {
            problem_add(problems, file, method->source.line,
                        "method %s.%s streams: one call is one request and one response; use pages or a long poll",
                        service->proto->name, method->proto->name);
        }
    }
}

/* protobuf-c 1.4.1 refuses proto3 `optional`, and reads a map as an array of entries that may repeat a key. */
static void check_field_kind(const struct model_file *file, struct problems *problems, const char *scope,
                             const struct model_field *field) {
    const char *name = field->proto->name;
    int line = field->source.line;
    if (field->proto->proto3_optional) {
        problem_add(problems, file, line, "field %s.%s is proto3 `optional`: use a one-member oneof (same bytes)",
                    scope, name);
    }
    if (field->message != NULL && field->message->map_entry) {
        problem_add(problems, file, line, "field %s.%s is a map: use a repeated message with a key and a value", scope,
                    name);
    }
    if (field->proto->type == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP) {
        problem_add(problems, file, line, "field %s.%s is a group: use a message", scope, name);
    } else if (field->message != NULL && field->message->file != file && !field->message->file->proto3) {
        problem_add(problems, file, line, "field %s.%s is of the proto2 type %s, for which there are no tables", scope,
                    name, field->message->full_name);
    }
}

static bool is_envelope(const struct model_message *message) {
    return strcmp(message->full_name, "herald.rpc.v1.Request") == 0 ||
           strcmp(message->full_name, "herald.rpc.v1.Response") == 0;
}

static void check_model_message(const struct model_file *file, struct problems *problems,
                                const struct model_message *message) {
    if (message->map_entry) {
        return;
    }
    const char *name = name_short(file->package, message->full_name);
    check_doc(file, problems, &message->source, "message", "", name);
    for (size_t i = 0; i < message->field_count; i++) {
        const struct model_field *field = &message->fields[i];
        if (field->proto->type != GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP) {
            check_doc(file, problems, &field->source, "field", name, field->proto->name);
        }
        check_field_kind(file, problems, name, field);
        if (is_envelope(message) && field->proto->number > ENVELOPE_NUMBER_MAX) {
            problem_add(problems, file, field->source.line,
                        "field %s.%s has number %d: the envelope's stay at or below %d, so that no envelope begins "
                        "like a plain-text probe",
                        name, field->proto->name, (int)field->proto->number, ENVELOPE_NUMBER_MAX);
        }
    }
}

static void check_model_enum(const struct model_file *file, struct problems *problems,
                             const struct model_enum *enumeration) {
    const char *name = name_short(file->package, enumeration->full_name);
    check_doc(file, problems, &enumeration->source, "enum", "", name);
    for (size_t i = 0; i < enumeration->value_count; i++) {
        check_doc(file, problems, &enumeration->values[i].source, "enum value", name,
                  enumeration->values[i].proto->name);
    }
}

/* Of Google's files, C and JSON have these: Timestamp, the options that schemas extend, and the option of routes. */
static bool is_mapped(const struct model_file *file) {
    return !file->google || strcmp(file->proto->name, "google/protobuf/timestamp.proto") == 0 ||
           strcmp(file->proto->name, "google/protobuf/descriptor.proto") == 0 ||
           strcmp(file->proto->name, "google/api/annotations.proto") == 0;
}

/* An import is refused even if nothing uses it: the C would include a header that does not exist. */
static void check_imports(const struct model_file *file, struct problems *problems) {
    for (size_t i = 0; i < file->dependency_count; i++) {
        if (!is_mapped(file->dependencies[i])) {
            problem_add(
                problems, file, file->dependency_lines[i],
                "%s has no mapping to C and JSON: of Google's types only google.protobuf.Timestamp has one; use "
                "fields or messages of your own",
                file->dependencies[i]->proto->name);
        }
    }
}

static void check_file(const struct model *model, const struct model_file *file, struct problems *problems) {
    if (!file->proto3) {
        problem_add(problems, file, file->syntax_line, "the file is proto2: begin it with `syntax = \"proto3\";`");
    }
    check_imports(file, problems);
    for (size_t i = 0; i < file->enum_count; i++) {
        check_model_enum(file, problems, &file->enums[i]);
    }
    for (size_t i = 0; i < file->message_count; i++) {
        check_model_message(file, problems, &file->messages[i]);
    }
    for (size_t i = 0; i < file->service_count; i++) {
        check_service(file, problems, &file->services[i]);
    }
    for (size_t i = 0; i < file->extension_count; i++) {
        check_doc(file, problems, &file->extensions[i].source, "extension", "", file->extensions[i].proto->name);
    }
    check_names(file, problems);
    check_rules(model, file, problems);
    check_reasons(file, problems);
    check_routes(model, file, problems);
    check_cycles(file, problems);
}

void check_model(const struct model *model, struct problems *problems) {
    for (size_t i = 0; i < model->file_count; i++) {
        if (model->files[i].wanted && !model->files[i].google) {
            check_file(model, &model->files[i], problems);
        }
    }
}
