#ifndef HERALD_SETTINGS_SETTINGS_PRIVATE_H
#define HERALD_SETTINGS_SETTINGS_PRIVATE_H

#include "server/settings/settings.h"

#include <stddef.h>

/* What settings.c and settings_check.c share. */

enum setting_kind { SETTING_IS_STRING, SETTING_IS_SECRET, SETTING_IS_UINT, SETTING_IS_BOOL, SETTING_IS_CHOICE };

struct setting_row {
    enum setting_kind kind;
    const char *section, *key, *doc;
    size_t offset;               /* in struct settings */
    const char *default_text;    /* of the kinds that are text */
    const char *choices;         /* "a|b|c" */
    uint32_t default_, min, max; /* of UINT and BOOL */
};

extern const struct setting_row SETTING_ROWS[];
extern const size_t SETTING_COUNT;

#define SETTING_ENV_NAME_BYTES 96
/** "HERALD_PG_DSN". */
void setting_env_name(const struct setting_row *row, char ret_name[SETTING_ENV_NAME_BYTES]);

/* One reading of the settings: what is read, from where, and what is wrong with it. */
struct settings_reading {
    struct settings *settings;
    const char *path;
    int *origins; /* for each row: the file's line; 0: the default; -1: the environment */
    struct herald_error *found;
    unsigned problem_count;
    bool no_memory;
};

/** Notes a problem. @row  NULL: of no known key. The text begins with its place: "herald.ini:7: …". */
void settings_problem(struct settings_reading *reading, const struct setting_row *row, enum herald_reason reason,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
/** Where a row's value comes from, for messages: "herald.ini:7: [pg] dsn", "HERALD_PG_DSN", "the default of [pg] dsn".
 */
void settings_origin(const struct settings_reading *reading, const struct setting_row *row, char *ret_text,
                     size_t text_bytes);

/** Checks what one row alone cannot tell: shapes of URLs, names and lists, and rules between keys. */
void settings_check(struct settings_reading *reading);

/** Where a row's value lies; of the row's kind only. */
bool setting_is_text(const struct setting_row *row);
char **setting_text(const struct setting_row *row, const struct settings *settings);
uint32_t *setting_uint(const struct setting_row *row, const struct settings *settings);
bool *setting_bool(const struct setting_row *row, const struct settings *settings);

#endif
