#include "server/auth/key_file.h"

#include "client/json/base64.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>

const char *auth_key_read(const char *base64, size_t chars, struct auth_key *ret_key) {
    struct auth_key key;
    uint8_t bytes[AUTH_KEY_MAX_BYTES + 3];
    const char *wrong = NULL;
    size_t count = 0;
    if (chars > herald_base64_chars(AUTH_KEY_MAX_BYTES)) {
        wrong = "is longer than 256 bytes";
    } else if (!herald_base64_read(base64, chars, bytes, &count)) {
        wrong = "is no base64";
    } else if (count < AUTH_KEY_MIN_BYTES) {
        wrong = "is shorter than 32 bytes; make one with: openssl rand -base64 32";
    } else if (count > AUTH_KEY_MAX_BYTES) {
        wrong = "is longer than 256 bytes";
    }
    if (!wrong) {
        memset(&key, 0, sizeof(key));
        memcpy(key.bytes, bytes, count);
        key.count = count;
        *ret_key = key;
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    auth_key_wipe(&key);
    return wrong;
}

void auth_key_wipe(struct auth_key *key) {
    OPENSSL_cleanse(key, sizeof(*key));
}

static enum herald_code refuse_key_file(FILE *file, const char *path, struct herald_error *reterr) {
    struct stat status;
    if (fstat(fileno(file), &status) != 0) {
        return herald_error_set(reterr, HERALD_REASON_UNREADABLE, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return herald_error_set(reterr, HERALD_REASON_UNREADABLE, "%s is no regular file", path);
    }
    if (status.st_mode & 077) {
        return herald_error_set(reterr, HERALD_REASON_READABLE_BY_OTHERS,
                                "%s holds secrets and others than its owner may use it (mode %04o): chmod 600 %s", path,
                                status.st_mode & 07777u, path);
    }
    return HERALD_OK;
}

enum herald_code auth_secret_open(const char *path, FILE **ret_file, struct herald_error *reterr) {
    FILE *file = fopen(path, "re");
    if (!file) {
        return herald_error_set(reterr, HERALD_REASON_UNREADABLE, "%s: cannot be opened: %s", path, strerror(errno));
    }
    enum herald_code code = refuse_key_file(file, path, reterr);
    if (code == HERALD_OK) {
        *ret_file = file;
    } else {
        (void)fclose(file);
    }
    return code;
}

enum herald_code auth_key_file_read(const char *path, struct auth_key *ret_key, struct herald_error *reterr) {
    char line[512];
    FILE *file = NULL;
    enum herald_code code = auth_secret_open(path, &file, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    (void)setvbuf(file, NULL, _IONBF, 0); /* leaves no copy of the key in a buffer */
    size_t count = fread(line, 1, sizeof(line), file);
    (void)fclose(file);
    while (count > 0 && strchr(" \t\r\n", line[count - 1])) {
        count--;
    }
    const char *wrong = auth_key_read(line, count, ret_key);
    OPENSSL_cleanse(line, sizeof(line));
    if (!wrong) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_BAD_KEY,
                            "%s: the key %s; the file holds one key in base64 on one line", path, wrong);
}
