#ifndef HERALD_JSON_DESCRIBE_H
#define HERALD_JSON_DESCRIBE_H

/* Each writes one schema element as proto text, with its documentation and rules. */
#include "herald/schema.h"

#include <stdio.h>

void herald_describe_service(FILE *out, const struct herald_service_schema *service);
/** Writes the method with its request and response messages, which is all that a caller needs. */
void herald_describe_method(FILE *out, const struct herald_method_schema *method);
void herald_describe_message(FILE *out, const struct herald_message_schema *message);
void herald_describe_enum(FILE *out, const struct herald_enum_schema *enumeration);

#endif
