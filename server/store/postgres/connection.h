#ifndef HERALD_POSTGRES_CONNECTION_H
#define HERALD_POSTGRES_CONNECTION_H

/*
 * One connection to Postgres in pipeline mode, made and remade until it is closed: connect, prepare the statements,
 * then ready. The pool gives it requests, and the connection ends them. All functions and callbacks: the loop's thread.
 *
 * Reads by key that come in one turn of the loop share a transaction, which takes one message each way. The one that fails
 * ends it: those behind it are sent again, each alone.
 *
 * Nothing is waited for without an end. The oldest request is answered within answer_within_ms, or the connection is
 * given up; one that has nothing to do asks the server now and then (session.h), and is answered within seconds.
 */

#include "server/runtime/loop.h"
#include "server/store/postgres/cancel.h"
#include "server/store/postgres/hosts.h"
#include "server/store/postgres/request.h"
#include "server/store/postgres/session.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

#define DB_PIPELINE_DEPTH 64 /* requests on the wire */
#define DB_SHARING_MOST   8  /* requests of a transaction */
#define DB_CAUSE_BYTES    384
#define DB_SILENT_MS      3000 /* without an answer, and the path is taken for broken */

struct db_connection_options {
    struct loop *loop;
    const char *dsn, *session_options; /* libpq's conninfo, and its "options"; NULL: none, for a pooler */
    const struct db_hosts *hosts;      /* of the conninfo */
    const char *gssencmode;            /* of db_dsn_gssencmode() */
    const char *preamble;              /* a statement sent before each transaction; NULL: none, and all are prepared */
    uint32_t answer_within_ms;         /* a transaction as a whole */
    const char *const *refusal;        /* while not NULL: no connection is made, for this reason */
    /** The connection takes requests. */
    void (*on_ready)(void *user);
    /**
     * The connection went down or could not be made; it will be tried again. @cause  one line  @was_ready  it took
     * requests before
     */
    void (*on_down)(void *user, const char *cause, bool was_ready);
    /** The connection may take more requests than before. */
    void (*on_room)(void *user);
    /**
     * The server has answered a request, which is in no queue. Returns: true: the pool has taken it back, to send it
     * again; false: the connection ends it
     */
    bool (*on_answered)(void *user, struct db_connection *connection, struct db_request *request);
    /** The session was looked at (session.h); the first time comes before on_ready. */
    void (*on_session)(void *user, struct db_connection *connection);
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
    unsigned first_host;                         /* of the hosts, the one that is tried first */
    PGconn *pg;
    uv_poll_t *poll; /* NULL: not watched */
    int poll_fd, poll_events;
    uv_timer_t timer; /* until it connects again, or until connecting has taken too long */
    unsigned handle_count;
    enum db_connection_state state;
    struct db_queue sent;           /* oldest first: results come in this order */
    unsigned lone_count;            /* of these, those that are to be alone (not DB_LANE_READ) */
    unsigned open_count;            /* of these, the last ones: they share a transaction whose Sync is not sent yet */
    struct loop_turn turn;          /* sends it */
    const struct db_tenant *tenant; /* of the last such one; compared, not read */
    struct db_session session;
    uint64_t heard_us, asked_us; /* when the server was last heard, and asked of the session */
    bool is_silent;              /* owes an answer for a while: takes no more requests */
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
/** Whether it is ready, and not about to be remade. */
bool db_connection_is_up(const struct db_connection *connection);
/**
 * Looks at the clock, a few times a second: gives up a connection that has not answered in time, finds the silent ones,
 * and asks those that nothing was heard from. @now_us  of clock_now_us()
 */
void db_connection_tick(struct db_connection *connection, uint64_t now_us);
/** Since when the oldest request waits for something to be heard; 0: nothing is owed. */
uint64_t db_connection_owes_since_us(const struct db_connection *connection);
/** Asks of the session now, unless an answer is owed anyway. */
void db_connection_ask(struct db_connection *connection, uint64_t now_us);
/** Takes no more requests; is remade once all are answered. @cause  one line */
void db_connection_retire(struct db_connection *connection, const char *cause);
/** Puts a request on the wire. Returns: false: not sent; the connection is then down, the request untouched. */
bool db_connection_send(struct db_connection *connection, struct db_request *request);
/** The task of a sent request leaves: its statement is cancelled, and the request freed at its end. */
void db_connection_abandon(struct db_request *request);

#endif
