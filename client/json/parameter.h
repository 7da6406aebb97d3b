#ifndef HERALD_CLIENT_JSON_PARAMETER_H
#define HERALD_CLIENT_JSON_PARAMETER_H

#include "herald/error.h"
#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>

/**
 * Sets a field of a message from a text, as a URL has it: a number or a truth value in its JSON form, a text, an enum's
 * name or number, base64 or a time without quotes. A repeated field gets one more item.
 *
 * @name       path of the field, by JSON or proto names with dots between them: "content.title"; the messages on the way
 *             are made
 * @allocator  of the message's memory; an item of a repeated field takes new memory for all of them, so it should be one
 *             that frees them together
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_JSON: no such field, a message, or the text is no value of it)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, PAYLOAD_TOO_COMPLEX)
 * Context:  any thread
 */
enum herald_code herald_json_set_parameter(const struct herald_message_schema *schema, ProtobufCMessage *message,
                                           const char *name, const char *text, ProtobufCAllocator *allocator,
                                           struct herald_error *reterr);

#endif
