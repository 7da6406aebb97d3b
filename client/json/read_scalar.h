#ifndef HERALD_JSON_READ_SCALAR_H
#define HERALD_JSON_READ_SCALAR_H

#include "client/json/reader.h"

/**
 * Reads a value of any type but a message.
 *
 * @to  the place of the field or item in the message; zeroed, or the field's default
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_JSON)
 *           | HERALD_RESOURCE_EXHAUSTED (PAYLOAD_TOO_COMPLEX, OUT_OF_MEMORY)
 *           | HERALD_INTERNAL (UNKNOWN_TYPE: @field is of a type that the reader does not know)
 * On error: @to may hold bytes that are freed with the message
 */
enum herald_code herald_read_scalar(struct reader *reader, const struct herald_path *path,
                                    const ProtobufCFieldDescriptor *field, void *to);

#endif
