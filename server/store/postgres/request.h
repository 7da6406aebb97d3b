#ifndef HERALD_POSTGRES_REQUEST_H
#define HERALD_POSTGRES_REQUEST_H

#include "server/runtime/task.h"
#include "server/store/postgres/batch.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One transaction under way, and queues of them.
 *
 * A request is in one queue at most: the pool's, or that of the connection that has sent it. Its task frees it, unless
 * it has left: then db_request_end() does.
 */

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
    struct db_connection *connection; /* that has it, while it is sent */
    const struct db_batch *batch;     /* NULL once its task has left */
    struct completion completion;
    enum db_request_state state;
    enum db_request_end end;
    bool abandoned; /* its task has left */
    bool writes;
    bool exposed;      /* on the wire while a cancel was under way: may be hit by it */
    unsigned hits;     /* cancels that were not meant for it */
    unsigned cancels;  /* that were begun for it */
    bool answered;     /* the result of statement number `received` is there; its end is to come */
    int failed;        /* number of the statement that failed; -1: none */
    unsigned count;    /* statements */
    unsigned received; /* statements answered */
    uint64_t queued_us;
    PGresult *results[DB_STATEMENTS_MAX];
};

/** NULL: no memory. @batch  borrowed until the task leaves */
struct db_request *db_request_new(const struct db_batch *batch);
/** Frees one that is in no queue, with its results. */
void db_request_free(struct db_request *request);
/** Ends one that is in no queue any more: wakes its task, or frees it when the task has left. */
void db_request_end(struct db_request *request, enum db_request_end end);
/** Forgets the results of one that was rolled back, because it was hit; it can be sent again. */
void db_request_rewind(struct db_request *request);

struct db_queue {
    struct db_request *head, *tail; /* NULL when empty */
    unsigned length;
};
void db_queue_push(struct db_queue *queue, struct db_request *request);
/** Puts it before all others. */
void db_queue_push_front(struct db_queue *queue, struct db_request *request);
/** NULL when empty. */
struct db_request *db_queue_pop(struct db_queue *queue);
/** Takes one out that is in the queue. */
void db_queue_remove(struct db_queue *queue, struct db_request *request);

#endif
