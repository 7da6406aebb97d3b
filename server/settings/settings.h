#ifndef HERALD_SETTINGS_SETTINGS_H
#define HERALD_SETTINGS_SETTINGS_H

#include "herald/error.h"

#include <stdio.h>

/*
 * Settings: reading from a file and the environment, checking, printing. Which settings there are is said by the rooms
 * that use them (part.h) and joined by server/all, where struct settings is complete. A room sees the parts that it may
 * include: kafka_settings(settings)->kafka_group.
 */
struct settings;
struct settings_table;

/** First member of struct settings. */
struct settings_head {
    const struct settings_table *table; /* NULL: empty */
};

/**
 * Reads defaults, then the file, then the environment.
 *
 * @settings  of table->bytes
 * @path      INI file; NULL: none
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT: unknown section or key, bad value, unreadable file, unknown variable
 *           HERALD_<known section>_…; all problems as details, each naming file, line and key, or the variable
 * On error: *settings is empty; settings_fini() is allowed
 */
enum herald_code settings_read(const struct settings_table *table, struct settings *settings, const char *path,
                               struct herald_error *reterr);
void settings_fini(struct settings *settings);
/** A part by its name, which must be one of the table's (assert). Use the part's own function: kafka_settings(). */
const void *settings_part(const struct settings *settings, const char *name);
/** Prints as an INI file; secrets as "****". */
void settings_print(const struct settings *settings, FILE *out);
/** Prints the commented reference with the defaults. */
void settings_print_reference(const struct settings_table *table, FILE *out);

#endif
