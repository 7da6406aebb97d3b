#include "client/src/file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum herald_code unreadable(const char *path, const char *what, const char *why, struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_FILE_UNREADABLE, "%s \"%s\" cannot be read: %s", what, path, why);
}

static enum herald_code check_status(const char *path, const char *what, bool secret, const struct stat *status,
                                     struct herald_error *reterr) {
    if (!S_ISREG(status->st_mode)) {
        return unreadable(path, what, "it is no file", reterr);
    }
    if ((uint64_t)status->st_size > HERALD_FILE_MAX_BYTES) {
        return unreadable(path, what, "it has more than 1 MiB", reterr);
    }
    if (secret && (status->st_mode & 077) != 0) {
        return herald_error_set(reterr, HERALD_REASON_KEY_EXPOSED,
                                "%s \"%s\" may be read by others than its owner (mode %03o): chmod 600 it", what, path,
                                status->st_mode & 0777);
    }
    return HERALD_OK;
}

static enum herald_code read_open(int fd, const char *path, const char *what, bool secret, char **ret_text,
                                  struct herald_error *reterr) {
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return unreadable(path, what, strerror(errno), reterr);
    }
    enum herald_code code = check_status(path, what, secret, &status, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    size_t room = (size_t)status.st_size, have = 0;
    char *text = calloc(1, room + 1);
    if (!text) {
        return herald_error_no_memory(reterr, "the text of %s", path);
    }
    ssize_t got = 0;
    while (have < room && (got = read(fd, text + have, room - have)) > 0) {
        have += (size_t)got;
    }
    if (got < 0) {
        herald_secret_free(text);
        return unreadable(path, what, strerror(errno), reterr);
    }
    *ret_text = text;
    return HERALD_OK;
}

enum herald_code herald_file_read(const char *path, const char *what, bool secret, char **ret_text,
                                  struct herald_error *reterr) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return unreadable(path, what, strerror(errno), reterr);
    }
    enum herald_code code = read_open(fd, path, what, secret, ret_text, reterr);
    close(fd);
    return code;
}

void herald_secret_free(char *text) {
    if (text) {
        OPENSSL_cleanse(text, strlen(text));
    }
    free(text);
}
