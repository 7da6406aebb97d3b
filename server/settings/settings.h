#ifndef HERALD_SETTINGS_SETTINGS_H
#define HERALD_SETTINGS_SETTINGS_H

/*
 * Settings: reading from a file and the environment, checking, printing. Each room declares the settings that it uses
 * (part.h). server/programs joins them, and only there struct settings is complete. Other code reads the parts whose headers
 * it may include: kafka_settings(settings)->kafka_group.
 */
#include "herald/error.h"

#include <stdio.h>

struct config_problems;
/** In the place of a number's minimum: from 1, or "auto", which is 0. */
#define SETTING_OR_AUTO UINT32_MAX

struct settings;
struct settings_origins;
struct settings_table;

/** First member of struct settings. */
struct settings_head {
    const struct settings_table *table; /* NULL: empty */
    struct settings_origins *origins;   /* where each value was set; NULL: not known */
};

/**
 * Reads defaults, then the file, then the environment.
 *
 * @settings  of table->bytes
 * @path      INI file; NULL: none
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (reason "BAD_SETTINGS": unknown section or key, bad value, unreadable
 *           file, unknown variable HERALD_<known section>_…; all problems as details, each with file, line and key, or
 *           the variable) | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY")
 * On error: *settings is empty; settings_fini() is allowed
 */
enum herald_code settings_read(const struct settings_table *table, struct settings *settings, const char *path,
                               struct herald_error *reterr);
void settings_fini(struct settings *settings);
/** Finds a part by its name, which must be in the table (assert). Private: use the part's own function,
 *  kafka_settings(). */
const void *settings_part(const struct settings *settings, const char *name);
/**
 * As config_problem(), with the place where a setting was set before the text: "herald.ini:7: [tls] cert_file: …",
 * "HERALD_TLS_CERT_FILE: …". Does nothing when @code is HERALD_OK.
 *
 * @member  the address of the setting, &auth->tls_cert_file, or the text that is its value
 */
void settings_config_problem(const struct settings *settings, const void *member, enum herald_code code,
                             const struct herald_error *error, struct config_problems *problems);
/** Tells of each environment variable HERALD_… that is neither a setting nor one of the others that Herald's programs
 *  read. Those of a known section are problems of settings_read() already, and not told again. */
void settings_check_variables(const struct settings_table *table, struct config_problems *problems);
/** How many rows of two settings of the same table differ. */
unsigned settings_count_changes(const struct settings *before, const struct settings *now);
/** Prints the settings as an INI file; secrets as "****". */
void settings_print(const struct settings *settings, FILE *out);
/** Prints the commented reference with the defaults. */
void settings_print_reference(const struct settings_table *table, FILE *out);

#endif
