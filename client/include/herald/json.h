#ifndef HERALD_JSON_H
#define HERALD_JSON_H

/*
 * The proto3 JSON mapping, driven by the schema tables. It is a library of its own (libherald-json), because most users
 * of the stubs do not need it.
 *
 * Names are lowerCamelCase (the proto name is read too), 64-bit numbers are strings, bytes are base64, enums are
 * names, timestamps are RFC 3339 in UTC; fields at their default value are left out unless asked for.
 */
#include "herald/decls.h"
#include "herald/error.h"
#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

HERALD_BEGIN_DECLS

struct herald_json_write_options {
    bool indent;        /* two spaces and newlines; else one line */
    bool with_defaults; /* write fields at their default value too */
};

/**
 * Writes a message as JSON.
 *
 * @options   may be NULL
 * @ret_json  set only on success; NUL-terminated UTF-8; free it with free()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (NOT_JSON: invalid UTF-8 in a string, a timestamp out of range …)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 * Context:  any thread
 */
enum herald_code herald_json_write(const struct herald_message_schema *schema, const ProtobufCMessage *message,
                                   const struct herald_json_write_options *options, char **ret_json,
                                   struct herald_error *reterr);

/** Longest JSON text that is read, unless the options say otherwise. */
#define HERALD_JSON_DEFAULT_MAX_BYTES ((size_t)32 * 1024 * 1024)

struct herald_json_read_options {
    bool ignore_unknown; /* skip names that the message does not have; else they are refused */
    size_t max_bytes;    /* 0: HERALD_JSON_DEFAULT_MAX_BYTES */
};

/**
 * Reads a message from JSON text.
 *
 * Accepted: numbers in quotes or not, read exactly ("1e3" and 5.0 are whole); standard or URL-safe base64, padded or
 * not; null, which means the same as a missing name. -0.0 is read as such, but protobuf-c packs it as unset where a
 * field has no presence.
 *
 * Refused: unknown names, wrong types, numbers out of range, bad base64, a field given twice, two members of a oneof,
 * null in a list, \u0000, half a surrogate pair, more than 32 levels. The error has the field's path, or line and
 * column for a syntax error. For an unknown name it suggests the nearest. Rules are not checked: herald_validate() does
 * that.
 *
 * @json         need not be terminated
 * @options      may be NULL
 * @allocator    for the message; NULL: malloc. Free with protobuf_c_message_free_unpacked() and the same allocator
 * @ret_message  set only on success
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_JSON)
 *           | HERALD_RESOURCE_EXHAUSTED (JSON_TOO_LONG, OUT_OF_MEMORY;
 *             PAYLOAD_TOO_COMPLEX: the message would take too much memory, as for herald_unpack())
 *           | HERALD_INTERNAL (UNKNOWN_TYPE: a bug, a field of a type that the reader does not know)
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
 * Returns:  HERALD_OK | HERALD_NOT_FOUND (NO_SUCH_NAME; the message lists near names)
 *           | HERALD_INVALID_ARGUMENT (AMBIGUOUS_NAME; the message lists at most 8 of the names)
 */
enum herald_code herald_find_message(const char *name, const struct herald_message_schema **ret_schema,
                                     struct herald_error *reterr);

/**
 * Shows a service, method, message or enum as proto text with its documentation and rules.
 *
 * @name           full name, or a short one if only one element ends in it ("PublishEvent", "EventDraft")
 * @ret_full_name  static; set only on success
 * @ret_file       the file that declares it; static; set only on success
 * @ret_text       free it with free(); set only on success
 * Returns:  HERALD_OK | HERALD_NOT_FOUND (NO_SUCH_NAME; the message lists near names)
 *           | HERALD_INVALID_ARGUMENT (AMBIGUOUS_NAME; the message lists at most 8 of the names)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code herald_describe(const char *name, const char **ret_full_name,
                                 const struct herald_file_schema **ret_file, char **ret_text,
                                 struct herald_error *reterr);

HERALD_END_DECLS

#endif
