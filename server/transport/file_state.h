#ifndef HERALD_TRANSPORT_FILE_STATE_H
#define HERALD_TRANSPORT_FILE_STATE_H

#include <stdbool.h>
#include <stdint.h>

/** Tells one version of a file from another. */
struct file_state {
    uint64_t device, inode;
    int64_t bytes, mode;
    int64_t changed_ns; /* of the inode: renaming, writing and chmod set it */
};

/** All zero for a missing file. */
struct file_state file_state_read(const char *path);
/** Reads the state again. Returns true and updates *state if it differs. A missing file counts as unchanged: a program
 *  that replaces it may be between two steps. */
bool file_state_changed(struct file_state *state, const char *path);

#endif
