#include "server/transport/file_state.h"

#include <sys/stat.h>

struct file_state file_state_read(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) {
        return (struct file_state){0};
    }
    return (struct file_state){
        .device = status.st_dev,
        .inode = status.st_ino,
        .bytes = status.st_size,
        .mode = (int64_t)status.st_mode,
        .changed_ns = (int64_t)status.st_ctim.tv_sec * 1000000000 + status.st_ctim.tv_nsec,
    };
}

bool file_state_changed(struct file_state *state, const char *path) {
    struct file_state now = file_state_read(path);
    bool same = now.device == state->device && now.inode == state->inode && now.bytes == state->bytes &&
                now.mode == state->mode && now.changed_ns == state->changed_ns;
    if (same || now.inode == 0) {
        return false;
    }
    *state = now;
    return true;
}
