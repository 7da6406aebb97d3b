#ifndef HERALD_GEN_MODEL_H
#define HERALD_GEN_MODEL_H

/*
 * The schemas of one request, with resolved types and C names, for the checks and the emitters. The model is built
 * once, never changed, and freed at the end.
 */
#include "gen/plugin/memory.h"
#include "gen/plugin/options.h"
#include "gen/plugin/route.h"
#include "gen/plugin/source.h"
#include "google/protobuf/compiler/plugin.pb-c.h"

#include <stdbool.h>

typedef Google__Protobuf__Compiler__CodeGeneratorRequest generator_request;

struct model_file;
struct model_message;
struct model_enum;

struct model_field {
    const Google__Protobuf__FieldDescriptorProto *proto;
    struct source source;
    const char *json_name;
    const Herald__Rpc__V1__FieldRules *rules; /* NULL: none */
    bool rules_unreadable;
    const struct model_message *message;  /* type of a message field, else NULL */
    const struct model_enum *enumeration; /* type of an enum field, else NULL */
};

struct model_message {
    const Google__Protobuf__DescriptorProto *proto;
    const struct model_file *file;
    const struct model_message *parent; /* NULL: not nested */
    struct source source;
    const char *full_name;      /* "herald.event.v1.EventDraft" */
    const char *symbol;         /* "herald_event_v1_event_draft" */
    const char *c_type;         /* "Herald__Event__V1__EventDraft" */
    const char *c_lower;        /* "herald__event__v1__event_draft" */
    struct model_field *fields; /* in the order of the schema */
    size_t field_count;
    const struct model_field **sorted_fields; /* by number: the order of protobuf-c's descriptor */
    bool map_entry;                           /* made by protoc for a map field */
};

struct model_value {
    const Google__Protobuf__EnumValueDescriptorProto *proto;
    struct source source;
};

struct model_enum {
    const Google__Protobuf__EnumDescriptorProto *proto;
    const struct model_file *file;
    struct source source;
    const char *full_name, *symbol, *c_type, *c_lower; /* as a message's */
    struct model_value *values;                        /* in the order of the schema */
    size_t value_count;
    const struct model_value **sorted_values; /* by number, each once: the order of protobuf-c's descriptor */
    size_t sorted_count;
};

struct model_method {
    const Google__Protobuf__MethodDescriptorProto *proto;
    struct source source;
    const char *snake; /* "publish_event" */
    const struct model_message *request, *response;
    const Herald__Rpc__V1__MethodPolicy *policy; /* NULL: none */
    bool policy_unreadable;
    struct route *routes; /* first the one of the option itself, then its additional bindings */
    size_t route_count;   /* 0: none */
    const Google__Api__HttpRule *http;
    bool http_unreadable;
};

struct model_service {
    const Google__Protobuf__ServiceDescriptorProto *proto;
    const struct model_file *file;
    struct source source;
    const char *full_name, *symbol;
    struct model_method *methods;
    size_t method_count;
};

struct model_file {
    const Google__Protobuf__FileDescriptorProto *proto;
    bool wanted;         /* protoc wants its output */
    bool google;         /* google/…: not checked */
    bool proto3;         /* only proto3 files get tables of messages and enums */
    int syntax_line;     /* line of the syntax statement, 1 without one */
    const char *package; /* "" without one */
    const char *stem;    /* "herald/event/v1/event" */
    const char *symbol;  /* "herald_event_v1_event" */
    const struct model_file **dependencies;
    const int *dependency_lines; /* of the import statements */
    size_t dependency_count;
    struct model_message *messages; /* nested ones after their parent */
    size_t message_count;
    struct model_enum *enums;
    size_t enum_count;
    struct model_service *services;
    size_t service_count;
    struct model_field *extensions; /* at file level */
    size_t extension_count;
};

struct model {
    struct pool pool;
    struct model_file *files; /* imports first */
    size_t file_count;
};

/**
 * Builds the model of @request, which must outlive it.
 *
 * Returns: false: the request lacks names, or refers to types that it does not hold, which protoc never does. The model
 *          is empty then, and model_fini() is allowed
 */
bool model_build(struct model *model, const generator_request *request);
void model_fini(struct model *model);

#endif
