#ifndef HERALD_JSON_TIMESTAMP_H
#define HERALD_JSON_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Longest text, terminated: "0001-01-01T00:00:00.000000000Z". */
#define HERALD_TIMESTAMP_TEXT_BYTES 31u

/** Writes RFC 3339 in UTC with 0, 3, 6 or 9 digits of fraction; false if out of range (years 1 to 9999). */
bool herald_timestamp_write(int64_t seconds, int32_t nanos, char ret_text[HERALD_TIMESTAMP_TEXT_BYTES]);
/** Reads RFC 3339 with any offset and up to 9 digits of fraction; false if the text is no such time or out of range. */
bool herald_timestamp_read(const char *text, size_t bytes, int64_t *ret_seconds, int32_t *ret_nanos);

#endif
