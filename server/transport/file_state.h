#ifndef HERALD_TRANSPORT_FILE_STATE_H
#define HERALD_TRANSPORT_FILE_STATE_H

#include <stdbool.h>
#include <stdint.h>

/** What tells one version of a file from another. */
struct file_state {
    uint64_t device, inode;
    int64_t bytes, mode;
    int64_t changed_ns; /* of the inode: renaming, writing and chmod set it */
};

/** All zero for a file that is not there. */
struct file_state file_state_read(const char *path);
/** Looks again; true, and *state is the new one, if something is different. A file that is gone is no change: whoever
 *  replaces it may be between two steps. */
bool file_state_changed(struct file_state *state, const char *path);

#endif
