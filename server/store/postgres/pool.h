#ifndef HERALD_POSTGRES_POOL_H
#define HERALD_POSTGRES_POOL_H

#include "server/store/postgres/connection.h"
#include "server/store/postgres/db.h"
#include "server/store/postgres/request.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What pool.c has for run.c and for the tests. */

#define DB_QUEUE_LIMIT 4096 /* requests that wait for a connection to take them */

struct db {
    uv_loop_t *uv;
    char *dsn, *session_options;
    void (*on_health)(void *user, const struct herald_error *error);
    void *user;

    struct db_connection_options connection_options;
    struct db_connection *connections;
    unsigned connection_count, ready_count;
    struct db_queue queue; /* requests that no connection has taken */
    uv_timer_t queue_timer;
    uint64_t down_since_us; /* when the last connection went down that took requests */
    bool closing, serving;
    unsigned hit_count;         /* requests that a cancel not meant for them has ended */
    unsigned refs;              /* the owner, its timer, connections that are open, tasks in db_run() */
    char cause[DB_CAUSE_BYTES]; /* why the last connection went down */
    struct herald_error health; /* what was reported last while not serving */
};

/** Drops a reference; the last one frees the pool. */
void db_unref(struct db *db);
/** Takes a request in: sends it or queues it. Returns: false: the queue is full. */
bool db_submit(struct db *db, struct db_request *request);
/** The task of a request that is not done leaves. Returns: whether it was sent: then it may have been carried out. */
bool db_abandon(struct db *db, struct db_request *request);

#endif
