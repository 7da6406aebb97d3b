#ifndef HERALD_SETTINGS_SETTINGS_CHECK_H
#define HERALD_SETTINGS_SETTINGS_CHECK_H

/* Helpers for the checks of parts. Each takes a setting by its address, &settings->redis_url, and reports a problem
 * with the place where the value was set. */
#include "herald/reason.h"

#include <stddef.h>

struct settings_reading;

/** Schemes of URLs at which servers listen and are called. */
#define SETTINGS_RPC_SCHEMES "tcp:// tls+tcp:// ipc:// inproc://"

/** Reports a problem. @what  a clause about the value: "must not be empty" */
void settings_bad(struct settings_reading *reading, const void *member, enum herald_reason reason, const char *what);
/** As settings_bad(), of the entry @name of a map (settings_map.h). */
void settings_bad_entry(struct settings_reading *reading, const void *member, const char *name,
                        enum herald_reason reason, const char *what);
/** What may stand in a URL behind its scheme. */
enum settings_url_form {
    SETTINGS_URL_LISTEN, /* host:port; any host and port 0 too */
    SETTINGS_URL_CALL,   /* host:port */
    SETTINGS_URL_BASE,   /* host, and port and path or not: paths are added to it */
    SETTINGS_URL_WHOLE,  /* as it is sent: user information and a query too */
};
/** Checks one URL. ipc:// and inproc:// may go on as they like. @schemes  the allowed ones: "tcp:// ipc://" */
void settings_check_url(struct settings_reading *reading, char *const *member, const char *schemes,
                        enum settings_url_form form);
/** Checks a comma-separated list of URLs of the form SETTINGS_URL_CALL, which may be empty. */
void settings_check_urls(struct settings_reading *reading, char *const *member, const char *schemes);
/** Checks a comma-separated list of host:port that is not empty, with blanks around its parts or not. */
void settings_check_endpoints(struct settings_reading *reading, char *const *member);
void settings_check_not_empty(struct settings_reading *reading, char *const *member);

#endif
