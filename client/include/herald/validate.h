#ifndef HERALD_VALIDATE_H
#define HERALD_VALIDATE_H

#include "herald/error.h"
#include "herald/schema.h"

/**
 * Checks a message against the rules of its schema: required fields, lengths, UTF-8 without NUL, ranges, enum values,
 * shapes; and that it has no unknown fields where @refuse_unknown.
 *
 * All violations are found, up to HERALD_ERROR_DETAILS_MAX, one detail each with the field's path in JSON names.
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "INVALID_FIELD")
 * Context:  any thread; recursion bounded by the schemas, which have no cycles
 * Source:   proto/herald/rpc/v1/options.proto FieldRules
 */
enum herald_code herald_validate(const struct herald_message_schema *schema, const ProtobufCMessage *message,
                                 struct herald_error *reterr);

#endif
