#ifndef HERALD_SETTINGS_TABLE_H
#define HERALD_SETTINGS_TABLE_H

/* The table of a program's settings: its rows, and the parts that they form. server/programs makes it. */
#include "server/settings/settings.h"

#include <stddef.h>
#include <stdint.h>

enum setting_kind { SETTING_IS_STRING, SETTING_IS_SECRET, SETTING_IS_UINT, SETTING_IS_BOOL, SETTING_IS_CHOICE };

struct setting_row {
    enum setting_kind kind;
    const char *section, *key, *doc;
    size_t offset;               /* in struct settings */
    const char *default_text;    /* of the kinds that are text */
    const char *choices;         /* "a|b|c" */
    uint32_t default_, min, max; /* of UINT and BOOL */
};

struct settings_reading;
struct settings_part {
    const char *name; /* "kafka" */
    size_t offset;    /* in struct settings */
    /** Checks rules beyond a single row, once each value by itself is good. settings_check.h has helpers. May be
     *  NULL. */
    void (*check)(struct settings_reading *reading, const void *part);
};

/** A row of the kind STRING, with an empty default, that is a map: settings_map.h. */
struct settings_map {
    const char *section, *key;
};

struct settings_table {
    size_t bytes; /* of struct settings */
    const struct setting_row *rows;
    size_t row_count;
    const struct settings_part *parts;
    size_t part_count;
    const struct settings_map *maps;
    size_t map_count;
};

#define SETTING_STRING_ROW(section_, key_, text_, doc_)                                                                \
    {.kind = SETTING_IS_STRING,                                                                                        \
     .section = #section_,                                                                                             \
     .key = #key_,                                                                                                     \
     .doc = (doc_),                                                                                                    \
     .offset = offsetof(struct settings, section_##_##key_),                                                           \
     .default_text = (text_)},
#define SETTING_SECRET_ROW(section_, key_, text_, doc_)                                                                \
    {.kind = SETTING_IS_SECRET,                                                                                        \
     .section = #section_,                                                                                             \
     .key = #key_,                                                                                                     \
     .doc = (doc_),                                                                                                    \
     .offset = offsetof(struct settings, section_##_##key_),                                                           \
     .default_text = (text_)},
#define SETTING_UINT_ROW(section_, key_, number_, min_, max_, doc_)                                                    \
    {.kind = SETTING_IS_UINT,                                                                                          \
     .section = #section_,                                                                                             \
     .key = #key_,                                                                                                     \
     .doc = (doc_),                                                                                                    \
     .offset = offsetof(struct settings, section_##_##key_),                                                           \
     .default_ = (number_),                                                                                            \
     .min = (min_),                                                                                                    \
     .max = (max_)},
#define SETTING_BOOL_ROW(section_, key_, value_, doc_)                                                                 \
    {.kind = SETTING_IS_BOOL,                                                                                          \
     .section = #section_,                                                                                             \
     .key = #key_,                                                                                                     \
     .doc = (doc_),                                                                                                    \
     .offset = offsetof(struct settings, section_##_##key_),                                                           \
     .default_ = (value_)},
#define SETTING_CHOICE_ROW(section_, key_, text_, choices_, doc_)                                                      \
    {.kind = SETTING_IS_CHOICE,                                                                                        \
     .section = #section_,                                                                                             \
     .key = #key_,                                                                                                     \
     .doc = (doc_),                                                                                                    \
     .offset = offsetof(struct settings, section_##_##key_),                                                           \
     .default_text = (text_),                                                                                          \
     .choices = (choices_)},
/** The rows of a list, as members of an array. Needs the complete struct settings. */
#define SETTINGS_ROWS(ROWS)                                                                                            \
    ROWS(SETTING_STRING_ROW, SETTING_SECRET_ROW, SETTING_UINT_ROW, SETTING_BOOL_ROW, SETTING_CHOICE_ROW)

#endif
