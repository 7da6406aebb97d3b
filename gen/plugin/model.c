/* Builds the model: first names and nesting of all files, then the types that fields and methods refer to. */
#include "gen/plugin/model.h"

#include "gen/plugin/names.h"
#include "gen/plugin/request.h"

#include <stdlib.h>
#include <string.h>

/* Field numbers of descriptor.proto, as they occur in source paths. */
#define FILE_IMPORTS    3
#define FILE_MESSAGES   4
#define FILE_ENUMS      5
#define FILE_SERVICES   6
#define FILE_EXTENSIONS 7
#define FILE_SYNTAX     12
#define MESSAGE_FIELDS  2
#define MESSAGE_NESTED  3
#define MESSAGE_ENUMS   4
#define ENUM_VALUES     2
#define SERVICE_METHODS 2

typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__FileDescriptorProto file_proto;

static size_t count_messages(message_proto *const *messages, size_t count) {
    size_t all = count;
    for (size_t i = 0; i < count; i++) {
        all += count_messages(messages[i]->nested_type, messages[i]->n_nested_type);
    }
    return all;
}

static size_t count_enums(message_proto *const *messages, size_t count) {
    size_t all = 0;
    for (size_t i = 0; i < count; i++) {
        all += messages[i]->n_enum_type + count_enums(messages[i]->nested_type, messages[i]->n_nested_type);
    }
    return all;
}

static char *full_name_of(struct pool *pool, const char *scope, const char *name) {
    return scope[0] == '\0' ? pool_printf(pool, "%s", name) : pool_printf(pool, "%s.%s", scope, name);
}

static void build_field(struct model *model, const file_proto *file, const struct source_path *path,
                        const Google__Protobuf__FieldDescriptorProto *proto, struct model_field *field) {
    Herald__Rpc__V1__FieldRules *rules = NULL;
    field->proto = proto;
    field->source = source_find(&model->pool, file, path);
    field->json_name = proto->json_name != NULL && proto->json_name[0] != '\0' ? proto->json_name
                                                                               : name_json(&model->pool, proto->name);
    field->rules_unreadable = !options_read_rules(proto->options, &rules);
    field->rules = rules;
}

static int compare_fields(const void *a, const void *b) {
    int32_t left = (*(const struct model_field *const *)a)->proto->number;
    int32_t right = (*(const struct model_field *const *)b)->proto->number;
    return (left > right) - (left < right);
}

static void build_fields(struct model *model, const struct source_path *path, struct model_message *message) {
    const message_proto *proto = message->proto;
    message->field_count = proto->n_field;
    message->fields = pool_array(&model->pool, proto->n_field, sizeof(*message->fields));
    message->sorted_fields = pool_array(&model->pool, proto->n_field, sizeof(*message->sorted_fields));
    for (size_t i = 0; i < proto->n_field; i++) {
        struct source_path field_path = source_path_add(*path, MESSAGE_FIELDS, i);
        build_field(model, message->file->proto, &field_path, proto->field[i], &message->fields[i]);
        message->sorted_fields[i] = &message->fields[i];
    }
    qsort(message->sorted_fields, message->field_count, sizeof(*message->sorted_fields), compare_fields);
}

/* Compares pointers to values of one array. Of equal numbers the first in the schema comes first. */
static int compare_values(const void *a, const void *b) {
    const struct model_value *left = *(const struct model_value *const *)a;
    const struct model_value *right = *(const struct model_value *const *)b;
    if (left->proto->number != right->proto->number) {
        return left->proto->number > right->proto->number ? 1 : -1;
    }
    return (left > right) - (left < right);
}

static void sort_values(struct model *model, struct model_enum *enumeration) {
    const struct model_value **sorted = pool_array(&model->pool, enumeration->value_count, sizeof(*sorted));
    for (size_t i = 0; i < enumeration->value_count; i++) {
        sorted[i] = &enumeration->values[i];
    }
    qsort(sorted, enumeration->value_count, sizeof(*sorted), compare_values);
    enumeration->sorted_values = sorted;
    for (size_t i = 0; i < enumeration->value_count; i++) {
        if (i == 0 || sorted[i]->proto->number != sorted[enumeration->sorted_count - 1]->proto->number) {
            sorted[enumeration->sorted_count++] = sorted[i];
        }
    }
}

static void build_enum(struct model *model, struct model_file *file, const struct source_path *path, const char *scope,
                       const Google__Protobuf__EnumDescriptorProto *proto) {
    struct model_enum *enumeration = &file->enums[file->enum_count++];
    struct pool *pool = &model->pool;
    enumeration->proto = proto;
    enumeration->file = file;
    enumeration->source = source_find(pool, file->proto, path);
    enumeration->full_name = full_name_of(pool, scope, proto->name);
    enumeration->symbol = name_symbol(pool, enumeration->full_name);
    enumeration->c_type = name_c_type(pool, enumeration->full_name);
    enumeration->c_lower = name_c_lower(pool, enumeration->full_name);
    enumeration->value_count = proto->n_value;
    enumeration->values = pool_array(pool, proto->n_value, sizeof(*enumeration->values));
    for (size_t i = 0; i < proto->n_value; i++) {
        struct source_path value_path = source_path_add(*path, ENUM_VALUES, i);
        enumeration->values[i].proto = proto->value[i];
        enumeration->values[i].source = source_find(pool, file->proto, &value_path);
    }
    sort_values(model, enumeration);
}

static void build_message(struct model *model, struct model_file *file, const struct model_message *parent,
                          const struct source_path *path, const message_proto *proto) {
    struct model_message *message = &file->messages[file->message_count++];
    struct pool *pool = &model->pool;
    message->proto = proto;
    message->file = file;
    message->parent = parent;
    message->source = source_find(pool, file->proto, path);
    message->full_name = full_name_of(pool, parent != NULL ? parent->full_name : file->package, proto->name);
    message->symbol = name_symbol(pool, message->full_name);
    message->c_type = name_c_type(pool, message->full_name);
    message->c_lower = name_c_lower(pool, message->full_name);
    message->map_entry = proto->options != NULL && proto->options->map_entry;
    build_fields(model, path, message);
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        struct source_path enum_path = source_path_add(*path, MESSAGE_ENUMS, i);
        build_enum(model, file, &enum_path, message->full_name, proto->enum_type[i]);
    }
    for (size_t i = 0; i < proto->n_nested_type; i++) {
        struct source_path nested_path = source_path_add(*path, MESSAGE_NESTED, i);
        build_message(model, file, message, &nested_path, proto->nested_type[i]);
    }
}

static void build_messages(struct model *model, struct model_file *file) {
    const file_proto *proto = file->proto;
    struct source_path root = {.length = 0};
    size_t enums = proto->n_enum_type + count_enums(proto->message_type, proto->n_message_type);
    file->messages =
        pool_array(&model->pool, count_messages(proto->message_type, proto->n_message_type), sizeof(*file->messages));
    file->enums = pool_array(&model->pool, enums, sizeof(*file->enums));
    for (size_t i = 0; i < proto->n_enum_type; i++) {
        struct source_path path = source_path_add(root, FILE_ENUMS, i);
        build_enum(model, file, &path, file->package, proto->enum_type[i]);
    }
    for (size_t i = 0; i < proto->n_message_type; i++) {
        struct source_path path = source_path_add(root, FILE_MESSAGES, i);
        build_message(model, file, NULL, &path, proto->message_type[i]);
    }
}

static void build_method(struct model *model, const struct model_file *file, const struct source_path *path,
                         const Google__Protobuf__MethodDescriptorProto *proto, struct model_method *method) {
    Herald__Rpc__V1__MethodPolicy *policy = NULL;
    Google__Api__HttpRule *http = NULL;
    method->proto = proto;
    method->source = source_find(&model->pool, file->proto, path);
    method->snake = name_snake(&model->pool, proto->name);
    method->policy_unreadable = !options_read_policy(proto->options, &policy);
    method->policy = policy;
    method->http_unreadable = !options_read_http(proto->options, &http);
    method->http = http;
}

static void build_services(struct model *model, struct model_file *file) {
    struct source_path root = {.length = 0};
    file->service_count = file->proto->n_service;
    file->services = pool_array(&model->pool, file->service_count, sizeof(*file->services));
    for (size_t i = 0; i < file->service_count; i++) {
        struct model_service *service = &file->services[i];
        struct source_path path = source_path_add(root, FILE_SERVICES, i);
        service->proto = file->proto->service[i];
        service->file = file;
        service->source = source_find(&model->pool, file->proto, &path);
        service->full_name = full_name_of(&model->pool, file->package, service->proto->name);
        service->symbol = name_symbol(&model->pool, service->full_name);
        service->method_count = service->proto->n_method;
        service->methods = pool_array(&model->pool, service->method_count, sizeof(*service->methods));
        for (size_t j = 0; j < service->method_count; j++) {
            struct source_path method_path = source_path_add(path, SERVICE_METHODS, j);
            build_method(model, file, &method_path, service->proto->method[j], &service->methods[j]);
        }
    }
}

static void build_extensions(struct model *model, struct model_file *file) {
    struct source_path root = {.length = 0};
    file->extension_count = file->proto->n_extension;
    file->extensions = pool_array(&model->pool, file->extension_count, sizeof(*file->extensions));
    for (size_t i = 0; i < file->extension_count; i++) {
        struct source_path path = source_path_add(root, FILE_EXTENSIONS, i);
        build_field(model, file->proto, &path, file->proto->extension[i], &file->extensions[i]);
    }
}

static bool is_file_wanted(const generator_request *request, const char *name) {
    for (size_t i = 0; i < request->n_file_to_generate; i++) {
        if (strcmp(request->file_to_generate[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void build_file(struct model *model, const generator_request *request, const file_proto *proto,
                       struct model_file *file) {
    struct source_path syntax = {.steps = {FILE_SYNTAX}, .length = 1};
    file->proto = proto;
    file->wanted = is_file_wanted(request, proto->name);
    file->google = strncmp(proto->name, "google/", strlen("google/")) == 0;
    file->proto3 = proto->syntax != NULL && strcmp(proto->syntax, "proto3") == 0;
    file->syntax_line = source_find(&model->pool, proto, &syntax).line;
    file->package = proto->package != NULL ? proto->package : "";
    file->stem = name_file_stem(&model->pool, proto->name);
    file->symbol = name_file_symbol(&model->pool, proto->name);
    build_messages(model, file);
    build_services(model, file);
    build_extensions(model, file);
}

static const int *import_lines(struct model *model, const struct model_file *file) {
    const struct source_path root = {.length = 0};
    int *lines = pool_array(&model->pool, file->dependency_count, sizeof(*lines));
    for (size_t i = 0; i < file->dependency_count; i++) {
        struct source_path path = source_path_add(root, FILE_IMPORTS, i);
        lines[i] = source_find(&model->pool, file->proto, &path).line;
    }
    return lines;
}

static const struct model_file *find_file(const struct model *model, const char *name) {
    for (size_t i = 0; i < model->file_count; i++) {
        if (strcmp(model->files[i].proto->name, name) == 0) {
            return &model->files[i];
        }
    }
    return NULL;
}

/* @type_name  as protoc writes it: the full name after a dot */
static const struct model_message *find_message(const struct model *model, const char *type_name) {
    if (type_name == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < model->file_count; i++) {
        for (size_t j = 0; j < model->files[i].message_count; j++) {
            if (strcmp(model->files[i].messages[j].full_name, type_name + (type_name[0] == '.')) == 0) {
                return &model->files[i].messages[j];
            }
        }
    }
    return NULL;
}

static const struct model_enum *find_enum(const struct model *model, const char *type_name) {
    if (type_name == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < model->file_count; i++) {
        for (size_t j = 0; j < model->files[i].enum_count; j++) {
            if (strcmp(model->files[i].enums[j].full_name, type_name + (type_name[0] == '.')) == 0) {
                return &model->files[i].enums[j];
            }
        }
    }
    return NULL;
}

static bool resolve_field(const struct model *model, struct model_field *field) {
    switch (field->proto->type) {
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_ENUM:
        field->enumeration = find_enum(model, field->proto->type_name);
        return field->enumeration != NULL;
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE:
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP:
        field->message = find_message(model, field->proto->type_name);
        return field->message != NULL;
    default:
        return true;
    }
}

static void read_routes(struct model *model, struct model_method *method) {
    const Google__Api__HttpRule *http = method->http;
    if (http == NULL) {
        return;
    }
    method->route_count = 1 + http->n_additional_bindings;
    method->routes = pool_array(&model->pool, method->route_count, sizeof(*method->routes));
    for (size_t i = 0; i < method->route_count; i++) {
        const Google__Api__HttpRule *rule = i == 0 ? http : http->additional_bindings[i - 1];
        route_read(&model->pool, rule, method->request, &method->routes[i]);
        if (i > 0 && rule->n_additional_bindings > 0) {
            method->routes[i].problem = "an additional binding has no bindings of its own";
        }
    }
}

static bool resolve_methods(const struct model *model, struct model_service *service) {
    bool good = true;
    for (size_t i = 0; i < service->method_count; i++) {
        struct model_method *method = &service->methods[i];
        method->request = find_message(model, method->proto->input_type);
        method->response = find_message(model, method->proto->output_type);
        good = good && method->request != NULL && method->response != NULL;
    }
    return good;
}

/* After all types are known, because a route names fields of messages in the request. */
static void read_file_routes(struct model *model, struct model_file *file) {
    for (size_t i = 0; i < file->service_count; i++) {
        for (size_t j = 0; j < file->services[i].method_count; j++) {
            read_routes(model, &file->services[i].methods[j]);
        }
    }
}

static bool resolve_file(struct model *model, struct model_file *file) {
    bool good = true;
    file->dependency_count = file->proto->n_dependency;
    file->dependencies = pool_array(&model->pool, file->dependency_count, sizeof(*file->dependencies));
    file->dependency_lines = import_lines(model, file);
    for (size_t i = 0; i < file->dependency_count; i++) {
        file->dependencies[i] = find_file(model, file->proto->dependency[i]);
        good = good && file->dependencies[i] != NULL;
    }
    for (size_t i = 0; i < file->message_count; i++) {
        for (size_t j = 0; j < file->messages[i].field_count; j++) {
            good = resolve_field(model, &file->messages[i].fields[j]) && good;
        }
    }
    for (size_t i = 0; i < file->service_count; i++) {
        good = resolve_methods(model, &file->services[i]) && good;
    }
    return good;
}

bool model_build(struct model *model, const generator_request *request) {
    *model = (struct model){0};
    if (!request_is_named(request)) {
        return false;
    }
    model->file_count = request->n_proto_file;
    model->files = pool_array(&model->pool, model->file_count, sizeof(*model->files));
    for (size_t i = 0; i < model->file_count; i++) {
        build_file(model, request, request->proto_file[i], &model->files[i]);
    }
    bool good = true;
    for (size_t i = 0; i < model->file_count; i++) {
        good = resolve_file(model, &model->files[i]) && good;
    }
    for (size_t i = 0; good && i < model->file_count; i++) {
        read_file_routes(model, &model->files[i]);
    }
    return good;
}

static void free_rules(struct model_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        herald__rpc__v1__field_rules__free_unpacked((Herald__Rpc__V1__FieldRules *)fields[i].rules, NULL);
    }
}

static void free_options(struct model_file *file) {
    for (size_t i = 0; i < file->message_count; i++) {
        free_rules(file->messages[i].fields, file->messages[i].field_count);
    }
    free_rules(file->extensions, file->extension_count);
    for (size_t i = 0; i < file->service_count; i++) {
        for (size_t j = 0; j < file->services[i].method_count; j++) {
            herald__rpc__v1__method_policy__free_unpacked(
                (Herald__Rpc__V1__MethodPolicy *)file->services[i].methods[j].policy, NULL);
            google__api__http_rule__free_unpacked((Google__Api__HttpRule *)file->services[i].methods[j].http, NULL);
        }
    }
}

void model_fini(struct model *model) {
    for (size_t i = 0; i < model->file_count; i++) {
        free_options(&model->files[i]);
    }
    pool_fini(&model->pool);
}
