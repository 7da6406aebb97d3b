#ifndef HERALD_POSTGRES_POOL_H
#define HERALD_POSTGRES_POOL_H

#include "server/store/postgres/batch.h"
#include "server/store/postgres/db.h"
#include "server/store/postgres/embedded_sql.h"

#include <libpq-fe.h>
#include <uv.h>

/* The pool's own structures; for pool.c, connection.c and request.c only. */

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

/** One transaction under way. Its task frees it, unless it has left: then whoever ends it. */
struct db_request {
    struct db_request *next;
    struct db *db;
    struct db_connection *connection; /* that has it, while it is sent */
    const struct db_batch *batch;     /* valid until its task leaves */
    struct completion completion;
    enum db_request_state state;
    enum db_request_end end;
    bool abandoned; /* its task waits no more */
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

#define DB_QUEUE_LIMIT 4096 /* requests that wait for a connection to take them */

struct db_queue {
    struct db_request *head, *tail;
    unsigned length;
};
void db_queue_push(struct db_queue *queue, struct db_request *request);
/** NULL when empty. */
struct db_request *db_queue_pop(struct db_queue *queue);
void db_queue_remove(struct db_queue *queue, struct db_request *request);

enum db_connection_state {
    DB_CONNECTION_DOWN,       /* waits to connect again */
    DB_CONNECTION_CONNECTING, /* libpq is at it */
    DB_CONNECTION_PREPARING,  /* the statements are being prepared */
    DB_CONNECTION_READY       /* takes requests */
};

struct db_connection {
    struct db *db;
    PGconn *pg;
    uv_poll_t *poll; /* NULL: not watched */
    int poll_fd, poll_events;
    uv_timer_t timer; /* until connecting again, or until connecting has taken too long */
    enum db_connection_state state;
    struct db_queue sent;     /* oldest first: results come in this order */
    unsigned failures;        /* in a row */
    unsigned prepared;        /* results of preparing that have come */
    bool prepare_failed;      /* its message is in db->cause */
    struct db_cancel *cancel; /* under way: no more requests until it has returned */
    uv_timer_t cancel_timer;  /* until a cancel begins, or until the one under way is given up */
    bool retiring;            /* no more requests; made anew when all are answered */
};

struct db {
    struct loop *loop;
    uv_loop_t *uv;
    char *dsn;
    char *session_options; /* libpq's "options" */
    uint32_t statement_timeout_ms;
    void (*on_health)(void *user, const struct herald_error *error);
    void *user;

    struct db_connection *connections;
    unsigned connection_count, ready_count;
    struct db_queue queue; /* requests that no connection has taken */
    uv_timer_t queue_timer;
    uint64_t down_since_us; /* when the last connection went down that took requests */
    bool closing, serving;
    unsigned cancel_count, hit_count; /* cancels begun; requests that one not meant for them has ended */
    unsigned refs;                    /* the owner, open handles, requests */
    char cause[384];                  /* why the last connection went down */
    struct herald_error health;       /* what was reported last while not serving */
};

void db_unref(struct db *db);
/** Copies libpq's message into the cause, in one line. */
void db_set_cause(struct db *db, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* pool.c, told by connections */
/** The connection takes requests. */
void db_on_connection_ready(struct db *db);
/** The connection went down, for the reason in the cause. @was_ready  it took requests before */
void db_on_connection_down(struct db *db, bool was_ready);
/** The connection has room again. */
void db_drain_queue(struct db *db);

/** Takes a request in: sends it or queues it. Returns false when the queue is full. */
bool db_submit(struct db *db, struct db_request *request);
/** Sends a request again that is in no queue any more and was rolled back, before all others. */
void db_request_again(struct db_request *request);
/** Ends a request that is in no queue any more: wakes its task, or frees it when the task has left. */
void db_request_end(struct db_request *request, enum db_request_end end);
void db_request_free(struct db_request *request);

/* connection.c */
#define DB_PIPELINE_DEPTH 64
/** Prepares the structure and begins to connect. Returns false without resources. */
bool db_connection_open(struct db_connection *connection, struct db *db);
/** Ends it; requests under way end as lost. */
void db_connection_close(struct db_connection *connection);
/** Puts a request on the wire. Returns false when it could not: the connection is down then, the request untouched. */
bool db_connection_send(struct db_connection *connection, struct db_request *request);
/** Gives it no more requests; it is made anew when all it has are answered. The reason is in db->cause. */
void db_connection_retire(struct db_connection *connection);

/* cancel.c */
struct db_cancel;
/** Called when the oldest request of a connection is another, or its task has left: sees to its cancellation. */
void db_cancel_consider(struct db_connection *connection);
/** The connection goes down, and with it what a cancel under way could hit. */
void db_cancel_forget(struct db_connection *connection);
/** True when a cancel that was meant for another request has ended this one. It was rolled back. */
bool db_cancel_has_hit(const struct db_request *request);
void db_cancel_on_timer(uv_timer_t *timer);

#endif
