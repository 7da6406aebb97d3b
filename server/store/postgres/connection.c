/*
 * One connection of the pool, on libpq's non-blocking calls.
 *
 * Invariants:
 * - `sent` holds the requests that are on the wire, oldest first. Results come in that order. Those of one request end
 *   with the result of its Sync, and only that result says that it was committed.
 * - PQgetResult() is called only when PQisBusy() says that it will not block.
 * - libpq may close its socket and open another while it connects. The poll handle is therefore made anew around each
 *   of its steps, and always closed before libpq closes the socket.
 * - go_down() is the only way down. It is never called while results are being read: the readers return false instead.
 */
#include "server/store/postgres/connection.h"

#include "client/base/backoff.h"
#include "client/base/random.h"
#include "server/store/postgres/embedded_sql.h"
#include "server/store/postgres/prepare.h"
#include "server/store/postgres/sqlstate.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 10000 /* until the statements are prepared */
#define FIRST_RETRY_MS     50
#define LAST_RETRY_MS      3200

/* Writes why the connection cannot be used, in one line. */
__attribute__((format(printf, 2, 3))) static void set_cause(struct db_connection *connection, const char *format, ...) {
    char *cause = connection->cause;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(cause, sizeof(connection->cause), format, args);
    va_end(args);
    size_t end = strlen(cause);
    while (end > 0 && isspace((unsigned char)cause[end - 1])) {
        end--;
    }
    cause[end] = '\0';
    for (char *c = cause; *c; c++) {
        *c = (unsigned char)*c < ' ' ? ' ' : *c;
    }
}

static uv_loop_t *uv_of(const struct db_connection *connection) {
    return loop_uv(connection->options->loop);
}

static void handle_ended(struct db_connection *connection) {
    if (--connection->handle_count == 0) {
        connection->options->on_closed(connection->options->user);
    }
}

/* ---- watching the socket ---- */

static void on_connection_poll(uv_poll_t *poll, int status, int events);

static void on_poll_closed(uv_handle_t *handle) {
    struct db_connection *connection = handle->data;
    free(handle);
    handle_ended(connection);
}

static void unwatch_connection(struct db_connection *connection) {
    if (connection->poll) {
        uv_close((uv_handle_t *)connection->poll, on_poll_closed);
        connection->poll = NULL;
    }
}

static bool make_poll(struct db_connection *connection, int fd) {
    uv_poll_t *poll = malloc(sizeof(*poll));
    if (!poll || uv_poll_init(uv_of(connection), poll, fd) != 0) {
        free(poll);
        set_cause(connection, "cannot watch a connection: no memory or descriptors");
        return false;
    }
    poll->data = connection;
    connection->handle_count++;
    connection->poll = poll;
    connection->poll_fd = fd;
    connection->poll_events = 0;
    return true;
}

/* @events  UV_READABLE, UV_WRITABLE */
static bool watch_connection(struct db_connection *connection, int events) {
    int fd = PQsocket(connection->pg);
    if (fd < 0) {
        set_cause(connection, "%s", PQerrorMessage(connection->pg));
        return false;
    }
    if (connection->poll && connection->poll_fd != fd) {
        unwatch_connection(connection);
    }
    if (!connection->poll && !make_poll(connection, fd)) {
        return false;
    }
    if (events == connection->poll_events) {
        return true;
    }
    connection->poll_events = events;
    return uv_poll_start(connection->poll, events, on_connection_poll) == 0;
}

/* ---- down ---- */

static void on_retry(uv_timer_t *timer);

/* A transaction with a failed statement cannot have been committed, even if the connection was lost. */
static void end_as_lost(struct db_request *request) {
    db_request_end(request, request->failed >= 0 ? DB_END_ANSWERED : DB_END_LOST);
}

static void disconnect(struct db_connection *connection) {
    unwatch_connection(connection);
    db_canceller_stop(&connection->canceller);
    PQfinish(connection->pg);
    connection->pg = NULL;
    connection->state = DB_CONNECTION_DOWN;
    connection->retiring = false;
    struct db_request *request;
    while ((request = db_queue_pop(&connection->sent))) {
        end_as_lost(request);
    }
}

/* Closes the connection and ends its requests. The caller has set the cause. */
static void go_down(struct db_connection *connection) {
    bool was_ready = connection->state == DB_CONNECTION_READY;
    disconnect(connection);
    uint32_t wait_ms = herald_backoff_ms(FIRST_RETRY_MS, LAST_RETRY_MS, connection->failures++, herald_random());
    (void)uv_timer_start(&connection->timer, on_retry, wait_ms, 0);
    connection->options->on_down(connection->options->user, connection->cause, was_ready);
}

/* ---- writing ---- */

static bool flush(struct db_connection *connection) {
    int left = PQflush(connection->pg);
    if (left < 0) {
        set_cause(connection, "%s", PQerrorMessage(connection->pg));
        return false;
    }
    return watch_connection(connection, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static bool write_batch(PGconn *pg, const struct db_batch *batch) {
    for (unsigned i = 0; i < batch->statement_count; i++) {
        const struct db_batch_statement *statement = &batch->statements[i];
        if (!PQsendQueryPrepared(pg, db_query_texts[statement->query].name, (int)statement->count,
                                 batch->values + statement->first, batch->lengths + statement->first,
                                 batch->formats + statement->first, 1)) {
            return false;
        }
    }
    return PQpipelineSync(pg) != 0;
}

bool db_connection_send(struct db_connection *connection, struct db_request *request) {
    if (!write_batch(connection->pg, request->batch)) {
        /* its Sync was not sent, so it cannot be committed: another connection may take it */
        set_cause(connection, "%s", PQerrorMessage(connection->pg));
        go_down(connection);
        return false;
    }
    request->state = DB_REQUEST_SENT;
    request->connection = connection;
    db_queue_push(&connection->sent, request);
    if (!flush(connection)) {
        go_down(connection);
    }
    return true;
}

/* ---- reading ---- */

static bool refuse_result(struct db_connection *connection, PGresult *result) {
    set_cause(connection, "%s", PQresultErrorMessage(result));
    PQclear(result);
    return false;
}

/* Ends the oldest request: all of it is answered. */
static void end_oldest(struct db_connection *connection) {
    struct db_request *request = db_queue_pop(&connection->sent);
    if (db_cancel_has_hit(request)) {
        db_request_rewind(request);
        connection->options->on_given_back(connection->options->user, request);
    } else {
        db_request_end(request, DB_END_ANSWERED);
    }
    db_canceller_look(&connection->canceller);
}

/* Takes one result of the oldest request. Returns: false: the connection cannot be used any more. */
static bool take_result(struct db_connection *connection, PGresult *result) {
    struct db_request *request = connection->sent.head;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        end_oldest(connection);
        return true;
    }
    if (db_is_fatal(result) || PQstatus(connection->pg) == CONNECTION_BAD || request->received >= request->count) {
        return refuse_result(connection, result);
    }
    if (status == PGRES_FATAL_ERROR && request->failed < 0) {
        request->failed = (int)request->received;
    }
    request->results[request->received] = result;
    request->answered = true;
    if (db_is_stale(result)) {
        set_cause(connection, "%s", PQresultErrorMessage(result));
        return false;
    }
    return true;
}

/* A NULL of PQgetResult() ends the results of one statement. */
static bool end_statement(struct db_request *request) {
    bool ended = request->answered;
    request->received += ended;
    request->answered = false;
    return ended;
}

static bool read_results(struct db_connection *connection) {
    for (int idle = 0; connection->sent.head && idle < 2 && !PQisBusy(connection->pg);) {
        PGresult *result = PQgetResult(connection->pg);
        if (!result) {
            idle = end_statement(connection->sent.head) ? 0 : idle + 1;
        } else if (!take_result(connection, result)) {
            return false;
        } else {
            idle = 0;
        }
    }
    return true;
}

/* ---- preparing ---- */

static bool send_prepares(struct db_connection *connection) {
    connection->state = DB_CONNECTION_PREPARING;
    connection->prepared = 0;
    connection->prepare_failed = false;
    if (!db_prepare_send(connection->pg)) {
        set_cause(connection, "%s", PQerrorMessage(connection->pg));
        return false;
    }
    return flush(connection);
}

static void become_ready(struct db_connection *connection) {
    (void)uv_timer_stop(&connection->timer);
    connection->state = DB_CONNECTION_READY;
    connection->failures = 0;
    db_canceller_start(&connection->canceller, connection->pg);
    connection->options->on_ready(connection->options->user);
}

static bool take_prepared(struct db_connection *connection, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (db_is_fatal(result) || PQstatus(connection->pg) == CONNECTION_BAD) {
        return refuse_result(connection, result);
    }
    char why[DB_CAUSE_BYTES];
    if (!connection->prepare_failed && !db_prepare_check(connection->prepared, result, why, sizeof(why))) {
        set_cause(connection, "%s", why);
        connection->prepare_failed = true;
    }
    PQclear(result);
    connection->prepared++;
    if (status == PGRES_PIPELINE_SYNC && !connection->prepare_failed) {
        become_ready(connection);
    }
    return status != PGRES_PIPELINE_SYNC || !connection->prepare_failed;
}

static bool read_prepared(struct db_connection *connection) {
    for (int idle = 0; connection->state == DB_CONNECTION_PREPARING && idle < 2 && !PQisBusy(connection->pg);) {
        PGresult *result = PQgetResult(connection->pg);
        idle = result ? 0 : idle + 1;
        if (result && !take_prepared(connection, result)) {
            return false;
        }
    }
    return true;
}

/* ---- the socket's events ---- */

static bool exchange(struct db_connection *connection, int events) {
    bool lost = (events & UV_READABLE) && !PQconsumeInput(connection->pg);
    /* results that had arrived before the end are still valid */
    bool usable = connection->state == DB_CONNECTION_READY ? read_results(connection) : read_prepared(connection);
    if (usable && (lost || PQstatus(connection->pg) == CONNECTION_BAD)) {
        set_cause(connection, "%s", PQerrorMessage(connection->pg));
        usable = false;
    }
    return usable && flush(connection);
}

/* One step of connecting. */
static bool advance(struct db_connection *connection) {
    unwatch_connection(connection);
    switch (PQconnectPoll(connection->pg)) {
    case PGRES_POLLING_READING:
        return watch_connection(connection, UV_READABLE);
    case PGRES_POLLING_WRITING:
        return watch_connection(connection, UV_WRITABLE);
    case PGRES_POLLING_OK:
        return send_prepares(connection);
    default:
        set_cause(connection, "cannot connect: %s", PQerrorMessage(connection->pg));
        return false;
    }
}

static bool is_retired(const struct db_connection *connection) {
    return connection->retiring && !connection->sent.head;
}

/* The connection takes no more requests; it is remade once all of its requests are answered. */
static void on_cancel_unanswered(void *user, unsigned after_s) {
    struct db_connection *connection = user;
    set_cause(connection, "a request to cancel a statement was not answered within %u s", after_s);
    connection->retiring = true;
    if (is_retired(connection)) {
        go_down(connection);
    }
}

static void on_cancel_returned(void *user) {
    struct db_connection *connection = user;
    connection->options->on_room(connection->options->user);
}

static void on_connection_poll(uv_poll_t *poll, int status, int events) {
    struct db_connection *connection = poll->data;
    /* reading finds the cause of a poll error */
    int seen = status < 0 ? UV_READABLE : events;
    bool usable = connection->state == DB_CONNECTION_CONNECTING ? advance(connection) : exchange(connection, seen);
    if (!usable || is_retired(connection)) {
        go_down(connection);
    }
    connection->options->on_room(connection->options->user);
}

/* ---- connecting ---- */

static void ignore_connection_notice(void *arg, const PGresult *result) {
    (void)arg;
    (void)result;
}

static PGconn *start_connecting(const struct db_connection_options *options) {
    /* keywords after dbname override the connection string; those before yield to it */
    const char *keywords[] = {"fallback_application_name",
                              "keepalives",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              "tcp_user_timeout",
                              "dbname",
                              "client_encoding",
                              "options",
                              NULL};
    const char *values[] = {"herald", "1", "10", "5", "3", "20000", options->dsn, "UTF8", options->session_options,
                            NULL};
    return PQconnectStartParams(keywords, values, 1);
}

static void on_connect_timeout(uv_timer_t *timer) {
    struct db_connection *connection = timer->data;
    set_cause(connection, "cannot connect: no answer within %d s", CONNECT_TIMEOUT_MS / 1000);
    go_down(connection);
}

static void connect_now(struct db_connection *connection) {
    (void)uv_timer_start(&connection->timer, on_connect_timeout, CONNECT_TIMEOUT_MS, 0);
    connection->state = DB_CONNECTION_CONNECTING;
    connection->pg = start_connecting(connection->options);
    if (connection->pg) {
        PQsetNoticeReceiver(connection->pg, ignore_connection_notice, NULL);
    }
    if (!connection->pg || PQstatus(connection->pg) == CONNECTION_BAD) {
        set_cause(connection, "cannot connect: %s", connection->pg ? PQerrorMessage(connection->pg) : "no memory");
        go_down(connection);
    } else if (!watch_connection(connection, UV_WRITABLE)) {
        go_down(connection);
    }
}

static void on_retry(uv_timer_t *timer) {
    connect_now(timer->data);
}

/* ---- for the pool ---- */

bool db_connection_open(struct db_connection *connection, const struct db_connection_options *options) {
    if (uv_timer_init(loop_uv(options->loop), &connection->timer) != 0) {
        return false;
    }
    connection->options = options;
    connection->timer.data = connection;
    connection->canceller = (struct db_canceller){.loop = options->loop,
                                                  .sent = &connection->sent,
                                                  .on_returned = on_cancel_returned,
                                                  .on_unanswered = on_cancel_unanswered,
                                                  .user = connection};
    db_canceller_open(&connection->canceller);
    connection->handle_count = 2;
    /* the first attempt is made later, so no callback runs before this function has returned */
    (void)uv_timer_start(&connection->timer, on_retry, 0, 0);
    return true;
}

static void on_connection_timer_closed(uv_handle_t *handle) {
    handle_ended(handle->data);
}

void db_connection_close(struct db_connection *connection) {
    if (connection->options) {
        disconnect(connection);
        uv_close((uv_handle_t *)&connection->timer, on_connection_timer_closed);
        db_canceller_close(&connection->canceller, on_connection_timer_closed, connection);
    }
}

bool db_connection_takes(const struct db_connection *connection) {
    return connection->state == DB_CONNECTION_READY && !connection->canceller.under_way && !connection->retiring &&
           connection->sent.length < DB_PIPELINE_DEPTH;
}

void db_connection_abandon(struct db_request *request) {
    struct db_connection *connection = request->connection;
    request->abandoned = true;
    request->batch = NULL;
    if (connection->sent.head == request) {
        db_canceller_look(&connection->canceller);
    }
}
