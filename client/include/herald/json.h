#ifndef HERALD_JSON_H
#define HERALD_JSON_H

#include "herald/error.h"
#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The proto3 JSON mapping, driven by the schema tables. A library of its own (libherald-json), because it needs
 * jansson, which callers of the stubs do not.
 *
 * Names are lowerCamelCase (the proto name is read too), 64-bit numbers are strings, bytes are base64, enums are
 * names, timestamps are RFC 3339 in UTC; fields at their default value are left out unless asked for.
 */

struct herald_json_write_options {
    bool indent;        /* two spaces and newlines; else one line */
    bool with_defaults; /* write fields at their default value too */
};

/**
 * Writes a message as JSON.
 *
 * @options   may be NULL
 * @ret_json  set only on success; NUL-terminated UTF-8; free it with free()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (invalid UTF-8 in a string, timestamp out of range)
 *           | HERALD_RESOURCE_EXHAUSTED
 * Context:  any thread
 */
enum herald_code herald_json_write(const struct herald_message_schema *schema, const ProtobufCMessage *message,
                                   const struct herald_json_write_options *options, char **ret_json,
                                   struct herald_error *reterr);

/**
 * Reads a message from JSON text.
 *
 * Unknown names, wrong types, numbers out of range, bad base64, duplicate names, more than 32 levels: each is
 * INVALID_ARGUMENT (reason "INVALID_JSON") with the field's path, or the line and column for a syntax error.
 * @json         need not be terminated
 * @allocator    for the message; NULL: malloc. Free with protobuf_c_message_free_unpacked() and the same allocator
 * @ret_message  set only on success
 * Context:  any thread
 */
enum herald_code herald_json_read(const struct herald_message_schema *schema, const char *json, size_t json_bytes,
                                  ProtobufCAllocator *allocator, ProtobufCMessage **ret_message,
                                  struct herald_error *reterr);

/**
 * Shows a service, method, message or enum as proto text with its documentation and rules.
 *
 * @name      full name, or a short one if only one element ends in it ("PublishEvent", "EventDraft")
 * @ret_full_name  static; @ret_text  free it with free(); both set only on success
 * Returns:  HERALD_OK | HERALD_NOT_FOUND (the message lists near names) | HERALD_INVALID_ARGUMENT (ambiguous; lists
 * all)
 */
enum herald_code herald_describe(const char *name, const char **ret_full_name,
                                 const struct herald_file_schema **ret_file, char **ret_text,
                                 struct herald_error *reterr);

#endif
