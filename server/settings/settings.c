#include "client/base/edit_distance.h"
#include "herald/utf8.h"
#include "server/settings/ini_file.h"
#include "server/settings/settings_private.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Reading goes over three sources, each overriding the one before: the table's defaults, the INI file, the environment.
 * Problems are collected, not stopped at, so that one run shows all of them.
 */

#define ROW_STRING(section_, key_, text_, doc_)                                                                        \
    {.kind = SETTING_IS_STRING,                                                                                        \
     .section = #section_,                                                                                             \
     .key = #key_,                                                                                                     \
     .doc = (doc_),                                                                                                    \
     .offset = offsetof(struct settings, section_##_##key_),                                                           \
     .default_text = (text_)},
#define ROW_SECRET(section_, key_, text_, doc_)                                                                        \
    {.kind = SETTING_IS_SECRET,                                                                                        \
     .section = #section_,                                                                                             \
     .key = #key_,                                                                                                     \
     .doc = (doc_),                                                                                                    \
     .offset = offsetof(struct settings, section_##_##key_),                                                           \
     .default_text = (text_)},
#define ROW_UINT(section_, key_, number_, min_, max_, doc_)                                                            \
    {.kind = SETTING_IS_UINT,                                                                                          \
     .section = #section_,                                                                                             \
     .key = #key_,                                                                                                     \
     .doc = (doc_),                                                                                                    \
     .offset = offsetof(struct settings, section_##_##key_),                                                           \
     .default_ = (number_),                                                                                            \
     .min = (min_),                                                                                                    \
     .max = (max_)},
#define ROW_BOOL(section_, key_, value_, doc_)                                                                         \
    {.kind = SETTING_IS_BOOL,                                                                                          \
     .section = #section_,                                                                                             \
     .key = #key_,                                                                                                     \
     .doc = (doc_),                                                                                                    \
     .offset = offsetof(struct settings, section_##_##key_),                                                           \
     .default_ = (value_)},
#define ROW_CHOICE(section_, key_, text_, choices_, doc_)                                                              \
    {.kind = SETTING_IS_CHOICE,                                                                                        \
     .section = #section_,                                                                                             \
     .key = #key_,                                                                                                     \
     .doc = (doc_),                                                                                                    \
     .offset = offsetof(struct settings, section_##_##key_),                                                           \
     .default_text = (text_),                                                                                          \
     .choices = (choices_)},

const struct setting_row SETTING_ROWS[] = {HERALD_SETTINGS(ROW_STRING, ROW_SECRET, ROW_UINT, ROW_BOOL, ROW_CHOICE)};
#define ROWS (sizeof(SETTING_ROWS) / sizeof(SETTING_ROWS[0]))
const size_t SETTING_COUNT = ROWS;

/* ---- rows ---- */

bool setting_is_text(const struct setting_row *row) {
    return row->kind == SETTING_IS_STRING || row->kind == SETTING_IS_SECRET || row->kind == SETTING_IS_CHOICE;
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

static const struct setting_row *row_find(const char *section, const char *key) {
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(SETTING_ROWS[i].section, section) == 0 && strcmp(SETTING_ROWS[i].key, key) == 0) {
            return &SETTING_ROWS[i];
        }
    }
    return NULL;
}

static bool section_exists(const char *section) {
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(SETTING_ROWS[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}

/* "HERALD_<SECTION>_" */
static void env_prefix(const char *section, char *ret_prefix, size_t prefix_bytes) {
    (void)snprintf(ret_prefix, prefix_bytes, "HERALD_%s_", section);
    for (char *c = ret_prefix; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
}

void setting_env_name(const struct setting_row *row, char ret_name[SETTING_ENV_NAME_BYTES]) {
    env_prefix(row->section, ret_name, SETTING_ENV_NAME_BYTES);
    size_t length = strlen(ret_name);
    (void)snprintf(ret_name + length, SETTING_ENV_NAME_BYTES - length, "%s", row->key);
    for (char *c = ret_name + length; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
}

/* ---- problems ---- */

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

/* The path as messages show it: its end, when it is long. */
static const char *short_path(const struct settings_reading *reading) {
    enum { SHOWN_BYTES = 64 };
    size_t length = strlen(reading->path);
    return length <= SHOWN_BYTES ? reading->path : reading->path + length - SHOWN_BYTES;
}

void settings_origin(const struct settings_reading *reading, const struct setting_row *row, char *ret_text,
                     size_t text_bytes) {
    int origin = reading->origins[row - SETTING_ROWS];
    char name[SETTING_ENV_NAME_BYTES];
    setting_env_name(row, name);
    if (origin < 0) {
        (void)snprintf(ret_text, text_bytes, "%s", name);
    } else if (origin == 0) {
        (void)snprintf(ret_text, text_bytes, "the default of [%s] %s", row->section, row->key);
    } else {
        (void)snprintf(ret_text, text_bytes, "%s:%d: [%s] %s", short_path(reading), origin, row->section, row->key);
    }
}

static void bad_value(struct settings_reading *reading, const struct setting_row *row, const char *value,
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
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (isdigit((unsigned char)*value) && *end == '\0' && errno == 0 && number >= row->min && number <= row->max) {
        *setting_uint(row, reading->settings) = (uint32_t)number;
        return;
    }
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "a whole number from %u to %u", row->min, row->max);
    bad_value(reading, row, value, expected);
}

static void set_bool(struct settings_reading *reading, const struct setting_row *row, const char *value) {
    static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i][0]) == 0 || strcmp(value, words[i][1]) == 0) {
            *setting_bool(row, reading->settings) = strcmp(value, words[i][1]) == 0;
            return;
        }
    }
    bad_value(reading, row, value, "true or false");
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
        bad_value(reading, row, value, expected);
        return;
    }
    if (!is_clean_text(value)) {
        bad_value(reading, row, "(not shown)", "UTF-8 without control characters");
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
    reading->origins[row - SETTING_ROWS] = origin;
    if (row->kind == SETTING_IS_UINT) {
        set_uint(reading, row, value);
    } else if (row->kind == SETTING_IS_BOOL) {
        set_bool(reading, row, value);
    } else {
        set_text(reading, row, value);
    }
}

static void read_defaults(struct settings_reading *reading) {
    for (size_t i = 0; i < ROWS; i++) {
        const struct setting_row *row = &SETTING_ROWS[i];
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

/* The name in the table that is most like an unknown one; NULL if none is near. @section  NULL: among the sections. */
static const char *similar_name(const char *section, const char *name) {
    const char *best = NULL;
    unsigned best_distance = 3;
    for (size_t i = 0; i < ROWS; i++) {
        const struct setting_row *row = &SETTING_ROWS[i];
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

/* ": did you mean …?", or nothing. */
static const char *suggestion(const char *section, const char *name, char *buffer, size_t buffer_bytes) {
    const char *similar = similar_name(section, name);
    buffer[0] = '\0';
    if (similar != NULL) {
        (void)snprintf(buffer, buffer_bytes, ": did you mean \"%s\"?", similar);
    }
    return buffer;
}

static void on_section(void *user, int line, const char *section) {
    struct settings_reading *reading = user;
    char hint[64];
    if (!section_exists(section)) {
        settings_problem(reading, NULL, HERALD_REASON_UNKNOWN_SECTION, "%s:%d: [%s] is no section%s",
                         short_path(reading), line, section, suggestion(NULL, section, hint, sizeof(hint)));
    }
}

static void on_problem(void *user, int line, enum herald_reason reason, const char *text) {
    struct settings_reading *reading = user;
    settings_problem(reading, NULL, reason, "%s:%d: %s%s", short_path(reading), line, text,
                     reason == HERALD_REASON_LINE_TOO_LONG ? ": set it by its environment variable instead" : "");
}

static void on_key(void *user, int line, const char *section, const char *key, const char *value) {
    struct settings_reading *reading = user;
    if (section[0] == '\0') {
        settings_problem(reading, NULL, HERALD_REASON_NO_SECTION, "%s:%d: \"%s\" stands before any [section]",
                         short_path(reading), line, key);
        return;
    }
    if (!section_exists(section)) {
        return; /* reported with its line */
    }
    const struct setting_row *row = row_find(section, key);
    if (row == NULL) {
        char hint[64];
        settings_problem(reading, NULL, HERALD_REASON_UNKNOWN_KEY, "%s:%d: [%s] %s is no setting%s",
                         short_path(reading), line, section, key, suggestion(section, key, hint, sizeof(hint)));
        return;
    }
    int earlier = reading->origins[row - SETTING_ROWS];
    if (earlier > 0) {
        settings_problem(reading, row, HERALD_REASON_DUPLICATE_KEY, "%s:%d: [%s] %s was set before, in line %d",
                         short_path(reading), line, section, key, earlier);
    } else {
        set_value(reading, row, value, line);
    }
}

static void read_file(struct settings_reading *reading) {
    FILE *file = fopen(reading->path, "re");
    if (file == NULL) {
        settings_problem(reading, NULL, HERALD_REASON_UNREADABLE, "%s: cannot be opened: %s", short_path(reading),
                         strerror(errno));
        return;
    }
    const struct ini_handler handler = {
        .user = reading, .on_section = on_section, .on_key = on_key, .on_problem = on_problem};
    if (!ini_file_read(file, &handler)) {
        settings_problem(reading, NULL, HERALD_REASON_UNREADABLE, "%s: cannot be read: %s", short_path(reading),
                         strerror(errno));
    }
    (void)fclose(file);
}

/* ---- the environment ---- */

static const struct setting_row *row_of_env(const char *name, size_t name_length) {
    for (size_t i = 0; i < ROWS; i++) {
        char row_name[SETTING_ENV_NAME_BYTES];
        setting_env_name(&SETTING_ROWS[i], row_name);
        if (strlen(row_name) == name_length && memcmp(row_name, name, name_length) == 0) {
            return &SETTING_ROWS[i];
        }
    }
    return NULL;
}

/* The section whose variables begin like @name; NULL: it is none of the settings' variables. */
static const char *section_of_env(const char *name) {
    for (size_t i = 0; i < ROWS; i++) {
        char prefix[SETTING_ENV_NAME_BYTES];
        env_prefix(SETTING_ROWS[i].section, prefix, sizeof(prefix));
        if (strncmp(name, prefix, strlen(prefix)) == 0) {
            return SETTING_ROWS[i].section;
        }
    }
    return NULL;
}

static void read_variable(struct settings_reading *reading, const char *variable) {
    const char *equals = strchr(variable, '=');
    if (equals == NULL || strncmp(variable, "HERALD_", 7) != 0) {
        return;
    }
    const struct setting_row *row = row_of_env(variable, (size_t)(equals - variable));
    if (row != NULL) {
        set_value(reading, row, equals + 1, -1);
        return;
    }
    const char *section = section_of_env(variable);
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

enum herald_code settings_load(struct settings *settings, const char *path, struct herald_error *reterr) {
    struct herald_error found = {0};
    int origins[ROWS] = {0};
    struct settings_reading reading = {.settings = settings, .path = path, .origins = origins, .found = &found};
    memset(settings, 0, sizeof(*settings));
    read_defaults(&reading);
    if (path != NULL) {
        read_file(&reading);
    }
    read_environment(&reading);
    if (reading.problem_count == 0 && !reading.no_memory) {
        settings_check(&reading);
    }
    if (reading.problem_count == 0 && !reading.no_memory) {
        return HERALD_OK;
    }
    settings_fini(settings);
    if (reading.no_memory) {
        return herald_error_no_memory(reterr, "the settings");
    }
    enum herald_code code =
        herald_error_set(reterr, HERALD_REASON_BAD_SETTINGS, "%u problem%s in the settings; the first: %s",
                         reading.problem_count, reading.problem_count == 1 ? "" : "s", found.details[0].message);
    herald_error_add_details(reterr, &found);
    return code;
}

void settings_fini(struct settings *settings) {
    for (size_t i = 0; i < ROWS; i++) {
        if (setting_is_text(&SETTING_ROWS[i])) {
            free(*setting_text(&SETTING_ROWS[i], settings));
        }
    }
    memset(settings, 0, sizeof(*settings));
}
