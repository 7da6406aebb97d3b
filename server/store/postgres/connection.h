#ifndef HERALD_POSTGRES_CONNECTION_H
#define HERALD_POSTGRES_CONNECTION_H

/*
 * One connection to Postgres in pipeline mode, made and remade until it is closed: connect, prepare the statements,
 * then ready. The pool gives it requests, and the connection ends them. All functions and callbacks: the loop's thread.
 */

#include "server/runtime/loop.h"
#include "server/store/postgres/cancel.h"
#include "server/store/postgres/request.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

#define DB_PIPELINE_DEPTH 64 /* requests on the wire */
#define DB_CAUSE_BYTES    384

struct db_connection_options {
    struct loop *loop;
    const char *dsn, *session_options; /* libpq's conninfo, and its "options" */
    /** The connection takes requests. */
    void (*on_ready)(void *user);
    /**
     * The connection went down or could not be made; it will be tried again. @cause  one line  @was_ready  it took
     * requests before
     */
    void (*on_down)(void *user, const char *cause, bool was_ready);
    /** The connection may take more requests than before. */
    void (*on_room)(void *user);
    /** Returns a request that a cancel meant for another one has rolled back. The request is in no queue. */
    void (*on_given_back)(void *user, struct db_request *request);
    /** The last callback: the memory of a closed connection may be freed. */
    void (*on_closed)(void *user);
    void *user;
};

enum db_connection_state {
    DB_CONNECTION_DOWN,       /* waits before it connects again */
    DB_CONNECTION_CONNECTING, /* libpq connects */
    DB_CONNECTION_PREPARING,  /* the statements are being prepared */
    DB_CONNECTION_READY       /* takes requests */
};

struct db_connection {
    const struct db_connection_options *options; /* NULL: not open */
    PGconn *pg;
    uv_poll_t *poll; /* NULL: not watched */
    int poll_fd, poll_events;
    uv_timer_t timer; /* until it connects again, or until connecting has taken too long */
    unsigned handle_count;
    enum db_connection_state state;
    struct db_queue sent; /* oldest first: results come in this order */
    struct db_canceller canceller;
    unsigned failures;   /* attempts in a row that failed */
    unsigned prepared;   /* results of preparing that have arrived */
    bool prepare_failed; /* the cause says which statement */
    bool retiring;       /* takes no more requests; remade when all are answered */
    char cause[DB_CAUSE_BYTES];
};

/** Begins to connect. @options  borrowed until on_closed. Returns: false: no handles; it is then not open. */
bool db_connection_open(struct db_connection *connection, const struct db_connection_options *options);
/** Closes it; requests on the wire end as lost. One that is not open is left alone. */
void db_connection_close(struct db_connection *connection);
/** Whether it takes one more request. */
bool db_connection_takes(const struct db_connection *connection);
/** Puts a request on the wire. Returns: false: not sent; the connection is then down, the request untouched. */
bool db_connection_send(struct db_connection *connection, struct db_request *request);
/** The task of a sent request leaves: its statement is cancelled, and the request freed at its end. */
void db_connection_abandon(struct db_request *request);

#endif
