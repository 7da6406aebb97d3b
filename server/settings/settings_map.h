#ifndef HERALD_SETTINGS_SETTINGS_MAP_H
#define HERALD_SETTINGS_SETTINGS_MAP_H

/*
 * A map: one setting that stands for any number of names, "[kafka] property.NAME = value". Its value is one text with a
 * line "NAME=value" for each; values have no line ends, because settings have no control characters.
 */
#include <stdbool.h>
#include <stddef.h>

#define SETTINGS_MAP_NAME_BYTES 96

/** One entry, copied. */
struct settings_map_entry {
    char name[SETTINGS_MAP_NAME_BYTES];
    const char *value; /* in the text; not terminated */
    size_t value_bytes;
};

/**
 * Reads the entry at *@at, and moves *@at behind it.
 *
 * @at  at first the text itself, which may be NULL
 * Returns: false: no more
 */
bool settings_map_next(const char **at, struct settings_map_entry *ret_entry);
/**
 * Sets a name, which replaces what it had.
 *
 * @text    owned; replaced on success
 * @name    shorter than SETTINGS_MAP_NAME_BYTES, without '=' and control characters; @value likewise without these
 * Returns: false: no memory; unchanged
 */
bool settings_map_put(char **text, const char *name, const char *value);
/** Whether the value of such a name is masked when printed: passwords, secrets, keys. */
bool settings_map_is_secret(const char *name);

#endif
