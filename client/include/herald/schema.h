#ifndef HERALD_SCHEMA_H
#define HERALD_SCHEMA_H

/*
 * Tables that the generator makes from the schemas: everything that protobuf-c's descriptors leave out. All of them are
 * constant and live as long as the program.
 */
#include "herald/decls.h"
#include "herald/reason.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

HERALD_BEGIN_DECLS

struct herald_file_schema;
struct herald_message_schema;
struct herald_enum_schema;

enum herald_effect { HERALD_EFFECT_READ = 1, HERALD_EFFECT_IDEMPOTENT = 2, HERALD_EFFECT_ONCE = 3 };
enum herald_caller {
    HERALD_CALLER_ANYONE = 1,
    HERALD_CALLER_IDENTIFIED = 2,
    HERALD_CALLER_SERVER = 3,
    HERALD_CALLER_OPERATOR = 4
};
enum herald_format {
    HERALD_FORMAT_ANY,
    HERALD_FORMAT_UUID,
    HERALD_FORMAT_COLOR,
    HERALD_FORMAT_URL,
    HERALD_FORMAT_TOKEN
};

/* Limits of a field without rules. */
#define HERALD_DEFAULT_MAX_CHARS 1024u
#define HERALD_DEFAULT_MAX_BYTES 4096u
#define HERALD_DEFAULT_MAX_ITEMS 64u

/** Symbols of a pattern: the ASCII characters, and one that is any other character. */
#define HERALD_PATTERN_SYMBOLS 129

/** A pattern as a table, made by the generator. A text matches if walking it from state 1 ends in one that accepts. */
struct herald_pattern {
    const uint8_t *classes; /* by symbol: its column */
    const uint8_t *next;    /* state * class_count + column; state 0 is the dead one */
    const uint8_t *accepts; /* by state: 1 if a text may end there */
    unsigned class_count;
};

/** The option (herald.rpc.v1.rules); options.proto says what each means. 0: not set. */
struct herald_field_rules {
    bool required;
    uint32_t min_len, max_len; /* characters of a string, bytes of a bytes field */
    uint32_t max_items;
    int64_t min, max;
    enum herald_format format;
    const char *pattern;                        /* the whole of a string must match it; NULL: none */
    const struct herald_pattern *pattern_table; /* the same, compiled; set whenever pattern is */
    bool acting_user;                           /* names the user for whom the call acts */
};

struct herald_field_schema {
    const char *json_name;                        /* lowerCamelCase */
    const char *doc;                              /* comment, lines joined by '\n' */
    const struct herald_message_schema *message;  /* type of a message field, else NULL */
    const struct herald_enum_schema *enumeration; /* type of an enum field, else NULL */
    struct herald_field_rules rules;
};

struct herald_message_schema {
    const char *full_name; /* "herald.event.v1.EventDraft" */
    const char *doc;
    const ProtobufCMessageDescriptor *descriptor;
    const struct herald_field_schema *fields; /* parallel to descriptor->fields */
    const struct herald_file_schema *file;
};

struct herald_enum_schema {
    const char *full_name;
    const char *doc;
    const ProtobufCEnumDescriptor *descriptor;
    const char *const *value_docs; /* parallel to descriptor->values (sorted by number) */
    const struct herald_file_schema *file;
};

struct herald_method_schema {
    const char *full_name; /* "herald.event.v1.EventService/PublishEvent" */
    const char *name;      /* "PublishEvent" */
    const char *doc;
    const struct herald_message_schema *request;
    const struct herald_message_schema *response;
    enum herald_effect effect;
    uint32_t deadline_ms;
    enum herald_caller caller;
    bool answer_inline;
    bool waits; /* for as long as its request asks */
    const enum herald_reason
        *reasons; /* of the method's own handler; NULL: none. Reasons that any method may give are left out */
    size_t reason_count;
};

struct herald_service_schema {
    const char *full_name; /* "herald.event.v1.EventService" */
    const char *name;      /* "EventService" */
    const char *doc;
    const struct herald_method_schema *methods;
    size_t method_count;
    const struct herald_file_schema *file;
};

struct herald_file_schema {
    const char *name; /* "herald/event/v1/event.proto" */
    const char *package;
    const uint8_t *descriptor; /* the FileDescriptorProto, packed, without source info */
    size_t descriptor_bytes;
    const struct herald_file_schema *const *dependencies;
    size_t dependency_count;
    const struct herald_message_schema *const *messages; /* nested ones too */
    size_t message_count;
    const struct herald_enum_schema *const *enums;
    size_t enum_count;
    const struct herald_service_schema *const *services;
    size_t service_count;
};

/** All files of the schemas that this library was built with, in no order. Generated: gen/herald/schemas.c. */
extern const struct herald_file_schema *const herald_schemas[];
extern const size_t herald_schema_count;

/** Looks up by full name ("herald.event.v1.EventService/PublishEvent"); NULL if there is none. Any thread. */
const struct herald_method_schema *herald_schema_find_method(const char *full_name);
const struct herald_message_schema *herald_schema_find_message(const char *full_name);
const struct herald_enum_schema *herald_schema_find_enum(const char *full_name);
const struct herald_service_schema *herald_schema_find_service(const char *full_name);

HERALD_END_DECLS

#endif
