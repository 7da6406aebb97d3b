/* Prints the schema tables of herald/schema.h, and the registry of all files. */
#include "gen/plugin/emit.h"
#include "gen/plugin/names.h"
#include "gen/plugin/pattern.h"

#include <inttypes.h>
#include <string.h>

/* Only proto3 files have tables. descriptor.proto, the one proto2 file in use, is needed for its bytes alone. */
static size_t message_count(const struct model_file *file) {
    return file->proto3 ? file->message_count : 0;
}

/* Prints the number of an enum's values, because the descriptor's own count is no constant expression. */
static void emit_value_count(struct text *out, const struct model_enum *enumeration) {
    struct pool pool = {0};
    text_addf(out, "#define %s_VALUE_COUNT %zu\n", name_upper(&pool, enumeration->symbol), enumeration->sorted_count);
    pool_fini(&pool);
}

static size_t enum_count(const struct model_file *file) {
    return file->proto3 ? file->enum_count : 0;
}

static void emit_method_macros(struct text *out, const struct model_service *service) {
    text_addf(out, "extern const struct herald_method_schema %s_methods[%zu];\n", service->symbol,
              service->method_count);
    for (size_t i = 0; i < service->method_count; i++) {
        text_addf(out, "#define %s_%s_method (&%s_methods[%zu])\n", service->symbol, service->methods[i].snake,
                  service->symbol, i);
    }
}

static void emit_enum_name_head(struct text *out, const struct model_enum *enumeration, const char *tail) {
    struct pool pool = {0};
    const char *parameters[] = {pool_printf(&pool, "%s value", enumeration->c_type)};
    emit_signature(out, pool_printf(&pool, "const char *%s_name(", enumeration->symbol), parameters, 1, tail);
    pool_fini(&pool);
}

static void emit_enum_name_declaration(struct text *out, const struct model_enum *enumeration) {
    const struct model_value *example = enumeration->sorted_values[enumeration->sorted_count - 1];
    text_addf(out,
              "\n/**\n"
              " * The schema's name of a value: \"%s\".\n"
              " *\n"
              " * Returns: \"UNRECOGNIZED\" for a number that the schema lacks; never NULL; static\n"
              " * Context: any thread\n"
              " */\n",
              example->proto->name);
    emit_enum_name_head(out, enumeration, ");\n");
}

void emit_schema_header(struct text *out, const struct model_file *file) {
    emit_banner(out, file);
    emit_guard_begin(out, file, "schema");
    text_add(out, "#include \"herald/schema.h\"\n");
    if (enum_count(file) > 0) {
        emit_include(out, file, "pb-c.h");
    }
    emit_declarations_begin(out);
    text_addf(out, "\nextern const struct herald_file_schema %s_file;\n", file->symbol);
    for (size_t i = 0; i < enum_count(file); i++) {
        text_addf(out, "extern const struct herald_enum_schema %s_schema;\n", file->enums[i].symbol);
        emit_value_count(out, &file->enums[i]);
    }
    for (size_t i = 0; i < message_count(file); i++) {
        text_addf(out, "extern const struct herald_message_schema %s_schema;\n", file->messages[i].symbol);
    }
    for (size_t i = 0; i < file->service_count; i++) {
        text_addf(out, "\nextern const struct herald_service_schema %s_schema;\n", file->services[i].symbol);
        if (file->services[i].method_count > 0) {
            emit_method_macros(out, &file->services[i]);
        }
    }
    for (size_t i = 0; i < enum_count(file); i++) {
        emit_enum_name_declaration(out, &file->enums[i]);
    }
    emit_guard_end(out);
}

static void emit_descriptor_bytes(struct text *out, const struct model_file *file) {
    /* A copy that shares everything but the comments, which the tables already have. */
    Google__Protobuf__FileDescriptorProto stripped = *file->proto;
    struct pool pool = {0};
    stripped.source_code_info = NULL;
    size_t count = google__protobuf__file_descriptor_proto__get_packed_size(&stripped);
    uint8_t *bytes = pool_alloc(&pool, count);
    google__protobuf__file_descriptor_proto__pack(&stripped, bytes);
    text_addf(out, "static const uint8_t file_descriptor[%zu] = {", count);
    for (size_t i = 0; i < count; i++) {
        text_addf(out, "%s0x%02x,", i % 20 == 0 ? "\n    " : " ", bytes[i]);
    }
    text_add(out, "\n};\n");
    pool_fini(&pool);
}

static void emit_enum_name(struct text *out, const struct model_enum *enumeration) {
    text_add(out, "\n");
    emit_enum_name_head(out, enumeration, ") {\n");
    text_add(out, "    const ProtobufCEnumValue *known =\n");
    text_addf(out, "        protobuf_c_enum_descriptor_get_value(&%s__descriptor, (int)value);\n",
              enumeration->c_lower);
    text_add(out, "    return known != NULL ? known->name : \"UNRECOGNIZED\";\n}\n");
}

static void emit_enum(struct text *out, const struct model_enum *enumeration) {
    text_addf(out, "\nstatic const char *const %s_value_docs[%zu] = {\n", enumeration->symbol,
              enumeration->sorted_count);
    for (size_t i = 0; i < enumeration->sorted_count; i++) {
        const struct model_value *value = enumeration->sorted_values[i];
        const char *doc = value->source.doc != NULL ? value->source.doc : "";
        bool in_pieces = strchr(doc, '\n') != NULL; /* which look like a forgotten comma without parentheses */
        text_addf(out, "    /* %s = %d */\n    %s", value->proto->name, (int)value->proto->number,
                  in_pieces ? "(" : "");
        emit_string(out, doc, in_pieces ? 5 : 4);
        text_add(out, in_pieces ? "),\n" : ",\n");
    }
    text_add(out, "};\n");
    text_addf(out, "const struct herald_enum_schema %s_schema = {\n", enumeration->symbol);
    text_addf(out, "    .full_name = \"%s\",\n    .doc = ", enumeration->full_name);
    emit_string(out, enumeration->source.doc != NULL ? enumeration->source.doc : "", 11);
    text_addf(out, ",\n    .descriptor = &%s__descriptor,\n", enumeration->c_lower);
    text_addf(out, "    .value_docs = %s_value_docs,\n", enumeration->symbol);
    text_addf(out, "    .file = &%s_file,\n};\n", enumeration->file->symbol);
    emit_enum_name(out, enumeration);
}

static const char *format_name(Herald__Rpc__V1__Format format) {
    switch (format) {
    case HERALD__RPC__V1__FORMAT__UUID:
        return "UUID";
    case HERALD__RPC__V1__FORMAT__COLOR:
        return "COLOR";
    case HERALD__RPC__V1__FORMAT__URL:
        return "URL";
    case HERALD__RPC__V1__FORMAT__TOKEN:
        return "TOKEN";
    default:
        return "ANY";
    }
}

static void emit_bound(struct text *out, const char *name, int64_t bound) {
    if (bound == INT64_MIN) { /* C has no literal for it */
        text_addf(out, "            .%s = INT64_MIN,\n", name);
    } else if (bound != 0) {
        text_addf(out, "            .%s = %" PRId64 ",\n", name, bound);
    }
}

static bool has_pattern(const struct model_field *field) {
    return field->rules != NULL && field->rules->pattern[0] != '\0';
}

static void emit_bytes(struct text *out, const char *name, const uint8_t *bytes, size_t count) {
    text_addf(out, "    .%s = (const uint8_t[%zu]){", name, count);
    for (size_t i = 0; i < count; i++) {
        text_addf(out, "%s%u,", i % 24 == 0 ? "\n        " : " ", bytes[i]);
    }
    text_add(out, "\n    },\n");
}

/* Prints the compiled pattern. The checks have already compiled it once, so that cannot fail. */
static void emit_pattern(struct text *out, const struct model_message *message, const struct model_field *field) {
    struct pool pool = {0};
    struct pattern pattern;
    const char *problem;
    if (pattern_compile(&pool, field->rules->pattern, &pattern, &problem)) {
        const struct herald_pattern *table = &pattern.table;
        text_addf(out, "static const struct herald_pattern %s_%d_pattern = {\n", message->symbol,
                  (int)field->proto->number);
        emit_bytes(out, "classes", table->classes, HERALD_PATTERN_SYMBOLS);
        emit_bytes(out, "next", table->next, (size_t)pattern.state_count * table->class_count);
        emit_bytes(out, "accepts", table->accepts, pattern.state_count);
        text_addf(out, "    .class_count = %u,\n};\n", table->class_count);
    }
    pool_fini(&pool);
}

static void emit_rules(struct text *out, const struct model_message *message, const struct model_field *field) {
    const Herald__Rpc__V1__FieldRules *rules = field->rules;
    if (rules == NULL) {
        return;
    }
    text_add(out, "        .rules = {\n");
    if (rules->required) {
        text_add(out, "            .required = true,\n");
    }
    if (rules->min_len != 0) {
        text_addf(out, "            .min_len = %" PRIu32 ",\n", rules->min_len);
    }
    if (rules->max_len != 0) {
        text_addf(out, "            .max_len = %" PRIu32 ",\n", rules->max_len);
    }
    if (rules->max_items != 0) {
        text_addf(out, "            .max_items = %" PRIu32 ",\n", rules->max_items);
    }
    emit_bound(out, "min", rules->min);
    emit_bound(out, "max", rules->max);
    text_addf(out, "            .format = HERALD_FORMAT_%s,\n", format_name(rules->format));
    if (has_pattern(field)) {
        text_add(out, "            .pattern = ");
        emit_string(out, rules->pattern, 23);
        text_addf(out, ",\n            .pattern_table = &%s_%d_pattern,\n", message->symbol, (int)field->proto->number);
    }
    if (rules->acting_user) {
        text_add(out, "            .acting_user = true,\n");
    }
    text_add(out, "        },\n");
}

static void emit_field(struct text *out, const struct model_message *message, const struct model_field *field) {
    text_addf(out, "    {\n        /* %s = %d */\n", field->proto->name, (int)field->proto->number);
    text_addf(out, "        .json_name = \"%s\",\n        .doc = ", field->json_name);
    emit_string(out, field->source.doc != NULL ? field->source.doc : "", 15);
    text_add(out, ",\n");
    if (field->message != NULL) {
        text_addf(out, "        .message = &%s_schema,\n", field->message->symbol);
    }
    if (field->enumeration != NULL) {
        text_addf(out, "        .enumeration = &%s_schema,\n", field->enumeration->symbol);
    }
    emit_rules(out, message, field);
    text_add(out, "    },\n");
}

static void emit_message(struct text *out, const struct model_message *message) {
    text_add(out, "\n");
    for (size_t i = 0; i < message->field_count; i++) {
        if (has_pattern(message->sorted_fields[i])) {
            emit_pattern(out, message, message->sorted_fields[i]);
        }
    }
    if (message->field_count > 0) {
        text_addf(out, "static const struct herald_field_schema %s_fields[%zu] = {\n", message->symbol,
                  message->field_count);
        for (size_t i = 0; i < message->field_count; i++) {
            emit_field(out, message, message->sorted_fields[i]);
        }
        text_add(out, "};\n");
    }
    text_addf(out, "const struct herald_message_schema %s_schema = {\n", message->symbol);
    text_addf(out, "    .full_name = \"%s\",\n    .doc = ", message->full_name);
    emit_string(out, message->source.doc != NULL ? message->source.doc : "", 11);
    text_addf(out, ",\n    .descriptor = &%s__descriptor,\n", message->c_lower);
    if (message->field_count > 0) {
        text_addf(out, "    .fields = %s_fields,\n", message->symbol);
    }
    text_addf(out, "    .file = &%s_file,\n};\n", message->file->symbol);
}

static void emit_reason_list(struct text *out, const Herald__Rpc__V1__MethodPolicy *policy) {
    if (policy->n_reasons == 0) {
        return;
    }
    text_addf(out, "        .reasons = (const enum herald_reason[%zu]){\n", policy->n_reasons);
    for (size_t i = 0; i < policy->n_reasons; i++) {
        text_addf(out, "            HERALD_REASON_%s,\n", policy->reasons[i]);
    }
    text_addf(out, "        },\n        .reason_count = %zu,\n", policy->n_reasons);
}

static void emit_method(struct text *out, const struct model_service *service, const struct model_method *method) {
    static const char *const effects[] = {
        [HERALD__RPC__V1__EFFECT__READ] = "READ",
        [HERALD__RPC__V1__EFFECT__IDEMPOTENT] = "IDEMPOTENT",
        [HERALD__RPC__V1__EFFECT__ONCE] = "ONCE",
    };
    static const char *const callers[] = {
        [HERALD__RPC__V1__CALLER__ANYONE] = "ANYONE",
        [HERALD__RPC__V1__CALLER__IDENTIFIED] = "IDENTIFIED",
        [HERALD__RPC__V1__CALLER__SERVER] = "SERVER",
        [HERALD__RPC__V1__CALLER__OPERATOR] = "OPERATOR",
    };
    text_addf(out, "    {\n        .full_name = \"%s/%s\",\n", service->full_name, method->proto->name);
    text_addf(out, "        .name = \"%s\",\n        .doc = ", method->proto->name);
    emit_string(out, method->source.doc, 15);
    text_addf(out, ",\n        .request = &%s_schema,\n", method->request->symbol);
    text_addf(out, "        .response = &%s_schema,\n", method->response->symbol);
    text_addf(out, "        .effect = HERALD_EFFECT_%s,\n", effects[method->policy->effect]);
    text_addf(out, "        .deadline_ms = %u,\n", (unsigned)method->policy->deadline_ms);
    text_addf(out, "        .caller = HERALD_CALLER_%s,\n", callers[method->policy->caller]);
    text_addf(out, "        .answer_inline = %s,\n", method->policy->answer_inline ? "true" : "false");
    text_addf(out, "        .waits = %s,\n", method->policy->waits ? "true" : "false");
    emit_reason_list(out, method->policy);
    text_add(out, "    },\n");
}

static void emit_service(struct text *out, const struct model_service *service) {
    text_add(out, "\n");
    if (service->method_count > 0) {
        text_addf(out, "const struct herald_method_schema %s_methods[%zu] = {\n", service->symbol,
                  service->method_count);
        for (size_t i = 0; i < service->method_count; i++) {
            emit_method(out, service, &service->methods[i]);
        }
        text_add(out, "};\n");
    }
    text_addf(out, "const struct herald_service_schema %s_schema = {\n", service->symbol);
    text_addf(out, "    .full_name = \"%s\",\n    .name = \"%s\",\n    .doc = ", service->full_name,
              service->proto->name);
    emit_string(out, service->source.doc != NULL ? service->source.doc : "", 11);
    text_add(out, ",\n");
    if (service->method_count > 0) {
        text_addf(out, "    .methods = %s_methods,\n    .method_count = %zu,\n", service->symbol,
                  service->method_count);
    }
    text_addf(out, "    .file = &%s_file,\n};\n", service->file->symbol);
}

static void emit_list_begin(struct text *out, const char *type, const char *name, size_t count) {
    text_addf(out, "\nstatic const struct %s *const %s[%zu] = {\n", type, name, count);
}

static void emit_file_lists(struct text *out, const struct model_file *file) {
    if (file->dependency_count > 0) {
        emit_list_begin(out, "herald_file_schema", "file_dependencies", file->dependency_count);
        for (size_t i = 0; i < file->dependency_count; i++) {
            text_addf(out, "    &%s_file,\n", file->dependencies[i]->symbol);
        }
        text_add(out, "};\n");
    }
    if (message_count(file) > 0) {
        emit_list_begin(out, "herald_message_schema", "file_messages", file->message_count);
        for (size_t i = 0; i < file->message_count; i++) {
            text_addf(out, "    &%s_schema,\n", file->messages[i].symbol);
        }
        text_add(out, "};\n");
    }
    if (enum_count(file) > 0) {
        emit_list_begin(out, "herald_enum_schema", "file_enums", file->enum_count);
        for (size_t i = 0; i < file->enum_count; i++) {
            text_addf(out, "    &%s_schema,\n", file->enums[i].symbol);
        }
        text_add(out, "};\n");
    }
    if (file->service_count > 0) {
        emit_list_begin(out, "herald_service_schema", "file_services", file->service_count);
        for (size_t i = 0; i < file->service_count; i++) {
            text_addf(out, "    &%s_schema,\n", file->services[i].symbol);
        }
        text_add(out, "};\n");
    }
}

static void emit_list_members(struct text *out, const char *plural, const char *singular, size_t count) {
    if (count > 0) {
        text_addf(out, "    .%s = file_%s,\n    .%s_count = %zu,\n", plural, plural, singular, count);
    }
}

static void emit_file(struct text *out, const struct model_file *file) {
    emit_file_lists(out, file);
    text_addf(out, "\nconst struct herald_file_schema %s_file = {\n", file->symbol);
    text_addf(out, "    .name = \"%s\",\n    .package = \"%s\",\n", file->proto->name, file->package);
    text_add(out, "    .descriptor = file_descriptor,\n    .descriptor_bytes = sizeof(file_descriptor),\n");
    emit_list_members(out, "dependencies", "dependency", file->dependency_count);
    emit_list_members(out, "messages", "message", message_count(file));
    emit_list_members(out, "enums", "enum", enum_count(file));
    emit_list_members(out, "services", "service", file->service_count);
    text_add(out, "};\n");
}

void emit_schema_source(struct text *out, const struct model_file *file) {
    emit_banner(out, file);
    emit_include(out, file, "schema.h");
    text_add(out, "\n");
    if (file->proto3) {
        emit_include(out, file, "pb-c.h");
    }
    for (size_t i = 0; i < file->dependency_count; i++) {
        emit_include(out, file->dependencies[i], "schema.h");
    }
    text_add(out, "\n");
    emit_descriptor_bytes(out, file);
    for (size_t i = 0; i < enum_count(file); i++) {
        emit_enum(out, &file->enums[i]);
    }
    for (size_t i = 0; i < message_count(file); i++) {
        emit_message(out, &file->messages[i]);
    }
    for (size_t i = 0; i < file->service_count; i++) {
        emit_service(out, &file->services[i]);
    }
    emit_file(out, file);
}

static size_t wanted_count(const struct model *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->file_count; i++) {
        count += model->files[i].wanted;
    }
    return count;
}

void emit_registry(struct text *out, const struct model *model) {
    text_add(out, "/* Generated by protoc-gen-herald from all schemas; do not edit. */\n");
    text_add(out, "#include \"herald/schema.h\"\n\n");
    for (size_t i = 0; i < model->file_count; i++) {
        if (model->files[i].wanted) {
            emit_include(out, &model->files[i], "schema.h");
        }
    }
    text_addf(out, "\nconst struct herald_file_schema *const herald_schemas[%zu] = {\n", wanted_count(model));
    for (size_t i = 0; i < model->file_count; i++) {
        if (model->files[i].wanted) {
            text_addf(out, "    &%s_file,\n", model->files[i].symbol);
        }
    }
    text_addf(out, "};\nconst size_t herald_schema_count = %zu;\n", wanted_count(model));
}
