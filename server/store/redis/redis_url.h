#ifndef HERALD_REDIS_REDIS_URL_H
#define HERALD_REDIS_REDIS_URL_H

#include "herald/error.h"

/** Where a Redis is and how to log in. */
struct redis_url {
    char host[256];
    char port[6];       /* decimal */
    unsigned database;  /* 0..65535 */
    char user[128];     /* empty: none */
    char password[256]; /* empty: none */
};

/**
 * Reads redis://[[user]:password@]host[:port][/db]. User and password may be percent-encoded; an IPv6 address stands in
 * brackets. Defaults: port 6379, database 0.
 *
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (REDIS_URL): the message never repeats the password
 * Context: any thread
 */
enum herald_code redis_url_parse(const char *text, struct redis_url *ret_url, struct herald_error *reterr);

#endif
