/*
 * The pool: it chooses the connection for a request, queues the requests that no connection can take, and reports
 * health.
 *
 * A struct db lives until its owner has closed it, its timer and its connections are closed, and no task is in
 * db_run(): each of these holds a reference.
 */
#include "server/store/postgres/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_WAIT_MS       2000 /* longest wait for a connection */
#define IDLE_TRANSACTION_MS 30000

/* ---- health ---- */

static void tell_pool_health(struct db *db, const struct herald_error *error) {
    if (db->on_health && !db->closing) {
        db->on_health(db->user, error);
    }
}

static void report_down(struct db *db) {
    char message[sizeof(db->health.message)];
    (void)snprintf(message, sizeof(message), "Postgres: %s", db->cause);
    bool news = db->serving || strcmp(message, db->health.message) != 0;
    db->serving = false;
    if (news) {
        herald_error_set(&db->health, HERALD_REASON_DATABASE_UNAVAILABLE, "%s", message);
        tell_pool_health(db, &db->health);
    }
}

/* ---- requests ---- */

static struct db_connection *least_loaded(struct db *db) {
    struct db_connection *best = NULL;
    for (unsigned i = 0; i < db->connection_count; i++) {
        struct db_connection *connection = &db->connections[i];
        if (db_connection_takes(connection) && (!best || connection->sent.length < best->sent.length)) {
            best = connection;
        }
    }
    return best;
}

static bool send_somewhere(struct db *db, struct db_request *request) {
    struct db_connection *connection;
    while ((connection = least_loaded(db))) {
        if (db_connection_send(connection, request)) {
            return true;
        }
    }
    return false;
}

static void drain_queue(struct db *db) {
    while (db->queue.head && least_loaded(db)) {
        struct db_request *request = db_queue_pop(&db->queue);
        if (!send_somewhere(db, request)) {
            db_queue_push_front(&db->queue, request);
        }
    }
}

/* ---- waiting for a connection ---- */

static void on_queue_timer(uv_timer_t *timer);

/* When a request has waited long enough for a connection. Time during which there was a connection does not count. */
static uint64_t due_us(const struct db *db, const struct db_request *request) {
    uint64_t since_us = request->queued_us > db->down_since_us ? request->queued_us : db->down_since_us;
    return since_us + QUEUE_WAIT_MS * 1000;
}

static void arm_queue_timer(struct db *db) {
    if (!db->queue.head || db->ready_count > 0 || db->closing) {
        (void)uv_timer_stop(&db->queue_timer);
        return;
    }
    uint64_t then_us = due_us(db, db->queue.head), now_us = clock_now_us();
    uv_update_time(db->uv);
    (void)uv_timer_start(&db->queue_timer, on_queue_timer, then_us > now_us ? (then_us - now_us) / 1000 + 1 : 0, 0);
}

static void on_queue_timer(uv_timer_t *timer) {
    struct db *db = timer->data;
    uint64_t now_us = clock_now_us();
    while (db->queue.head && due_us(db, db->queue.head) <= now_us) {
        db_request_end(db_queue_pop(&db->queue), DB_END_NO_CONNECTION);
    }
    arm_queue_timer(db);
}

bool db_submit(struct db *db, struct db_request *request) {
    if (!db->queue.head && send_somewhere(db, request)) {
        return true;
    }
    if (db->queue.length >= db->queue_limit) {
        return false;
    }
    request->state = DB_REQUEST_QUEUED;
    request->queued_us = clock_now_us();
    db_queue_push(&db->queue, request);
    if (!uv_is_active((uv_handle_t *)&db->queue_timer)) {
        arm_queue_timer(db);
    }
    return true;
}

bool db_abandon(struct db *db, struct db_request *request) {
    if (request->state == DB_REQUEST_SENT) {
        db_connection_abandon(request);
        return true;
    }
    db_queue_remove(&db->queue, request);
    db_request_free(request);
    return false;
}

/* ---- callbacks of connections ---- */

static void on_connection_ready(void *user) {
    struct db *db = user;
    db->ready_count++;
    arm_queue_timer(db);
    if (!db->serving) {
        db->serving = true;
        db->health.message[0] = '\0';
        tell_pool_health(db, NULL);
    }
}

static void on_connection_down(void *user, const char *cause, bool was_ready) {
    struct db *db = user;
    (void)snprintf(db->cause, sizeof(db->cause), "%s", cause);
    db->ready_count -= was_ready;
    if (db->ready_count == 0) {
        db->down_since_us = was_ready ? clock_now_us() : db->down_since_us;
        arm_queue_timer(db);
        report_down(db);
    }
}

static void on_connection_room(void *user) {
    drain_queue(user);
}

static void on_request_given_back(void *user, struct db_request *request) {
    struct db *db = user;
    db->hit_count++;
    request->state = DB_REQUEST_QUEUED;
    request->queued_us = clock_now_us();
    db_queue_push_front(&db->queue, request);
}

static void on_connection_closed(void *user) {
    db_unref(user);
}

/* ---- opening and closing ---- */

/* Our options come first: those of the connection string override them. */
static char *make_session_options(const char *own, uint32_t statement_timeout_ms) {
    char *text = NULL;
    int length = asprintf(&text,
                          "-c statement_timeout=%u -c idle_in_transaction_session_timeout=%d "
                          "-c default_transaction_isolation=read\\ committed -c jit=off %s",
                          statement_timeout_ms, IDLE_TRANSACTION_MS, own ? own : "");
    return length < 0 ? NULL : text;
}

static enum herald_code read_dsn(struct db *db, const struct db_options *options, struct herald_error *reterr) {
    /* libpq's own message could quote a password */
    PQconninfoOption *parsed = PQconninfoParse(options->dsn ? options->dsn : "", NULL);
    if (!parsed) {
        return herald_error_set(reterr, HERALD_REASON_BAD_DSN,
                                "pg.dsn is not a connection string of libpq: key=value pairs, or postgresql://…");
    }
    const char *own = NULL;
    for (PQconninfoOption *option = parsed; option->keyword; option++) {
        own = strcmp(option->keyword, "options") == 0 ? option->val : own;
    }
    db->session_options = make_session_options(own, options->statement_timeout_ms);
    PQconninfoFree(parsed);
    db->dsn = strdup(options->dsn ? options->dsn : "");
    return db->dsn && db->session_options ? HERALD_OK : herald_error_no_memory(reterr, "the database pool");
}

void db_unref(struct db *db) {
    if (--db->refs == 0) {
        free(db->connections);
        free(db->session_options);
        free(db->dsn);
        free(db);
    }
}

static void on_queue_timer_closed(uv_handle_t *handle) {
    db_unref(handle->data);
}

static bool open_pool_handles(struct db *db, struct loop *loop) {
    db->connection_options = (struct db_connection_options){.loop = loop,
                                                            .dsn = db->dsn,
                                                            .session_options = db->session_options,
                                                            .on_ready = on_connection_ready,
                                                            .on_down = on_connection_down,
                                                            .on_room = on_connection_room,
                                                            .on_given_back = on_request_given_back,
                                                            .on_closed = on_connection_closed,
                                                            .user = db};
    if (uv_timer_init(db->uv, &db->queue_timer) != 0) {
        return false;
    }
    db->queue_timer.data = db;
    db->refs++;
    for (unsigned i = 0; i < db->connection_count; i++) {
        if (!db_connection_open(&db->connections[i], &db->connection_options)) {
            return false;
        }
        db->refs++;
    }
    return true;
}

enum herald_code db_open(struct loop *loop, const struct db_options *options, struct db **ret_db,
                         struct herald_error *reterr) {
    struct db *db = calloc(1, sizeof(*db));
    struct db_connection *connections = calloc(options->connections, sizeof(*connections));
    if (!db || !connections || options->connections == 0) {
        free(db);
        free(connections);
        return herald_error_no_memory(reterr, "the database pool");
    }
    db->uv = loop_uv(loop);
    db->on_health = options->on_health;
    db->user = options->user;
    db->connections = connections;
    db->connection_count = options->connections;
    db->queue_limit = DB_QUEUE_LIMIT;
    db->refs = 1;
    enum herald_code code = read_dsn(db, options, reterr);
    if (code != HERALD_OK) {
        db_unref(db);
        return code;
    }
    if (!open_pool_handles(db, loop)) {
        db_close(db);
        return herald_error_set(reterr, HERALD_REASON_NO_HANDLES, "no handles for the database pool");
    }
    *ret_db = db;
    return HERALD_OK;
}

void db_close(struct db *db) {
    if (!db) {
        return;
    }
    db->closing = true;
    struct db_request *request;
    while ((request = db_queue_pop(&db->queue))) {
        db_request_end(request, DB_END_CLOSED);
    }
    for (unsigned i = 0; i < db->connection_count; i++) {
        db_connection_close(&db->connections[i]);
    }
    if (db->queue_timer.data) {
        uv_close((uv_handle_t *)&db->queue_timer, on_queue_timer_closed);
    }
    db_unref(db);
}
