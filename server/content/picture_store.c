/* Pictures as files. Invariant: a file under its final name is complete and synced, and so is its folder. */
#include "server/content/picture_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_uint next_temporary;

static bool make_folder(const char *path) {
    return mkdir(path, 0755) == 0 || errno == EEXIST;
}

enum herald_code picture_store_prepare(const char *dir, struct herald_error *reterr) {
    char path[PATH_MAX];
    struct stat found;
    if (dir[0] == '\0' || strlen(dir) >= sizeof(path) - 128) {
        return herald_error_set(reterr, HERALD_REASON_CONTENT_DIR, "the setting content.dir must name a folder");
    }
    strcpy(path, dir);
    bool made = true;
    for (char *slash = strchr(path + 1, '/'); made && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        made = make_folder(path);
        *slash = '/';
    }
    made = made && make_folder(path);
    if (made && stat(dir, &found) == 0 && S_ISDIR(found.st_mode) && access(dir, W_OK | X_OK) == 0) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_CONTENT_DIR,
                            "the setting content.dir names %s, where pictures cannot be written: %s", dir,
                            made && S_ISREG(found.st_mode) ? "it is a file" : strerror(errno));
}

static bool write_all(int fd, const unsigned char *data, size_t bytes) {
    while (bytes > 0) {
        ssize_t written = write(fd, data, bytes);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return false;
        }
        data += written;
        bytes -= (size_t)written;
    }
    return true;
}

static bool write_picture_file(const char *path, const void *data, size_t bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        return false;
    }
    bool written = write_all(fd, data, bytes) && fsync(fd) == 0;
    int reason = errno;
    if (close(fd) != 0 && written) {
        written = false;
        reason = errno;
    }
    errno = reason;
    return written;
}

/* The new name of a file is durable only once its folder is synced. */
static bool sync_folder(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool synced = fsync(fd) == 0;
    close(fd);
    return synced;
}

static enum herald_code picture_not_stored(const char *path, struct herald_error *reterr) {
    int reason = errno;
    return herald_error_set(reterr, HERALD_REASON_PICTURE_NOT_STORED, "%s cannot be written: %s", path,
                            strerror(reason));
}

enum herald_code picture_store_write(const char *dir, const char *key, const char *file, const void *data, size_t bytes,
                                     struct herald_error *reterr) {
    char folder[PATH_MAX], path[PATH_MAX + 32], temporary[PATH_MAX + 64];
    snprintf(folder, sizeof(folder), "%s/%s", dir, key);
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    /* After a rebalance two hands may briefly have the same job: each writes a temporary file of its own. */
    snprintf(temporary, sizeof(temporary), "%s/.%s.%ld.%u", folder, file, (long)getpid(), next_temporary++);
    if (!make_folder(folder)) {
        return picture_not_stored(folder, reterr);
    }
    if (!write_picture_file(temporary, data, bytes) || rename(temporary, path) != 0) {
        enum herald_code code = picture_not_stored(path, reterr);
        unlink(temporary);
        return code;
    }
    return sync_folder(folder) ? HERALD_OK : picture_not_stored(path, reterr);
}

int picture_store_open(const char *dir, const char *key, const char *file, size_t *ret_bytes) {
    char path[PATH_MAX];
    struct stat found;
    if (snprintf(path, sizeof(path), "%s/%s/%s", dir, key, file) >= (int)sizeof(path)) {
        return -1;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) {
        close(fd);
        return -1;
    }
    *ret_bytes = (size_t)found.st_size;
    return fd;
}
