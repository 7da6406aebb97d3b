#ifndef HERALD_SETTINGS_PART_H
#define HERALD_SETTINGS_PART_H

/*
 * A room declares its settings as a part: a list of rows, and SETTINGS_PART() of it. server/programs joins the
 * parts of all rooms.
 *
 * STRING(section, key, default, doc)  SECRET(section, key, default, doc): masked when printed
 * UINT(section, key, default, min, max, doc)  BOOL(section, key, default, doc)
 * UINT(section, key, default, SETTING_OR_AUTO, max, doc): a number from 1, or "auto", which is 0
 * CHOICE(section, key, default, "a|b|c", doc): a string that is one of those
 *
 * A member is named section_key. Environment: HERALD_<SECTION>_<KEY> in upper case, dots in section names as
 * underscores.
 */
#include "server/settings/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTING_TEXT_MEMBER(section, key, default_, doc)            char *section##_##key;
#define SETTING_UINT_MEMBER(section, key, default_, min, max, doc)  uint32_t section##_##key;
#define SETTING_BOOL_MEMBER(section, key, default_, doc)            bool section##_##key;
#define SETTING_CHOICE_MEMBER(section, key, default_, choices, doc) char *section##_##key;
struct settings_reading; /* for the checks of parts: settings_check.h */

/** The struct members of a list of rows. */
#define SETTINGS_MEMBERS(ROWS)                                                                                         \
    ROWS(SETTING_TEXT_MEMBER, SETTING_TEXT_MEMBER, SETTING_UINT_MEMBER, SETTING_BOOL_MEMBER, SETTING_CHOICE_MEMBER)

/** Declares, for the name kafka, struct kafka_settings, and kafka_settings(), which finds it in a program's
 *  settings. */
#define SETTINGS_PART(name, ROWS)                                                                                      \
    struct name##_settings {                                                                                           \
        SETTINGS_MEMBERS(ROWS)                                                                                         \
    };                                                                                                                 \
    static inline const struct name##_settings *name##_settings(const struct settings *settings) {                     \
        return settings_part(settings, #name);                                                                         \
    }

#endif
