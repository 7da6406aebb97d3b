#include "gen/plugin/request.h"

#include <stddef.h>

static bool fields_are_named(Google__Protobuf__FieldDescriptorProto *const *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (fields[i]->name == NULL) {
            return false;
        }
    }
    return true;
}

static bool enums_are_named(Google__Protobuf__EnumDescriptorProto *const *enums, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (enums[i]->name == NULL) {
            return false;
        }
        for (size_t j = 0; j < enums[i]->n_value; j++) {
            if (enums[i]->value[j]->name == NULL) {
                return false;
            }
        }
    }
    return true;
}

static bool messages_are_named(Google__Protobuf__DescriptorProto *const *messages, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const Google__Protobuf__DescriptorProto *message = messages[i];
        if (message->name == NULL || !fields_are_named(message->field, message->n_field) ||
            !enums_are_named(message->enum_type, message->n_enum_type) ||
            !messages_are_named(message->nested_type, message->n_nested_type)) {
            return false;
        }
    }
    return true;
}

static bool services_are_named(Google__Protobuf__ServiceDescriptorProto *const *services, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (services[i]->name == NULL) {
            return false;
        }
        for (size_t j = 0; j < services[i]->n_method; j++) {
            if (services[i]->method[j]->name == NULL) {
                return false;
            }
        }
    }
    return true;
}

bool request_is_named(const Google__Protobuf__Compiler__CodeGeneratorRequest *request) {
    for (size_t i = 0; i < request->n_proto_file; i++) {
        const Google__Protobuf__FileDescriptorProto *file = request->proto_file[i];
        if (file->name == NULL || !messages_are_named(file->message_type, file->n_message_type) ||
            !enums_are_named(file->enum_type, file->n_enum_type) ||
            !services_are_named(file->service, file->n_service) ||
            !fields_are_named(file->extension, file->n_extension)) {
            return false;
        }
    }
    return true;
}
