#ifndef HERALD_POSTGRES_POOL_H
#define HERALD_POSTGRES_POOL_H

/* The parts of pool.c that run.c and the tests use. */

#include "server/store/postgres/connection.h"
#include "server/store/postgres/db.h"
#include "server/store/postgres/hosts.h"
#include "server/store/postgres/request.h"
#include "server/store/postgres/waiting.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define DB_QUEUE_LIMIT      16384 /* requests that wait for a connection to take them */
#define DB_LANES_FROM       4     /* so many connections are shared out among lanes; fewer serve all lanes alike */
#define DB_LOCK_PATIENCE_MS 50    /* for a lock, in the lane of writes */

struct db {
    uv_loop_t *uv;
    char *dsn, *session_options, *locked_options;
    char *preamble, *locked_preamble; /* NULL unless a pooler in transaction mode is between */
    struct db_hosts hosts;
    const char *gssencmode;
    void (*on_health)(void *user, const struct herald_error *error);
    void (*on_warning)(void *user, const char *warning);
    void *user;

    struct db_connection_options connection_options, locked_connection_options;
    struct db_connection *connections;
    /* The first `shared_count` connections serve reads and writes, the others those that wait for locks. */
    unsigned connection_count, shared_count, ready_count;
    struct db_waiting waiting;     /* requests that no connection has taken */
    unsigned queue_limit;          /* a full queue refuses; DB_QUEUE_LIMIT but in tests */
    bool is_served[DB_LANE_COUNT]; /* a connection is up that can serve the lane */
    uint64_t unserved_since_us[DB_LANE_COUNT];
    uint32_t lock_timeout_ms;
    uv_timer_t queue_timer, tick_timer;
    uint64_t ticked_us; /* the last time */
    bool closing;
    unsigned hit_count;         /* requests that a cancel meant for another one has ended */
    unsigned refs;              /* the owner, its timers, open connections, tasks in db_run() */
    char cause[DB_CAUSE_BYTES]; /* why the last connection went down */

    bool serving;
    struct herald_error health; /* the last report while not healthy */
    const char *warning;        /* the last report of one; static */
    bool is_silent;             /* answers are owed and nothing is heard, on any connection */
    const char *trouble;        /* what statements fail of; NULL: nothing */
    uint64_t trouble_us;        /* when one did last */
    uint64_t remade_us;         /* when a read-only session was last given up */
    const char *refusal;        /* why no connection is made; NULL: they are */
    uint64_t refused_us;        /* since when */
};

/** Drops a reference; the last one frees the pool. */
void db_unref(struct db *db);
/** Sends a request or queues it. Returns: false: the queue is full. */
bool db_submit(struct db *db, struct db_request *request);
/** The task of a request that is not done leaves. Returns: whether it was sent: it may then have been carried out. */
bool db_abandon(struct db *db, struct db_request *request);

#endif
