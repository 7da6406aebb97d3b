#ifndef HERALD_AUTH_KEY_FILE_H
#define HERALD_AUTH_KEY_FILE_H

/* Keys of HMAC-SHA256, and the files that hold them. A file with secrets is refused if others than its owner may use
 * it. Buffers that held a key are wiped. */
#include "herald/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Shortest and longest accepted key, bytes. */
#define AUTH_KEY_MIN_BYTES 32u
#define AUTH_KEY_MAX_BYTES 256u

/** A key of HMAC-SHA256. */
struct auth_key {
    uint8_t bytes[AUTH_KEY_MAX_BYTES];
    size_t count;
};

/** Reads a key from base64. Returns: NULL | a clause that says what is wrong, without showing the text */
const char *auth_key_read(const char *base64, size_t chars, struct auth_key *ret_key);

void auth_key_wipe(struct auth_key *key);

/**
 * Opens a file that holds secrets.
 *
 * @ret_file  set only on success; the caller closes it with fclose()
 * Returns:   HERALD_OK | HERALD_INVALID_ARGUMENT (reason "UNREADABLE": it cannot be opened, or is no regular file;
 *            "READABLE_BY_OTHERS": others than its owner may read or change it)
 */
enum herald_code auth_secret_open(const char *path, FILE **ret_file, struct herald_error *reterr);

/** Reads a key file: base64 on one line.
 *  Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (reason "UNREADABLE", "READABLE_BY_OTHERS", "BAD_KEY") */
enum herald_code auth_key_file_read(const char *path, struct auth_key *ret_key, struct herald_error *reterr);

#endif
