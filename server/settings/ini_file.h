#ifndef HERALD_SETTINGS_INI_FILE_H
#define HERALD_SETTINGS_INI_FILE_H

#include "herald/reason.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * Reads an INI file, strictly: what is not understood is told with its line. inih hands out neither line numbers nor
 * sections without keys, and it cuts long lines silently; this does not.
 */

/** Most characters of a section's name: inih cuts longer ones. */
#define INI_SECTION_MAX 48u

/** Who hears of it. All are called with @user, in the file's order, from ini_file_read(). */
struct ini_handler {
    void *user;
    /** A section begins. */
    void (*on_section)(void *user, int line, const char *section);
    /** A key; @section is empty before the first one. */
    void (*on_key)(void *user, int line, const char *section, const char *key, const char *value);
    /** Something is wrong; @text is a clause about the line, which is not shown in it: it may hold a secret. */
    void (*on_problem)(void *user, int line, enum herald_reason reason, const char *text);
};

/** Reads it to the end. Returns: false if reading failed (errno says why). */
bool ini_file_read(FILE *file, const struct ini_handler *handler);

#endif
