#ifndef HERALD_POSTGRES_POOL_H
#define HERALD_POSTGRES_POOL_H

/* The parts of pool.c that run.c and the tests use. */

#include "server/store/postgres/connection.h"
#include "server/store/postgres/db.h"
#include "server/store/postgres/request.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define DB_QUEUE_LIMIT 16384 /* requests that wait for a connection to take them */

struct db {
    uv_loop_t *uv;
    char *dsn, *session_options;
    void (*on_health)(void *user, const struct herald_error *error);
    void *user;

    struct db_connection_options connection_options;
    struct db_connection *connections;
    unsigned connection_count, ready_count;
    struct db_queue queue; /* requests that no connection has taken */
    unsigned queue_limit;  /* a full queue refuses; DB_QUEUE_LIMIT but in tests */
    uv_timer_t queue_timer;
    uint64_t down_since_us; /* when the last connection that took requests went down */
    bool closing, serving;
    unsigned hit_count;         /* requests that a cancel meant for another one has ended */
    unsigned refs;              /* the owner, its timer, open connections, tasks in db_run() */
    char cause[DB_CAUSE_BYTES]; /* why the last connection went down */
    struct herald_error health; /* the last report while not healthy */
};

/** Drops a reference; the last one frees the pool. */
void db_unref(struct db *db);
/** Sends a request or queues it. Returns: false: the queue is full. */
bool db_submit(struct db *db, struct db_request *request);
/** The task of a request that is not done leaves. Returns: whether it was sent: it may then have been carried out. */
bool db_abandon(struct db *db, struct db_request *request);

#endif
