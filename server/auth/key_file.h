#ifndef HERALD_AUTH_KEY_FILE_H
#define HERALD_AUTH_KEY_FILE_H

#include "herald/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Shortest key that is taken, bytes; of longer ones than the longest only that much would be used anyway. */
#define AUTH_KEY_MIN_BYTES 32u
#define AUTH_KEY_MAX_BYTES 256u

/** A key of HMAC-SHA256. */
struct auth_key {
    uint8_t bytes[AUTH_KEY_MAX_BYTES];
    size_t count;
};

/** Reads a key from base64. Returns: NULL, or why it is none: a clause that does not show it. */
const char *auth_key_read(const char *base64, size_t chars, struct auth_key *ret_key);

void auth_key_wipe(struct auth_key *key);

/**
 * Opens a file that holds secrets.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT: reason "UNREADABLE", or "READABLE_BY_OTHERS" when others than its
 * owner may read or change it
 */
enum herald_code auth_secret_open(const char *path, FILE **ret_file, struct herald_error *reterr);

/** Reads a key file: base64 on one line. Returns as auth_secret_open(), and reason "BAD_KEY". */
enum herald_code auth_key_file_read(const char *path, struct auth_key *ret_key, struct herald_error *reterr);

#endif
