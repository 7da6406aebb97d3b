/* Checks the rules of fields against the fields' types and the use of their messages. */
#include "gen/plugin/check.h"
#include "gen/plugin/names.h"
#include "gen/plugin/pattern.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Kinds of field types that the rules tell apart. */
enum kind { KIND_STRING, KIND_BYTES, KIND_MESSAGE, KIND_ENUM, KIND_INTEGER, KIND_OTHER };

struct type_traits {
    enum kind kind;
    const char *name;
    int64_t least, most; /* range of an integer type, cut to int64, the type of the rules */
};

#define TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

static struct type_traits traits_of(const struct model_field *field) {
    switch (field->proto->type) {
    case TYPE(STRING):
        return (struct type_traits){KIND_STRING, "string", 0, 0};
    case TYPE(BYTES):
        return (struct type_traits){KIND_BYTES, "bytes", 0, 0};
    case TYPE(MESSAGE):
    case TYPE(GROUP):
        return (struct type_traits){KIND_MESSAGE, "message", 0, 0};
    case TYPE(ENUM):
        return (struct type_traits){KIND_ENUM, "enum", 0, 0};
    case TYPE(INT32):
    case TYPE(SINT32):
    case TYPE(SFIXED32):
        return (struct type_traits){KIND_INTEGER, "32-bit integer", INT32_MIN, INT32_MAX};
    case TYPE(UINT32):
    case TYPE(FIXED32):
        return (struct type_traits){KIND_INTEGER, "unsigned 32-bit integer", 0, UINT32_MAX};
    case TYPE(INT64):
    case TYPE(SINT64):
    case TYPE(SFIXED64):
        return (struct type_traits){KIND_INTEGER, "64-bit integer", INT64_MIN, INT64_MAX};
    case TYPE(UINT64):
    case TYPE(FIXED64):
        return (struct type_traits){KIND_INTEGER, "unsigned 64-bit integer", 0, INT64_MAX};
    case TYPE(BOOL):
        return (struct type_traits){KIND_OTHER, "bool", 0, 0};
    default:
        return (struct type_traits){KIND_OTHER, "floating-point number", 0, 0};
    }
}

/* The field that is checked, for messages about it. */
struct subject {
    const struct model_file *file;
    struct problems *problems;
    const char *scope;
    const struct model_field *field;
    struct type_traits type;
    bool repeated;
};

static void misfit(const struct subject *subject, const char *rule, const char *fits) {
    problem_add(subject->problems, subject->file, subject->field->source.line,
                "field %s.%s: rule %s does not fit its type, %s%s: it is for %s", subject->scope,
                subject->field->proto->name, rule, subject->repeated ? "repeated " : "", subject->type.name, fits);
}

static void check_lengths(const struct subject *subject, const Herald__Rpc__V1__FieldRules *rules) {
    bool fits = subject->type.kind == KIND_STRING || subject->type.kind == KIND_BYTES;
    if (rules->min_len != 0 && !fits) {
        misfit(subject, "min_len", "string and bytes");
    }
    if (rules->max_len != 0 && !fits) {
        misfit(subject, "max_len", "string and bytes");
    }
    if (fits && rules->max_len != 0 && rules->min_len > rules->max_len) {
        problem_add(subject->problems, subject->file, subject->field->source.line,
                    "field %s.%s: min_len %u is above max_len %u", subject->scope, subject->field->proto->name,
                    (unsigned)rules->min_len, (unsigned)rules->max_len);
    }
    if (rules->max_items != 0 && !subject->repeated) {
        misfit(subject, "max_items", "repeated fields");
    }
    if (rules->format != HERALD__RPC__V1__FORMAT__FORMAT_UNSPECIFIED && subject->type.kind != KIND_STRING) {
        misfit(subject, "format", "string");
    }
}

static void check_pattern(const struct subject *subject, const char *text) {
    struct pool pool = {0};
    struct pattern pattern;
    const char *problem;
    if (text[0] == '\0') {
        return;
    }
    if (subject->type.kind != KIND_STRING) {
        misfit(subject, "pattern", "string");
    } else if (!pattern_compile(&pool, text, &pattern, &problem)) {
        problem_add(subject->problems, subject->file, subject->field->source.line,
                    "field %s.%s: pattern \"%s\" is refused: %s", subject->scope, subject->field->proto->name, text,
                    problem);
    }
    pool_fini(&pool);
}

static bool has_value(const struct model_enum *enumeration, const char *name) {
    for (size_t i = 0; i < enumeration->value_count; i++) {
        if (strcmp(enumeration->values[i].proto->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_integer(const char *text) {
    size_t sign = text[0] == '-';
    return text[sign] != '\0' && text[sign + strspn(text + sign, "0123456789")] == '\0';
}

static bool is_fraction(const char *text) {
    char *end;
    (void)strtod(text, &end);
    return *end == '\0';
}

/* Checks that an example has the field's type. Whether it keeps the rules is seen by whoever uses it. */
static void check_example(const struct subject *subject, const char *example) {
    const struct model_field *field = subject->field;
    if (example[0] == '\0') {
        return;
    }
    if (subject->type.kind == KIND_MESSAGE || subject->type.kind == KIND_BYTES) {
        misfit(subject, "example", "strings, numbers, bools and enums");
        return;
    }
    bool is_bool = field->proto->type == TYPE(BOOL);
    bool is_float = field->proto->type == TYPE(FLOAT) || field->proto->type == TYPE(DOUBLE);
    if ((subject->type.kind == KIND_ENUM && !has_value(field->enumeration, example)) ||
        (subject->type.kind == KIND_INTEGER && !is_integer(example)) || (is_float && !is_fraction(example)) ||
        (is_bool && strcmp(example, "true") != 0 && strcmp(example, "false") != 0)) {
        problem_add(subject->problems, subject->file, field->source.line, "field %s.%s: example \"%s\" is no %s",
                    subject->scope, field->proto->name, example, subject->type.name);
    }
}

static bool is_request(const struct model *model, const struct model_message *message) {
    for (size_t i = 0; i < model->file_count; i++) {
        const struct model_file *file = &model->files[i];
        for (size_t j = 0; j < file->service_count; j++) {
            for (size_t k = 0; k < file->services[j].method_count; k++) {
                if (file->services[j].methods[k].request == message) {
                    return true;
                }
            }
        }
    }
    return false;
}

static const struct model_field *first_acting_user(const struct model_message *message) {
    for (size_t i = 0; i < message->field_count; i++) {
        if (message->fields[i].rules != NULL && message->fields[i].rules->acting_user) {
            return &message->fields[i];
        }
    }
    return NULL;
}

/* A server fills the field from the credential, so there must be exactly one, outside any oneof. */
static void check_acting_user(const struct model *model, const struct subject *subject,
                              const struct model_message *message) {
    const struct model_field *field = subject->field;
    if (subject->type.kind != KIND_STRING || subject->repeated) {
        misfit(subject, "acting_user", "a single string");
        return;
    }
    const struct model_field *first = first_acting_user(message);
    const char *problem = NULL;
    if (field->proto->has_oneof_index) {
        problem = "it is in a oneof, where it cannot be filled in";
    } else if (!is_request(model, message)) {
        problem = "its message is no rpc's request";
    }
    if (problem != NULL) {
        problem_add(subject->problems, subject->file, field->source.line, "field %s.%s is no acting_user: %s",
                    subject->scope, field->proto->name, problem);
    }
    if (first != field) {
        problem_add(subject->problems, subject->file, field->source.line,
                    "field %s.%s is no acting_user: %s is already; a call acts for one user", subject->scope,
                    field->proto->name, first->proto->name);
    }
}

static void check_bound(const struct subject *subject, const char *rule, int64_t bound) {
    if (bound == 0) {
        return;
    }
    if (subject->type.kind != KIND_INTEGER) {
        misfit(subject, rule, "integers");
    } else if (bound < subject->type.least || bound > subject->type.most) {
        problem_add(subject->problems, subject->file, subject->field->source.line,
                    "field %s.%s: %s %" PRId64 " is out of the range of its type, %s", subject->scope,
                    subject->field->proto->name, rule, bound, subject->type.name);
    }
}

static void check_field_rules(const struct model *model, const struct subject *subject,
                              const struct model_message *message) {
    const Herald__Rpc__V1__FieldRules *rules = subject->field->rules;
    if (subject->field->rules_unreadable) {
        problem_add(subject->problems, subject->file, subject->field->source.line,
                    "field %s.%s: option (herald.rpc.v1.rules) cannot be read", subject->scope,
                    subject->field->proto->name);
    }
    if (rules == NULL) {
        return;
    }
    if (rules->required && !subject->repeated &&
        (subject->type.kind == KIND_INTEGER || subject->type.kind == KIND_OTHER)) {
        misfit(subject, "required", "text, bytes, messages, enums and repeated fields, because 0 is a number too");
    }
    check_lengths(subject, rules);
    check_pattern(subject, rules->pattern);
    check_example(subject, rules->example);
    if (rules->acting_user) {
        check_acting_user(model, subject, message);
    }
    check_bound(subject, "min", rules->min);
    check_bound(subject, "max", rules->max);
    if (rules->max != 0 && rules->min > rules->max) {
        problem_add(subject->problems, subject->file, subject->field->source.line,
                    "field %s.%s: min %" PRId64 " is above max %" PRId64, subject->scope, subject->field->proto->name,
                    rules->min, rules->max);
    }
}

void check_rules(const struct model *model, const struct model_file *file, struct problems *problems) {
    for (size_t i = 0; i < file->message_count; i++) {
        const struct model_message *message = &file->messages[i];
        for (size_t j = 0; j < message->field_count; j++) {
            const struct model_field *field = &message->fields[j];
            struct subject subject = {
                .file = file,
                .problems = problems,
                .scope = name_short(file->package, message->full_name),
                .field = field,
                .type = traits_of(field),
                .repeated = field->proto->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED,
            };
            check_field_rules(model, &subject, message);
        }
    }
}
