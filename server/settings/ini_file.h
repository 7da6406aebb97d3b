#ifndef HERALD_SETTINGS_INI_FILE_H
#define HERALD_SETTINGS_INI_FILE_H

/*
 * A strict reader of INI files on top of inih. It reports every line that it cannot read. Unlike inih it reports line
 * numbers and sections without keys, and never cuts a long line silently.
 */
#include "herald/reason.h"

#include <stdbool.h>
#include <stdio.h>

/** Longest name of a section, characters; inih would cut a longer one. */
#define INI_SECTION_MAX 48u

/** Callbacks of ini_file_read(). It calls them with @user, in the file's order. */
struct ini_handler {
    void *user;
    /** A section begins. */
    void (*on_section)(void *user, int line, const char *section);
    /** A key; @section is empty before the first one. */
    void (*on_key)(void *user, int line, const char *section, const char *key, const char *value);
    /** A line is wrong. @text  a clause about the line that does not show it, because it may hold a secret */
    void (*on_problem)(void *user, int line, enum herald_reason reason, const char *text);
};

/** Reads the file to its end. Returns: true | false: reading failed (errno says why) */
bool ini_file_read(FILE *file, const struct ini_handler *handler);

#endif
