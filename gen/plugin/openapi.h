#ifndef HERALD_GEN_OPENAPI_H
#define HERALD_GEN_OPENAPI_H

/*
 * The parts of the OpenAPI document (emit_openapi.c puts them together). A message that a request may hold and one that
 * a response holds have different JSON: what is read may be null, left out, or a number in quotes; what is written is
 * whole (client/json). So each message has a schema for each use that it has, "Name" and, if it has both, "NameInput".
 */
#include "gen/plugin/emit.h"
#include "gen/plugin/json.h"
#include "gen/plugin/model.h"

/* How a type is used. */
enum openapi_use { OPENAPI_INPUT, OPENAPI_OUTPUT, OPENAPI_USES };

/* Where a field of a request stands. */
enum openapi_place { OPENAPI_PATH, OPENAPI_QUERY, OPENAPI_BODY };

struct openapi {
    struct pool pool;
    const struct model *model;
    struct json json;
    const struct model_route *routes; /* in the order of the document */
    size_t route_count;
    const struct model_message **messages[OPENAPI_USES]; /* those with a schema, each once */
    size_t message_count[OPENAPI_USES];
    const struct model_enum **enums[OPENAPI_USES];
    size_t enum_count[OPENAPI_USES];
};

/** Fills @routes, @messages and @enums. openapi_fini() frees all. */
void openapi_init(struct openapi *openapi, const struct model *model);
void openapi_fini(struct openapi *openapi);

/** Name of a schema, "EventDraft"; with the package's word in front where two messages or enums have the same name. */
const char *openapi_message_name(struct openapi *openapi, const struct model_message *message, enum openapi_use use);
const char *openapi_enum_name(struct openapi *openapi, const struct model_enum *enumeration, enum openapi_use use);

/** The schemas of all messages and enums, as members of an object. */
void openapi_schemas(struct openapi *openapi);
/** The schema of a field of a request, as member @key. */
void openapi_input_field(struct openapi *openapi, const char *key, const struct model_field *field,
                         enum openapi_place place);
/** The schema of the body of a route whose body is the whole request, as member @key: without what the path binds. */
void openapi_body(struct openapi *openapi, const char *key, const struct model_route *entry);
/** Whether the schema of the request of a route is that of the body of this route. */
bool openapi_body_is_shared(const struct openapi *openapi, const struct model_route *entry);
/** Whether a request without the field is refused. A server fills the acting user in. */
bool openapi_is_required(const struct model_field *field);
bool openapi_is_repeated(const struct model_field *field);
bool openapi_is_timestamp(const struct model_field *field);

/** An example of the field's value, as member @key: of its rules, or made of its type. */
void openapi_example(struct openapi *openapi, const char *key, const struct model_field *field);
/** An example of the body of a route. */
void openapi_body_example(struct openapi *openapi, const char *key, const struct model_route *entry);
/** An example of an answer, with all of its fields, as it is written. */
void openapi_response_example(struct openapi *openapi, const char *key, const struct model_message *response);
/** Whether an example of a request has the field: it is required or the acting user, or its rules have an example. */
bool openapi_is_shown(const struct model_field *field);

/** A comment as the text of a description: lines of a paragraph are joined, and fields have their JSON names. */
const char *openapi_text(struct openapi *openapi, const char *doc);
/** The first sentence of a comment, without its full stop. */
const char *openapi_summary(struct openapi *openapi, const char *doc);
/** A pattern of the rules (POSIX) as one of JSON Schema (ECMA-262), for the whole text. @or_empty  or no text. */
const char *openapi_pattern(struct openapi *openapi, const char *posix, bool or_empty);
/** A pattern of whole numbers 0..@most in decimal. */
const char *openapi_decimal_pattern(struct openapi *openapi, uint64_t most);

#endif
