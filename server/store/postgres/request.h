#ifndef HERALD_POSTGRES_REQUEST_H
#define HERALD_POSTGRES_REQUEST_H

/*
 * One transaction in progress, and queues of them.
 *
 * Invariant: a request is in at most one queue: of those that wait (waiting.h), or that of the connection that has sent
 * it. Its task frees it, unless the task has left: then db_request_end() does. A check belongs to its connection.
 */

#include "server/runtime/task.h"
#include "server/store/postgres/batch.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

enum db_request_state {
    DB_REQUEST_QUEUED, /* in the pool's queue */
    DB_REQUEST_SENT,   /* in a connection's queue */
    DB_REQUEST_DONE    /* in none */
};
enum db_request_end {
    DB_END_ANSWERED,      /* the server has answered everything, the Sync included */
    DB_END_NO_CONNECTION, /* not sent, or rolled back: no connection in time */
    DB_END_LOCKED,        /* rolled back: what it waits for stayed locked */
    DB_END_CLOSED,        /* never sent: the pool was closed */
    DB_END_LOST,          /* sent, and the connection was lost */
    DB_END_UNCONFIRMED    /* committed here, and the standby has not confirmed it */
};

/** What a request waits for, and so what it may hold up. */
enum db_lane {
    DB_LANE_READ,   /* waits for nobody: many at once on a connection */
    DB_LANE_WRITE,  /* may wait for a lock, a moment only: alone on its connection */
    DB_LANE_LOCKED, /* has waited that long: alone on a connection for those that wait longer */
    DB_LANE_COUNT
};

struct db_connection;
struct db_tenant;

struct db_request {
    struct db_request *next;
    struct db_request *older, *younger; /* among those that wait in the lane */
    struct db_tenant *tenant;           /* NULL: of a check */
    enum db_lane lane;
    struct db_connection *connection; /* the connection that has sent it, while it is SENT */
    const struct db_batch *batch;     /* NULL once its task has left */
    struct completion completion;
    enum db_request_state state;
    enum db_request_end end;
    bool abandoned;   /* its task has left */
    bool unconfirmed; /* its commit no longer waits for the standby, which may not have it */
    bool writes;
    bool is_alone;                        /* it shares its transaction with no other */
    bool has_sync;                        /* the last one of its transaction: a Sync follows it on the wire */
    unsigned sharing;                     /* how many requests its transaction has, once its Sync is sent */
    bool is_check;                        /* of the connection, not of a task */
    bool has_preamble;                    /* the result of the settings sent before it has not come */
    bool exposed;                         /* on the wire during a cancel, which may hit it */
    unsigned hits;                        /* cancels that hit it and were meant for another request */
    unsigned cancels;                     /* cancels begun for it */
    bool answered;                        /* the result of statement number `received` has come; its end has not */
    int failed;                           /* number of the statement that failed; -1: none */
    unsigned count;                       /* statements */
    unsigned received;                    /* statements answered */
    uint64_t made_us, queued_us, sent_us; /* the last two: the last time */
    PGresult *results[DB_STATEMENTS_MAX];
};

/** Makes a request. @batch  borrowed until the task leaves. Returns: NULL: no memory. */
struct db_request *db_request_new(const struct db_batch *batch);
/** Makes a check of a connection: one statement. Returns: NULL: no memory. */
struct db_request *db_request_new_check(void);
/** Frees a request that is in no queue, with its results. */
void db_request_free(struct db_request *request);
/** Ends a request that is in no queue: wakes its task, or frees the request when the task has left. */
void db_request_end(struct db_request *request, enum db_request_end end);
/** Drops the results of a request that was rolled back; it can be sent again. */
void db_request_rewind(struct db_request *request);

struct db_queue {
    struct db_request *head, *tail; /* NULL when empty */
    unsigned length;
};
void db_queue_push(struct db_queue *queue, struct db_request *request);
/** Puts a request before all others. */
void db_queue_push_front(struct db_queue *queue, struct db_request *request);
/** NULL when empty. */
struct db_request *db_queue_pop(struct db_queue *queue);
/** Removes a request that is in the queue. */
void db_queue_remove(struct db_queue *queue, struct db_request *request);

#endif
