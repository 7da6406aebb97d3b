#ifndef HERALD_POSTGRES_REQUEST_H
#define HERALD_POSTGRES_REQUEST_H

/*
 * One transaction in progress, and queues of them.
 *
 * Invariant: a request is in at most one queue: the pool's, or that of the connection that has sent it. Its task frees
 * it, unless the task has left: then db_request_end() does.
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
    DB_END_NO_CONNECTION, /* never sent: no connection in time */
    DB_END_CLOSED,        /* never sent: the pool was closed */
    DB_END_LOST           /* sent, and the connection was lost */
};

struct db_connection;

struct db_request {
    struct db_request *next;
    struct db_connection *connection; /* the connection that has sent it, while it is SENT */
    const struct db_batch *batch;     /* NULL once its task has left */
    struct completion completion;
    enum db_request_state state;
    enum db_request_end end;
    bool abandoned; /* its task has left */
    bool writes;
    bool exposed;      /* on the wire during a cancel, which may hit it */
    unsigned hits;     /* cancels that hit it and were meant for another request */
    unsigned cancels;  /* cancels begun for it */
    bool answered;     /* the result of statement number `received` has come; its end has not */
    int failed;        /* number of the statement that failed; -1: none */
    unsigned count;    /* statements */
    unsigned received; /* statements answered */
    uint64_t queued_us;
    PGresult *results[DB_STATEMENTS_MAX];
};

/** Makes a request. @batch  borrowed until the task leaves. Returns: NULL: no memory. */
struct db_request *db_request_new(const struct db_batch *batch);
/** Frees a request that is in no queue, with its results. */
void db_request_free(struct db_request *request);
/** Ends a request that is in no queue: wakes its task, or frees the request when the task has left. */
void db_request_end(struct db_request *request, enum db_request_end end);
/** Drops the results of a request that a cancel has rolled back; it can be sent again. */
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
