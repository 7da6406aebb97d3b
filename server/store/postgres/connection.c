/*
 * One connection of the pool, on libpq's non-blocking calls.
 *
 * Invariants:
 * - `sent` holds the requests that are on the wire, oldest first. Results come in that order; those of one request end
 *   with the result of its Sync, and only that says that it was committed.
 * - PQgetResult() is called only when PQisBusy() says that it will not block.
 * - libpq may close its socket and open another while it connects. The poll handle is therefore made anew around each
 * of its steps, and always closed before libpq closes the socket.
 * - go_down() is the one way down. It is never called while results are being read: the readers return false instead.
 */
#include "server/store/postgres/pool.h"
#include "server/store/postgres/prepare.h"
#include "server/store/postgres/sqlstate.h"

#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 10000 /* until the statements are prepared */
#define FIRST_RETRY_MS     50
#define LAST_RETRY_MS      3200

/* ---- watching the socket ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

static void on_poll_closed(uv_handle_t *handle) {
    struct db *db = handle->data;
    free(handle);
    db_unref(db);
}

static void unwatch(struct db_connection *connection) {
    if (connection->poll) {
        connection->poll->data = connection->db;
        uv_close((uv_handle_t *)connection->poll, on_poll_closed);
        connection->poll = NULL;
    }
}

static bool make_poll(struct db_connection *connection, int fd) {
    uv_poll_t *poll = malloc(sizeof(*poll));
    if (!poll || uv_poll_init(connection->db->uv, poll, fd) != 0) {
        free(poll);
        db_set_cause(connection->db, "cannot watch a connection: no memory or descriptors");
        return false;
    }
    poll->data = connection;
    connection->db->refs++;
    connection->poll = poll;
    connection->poll_fd = fd;
    connection->poll_events = 0;
    return true;
}

/* @events  UV_READABLE, UV_WRITABLE */
static bool watch(struct db_connection *connection, int events) {
    int fd = PQsocket(connection->pg);
    if (fd < 0) {
        db_set_cause(connection->db, "%s", PQerrorMessage(connection->pg));
        return false;
    }
    if (connection->poll && connection->poll_fd != fd) {
        unwatch(connection);
    }
    if (!connection->poll && !make_poll(connection, fd)) {
        return false;
    }
    if (events == connection->poll_events) {
        return true;
    }
    connection->poll_events = events;
    return uv_poll_start(connection->poll, events, on_poll) == 0;
}

/* ---- down ---- */

static void on_retry(uv_timer_t *timer);

static uint64_t retry_delay_ms(unsigned failures) {
    uint64_t ceiling = (uint64_t)FIRST_RETRY_MS << (failures < 6 ? failures : 6);
    ceiling = ceiling < LAST_RETRY_MS ? ceiling : LAST_RETRY_MS;
    return ceiling / 2 + (uv_hrtime() >> 8) % (ceiling / 2 + 1);
}

/* A transaction with a failed statement cannot have been committed, whatever became of the connection. */
static void end_as_lost(struct db_request *request) {
    db_request_end(request, request->failed >= 0 ? DB_END_ANSWERED : DB_END_LOST);
}

static void disconnect(struct db_connection *connection) {
    unwatch(connection);
    db_cancel_forget(connection);
    PQfinish(connection->pg);
    connection->pg = NULL;
    connection->state = DB_CONNECTION_DOWN;
    connection->retiring = false;
    struct db_request *request;
    while ((request = db_queue_pop(&connection->sent))) {
        end_as_lost(request);
    }
}

/* The reason is in db->cause. */
static void go_down(struct db_connection *connection) {
    bool was_ready = connection->state == DB_CONNECTION_READY;
    disconnect(connection);
    (void)uv_timer_start(&connection->timer, on_retry, retry_delay_ms(connection->failures++), 0);
    db_on_connection_down(connection->db, was_ready);
}

/* ---- writing ---- */

static bool flush(struct db_connection *connection) {
    int left = PQflush(connection->pg);
    if (left < 0) {
        db_set_cause(connection->db, "%s", PQerrorMessage(connection->pg));
        return false;
    }
    return watch(connection, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
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
        /* its Sync has not gone out, so that it cannot be committed: another connection may have it */
        db_set_cause(connection->db, "%s", PQerrorMessage(connection->pg));
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
    db_set_cause(connection->db, "%s", PQresultErrorMessage(result));
    PQclear(result);
    return false;
}

/* All of the oldest request is answered. */
static void end_oldest(struct db_connection *connection) {
    struct db_request *request = db_queue_pop(&connection->sent);
    if (db_cancel_has_hit(request)) {
        db_request_again(request);
    } else {
        db_request_end(request, DB_END_ANSWERED);
    }
    db_cancel_consider(connection);
}

/* One result of the oldest request. False: the connection cannot be used any more. */
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
        db_set_cause(connection->db, "%s", PQresultErrorMessage(result));
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
        db_set_cause(connection->db, "%s", PQerrorMessage(connection->pg));
        return false;
    }
    return flush(connection);
}

static void become_ready(struct db_connection *connection) {
    (void)uv_timer_stop(&connection->timer);
    connection->state = DB_CONNECTION_READY;
    connection->failures = 0;
    db_on_connection_ready(connection->db);
}

static bool take_prepared(struct db_connection *connection, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (db_is_fatal(result) || PQstatus(connection->pg) == CONNECTION_BAD) {
        return refuse_result(connection, result);
    }
    char why[sizeof(connection->db->cause)];
    if (!connection->prepare_failed && !db_prepare_check(connection->prepared, result, why, sizeof(why))) {
        db_set_cause(connection->db, "%s", why);
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
    /* what had arrived before the end is still good */
    bool usable = connection->state == DB_CONNECTION_READY ? read_results(connection) : read_prepared(connection);
    if (usable && (lost || PQstatus(connection->pg) == CONNECTION_BAD)) {
        db_set_cause(connection->db, "%s", PQerrorMessage(connection->pg));
        usable = false;
    }
    return usable && flush(connection);
}

/* One step of connecting. */
static bool advance(struct db_connection *connection) {
    unwatch(connection);
    switch (PQconnectPoll(connection->pg)) {
    case PGRES_POLLING_READING:
        return watch(connection, UV_READABLE);
    case PGRES_POLLING_WRITING:
        return watch(connection, UV_WRITABLE);
    case PGRES_POLLING_OK:
        return send_prepares(connection);
    default:
        db_set_cause(connection->db, "cannot connect: %s", PQerrorMessage(connection->pg));
        return false;
    }
}

static bool is_retired(const struct db_connection *connection) {
    return connection->retiring && !connection->sent.head;
}

void db_connection_retire(struct db_connection *connection) {
    connection->retiring = true;
    if (is_retired(connection)) {
        go_down(connection);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct db_connection *connection = poll->data;
    /* an error of the poll itself is found by reading */
    int seen = status < 0 ? UV_READABLE : events;
    bool usable = connection->state == DB_CONNECTION_CONNECTING ? advance(connection) : exchange(connection, seen);
    if (!usable || is_retired(connection)) {
        go_down(connection);
    }
    db_drain_queue(connection->db);
}

/* ---- connecting ---- */

static void ignore_notice(void *arg, const PGresult *result) {
    (void)arg;
    (void)result;
}

static PGconn *start(const struct db *db) {
    /* what comes after dbname overrides the connection string, what comes before gives way to it */
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
    const char *values[] = {"herald", "1", "10", "5", "3", "20000", db->dsn, "UTF8", db->session_options, NULL};
    return PQconnectStartParams(keywords, values, 1);
}

static void on_connect_timeout(uv_timer_t *timer) {
    struct db_connection *connection = timer->data;
    db_set_cause(connection->db, "cannot connect: no answer within %d s", CONNECT_TIMEOUT_MS / 1000);
    go_down(connection);
}

static void connect_now(struct db_connection *connection) {
    (void)uv_timer_start(&connection->timer, on_connect_timeout, CONNECT_TIMEOUT_MS, 0);
    connection->state = DB_CONNECTION_CONNECTING;
    connection->pg = start(connection->db);
    if (connection->pg) {
        PQsetNoticeReceiver(connection->pg, ignore_notice, NULL);
    }
    if (!connection->pg || PQstatus(connection->pg) == CONNECTION_BAD) {
        db_set_cause(connection->db, "cannot connect: %s",
                     connection->pg ? PQerrorMessage(connection->pg) : "no memory");
        go_down(connection);
    } else if (!watch(connection, UV_WRITABLE)) {
        go_down(connection);
    }
}

static void on_retry(uv_timer_t *timer) {
    connect_now(timer->data);
}

bool db_connection_open(struct db_connection *connection, struct db *db) {
    if (uv_timer_init(db->uv, &connection->timer) != 0 || uv_timer_init(db->uv, &connection->cancel_timer) != 0) {
        return false; /* neither can fail */
    }
    connection->db = db;
    connection->timer.data = connection->cancel_timer.data = connection;
    db->refs += 2;
    /* the first attempt is not made inside db_open(), so that nobody is called back before it has returned */
    return uv_timer_start(&connection->timer, on_retry, 0, 0) == 0;
}

static void on_timer_closed(uv_handle_t *handle) {
    struct db_connection *connection = handle->data;
    db_unref(connection->db);
}

void db_connection_close(struct db_connection *connection) {
    if (connection->db) {
        disconnect(connection);
        uv_close((uv_handle_t *)&connection->timer, on_timer_closed);
        uv_close((uv_handle_t *)&connection->cancel_timer, on_timer_closed);
    }
}
