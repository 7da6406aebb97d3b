#ifndef HERALD_VALIDATE_H
#define HERALD_VALIDATE_H

#include "herald/decls.h"
#include "herald/error.h"
#include "herald/schema.h"

HERALD_BEGIN_DECLS

/**
 * Checks a message against the rules of its schema: required fields, lengths, UTF-8, ranges, enum values, shapes. The
 * general limits apply to a field without rules. Unknown fields are allowed: a newer caller may send them.
 *
 * All violations are found, up to HERALD_ERROR_DETAILS_MAX, one detail each: the field's path in JSON names, the reason
 * REQUIRED, TOO_LONG, TOO_SHORT, TOO_MANY, OUT_OF_RANGE, UNKNOWN_VALUE, INVALID_UTF8 or INVALID_FORMAT, and a sentence.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_FIELD)
 * Context:  any thread; recursion bounded by the schemas, which have no cycles
 * Source:   proto/herald/rpc/v1/options.proto FieldRules
 */
enum herald_code herald_validate(const struct herald_message_schema *schema, const ProtobufCMessage *message,
                                 struct herald_error *reterr);

HERALD_END_DECLS

#endif
