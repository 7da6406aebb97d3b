#ifndef HERALD_POSTGRES_CANCEL_H
#define HERALD_POSTGRES_CANCEL_H

/*
 * Cancels, on one connection, the statement that the server still runs for a task that has left. The connection calls
 * db_canceller_look() when that may have changed, and sends no requests while a cancel is in progress.
 */

#include "server/runtime/loop.h"
#include "server/store/postgres/request.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

struct db_cancel;
struct db_canceller {
    struct loop *loop;
    const struct db_queue *sent; /* the connection's requests, oldest first: the server runs the first one */
    /** The cancel is over: requests may be sent again. */
    void (*on_returned)(void *user);
    /**
     * The cancel has not returned for @after_s seconds and may hit any later statement: remake the connection. The
     * canceller is stopped.
     */
    void (*on_unanswered)(void *user, unsigned after_s);
    void *user;

    PGconn *pg;                  /* NULL: stopped */
    struct db_cancel *under_way; /* NULL: none */
    unsigned begun_count;
    const struct db_request *next; /* for which the timer runs; compared, not read */
    uv_timer_t timer;              /* until a cancel begins, or until the one in progress is given up */
};

/**
 * Prepares a canceller in place, stopped. Callers set loop, sent, the callbacks and user before.
 *
 * Context: this function, all below and the callbacks: the loop's thread
 */
void db_canceller_open(struct db_canceller *canceller);
/** The connection is up: cancels may begin. */
void db_canceller_start(struct db_canceller *canceller, PGconn *pg);
/** The connection goes down: a cancel in progress cannot hit anything any more. Again does nothing. */
void db_canceller_stop(struct db_canceller *canceller);
/** Stops it and closes its handle. @on_closed  called when the memory may be freed */
void db_canceller_close(struct db_canceller *canceller, uv_close_cb on_closed, void *data);
/** The oldest request has changed, or a request's task has left: schedules its cancellation. */
void db_canceller_look(struct db_canceller *canceller);

/** Whether a cancel meant for another request has ended this one. It was then rolled back. */
bool db_cancel_has_hit(const struct db_request *request);

#endif
