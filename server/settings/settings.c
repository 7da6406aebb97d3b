/*
 * Settings come from three sources, each overriding the one before: the table's defaults, the INI file, the
 * environment. Reading collects all problems instead of stopping at the first, so that one run shows all of them.
 */
#include "client/base/edit_distance.h"
#include "herald/utf8.h"
#include "server/settings/ini_file.h"
#include "server/settings/settings_private.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS_MAX 256

/* ---- rows ---- */

static const struct setting_row *row_find(const struct settings_table *table, const char *section, const char *key) {
    for (size_t i = 0; i < table->row_count; i++) {
        if (strcmp(table->rows[i].section, section) == 0 && strcmp(table->rows[i].key, key) == 0) {
            return &table->rows[i];
        }
    }
    return NULL;
}

static bool section_exists(const struct settings_table *table, const char *section) {
    for (size_t i = 0; i < table->row_count; i++) {
        if (strcmp(table->rows[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}

static void bad_setting_value(struct settings_reading *reading, const struct setting_row *row, const char *value,
                              const char *expected) {
    char origin[192];
    settings_origin(reading, row, origin, sizeof(origin));
    bool hidden = row->kind == SETTING_IS_SECRET;
    settings_problem(reading, row, HERALD_REASON_BAD_VALUE, "%s = %.40s%s: must be %s", origin, hidden ? "****" : value,
                     !hidden && strlen(value) > 40 ? "…" : "", expected);
}

/* ---- values ---- */

static void set_uint(struct settings_reading *reading, const struct setting_row *row, const char *value) {
    char *end = NULL;
    bool or_auto = row->min == SETTING_OR_AUTO;
    uint32_t min = or_auto ? 1 : row->min;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (isdigit((unsigned char)*value) && *end == '\0' && errno == 0 && number >= min && number <= row->max) {
        *setting_uint(row, reading->settings) = (uint32_t)number;
        return;
    }
    if (or_auto && strcmp(value, "auto") == 0) {
        *setting_uint(row, reading->settings) = 0;
        return;
    }
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "a whole number from %u to %u%s", min, row->max,
                   or_auto ? ", or auto" : "");
    bad_setting_value(reading, row, value, expected);
}

static void set_bool(struct settings_reading *reading, const struct setting_row *row, const char *value) {
    static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i][0]) == 0 || strcmp(value, words[i][1]) == 0) {
            *setting_bool(row, reading->settings) = strcmp(value, words[i][1]) == 0;
            return;
        }
    }
    bad_setting_value(reading, row, value, "true or false");
}

static bool is_choice(const char *choices, const char *value) {
    size_t length = strlen(value);
    for (const char *choice = choices; choice != NULL;) {
        const char *end = strchr(choice, '|');
        size_t choice_length = end != NULL ? (size_t)(end - choice) : strlen(choice);
        if (choice_length == length && memcmp(choice, value, length) == 0) {
            return true;
        }
        choice = end != NULL ? end + 1 : NULL;
    }
    return false;
}

static bool is_clean_text(const char *value) {
    for (const char *c = value; *c != '\0'; c++) {
        if (iscntrl((unsigned char)*c)) {
            return false;
        }
    }
    return herald_utf8_valid(value, strlen(value), NULL);
}

static void set_text(struct settings_reading *reading, const struct setting_row *row, const char *value) {
    if (row->kind == SETTING_IS_CHOICE && !is_choice(row->choices, value)) {
        char expected[96];
        (void)snprintf(expected, sizeof(expected), "one of %s", row->choices);
        bad_setting_value(reading, row, value, expected);
        return;
    }
    if (!is_clean_text(value)) {
        bad_setting_value(reading, row, "(not shown)", "UTF-8 without control characters");
        return;
    }
    char *copy = strdup(value);
    if (copy == NULL) {
        reading->no_memory = true;
        return;
    }
    free(*setting_text(row, reading->settings));
    *setting_text(row, reading->settings) = copy;
}

/* @origin  a line of the file, or -1: the environment */
static void set_value(struct settings_reading *reading, const struct setting_row *row, const char *value, int origin) {
    reading->origins[row - reading->table->rows] = origin;
    if (row->kind == SETTING_IS_UINT) {
        set_uint(reading, row, value);
    } else if (row->kind == SETTING_IS_BOOL) {
        set_bool(reading, row, value);
    } else {
        set_text(reading, row, value);
    }
}

/* ---- maps ---- */

/* The map of a key "property.NAME". @ret_name  NAME. NULL: it is of no map */
static const struct setting_row *map_find(const struct settings_table *table, const char *section, const char *key,
                                          const char **ret_name) {
    for (size_t i = 0; i < table->map_count; i++) {
        const struct settings_map *map = &table->maps[i];
        size_t length = strlen(map->key);
        if (strcmp(map->section, section) == 0 && strncmp(key, map->key, length) == 0 && key[length] == '.' &&
            key[length + 1] != '\0') {
            *ret_name = key + length + 1;
            return row_find(table, map->section, map->key);
        }
    }
    return NULL;
}

static struct settings_map_origin *map_entry_of(struct settings_reading *reading, const struct setting_row *row,
                                                const char *name) {
    for (size_t i = 0; i < reading->map_origin_count; i++) {
        if (reading->map_origins[i].row == row && strcmp(reading->map_origins[i].name, name) == 0) {
            return &reading->map_origins[i];
        }
    }
    return NULL;
}

/* Sets an entry. @origin  as set_value(); a line that sets a name again is refused */
static void set_entry(struct settings_reading *reading, const struct setting_row *row, const char *name,
                      const char *value, int origin) {
    struct settings_map_origin *entry = map_entry_of(reading, row, name);
    if (entry && origin > 0) {
        settings_problem(reading, row, HERALD_REASON_DUPLICATE_KEY, "%s:%d: [%s] %s.%s was set before, in line %d",
                         settings_short_path(reading), origin, row->section, row->key, name, entry->origin);
        return;
    }
    if (strlen(name) >= SETTINGS_MAP_NAME_BYTES || (!entry && reading->map_origin_count == SETTINGS_MAP_ENTRIES_MAX) ||
        !is_clean_text(name) || !is_clean_text(value)) {
        settings_problem(reading, row, HERALD_REASON_BAD_VALUE,
                         "%s:%d: [%s] %s.%.40s: too long, one too many, or no UTF-8 without control characters",
                         origin > 0 ? settings_short_path(reading) : "environment", origin > 0 ? origin : 0,
                         row->section, row->key, name);
        return;
    }
    if (!entry) {
        entry = &reading->map_origins[reading->map_origin_count++];
        entry->row = row;
        (void)snprintf(entry->name, sizeof(entry->name), "%s", name);
    }
    entry->origin = origin;
    if (!settings_map_put(setting_text(row, reading->settings), name, value)) {
        reading->no_memory = true;
    }
}

static void read_defaults(struct settings_reading *reading) {
    for (size_t i = 0; i < reading->table->row_count; i++) {
        const struct setting_row *row = &reading->table->rows[i];
        if (row->kind == SETTING_IS_UINT) {
            *setting_uint(row, reading->settings) = row->default_;
        } else if (row->kind == SETTING_IS_BOOL) {
            *setting_bool(row, reading->settings) = row->default_ != 0;
        } else {
            set_value(reading, row, row->default_text, 0);
        }
    }
}

/* ---- the file ---- */

/* The name in the table most similar to an unknown one; NULL if none is. @section  NULL: searches the sections. */
static const char *similar_name(const struct settings_table *table, const char *section, const char *name) {
    const char *best = NULL;
    unsigned best_distance = 3;
    for (size_t i = 0; i < table->row_count; i++) {
        const struct setting_row *row = &table->rows[i];
        if (section != NULL && strcmp(row->section, section) != 0) {
            continue;
        }
        const char *candidate = section != NULL ? row->key : row->section;
        unsigned distance = herald_edit_distance(name, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

/* ": did you mean …?", or an empty text. */
static const char *suggestion(const struct settings_table *table, const char *section, const char *name, char *buffer,
                              size_t buffer_bytes) {
    const char *similar = similar_name(table, section, name);
    buffer[0] = '\0';
    if (similar != NULL) {
        (void)snprintf(buffer, buffer_bytes, ": did you mean \"%s\"?", similar);
    }
    return buffer;
}

static void on_settings_section(void *user, int line, const char *section) {
    struct settings_reading *reading = user;
    char hint[64];
    if (!section_exists(reading->table, section)) {
        settings_problem(reading, NULL, HERALD_REASON_UNKNOWN_SECTION, "%s:%d: [%s] is no section%s",
                         settings_short_path(reading), line, section,
                         suggestion(reading->table, NULL, section, hint, sizeof(hint)));
    }
}

static void on_settings_problem(void *user, int line, enum herald_reason reason, const char *text) {
    struct settings_reading *reading = user;
    settings_problem(reading, NULL, reason, "%s:%d: %s%s", settings_short_path(reading), line, text,
                     reason == HERALD_REASON_LINE_TOO_LONG ? ": set it by its environment variable instead" : "");
}

static void on_settings_key(void *user, int line, const char *section, const char *key, const char *value) {
    struct settings_reading *reading = user;
    if (section[0] == '\0') {
        settings_problem(reading, NULL, HERALD_REASON_NO_SECTION, "%s:%d: \"%s\" stands before any [section]",
                         settings_short_path(reading), line, key);
        return;
    }
    if (!section_exists(reading->table, section)) {
        return; /* reported with its line */
    }
    const char *name = NULL;
    const struct setting_row *row = map_find(reading->table, section, key, &name);
    if (row != NULL) {
        set_entry(reading, row, name, value, line);
        return;
    }
    row = row_find(reading->table, section, key);
    if (row != NULL && setting_is_map(reading->table, row)) {
        settings_problem(reading, row, HERALD_REASON_UNKNOWN_KEY, "%s:%d: [%s] %s takes a name: %s.NAME",
                         settings_short_path(reading), line, section, key, key);
        return;
    }
    if (row == NULL) {
        char hint[64];
        settings_problem(reading, NULL, HERALD_REASON_UNKNOWN_KEY, "%s:%d: [%s] %s is no setting%s",
                         settings_short_path(reading), line, section, key,
                         suggestion(reading->table, section, key, hint, sizeof(hint)));
        return;
    }
    int earlier = reading->origins[row - reading->table->rows];
    if (earlier > 0) {
        settings_problem(reading, row, HERALD_REASON_DUPLICATE_KEY, "%s:%d: [%s] %s was set before, in line %d",
                         settings_short_path(reading), line, section, key, earlier);
    } else {
        set_value(reading, row, value, line);
    }
}

static void read_settings_file(struct settings_reading *reading) {
    FILE *file = fopen(reading->path, "re");
    if (file == NULL) {
        settings_problem(reading, NULL, HERALD_REASON_UNREADABLE, "%s: cannot be opened: %s",
                         settings_short_path(reading), strerror(errno));
        return;
    }
    const struct ini_handler handler = {.user = reading,
                                        .on_section = on_settings_section,
                                        .on_key = on_settings_key,
                                        .on_problem = on_settings_problem};
    if (!ini_file_read(file, &handler)) {
        settings_problem(reading, NULL, HERALD_REASON_UNREADABLE, "%s: cannot be read: %s",
                         settings_short_path(reading), strerror(errno));
    }
    (void)fclose(file);
}

/* ---- the environment ---- */

static const struct setting_row *row_of_env(const struct settings_table *table, const char *name, size_t name_length) {
    for (size_t i = 0; i < table->row_count; i++) {
        char row_name[SETTING_ENV_NAME_BYTES];
        setting_env_name(&table->rows[i], row_name);
        if (strlen(row_name) == name_length && memcmp(row_name, name, name_length) == 0) {
            return &table->rows[i];
        }
    }
    return NULL;
}

/* The section whose prefix an environment variable has; NULL: the variable is not a setting. */
static const char *section_of_env(const struct settings_table *table, const char *name) {
    assert(table->rows != NULL);
    for (size_t i = 0; i < table->row_count; i++) {
        char prefix[SETTING_ENV_NAME_BYTES];
        setting_env_prefix(table->rows[i].section, prefix, sizeof(prefix));
        if (strncmp(name, prefix, strlen(prefix)) == 0) {
            return table->rows[i].section;
        }
    }
    return NULL;
}

bool setting_env_is_known(const struct settings_table *table, const char *name) {
    return row_of_env(table, name, strlen(name)) != NULL || section_of_env(table, name) != NULL;
}

/* A variable of a map, HERALD_KAFKA_PROPERTY_SASL_PASSWORD. Returns: whether it is one. */
static bool read_map_variable(struct settings_reading *reading, const char *variable, const char *equals) {
    for (size_t i = 0; i < reading->table->map_count; i++) {
        const struct settings_map *map = &reading->table->maps[i];
        const struct setting_row *row = row_find(reading->table, map->section, map->key);
        char prefix[SETTING_ENV_NAME_BYTES], name[SETTINGS_MAP_NAME_BYTES + 1];
        setting_env_name(row, prefix);
        size_t length = strlen(prefix), used = 0;
        if (strncmp(variable, prefix, length) != 0 || variable[length] != '_' || variable + length + 1 >= equals) {
            continue;
        }
        for (const char *c = variable + length + 1; c < equals && used + 1 < sizeof(name); c++) {
            name[used++] = *c == '_' ? '.' : (char)tolower((unsigned char)*c);
        }
        name[used] = '\0';
        set_entry(reading, row, name, equals + 1, -1);
        return true;
    }
    return false;
}

static void read_variable(struct settings_reading *reading, const char *variable) {
    const char *equals = strchr(variable, '=');
    if (equals == NULL || strncmp(variable, "HERALD_", 7) != 0) {
        return;
    }
    const struct setting_row *row = row_of_env(reading->table, variable, (size_t)(equals - variable));
    if (read_map_variable(reading, variable, equals)) {
        return;
    }
    if (row != NULL && !setting_is_map(reading->table, row)) {
        set_value(reading, row, equals + 1, -1);
        return;
    }
    const char *section = section_of_env(reading->table, variable);
    if (section != NULL) {
        settings_problem(reading, NULL, HERALD_REASON_UNKNOWN_VARIABLE, "environment: %.*s is no setting of [%s]",
                         (int)(equals - variable > 64 ? 64 : equals - variable), variable, section);
    }
}

static void read_environment(struct settings_reading *reading) {
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
        read_variable(reading, *variable);
    }
}

/* ---- all of it ---- */

static void check_parts(struct settings_reading *reading) {
    for (size_t i = 0; i < reading->table->part_count; i++) {
        const struct settings_part *part = &reading->table->parts[i];
        if (part->check != NULL) {
            part->check(reading, (const char *)reading->settings + part->offset);
        }
    }
}

static enum herald_code report_settings_problems(const struct settings_reading *reading, struct herald_error *reterr) {
    const struct herald_error *found = reading->found;
    enum herald_code code =
        herald_error_set(reterr, HERALD_REASON_BAD_SETTINGS, "%u problem%s in the settings; the first: %s",
                         reading->problem_count, reading->problem_count == 1 ? "" : "s", found->details[0].message);
    for (uint32_t i = 0; i < found->detail_count; i++) {
        herald_error_add_detail(reterr, found->details[i].field, herald_reason_find(found->details[i].reason), "%s",
                                found->details[i].message);
    }
    return code;
}

enum herald_code settings_read(const struct settings_table *table, struct settings *settings, const char *path,
                               struct herald_error *reterr) {
    struct herald_error found = {0};
    int origins[ROWS_MAX] = {0};
    struct settings_map_origin map_origins[SETTINGS_MAP_ENTRIES_MAX];
    struct settings_reading reading = {.table = table,
                                       .settings = settings,
                                       .path = path,
                                       .origins = origins,
                                       .map_origins = map_origins,
                                       .found = &found};
    assert(table->row_count <= ROWS_MAX);
    memset(settings, 0, table->bytes);
    ((struct settings_head *)(void *)settings)->table = table;
    read_defaults(&reading);
    if (path != NULL) {
        read_settings_file(&reading);
    }
    read_environment(&reading);
    if (reading.problem_count == 0 && !reading.no_memory) {
        check_parts(&reading);
    }
    if (reading.problem_count == 0 && !reading.no_memory) {
        reading.no_memory = !settings_keep_origins(&reading);
    }
    if (reading.problem_count == 0 && !reading.no_memory) {
        return HERALD_OK;
    }
    settings_fini(settings);
    return reading.no_memory ? herald_error_no_memory(reterr, "the settings")
                             : report_settings_problems(&reading, reterr);
}

void settings_fini(struct settings *settings) {
    const struct settings_table *table = settings_table_of(settings);
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->row_count; i++) {
        if (setting_is_text(&table->rows[i])) {
            free(*setting_text(&table->rows[i], settings));
        }
    }
    free(((struct settings_head *)(void *)settings)->origins);
    memset(settings, 0, table->bytes);
}

static bool row_differs(const struct setting_row *row, const struct settings *one, const struct settings *other) {
    if (row->kind == SETTING_IS_UINT) {
        return *setting_uint(row, one) != *setting_uint(row, other);
    }
    if (row->kind == SETTING_IS_BOOL) {
        return *setting_bool(row, one) != *setting_bool(row, other);
    }
    return strcmp(*setting_text(row, one), *setting_text(row, other)) != 0;
}

unsigned settings_count_changes(const struct settings *before, const struct settings *now) {
    const struct settings_table *table = settings_table_of(before);
    unsigned count = 0;
    for (size_t i = 0; i < table->row_count; i++) {
        count += row_differs(&table->rows[i], before, now);
    }
    return count;
}

const void *settings_part(const struct settings *settings, const char *name) {
    const struct settings_table *table = settings_table_of(settings);
    size_t i = 0;
    while (i < table->part_count && strcmp(table->parts[i].name, name) != 0) {
        i++;
    }
    assert(i < table->part_count);
    return (const char *)settings + table->parts[i].offset;
}
