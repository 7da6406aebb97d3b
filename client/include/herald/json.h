#ifndef HERALD_JSON_H
#define HERALD_JSON_H

#include "herald/decls.h"
#include "herald/error.h"
#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

HERALD_BEGIN_DECLS

/*
 * The proto3 JSON mapping, driven by the schema tables. A library of its own (libherald-json), because most callers of
 * the stubs do not need it.
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

/** Longest JSON text that is read, unless the options say otherwise. */
#define HERALD_JSON_DEFAULT_MAX_BYTES ((size_t)32 * 1024 * 1024)

struct herald_json_read_options {
    bool ignore_unknown; /* pass over names that the message does not have; else they are refused */
    size_t max_bytes;    /* 0: HERALD_JSON_DEFAULT_MAX_BYTES */
};

/**
 * Reads a message from JSON text.
 *
 * Numbers may stand in quotes or not and are read exactly ("1e3" and 5.0 are whole); bytes may be standard or URL-safe
 * base64, padded or not; null is as if the name were not there. Unknown names (nearest one named), wrong types, numbers
 * out of range, bad base64, a field given twice, two members of a oneof, null in a list, \u0000 or half a surrogate
 * pair, more than 32 levels: each is INVALID_ARGUMENT (reason "INVALID_JSON") with the field's path, or the line and
 * column for a syntax error. Rules are not checked: that is herald_validate(). -0.0 is read as
 * such; but protobuf-c packs it as if it were unset where a field has no presence.
 * @json         need not be terminated
 * @options      may be NULL
 * @allocator    for the message; NULL: malloc. Free with protobuf_c_message_free_unpacked() and the same allocator
 * @ret_message  set only on success
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT | HERALD_RESOURCE_EXHAUSTED (reason "JSON_TOO_LONG"
 *           | "PAYLOAD_TOO_COMPLEX": it would take too much memory, as for herald_unpack() | "OUT_OF_MEMORY")
 * Context:  any thread
 */
enum herald_code herald_json_read(const struct herald_message_schema *schema, const char *json, size_t json_bytes,
                                  const struct herald_json_read_options *options, ProtobufCAllocator *allocator,
                                  ProtobufCMessage **ret_message, struct herald_error *reterr);

/**
 * Finds a message by its full name ("herald.rpc.v1.Request"), or by a short one if only one message ends in it
 * ("PublishEventRequest", "rpc.v1.Request").
 *
 * @ret_schema  set only on success
 * Returns:  HERALD_OK | HERALD_NOT_FOUND (the message lists near names) | HERALD_INVALID_ARGUMENT (ambiguous; lists
 *           some)
 */
enum herald_code herald_find_message(const char *name, const struct herald_message_schema **ret_schema,
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

HERALD_END_DECLS

#endif
