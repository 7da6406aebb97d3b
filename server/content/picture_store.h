#ifndef HERALD_CONTENT_PICTURE_STORE_H
#define HERALD_CONTENT_PICTURE_STORE_H

/*
 * Finished pictures as files: <dir>/<key>/<style>.png and .jpg, and <style>.<shape>.jpg
 * (server/outgoing/picture_url.h). A file that exists is complete: it is written under a temporary name, synced and
 * renamed. Blocks; any thread, not a loop's.
 */

#include "herald/error.h"

#include <stddef.h>

/**
 * Makes @dir and its parents.
 *
 * Returns: HERALD_OK | HERALD_FAILED_PRECONDITION (CONTENT_DIR: names the folder and says why)
 */
enum herald_code picture_store_prepare(const char *dir, struct herald_error *reterr);
/**
 * Writes one file, or replaces it.
 *
 * @key     of the job's pictures: it becomes a part of the path
 * @file    "simple.png"
 * Returns: HERALD_OK | HERALD_UNAVAILABLE (PICTURE_NOT_STORED: names the path and the system's reason)
 */
enum herald_code picture_store_write(const char *dir, const char *key, const char *file, const void *data, size_t bytes,
                                     struct herald_error *reterr);
/** Opens a file for reading. Returns: a descriptor, *ret_bytes its size; -1: there is no such file. */
int picture_store_open(const char *dir, const char *key, const char *file, size_t *ret_bytes);

#endif
