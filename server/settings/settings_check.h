#ifndef HERALD_SETTINGS_SETTINGS_CHECK_H
#define HERALD_SETTINGS_SETTINGS_CHECK_H

#include "herald/reason.h"

#include <stddef.h>

/* What the checks of parts are made of. Each takes a setting by its address, &settings->redis_url, and notes a problem
 * with the place where the value comes from. */
struct settings_reading;

/** Schemes of URLs at which servers listen and are called. */
#define SETTINGS_RPC_SCHEMES "tcp:// tls+tcp:// ipc:// inproc://"

/** Notes a problem. @what  a clause about the value: "must not be empty" */
void settings_bad(struct settings_reading *reading, const void *member, enum herald_reason reason, const char *what);
/** One URL. @schemes  "tcp:// ipc://": those that may begin it */
void settings_check_url(struct settings_reading *reading, char *const *member, const char *schemes);
/** Several URLs with commas between them, or none. */
void settings_check_urls(struct settings_reading *reading, char *const *member, const char *schemes);
void settings_check_not_empty(struct settings_reading *reading, char *const *member);

#endif
