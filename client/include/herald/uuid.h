#ifndef HERALD_UUID_H
#define HERALD_UUID_H

#include "herald/decls.h"

#include <stdbool.h>
#include <stddef.h>

HERALD_BEGIN_DECLS

/**
 * Writes a new UUIDv7 (RFC 9562) in its 36-character lower-case form. Those of one process rise strictly, also those of
 * its threads together, and also when its clock is set back.
 *
 * @ret_uuid  37 bytes, terminated
 * Context:   any thread
 */
void herald_uuid7(char ret_uuid[37]);
/** True if @text, @text_bytes long, is a UUID of any version in its 36-character form, in either case. */
bool herald_uuid_valid(const char *text, size_t text_bytes);

HERALD_END_DECLS

#endif
