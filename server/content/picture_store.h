#ifndef HERALD_CONTENT_PICTURE_STORE_H
#define HERALD_CONTENT_PICTURE_STORE_H

/*
 * Finished pictures as files: <dir>/<key>/<style>.png and .jpg, and <style>.<shape>.jpg
 * (server/outgoing/picture_url.h). A file that exists is complete: it is written under a temporary name, synced and
 * renamed. Blocks; any thread, not a loop's.
 */

#include "herald/error.h"

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>

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
/** Notes, once a day at most, that the pictures of @key are wanted: they are kept from now on. */
void picture_store_note_use(const char *dir, const char *key);
/**
 * Writes a small file beside the pictures and removes it: whether the store takes pictures now.
 *
 * Returns: as picture_store_write()
 */
enum herald_code picture_store_check(const char *dir, struct herald_error *reterr);

/** A walk over the store that deletes what is old. Zero all but the first two; ends when walk.dir is NULL again. */
struct picture_pruning {
    const char *path; /* of the store */
    int64_t before_s; /* pictures are old that were last written or wanted before this instant, s since 1970 */
    DIR *dir;
    unsigned deleted; /* folders, in all */
};
/**
 * Goes on with a walk: looks at a few hundred folders, deletes a few dozen. Only folders whose name is a key or the id of a
 * job are touched. Any number of processes may do so at the same time, beside others that write and read: pictures that
 * are written or wanted meanwhile stay.
 *
 * Returns: HERALD_OK | HERALD_UNAVAILABLE (PICTURE_NOT_STORED: names the path and the system's reason); the walk is over
 */
enum herald_code picture_store_prune(struct picture_pruning *pruning, struct herald_error *reterr);
/** Ends a walk early. */
void picture_store_prune_end(struct picture_pruning *pruning);

#endif
