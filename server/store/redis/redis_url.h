#ifndef HERALD_REDIS_REDIS_URL_H
#define HERALD_REDIS_REDIS_URL_H

#include "herald/error.h"

#include <stdbool.h>

#define REDIS_HOSTS_MAX 8

struct redis_host {
    char host[256];
    char port[6]; /* decimal */
};

/** Where a Redis is and how to log in. */
struct redis_url {
    bool tls;                                 /* rediss:// */
    struct redis_host hosts[REDIS_HOSTS_MAX]; /* the Redis; with `primary`: the sentinels to ask */
    unsigned host_count;
    char primary[128];  /* the name under which Sentinel knows the primary; empty: no Sentinel */
    unsigned database;  /* 0..65535 */
    char user[128];     /* empty: none */
    char password[256]; /* empty: none */
};

/** The forms, for messages. */
#define REDIS_URL_FORMS                                                                                                \
    "redis[s]://[[user]:password@]host:port/db or redis[s]+sentinel://…@host:port,host:port/primary/db"

/**
 * Reads redis://[[user]:password@]host[:port][/db], or with sentinels
 * redis+sentinel://[[user]:password@]host[:port],host[:port]…/primary[/db]. "rediss" is TLS, to the sentinels too. User
 * and password are the Redis'; they may be percent-encoded. An IPv6 address stands in brackets. Defaults: port 6379, of
 * a sentinel 26379; database 0.
 *
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (REDIS_URL): the message never repeats the password
 * Context: any thread
 */
enum herald_code redis_url_parse(const char *text, struct redis_url *ret_url, struct herald_error *reterr);

#endif
