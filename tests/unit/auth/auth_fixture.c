#include "tests/unit/auth/auth_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

struct auth_key key_of(char letter) {
    struct auth_key key = {.count = 32};
    memset(key.bytes, letter, 32);
    return key;
}

const char *write_file(const char *name, const char *text) {
    static char path[160];
    if (!*folder) {
        strcpy(folder, "/tmp/herald-auth-XXXXXX");
        assert_non_null(mkdtemp(folder));
    }
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

void remove_files(void) {
    DIR *directory = *folder ? opendir(folder) : NULL;
    if (!directory) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') {
            unlink(path);
        }
    }
    closedir(directory);
    rmdir(folder);
    *folder = '\0';
}

struct callers *good_callers(const char *text) {
    struct callers *callers = NULL;
    struct herald_error error;
    if (callers_load(write_file("callers.ini", text), &callers, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    return callers;
}
