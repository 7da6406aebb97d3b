#ifndef HERALD_SETTINGS_SETTINGS_H
#define HERALD_SETTINGS_SETTINGS_H

#include "herald/error.h"
#include "server/settings/settings_table.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* One member for each row of the table, named section_key: settings->event_url, settings->rpc_max_in_flight. */
struct settings {
#define SETTING_STRING(section, key, default_, doc)          char *section##_##key;
#define SETTING_UINT(section, key, default_, min, max, doc)  uint32_t section##_##key;
#define SETTING_BOOL(section, key, default_, doc)            bool section##_##key;
#define SETTING_CHOICE(section, key, default_, choices, doc) char *section##_##key;
    HERALD_SETTINGS(SETTING_STRING, SETTING_STRING, SETTING_UINT, SETTING_BOOL, SETTING_CHOICE)
#undef SETTING_STRING
#undef SETTING_UINT
#undef SETTING_BOOL
#undef SETTING_CHOICE
};

/* Where to call the servers: their own URLs unless the settings say otherwise. */
static inline const char *settings_call_url(const char *call_url, const char *url) {
    return call_url && *call_url ? call_url : url;
}
static inline const char *settings_event_url(const struct settings *settings) {
    return settings_call_url(settings->event_call_url, settings->event_url);
}
static inline const char *settings_job_url(const struct settings *settings) {
    return settings_call_url(settings->job_call_url, settings->job_url);
}
static inline const char *settings_distribution_url(const struct settings *settings) {
    return settings_call_url(settings->distribution_call_url, settings->distribution_url);
}

/**
 * Reads defaults, then the file, then the environment.
 *
 * @path  INI file; NULL: none
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT: unknown section or key, bad value, unreadable file, unknown variable
 *           HERALD_<known section>_…; all problems as details, each naming file, line and key, or the variable
 * On error: *settings is empty; settings_fini() is allowed
 */
enum herald_code settings_load(struct settings *settings, const char *path, struct herald_error *reterr);
void settings_fini(struct settings *settings);
/** Prints as an INI file; secrets as "****". */
void settings_print(const struct settings *settings, FILE *out);
/** Prints the commented reference with the defaults. */
void settings_print_reference(FILE *out);

#endif
