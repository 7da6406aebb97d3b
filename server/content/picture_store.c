/* Pictures as files. Invariant: a file under its final name is complete and synced, and so is its folder. */
#include "server/content/picture_store.h"

#include "herald/uuid.h"
#include "server/outgoing/picture_url.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UUID_CHARS    36
#define USE_NOTED_S   86400
#define PROBE_BYTES   4096
#define LOOKS_A_BATCH 256
#define GONE_A_BATCH  32
#define GONE          ".gone." /* before the name of a folder that is being deleted */

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

void picture_store_note_use(const char *dir, const char *key) {
    char path[PATH_MAX];
    struct stat found;
    snprintf(path, sizeof(path), "%s/%s", dir, key);
    if (stat(path, &found) == 0 && time(NULL) - found.st_mtime > USE_NOTED_S) {
        (void)utimensat(AT_FDCWD, path, NULL, 0); /* else the next request notes it */
    }
}

enum herald_code picture_store_check(const char *dir, struct herald_error *reterr) {
    static const unsigned char nothing[PROBE_BYTES];
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/.probe.%ld.%u", dir, (long)getpid(), next_temporary++);
    bool written = write_picture_file(path, nothing, sizeof(nothing));
    enum herald_code code = written ? HERALD_OK : picture_not_stored(path, reterr);
    (void)unlink(path);
    return code;
}

/* --- what is old ------------------------------------------------------------------------------------------------- */

static bool is_name_of_pictures(const char *name) {
    size_t chars = strlen(name);
    return (chars == PICTURE_KEY_CHARS && picture_key_valid(name)) ||
           (chars == UUID_CHARS && herald_uuid_valid(name, chars));
}

static bool is_old(const char *path, int64_t before_s) {
    struct stat found;
    return lstat(path, &found) == 0 && S_ISDIR(found.st_mode) && found.st_mtime < before_s;
}

/* Calls @act for each file of a folder. Returns: false: one has failed; errno says why */
static bool for_each_file(const char *folder, const char *other, bool (*act)(const char *path, const char *other)) {
    char path[PATH_MAX + 640], to[PATH_MAX + 640];
    DIR *dir = opendir(folder);
    bool done = dir != NULL;
    for (struct dirent *entry; done && (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            snprintf(to, sizeof(to), "%s/%s", other, entry->d_name);
            done = act(path, to);
        }
    }
    int reason = errno;
    if (dir != NULL) {
        closedir(dir);
    }
    errno = reason;
    return done;
}

static bool delete_file(const char *path, const char *other) {
    (void)other;
    return unlink(path) == 0 || errno == ENOENT;
}

/* A newer file of that name stays. */
static bool move_file(const char *path, const char *other) {
    return (link(path, other) == 0 || errno == EEXIST) && unlink(path) == 0;
}

/* Gives a folder its name back. If somebody has made it anew meanwhile, the files go into that one. */
static bool give_folder_back(const char *gone, const char *folder) {
    return rename(gone, folder) == 0 || (for_each_file(gone, folder, move_file) && rmdir(gone) == 0);
}

/*
 * Deletes a folder that is old. It is first renamed, so that nobody finds half of it. Then its age is read again: who has
 * written to it, or wanted it, before it was renamed, has made it young. Who comes later makes it anew.
 */
static bool delete_old(const char *path, const char *name, int64_t before_s, bool *ret_deleted) {
    char folder[PATH_MAX + 256], gone[PATH_MAX + 320];
    bool begun = strncmp(name, GONE, strlen(GONE)) == 0; /* by a process that has died */
    snprintf(folder, sizeof(folder), "%s/%s", path, begun ? name + strlen(GONE) : name);
    snprintf(gone, sizeof(gone), "%s/" GONE "%s", path, begun ? name + strlen(GONE) : name);
    if (!is_old(begun ? gone : folder, before_s)) {
        return true;
    }
    if (!begun && rename(folder, gone) != 0) {
        return errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST; /* another process is at it */
    }
    if (!is_old(gone, before_s)) {
        return give_folder_back(gone, folder) || errno == ENOENT;
    }
    *ret_deleted = for_each_file(gone, "", delete_file) && rmdir(gone) == 0;
    return *ret_deleted || errno == ENOENT;
}

static enum herald_code not_deleted(const char *path, const char *name, struct herald_error *reterr) {
    int reason = errno;
    return herald_error_set(reterr, HERALD_REASON_PICTURE_NOT_STORED, "the old pictures %s/%s cannot be deleted: %s",
                            path, name, strerror(reason));
}

enum herald_code picture_store_prune(struct picture_pruning *pruning, struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    if (pruning->dir == NULL && (pruning->dir = opendir(pruning->path)) == NULL) {
        return not_deleted(pruning->path, "", reterr);
    }
    unsigned gone = 0, looks = 0;
    struct dirent *entry = NULL;
    while (code == HERALD_OK && looks < LOOKS_A_BATCH && gone < GONE_A_BATCH &&
           (entry = readdir(pruning->dir)) != NULL) {
        const char *name = entry->d_name;
        bool deleted = false;
        looks++;
        if (is_name_of_pictures(strncmp(name, GONE, strlen(GONE)) == 0 ? name + strlen(GONE) : name) &&
            !delete_old(pruning->path, name, pruning->before_s, &deleted)) {
            code = not_deleted(pruning->path, name, reterr);
        }
        gone += deleted ? 1 : 0;
    }
    pruning->deleted += gone;
    if (entry == NULL || code != HERALD_OK) {
        picture_store_prune_end(pruning);
    }
    return code;
}

void picture_store_prune_end(struct picture_pruning *pruning) {
    if (pruning->dir != NULL) {
        closedir(pruning->dir);
    }
    pruning->dir = NULL;
}
