#ifndef HERALD_UNPACK_H
#define HERALD_UNPACK_H

#include "herald/decls.h"
#include "herald/error.h"
#include "herald/schema.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

HERALD_BEGIN_DECLS

/** Deepest nesting of messages that is unpacked. */
#define HERALD_UNPACK_MAX_DEPTH 32u
/** Memory that an unpacked message may take: this, and HERALD_UNPACK_MEMORY_FACTOR times its packed size. */
#define HERALD_UNPACK_BASE_MEMORY_BYTES (256u * 1024u)
#define HERALD_UNPACK_MEMORY_FACTOR     32u

/**
 * Unpacks a message from untrusted bytes. Use it, never protobuf_c_message_unpack(), for bytes from a peer.
 *
 * Before anything is allocated the bytes are checked against the schema: framing, wire types, depth, UTF-8 and NUL in
 * strings, and the memory that the result will take. Unknown fields are allowed and kept. Rules are not checked:
 * herald_validate() does that.
 *
 * @allocator    for the message; NULL: malloc. Free with protobuf_c_message_free_unpacked() and the same allocator
 * @bytes        may be NULL when @bytes_count is 0: an empty message
 * @ret_message  set only on success; NULL: the bytes are only checked
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "MALFORMED_PAYLOAD"; the one detail names the field's path)
 *           | HERALD_RESOURCE_EXHAUSTED (reason "PAYLOAD_TOO_COMPLEX": it would take too much memory when unpacked;
 *           reason "OUT_OF_MEMORY": the allocator gave none)
 * Context:  any thread
 */
enum herald_code herald_unpack(const struct herald_message_schema *schema, ProtobufCAllocator *allocator,
                               const uint8_t *bytes, size_t bytes_count, ProtobufCMessage **ret_message,
                               struct herald_error *reterr);

HERALD_END_DECLS

#endif
