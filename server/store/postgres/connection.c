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
 *   Nor do the callbacks on_answered, on_session and on_ready, which come from there, send or retire anything.
 */
#include "server/store/postgres/connection.h"

#include "client/base/backoff.h"
#include "client/base/minimum.h"
#include "client/base/random.h"
#include "server/store/postgres/embedded_sql.h"
#include "server/store/postgres/prepare.h"
#include "server/store/postgres/sqlstate.h"

#include <ctype.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 10000 /* until the statements are prepared; of one host, where there are several: */
#define HOST_TIMEOUT_MS    4000
#define ASK_AFTER_MS       5000 /* of the session, from one time to the next */
#define ASKED_WITHIN_MS    5000 /* longest wait for that answer, with nothing before it */
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
    connection->retiring = connection->is_silent = false;
    connection->lone_count = connection->open_count = 0;
    loop_turn_cancel(connection->options->loop, &connection->turn);
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

static bool write_statement(PGconn *pg, const struct db_batch *batch, const struct db_batch_statement *statement,
                            bool is_prepared) {
    const struct db_query_text *text = &db_query_texts[statement->query];
    const char *const *values = batch->values + statement->first;
    const int *lengths = batch->lengths + statement->first, *formats = batch->formats + statement->first;
    return is_prepared ? PQsendQueryPrepared(pg, text->name, (int)statement->count, values, lengths, formats, 1)
                       : PQsendQueryParams(pg, text->sql, (int)statement->count, NULL, values, lengths, formats, 1);
}

static bool write_batch(PGconn *pg, const struct db_batch *batch, const char *preamble) {
    bool sent = !preamble || PQsendQueryParams(pg, preamble, 0, NULL, NULL, NULL, NULL, 0);
    for (unsigned i = 0; i < batch->statement_count && sent; i++) {
        sent = write_statement(pg, batch, &batch->statements[i], preamble == NULL);
    }
    return sent;
}

static void note_sent(struct db_connection *connection, struct db_request *request) {
    request->state = DB_REQUEST_SENT;
    request->connection = connection;
    request->sent_us = clock_now_us();
    if (request->lane != DB_LANE_READ) {
        connection->lone_count++;
        connection->tenant = request->tenant;
    }
    db_queue_push(&connection->sent, request);
}

/* Ends the transaction of the requests that share it, and has the kernel take them. Returns: false: the connection cannot be used
 * any more. */
static bool end_sharing(struct db_connection *connection) {
    unsigned before = connection->sent.length - connection->open_count;
    struct db_request *request = connection->sent.head;
    for (; request && before > 0; before--) {
        request = request->next;
    }
    for (; request; request = request->next) {
        request->sharing = connection->open_count;
        request->has_sync = request->next == NULL;
    }
    connection->open_count = 0;
    loop_turn_cancel(connection->options->loop, &connection->turn);
    if (PQpipelineSync(connection->pg) == 0) {
        set_cause(connection, "%s", PQerrorMessage(connection->pg));
        return false;
    }
    db_canceller_look(&connection->canceller);
    return flush(connection);
}

static void on_sharing_turn_end(struct loop_turn *turn) {
    struct db_connection *connection = (struct db_connection *)((char *)turn - offsetof(struct db_connection, turn));
    if (connection->open_count > 0 && !end_sharing(connection)) {
        go_down(connection);
        connection->options->on_room(connection->options->user);
    }
}

/* Whether a request joins those that share a transaction. */
static bool joins(const struct db_connection *connection, const struct db_request *request) {
    return !request->is_alone && !connection->options->preamble;
}

static bool write_request(struct db_connection *connection, struct db_request *request) {
    if (connection->open_count > 0 && !joins(connection, request) && !end_sharing(connection)) {
        return false;
    }
    if (write_batch(connection->pg, request->batch, connection->options->preamble)) {
        return true;
    }
    set_cause(connection, "%s", PQerrorMessage(connection->pg));
    return false;
}

bool db_connection_send(struct db_connection *connection, struct db_request *request) {
    if (!write_request(connection, request)) {
        /* its Sync was not sent, so it cannot be committed: another connection may take it */
        go_down(connection);
        return false;
    }
    request->has_preamble = connection->options->preamble != NULL;
    note_sent(connection, request);
    connection->open_count++;
    if (joins(connection, request) && connection->open_count < DB_SHARING_MOST) {
        loop_at_turn_end(connection->options->loop, &connection->turn);
    } else if (!end_sharing(connection)) {
        go_down(connection);
    }
    return true;
}

void db_connection_ask(struct db_connection *connection, uint64_t now_us) {
    struct db_request *check = db_connection_takes(connection) ? db_request_new_check() : NULL;
    if (!check) {
        return;
    }
    connection->asked_us = now_us;
    if (connection->open_count > 0 && !end_sharing(connection)) {
        db_request_free(check);
        go_down(connection);
        return;
    }
    if (!db_session_ask(connection->pg, connection->options->preamble == NULL)) {
        set_cause(connection, "%s", PQerrorMessage(connection->pg));
        db_request_free(check);
        go_down(connection);
        return;
    }
    check->has_sync = true; /* it is sent already */
    check->sharing = 1;
    note_sent(connection, check);
    if (!flush(connection)) {
        go_down(connection);
    }
}

/* ---- reading ---- */

static bool refuse_result(struct db_connection *connection, PGresult *result) {
    set_cause(connection, "%s", PQresultErrorMessage(result));
    PQclear(result);
    return false;
}

static void end_check(struct db_connection *connection, struct db_request *check) {
    if (check->failed < 0 && db_session_read(check->results[0], &connection->session)) {
        connection->options->on_session(connection->options->user, connection);
    }
    db_request_free(check);
}

/* Ends the oldest request: all of it is answered. */
static void end_oldest(struct db_connection *connection) {
    struct db_request *request = db_queue_pop(&connection->sent);
    connection->lone_count -= request->lane != DB_LANE_READ;
    if (request->is_check) {
        end_check(connection, request);
    } else if (!connection->options->on_answered(connection->options->user, connection, request)) {
        db_request_end(request, request->unconfirmed ? DB_END_UNCONFIRMED : DB_END_ANSWERED);
    }
    db_canceller_look(&connection->canceller);
}

/* What an error means for the connection. */
static void note_error(struct db_connection *connection, const PGresult *result) {
    const struct db_meaning *meaning = db_meaning_of_result(result);
    if (db_has_sqlstate(result, DB_SQLSTATE_READ_ONLY)) {
        connection->session.is_read_only = true; /* it can still read: the pool says when it is remade */
    } else if (meaning && meaning->retires && !connection->retiring) {
        set_cause(connection, "%s", PQresultErrorMessage(result));
        connection->retiring = true;
    }
}

/* Takes one result of the oldest request. Returns: false: the connection cannot be used any more. */
static bool take_result(struct db_connection *connection, PGresult *result) {
    struct db_request *request = connection->sent.head;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC && request->has_sync) {
        PQclear(result);
        end_oldest(connection);
        return true;
    }
    if (status == PGRES_PIPELINE_SYNC || db_is_fatal(result) || PQstatus(connection->pg) == CONNECTION_BAD ||
        request->received >= request->count) {
        return refuse_result(connection, result);
    }
    request->answered = true;
    if (request->has_preamble && status != PGRES_FATAL_ERROR) {
        PQclear(result);
        return true;
    }
    if ((status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED) && request->failed < 0) {
        request->failed = (int)request->received;
    }
    if (status == PGRES_FATAL_ERROR) {
        note_error(connection, result);
    }
    if (request->results[request->received]) {
        PQclear(result); /* the preamble has failed: that says more */
    } else {
        request->results[request->received] = result;
    }
    return true;
}

/* A NULL of PQgetResult() ends the results of one statement. */
static bool end_statement(struct db_request *request) {
    bool ended = request->answered;
    request->received += ended && !request->has_preamble;
    request->has_preamble = request->has_preamble && !ended;
    request->answered = false;
    return ended;
}

/* Ends those that share a transaction with a later one, and are answered: they need not wait for its Sync. */
static void end_answered(struct db_connection *connection) {
    for (const struct db_request *head = connection->sent.head;
         head && head->sharing > 0 && !head->has_sync && head->received == head->count; head = connection->sent.head) {
        end_oldest(connection);
    }
}

static bool read_results(struct db_connection *connection) {
    for (int idle = 0; connection->sent.head && idle < 2 && !PQisBusy(connection->pg);) {
        PGresult *result = PQgetResult(connection->pg);
        if (!result) {
            idle = end_statement(connection->sent.head) ? 0 : idle + 1;
            end_answered(connection);
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
    if (!db_prepare_send(connection->pg, connection->options->preamble == NULL)) {
        set_cause(connection, "%s", PQerrorMessage(connection->pg));
        return false;
    }
    return flush(connection);
}

static void become_ready(struct db_connection *connection) {
    (void)uv_timer_stop(&connection->timer);
    connection->state = DB_CONNECTION_READY;
    connection->failures = 0;
    connection->heard_us = connection->asked_us = clock_now_us();
    db_canceller_start(&connection->canceller, connection->pg);
    connection->options->on_ready(connection->options->user);
}

static bool take_prepared(struct db_connection *connection, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (db_is_fatal(result) || PQstatus(connection->pg) == CONNECTION_BAD) {
        return refuse_result(connection, result);
    }
    if (*connection->options->refusal) {
        PQclear(result);
        set_cause(connection, "%s", *connection->options->refusal);
        return false;
    }
    char why[DB_CAUSE_BYTES];
    if (status == PGRES_TUPLES_OK && db_session_read(result, &connection->session)) {
        connection->options->on_session(connection->options->user, connection);
    } else if (!connection->prepare_failed && !db_prepare_check(connection->prepared, result, why, sizeof(why))) {
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
    if ((events & UV_READABLE) && !lost) {
        connection->heard_us = clock_now_us();
        connection->is_silent = false;
    }
    /* results that had arrived before the end are still valid */
    bool usable = connection->state == DB_CONNECTION_READY ? read_results(connection) : read_prepared(connection);
    if (usable && (lost || PQstatus(connection->pg) == CONNECTION_BAD)) {
        set_cause(connection, "%s", PQerrorMessage(connection->pg));
        usable = false;
    }
    return usable && flush(connection);
}

static void explain_connecting(struct db_connection *connection) {
    const char *message = connection->pg ? PQerrorMessage(connection->pg) : "no memory";
    bool is_refused = db_is_refused_option(message);
    set_cause(connection, "%s: %s", is_refused ? DB_REFUSED_OPTIONS_REMEDY : "cannot connect", message);
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
        explain_connecting(connection);
        return false;
    }
}

static bool is_retired(const struct db_connection *connection) {
    return connection->retiring && !connection->sent.head;
}

void db_connection_retire(struct db_connection *connection, const char *cause) {
    set_cause(connection, "%s", cause);
    connection->retiring = true;
    if (is_retired(connection)) {
        go_down(connection);
    }
}

static void on_cancel_unanswered(void *user, unsigned after_s) {
    char cause[DB_CAUSE_BYTES];
    (void)snprintf(cause, sizeof(cause), "a request to cancel a statement was not answered within %u s", after_s);
    db_connection_retire(user, cause);
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

/*
 * A commit that waits for a standby can be cancelled, by a cancel that was meant for another request or by an operator.
 * It has then taken effect on the primary alone, and Postgres says so in a warning only. The text of the warning depends
 * on the language of the server; the function that gives it does not.
 */
static void on_notice(void *arg, const PGresult *result) {
    struct db_connection *connection = arg;
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    if (function && strcmp(function, "SyncRepWaitForLSN") == 0 && connection->sent.head) {
        connection->sent.head->unconfirmed = true;
    }
}

static PGconn *start_connecting(const struct db_connection *connection) {
    const struct db_connection_options *options = connection->options;
    char user_timeout[16], host[DB_HOSTS_BYTES], address[DB_HOSTS_BYTES], port[DB_HOSTS_BYTES];
    (void)snprintf(user_timeout, sizeof(user_timeout), "%u", options->answer_within_ms);
    db_hosts_turn(options->hosts, connection->first_host, host, address, port);
    /* keywords after dbname override the connection string; those before yield to it; NULL is as if it were not there */
    const char *keywords[] = {"fallback_application_name",
                              "keepalives",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              "tcp_user_timeout",
                              "gssencmode",
                              "dbname",
                              "client_encoding",
                              "options",
                              "host",
                              "hostaddr",
                              "port",
                              NULL};
    const char *values[] = {"herald",
                            "1",
                            "10",
                            "5",
                            "3",
                            user_timeout,
                            options->gssencmode,
                            options->dsn,
                            "UTF8",
                            options->session_options,
                            host[0] ? host : NULL,
                            address[0] ? address : NULL,
                            port[0] ? port : NULL,
                            NULL};
    return PQconnectStartParams(keywords, values, 1);
}

static uint32_t connect_timeout_ms(const struct db_connection *connection) {
    return connection->options->hosts->count > 1 ? HOST_TIMEOUT_MS : CONNECT_TIMEOUT_MS;
}

/* libpq, when it does not block, waits for ever for a host that is silent: the next attempt begins with the next one. */
static void on_connect_timeout(uv_timer_t *timer) {
    struct db_connection *connection = timer->data;
    set_cause(connection, "cannot connect: no answer within %u s from %s", connect_timeout_ms(connection) / 1000,
              PQhost(connection->pg) ? PQhost(connection->pg) : "the server");
    connection->first_host++;
    go_down(connection);
}

static void connect_now(struct db_connection *connection) {
    if (*connection->options->refusal) {
        set_cause(connection, "%s", *connection->options->refusal);
        go_down(connection);
        return;
    }
    (void)uv_timer_start(&connection->timer, on_connect_timeout, connect_timeout_ms(connection), 0);
    connection->state = DB_CONNECTION_CONNECTING;
    connection->pg = start_connecting(connection);
    if (connection->pg) {
        PQsetNoticeReceiver(connection->pg, on_notice, connection);
    }
    if (!connection->pg || PQstatus(connection->pg) == CONNECTION_BAD) {
        explain_connecting(connection);
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
    connection->turn.run = on_sharing_turn_end;
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

bool db_connection_is_up(const struct db_connection *connection) {
    return connection->state == DB_CONNECTION_READY && !connection->retiring && !connection->is_silent;
}

bool db_connection_takes(const struct db_connection *connection) {
    return db_connection_is_up(connection) && !connection->canceller.under_way &&
           connection->sent.length < DB_PIPELINE_DEPTH;
}

uint64_t db_connection_owes_since_us(const struct db_connection *connection) {
    const struct db_request *oldest = connection->sent.head;
    if (!oldest) {
        return 0;
    }
    return oldest->sent_us > connection->heard_us ? oldest->sent_us : connection->heard_us;
}

void db_connection_tick(struct db_connection *connection, uint64_t now_us) {
    if (connection->state != DB_CONNECTION_READY) {
        return;
    }
    uint64_t since_us = db_connection_owes_since_us(connection);
    if (since_us == 0) {
        if (now_us - connection->asked_us >= ASK_AFTER_MS * UINT64_C(1000)) {
            db_connection_ask(connection, now_us);
        }
        return;
    }
    uint64_t owed_ms = (now_us - since_us) / 1000;
    const struct db_request *head = connection->sent.head;
    uint64_t all_within_ms = connection->options->answer_within_ms * (uint64_t)herald_max_u32(head->sharing, 1);
    uint64_t within_ms = head->is_check ? ASKED_WITHIN_MS : all_within_ms;
    connection->is_silent = owed_ms >= DB_SILENT_MS;
    if (owed_ms >= within_ms) {
        set_cause(connection, "nothing was heard for %u s: the path to the server is broken, or it does not answer",
                  (unsigned)(owed_ms / 1000));
        go_down(connection);
    }
}

void db_connection_abandon(struct db_request *request) {
    struct db_connection *connection = request->connection;
    request->abandoned = true;
    request->batch = NULL;
    db_canceller_look(&connection->canceller);
}
