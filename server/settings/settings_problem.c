#include "server/settings/settings_private.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void settings_problem(struct settings_reading *reading, const struct setting_row *row, enum herald_reason reason,
                      const char *format, ...) {
    char text[192], field[128] = "";
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (row != NULL) {
        (void)snprintf(field, sizeof(field), "%s.%s", row->section, row->key);
    }
    herald_error_add_detail(reading->found, field, reason, "%s", text);
    reading->problem_count++;
}

const char *settings_short_path(const struct settings_reading *reading) {
    enum { SHOWN_BYTES = 64 };
    size_t length = strlen(reading->path);
    return length <= SHOWN_BYTES ? reading->path : reading->path + length - SHOWN_BYTES;
}

void settings_map_origin(const struct settings_reading *reading, const struct setting_row *row, const char *name,
                         char *ret_text, size_t text_bytes) {
    for (size_t i = 0; i < reading->map_origin_count; i++) {
        const struct settings_map_origin *set = &reading->map_origins[i];
        if (set->row != row || strcmp(set->name, name) != 0) {
            continue;
        }
        if (set->origin > 0) {
            (void)snprintf(ret_text, text_bytes, "%s:%d: [%s] %s.%s", settings_short_path(reading), set->origin,
                           row->section, row->key, name);
            return;
        }
    }
    char variable[SETTING_ENV_NAME_BYTES];
    setting_env_name(row, variable);
    (void)snprintf(ret_text, text_bytes, "%s_%s", variable, name);
    for (char *c = ret_text; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
}

void settings_origin(const struct settings_reading *reading, const struct setting_row *row, char *ret_text,
                     size_t text_bytes) {
    int origin = reading->origins[row - reading->table->rows];
    char name[SETTING_ENV_NAME_BYTES];
    setting_env_name(row, name);
    if (origin < 0) {
        (void)snprintf(ret_text, text_bytes, "%s", name);
    } else if (origin == 0) {
        (void)snprintf(ret_text, text_bytes, "the default of [%s] %s", row->section, row->key);
    } else {
        (void)snprintf(ret_text, text_bytes, "%s:%d: [%s] %s", settings_short_path(reading), origin, row->section,
                       row->key);
    }
}

/* ---- after the reading ---- */

struct settings_origins {
    char path[72]; /* as messages show it */
    int lines[];   /* as settings_reading.origins */
};

bool settings_keep_origins(const struct settings_reading *reading) {
    struct settings_head *head = (struct settings_head *)(void *)reading->settings;
    size_t bytes = reading->table->row_count * sizeof(*reading->origins);
    head->origins = malloc(sizeof(*head->origins) + bytes);
    if (!head->origins) {
        return false;
    }
    (void)snprintf(head->origins->path, sizeof(head->origins->path), "%s",
                   reading->path ? settings_short_path(reading) : "");
    memcpy(head->origins->lines, reading->origins, bytes);
    return true;
}

static const struct setting_row *row_of_member(const struct settings *settings, const void *member) {
    const struct settings_table *table = settings_table_of(settings);
    for (size_t i = 0; i < table->row_count; i++) {
        const struct setting_row *row = &table->rows[i];
        if ((const char *)settings + row->offset == (const char *)member ||
            (setting_is_text(row) && *setting_text(row, settings) == (const char *)member)) {
            return row;
        }
    }
    return NULL;
}

void settings_config_problem(const struct settings *settings, const void *member, enum herald_code code,
                             const struct herald_error *error, struct config_problems *problems) {
    struct settings_origins *origins = ((const struct settings_head *)(const void *)settings)->origins;
    const struct setting_row *row = code != HERALD_OK && origins ? row_of_member(settings, member) : NULL;
    if (!row) {
        config_problem(problems, code, error);
        return;
    }
    const struct settings_reading reading = {
        .table = settings_table_of(settings), .path = origins->path, .origins = origins->lines};
    struct herald_error placed = *error;
    char place[192];
    settings_origin(&reading, row, place, sizeof(place));
    if (strlen(place) + 2 + strlen(error->message) < sizeof(placed.message)) { /* else the cure would be cut */
        int length = snprintf(placed.message, sizeof(placed.message), "%s: ", place);
        memcpy(placed.message + length, error->message, strlen(error->message) + 1);
    }
    config_problem(problems, code, &placed);
}
