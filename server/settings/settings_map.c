#include "server/settings/settings_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool settings_map_next(const char **at, struct settings_map_entry *ret_entry) {
    const char *equals = *at ? strchr(*at, '=') : NULL;
    size_t name_bytes = equals ? (size_t)(equals - *at) : 0;
    if (!equals || name_bytes >= sizeof(ret_entry->name)) {
        return false;
    }
    memcpy(ret_entry->name, *at, name_bytes);
    ret_entry->name[name_bytes] = '\0';
    ret_entry->value = equals + 1;
    ret_entry->value_bytes = strcspn(equals + 1, "\n");
    *at = equals + 1 + ret_entry->value_bytes;
    *at += **at == '\n';
    return true;
}

bool settings_map_put(char **text, const char *name, const char *value) {
    char *fresh = NULL;
    size_t bytes = 0;
    const char *at = *text;
    struct settings_map_entry entry;
    FILE *out = open_memstream(&fresh, &bytes);
    if (!out) {
        return false;
    }
    while (settings_map_next(&at, &entry)) {
        if (strcmp(entry.name, name) != 0) {
            fprintf(out, "%s=%.*s\n", entry.name, (int)entry.value_bytes, entry.value);
        }
    }
    fprintf(out, "%s=%s\n", name, value);
    bool good = !ferror(out);
    if (fclose(out) != 0 || !good) {
        free(fresh);
        return false;
    }
    free(*text);
    *text = fresh;
    return true;
}

bool settings_map_is_secret(const char *name) {
    static const char *const SECRETS[] = {"password", "secret", ".pem", "token", "oauthbearer.config", "jaas"};
    for (size_t i = 0; i < sizeof(SECRETS) / sizeof(SECRETS[0]); i++) {
        if (strstr(name, SECRETS[i])) {
            return true;
        }
    }
    return false;
}
