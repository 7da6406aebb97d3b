#ifndef HERALD_POSTGRES_CANCEL_H
#define HERALD_POSTGRES_CANCEL_H

#include "server/runtime/loop.h"
#include "server/store/postgres/request.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

/*
 * Cancelling, on one connection, what the server still runs for a task that has left. The connection asks it to look
 * when that may have changed, and gives the server no requests while a cancel is under way.
 */

struct db_cancel;
struct db_canceller {
    struct loop *loop;
    const struct db_queue *sent; /* the connection's requests, oldest first: the server runs the first one */
    /** The cancel under way is over: requests may be sent again. */
    void (*on_returned)(void *user);
    /** The one under way did not return for so long, and nobody knows what it will hit: the connection is to be made
     *  anew. It is stopped. */
    void (*on_unanswered)(void *user, unsigned after_s);
    void *user;

    PGconn *pg;                  /* NULL: stopped */
    struct db_cancel *under_way; /* NULL: none */
    unsigned begun_count;
    uv_timer_t timer; /* until a cancel begins, or until the one under way is given up */
};

/**
 * Prepares one in place, stopped. What callers set before: loop, sent, the callbacks, user.
 * Context: this and all below, and the callbacks: the loop's thread
 */
void db_canceller_open(struct db_canceller *canceller);
/** The connection takes requests from now on. */
void db_canceller_start(struct db_canceller *canceller, PGconn *pg);
/** The connection goes down, and with it what a cancel under way could hit. Again does nothing. */
void db_canceller_stop(struct db_canceller *canceller);
/** Stops it and closes its handle. @on_closed  called when the memory may go */
void db_canceller_close(struct db_canceller *canceller, uv_close_cb on_closed, void *data);
/** The oldest request is another one, or its task has left: sees to its cancellation. */
void db_canceller_look(struct db_canceller *canceller);

/** Whether a cancel that was meant for another request has ended this one. It was rolled back then. */
bool db_cancel_has_hit(const struct db_request *request);

#endif
