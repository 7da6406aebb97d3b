#ifndef HERALD_SETTINGS_SETTINGS_PRIVATE_H
#define HERALD_SETTINGS_SETTINGS_PRIVATE_H

/* Shared by the files of server/settings. */
#include "herald/reason.h"
#include "server/settings/config_problems.h"
#include "server/settings/settings.h"
#include "server/settings/settings_map.h"
#include "server/settings/table.h"

#include <stdbool.h>

/** The table of the settings; NULL when they are empty. */
static inline const struct settings_table *settings_table_of(const struct settings *settings) {
    return ((const struct settings_head *)(const void *)settings)->table;
}

#define SETTING_ENV_NAME_BYTES 96
/** "HERALD_PG_" */
void setting_env_prefix(const char *section, char *ret_prefix, size_t prefix_bytes);
/** "HERALD_PG_DSN". */
void setting_env_name(const struct setting_row *row, char ret_name[SETTING_ENV_NAME_BYTES]);

/** True when a variable is one of the settings, or begins as those of a section do. */
bool setting_env_is_known(const struct settings_table *table, const char *name);

/** True for the kinds that are text: STRING, SECRET, CHOICE. */
bool setting_is_text(const struct setting_row *row);
/** The value of a row, in the settings; each function only for rows of its kind. */
char **setting_text(const struct setting_row *row, const struct settings *settings);
uint32_t *setting_uint(const struct setting_row *row, const struct settings *settings);
bool *setting_bool(const struct setting_row *row, const struct settings *settings);

/** Whether a row is a map (settings_map.h). */
bool setting_is_map(const struct settings_table *table, const struct setting_row *row);

#define SETTINGS_MAP_ENTRIES_MAX 128
/** Where an entry of a map was set. */
struct settings_map_origin {
    const struct setting_row *row;
    char name[SETTINGS_MAP_NAME_BYTES];
    int origin; /* the file's line; -1: the environment */
};

/** One reading of the settings: the target, where each value was set, and the problems. */
struct settings_reading {
    const struct settings_table *table;
    struct settings *settings;
    const char *path;
    int *origins;                            /* for each row: the file's line; 0: the default; -1: the environment */
    struct settings_map_origin *map_origins; /* SETTINGS_MAP_ENTRIES_MAX */
    size_t map_origin_count;
    struct herald_error *found;
    unsigned problem_count;
    bool no_memory;
};

/** Keeps where each value was set, for settings_config_problem(). Returns: false: no memory */
bool settings_keep_origins(const struct settings_reading *reading);
/** The path as messages show it: a long one is cut at its beginning. */
const char *settings_short_path(const struct settings_reading *reading);
/** Reports a problem. @row  NULL: of no known key. The text begins with the place: "herald.ini:7: …". */
void settings_problem(struct settings_reading *reading, const struct setting_row *row, enum herald_reason reason,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
/** As settings_origin(), of an entry of a map. */
void settings_map_origin(const struct settings_reading *reading, const struct setting_row *row, const char *name,
                         char *ret_text, size_t text_bytes);
/** The place where a row's value was set, for messages: "herald.ini:7: [pg] dsn", "HERALD_PG_DSN", "the default of [pg]
 *  dsn". */
void settings_origin(const struct settings_reading *reading, const struct setting_row *row, char *ret_text,
                     size_t text_bytes);

#endif
