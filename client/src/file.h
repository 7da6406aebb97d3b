#ifndef HERALD_CLIENT_FILE_H
#define HERALD_CLIENT_FILE_H

#include "herald/error.h"

#include <stdbool.h>
#include <stddef.h>

/** Largest file of certificates or keys that is read. */
#define HERALD_FILE_MAX_BYTES (1024u * 1024u)

/**
 * Reads a small text file whole.
 *
 * @what      for messages: "the CA file", …
 * @secret    refuse a file that others than its owner may read or write
 * @ret_text  NUL-terminated; free with herald_secret_free()
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (FILE_UNREADABLE, KEY_EXPOSED)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code herald_file_read(const char *path, const char *what, bool secret, char **ret_text,
                                  struct herald_error *reterr);
/** Wipes and frees a text. NULL is allowed. */
void herald_secret_free(char *text);

#endif
