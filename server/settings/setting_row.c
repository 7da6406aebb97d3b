#include "server/settings/settings_private.h"

#include <ctype.h>
#include <string.h>

bool setting_is_text(const struct setting_row *row) {
    return row->kind == SETTING_IS_STRING || row->kind == SETTING_IS_SECRET || row->kind == SETTING_IS_CHOICE;
}

bool setting_is_map(const struct settings_table *table, const struct setting_row *row) {
    for (size_t i = 0; i < table->map_count; i++) {
        if (strcmp(table->maps[i].section, row->section) == 0 && strcmp(table->maps[i].key, row->key) == 0) {
            return true;
        }
    }
    return false;
}

char **setting_text(const struct setting_row *row, const struct settings *settings) {
    return (char **)((char *)(uintptr_t)settings + row->offset);
}

uint32_t *setting_uint(const struct setting_row *row, const struct settings *settings) {
    return (uint32_t *)((char *)(uintptr_t)settings + row->offset);
}

bool *setting_bool(const struct setting_row *row, const struct settings *settings) {
    return (bool *)((char *)(uintptr_t)settings + row->offset);
}

void setting_env_prefix(const char *section, char *ret_prefix, size_t prefix_bytes) {
    (void)snprintf(ret_prefix, prefix_bytes, "HERALD_%s_", section);
    for (char *c = ret_prefix; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
}

void setting_env_name(const struct setting_row *row, char ret_name[SETTING_ENV_NAME_BYTES]) {
    setting_env_prefix(row->section, ret_name, SETTING_ENV_NAME_BYTES);
    size_t length = strlen(ret_name);
    (void)snprintf(ret_name + length, SETTING_ENV_NAME_BYTES - length, "%s", row->key);
    for (char *c = ret_name + length; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
}
