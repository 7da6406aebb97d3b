/*
 * The pool: it chooses the connection for a request, queues the requests that no connection can take, and looks after
 * its connections.
 *
 * Lanes (request.h) keep a statement that waits for a lock from holding up others:
 * - A read waits for nobody, so many reads share a connection. A write is alone on its connection, and one connection at
 *   least carries no write.
 * - A write waits for a lock for DB_LOCK_PATIENCE_MS only. Then the server rolls it back, and it is sent again on a
 *   connection for those that wait, at most lock_timeout_ms after. Further writes of its tenant are sent one at a time
 *   meanwhile.
 * - In each lane tenants take turns (waiting.h).
 *
 * A struct db lives until its owner has closed it, its timers and its connections are closed, and no task is in
 * db_run(): each of these holds a reference.
 */
#include "server/store/postgres/pool.h"

#include "server/store/postgres/dsn.h"
#include "server/store/postgres/pool_health.h"
#include "server/store/postgres/sqlstate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHERED_MOST       4    /* reads by key on a connection while another has less to do */
#define QUEUE_WAIT_MS       2000 /* longest wait for a connection */
#define IDLE_TRANSACTION_MS 30000
#define TICK_MS             500
#define ANSWER_SLACK_MS     3000  /* for the way, and for what statement_timeout does not count: the commit */
#define REFUSE_MS           30000 /* until it is tried again whether a pooler was set right */
#define REMAKE_MS           1000  /* from one read-only session that is given up to the next */

/* ---- which connection ---- */

static bool has_lanes(const struct db *db) {
    return db->shared_count < db->connection_count;
}

/* Whether a connection may take a request of this lane. */
static bool is_fit(const struct db *db, unsigned index, enum db_lane lane, bool writes) {
    const struct db_connection *connection = &db->connections[index];
    if (!db_connection_takes(connection) || (writes && connection->session.is_read_only)) {
        return false;
    }
    return !has_lanes(db) || ((lane == DB_LANE_LOCKED) == (index >= db->shared_count) && connection->lone_count == 0);
}

/* Whether it has nothing but a few requests of this turn, which a read by key may join. */
static bool is_gathering(const struct db_connection *connection) {
    return connection->open_count > 0 && connection->open_count < GATHERED_MOST &&
           connection->open_count == connection->sent.length;
}

/* The least loaded one. Writes begin at the other end than reads, so that they meet seldom. */
static struct db_connection *choose_connection(struct db *db, enum db_lane lane, bool writes) {
    struct db_connection *best = NULL;
    for (unsigned i = 0; i < db->connection_count; i++) {
        unsigned index = writes ? db->connection_count - 1 - i : i;
        struct db_connection *connection = &db->connections[index];
        if (is_fit(db, index, lane, writes) && (!best || connection->sent.length < best->sent.length)) {
            best = connection;
        }
    }
    return best;
}

/* The connection for a request: for a read by key, one that gathers such. */
static struct db_connection *connection_for(struct db *db, const struct db_request *request) {
    for (unsigned i = 0; !request->is_alone && i < db->connection_count; i++) {
        if (is_fit(db, i, request->lane, request->writes) && is_gathering(&db->connections[i])) {
            return &db->connections[i];
        }
    }
    return choose_connection(db, request->lane, request->writes);
}

/* Lone requests on the connections that serve reads and writes, or on those for the locked. @tenant  NULL: of all */
static unsigned count_lone(const struct db *db, bool locked, const struct db_tenant *tenant) {
    unsigned count = 0;
    for (unsigned i = locked ? db->shared_count : 0; i < (locked ? db->connection_count : db->shared_count); i++) {
        const struct db_connection *connection = &db->connections[i];
        count += connection->lone_count > 0 && (!tenant || connection->tenant == tenant);
    }
    return count;
}

/* Whether a tenant's request may be sent, if there is a connection for it. */
static bool is_its_turn(const struct db *db, const struct db_request *request) {
    const struct db_tenant *tenant = request->tenant;
    if (!has_lanes(db) || request->lane == DB_LANE_READ) {
        return true;
    }
    if (request->lane == DB_LANE_LOCKED) { /* with several connections, one tenant leaves one to the others */
        unsigned all = db->connection_count - db->shared_count;
        return all == 1 || count_lone(db, true, tenant) + 1 < all;
    }
    if (count_lone(db, false, NULL) + 1 >= db->shared_count) {
        return false;
    }
    /* what it writes next may well meet the same lock; Herald's own work has many subjects */
    return tenant->locked == 0 || !tenant->name[0] || count_lone(db, false, tenant) == 0;
}

static bool may_go(void *user, const struct db_request *request) {
    struct db *db = user;
    return is_its_turn(db, request) && choose_connection(db, request->lane, request->writes) != NULL;
}

static bool send_somewhere(struct db *db, struct db_request *request) {
    struct db_connection *connection;
    while (is_its_turn(db, request) && (connection = connection_for(db, request))) {
        if (db_connection_send(connection, request)) {
            return true;
        }
    }
    return false;
}

static bool has_fit_connection(struct db *db, enum db_lane lane) {
    /* reads among the locked may go where writes cannot */
    return choose_connection(db, lane, lane == DB_LANE_WRITE) != NULL;
}

static void drain_lane(struct db *db, enum db_lane lane) {
    struct db_request *request;
    while (db->waiting.lengths[lane] > 0 && has_fit_connection(db, lane) &&
           (request = db_waiting_next(&db->waiting, lane, may_go, db))) {
        if (!send_somewhere(db, request)) {
            db_waiting_push_front(&db->waiting, request, request->queued_us);
            return;
        }
    }
}

static void drain_queue(struct db *db) {
    for (int lane = 0; lane < DB_LANE_COUNT; lane++) {
        drain_lane(db, (enum db_lane)lane);
    }
}

/* ---- waiting for a connection ---- */

static void on_queue_timer(uv_timer_t *timer);

/*
 * When a request has waited long enough; UINT64_MAX: it waits for its turn. Time during which its lane was served does not
 * count.
 */
static uint64_t due_us(const struct db *db, const struct db_request *request) {
    enum db_lane lane = request->lane;
    if (lane == DB_LANE_LOCKED) {
        return request->queued_us + db->lock_timeout_ms * UINT64_C(1000);
    }
    if (db->is_served[lane]) {
        return UINT64_MAX;
    }
    uint64_t since_us =
        request->queued_us > db->unserved_since_us[lane] ? request->queued_us : db->unserved_since_us[lane];
    return since_us + QUEUE_WAIT_MS * UINT64_C(1000);
}

static void arm_queue_timer(struct db *db) {
    uint64_t then_us = UINT64_MAX, now_us = clock_now_us();
    for (int lane = 0; lane < DB_LANE_COUNT; lane++) {
        const struct db_request *oldest = db->waiting.oldest[lane];
        uint64_t lane_us = oldest ? due_us(db, oldest) : UINT64_MAX;
        then_us = lane_us < then_us ? lane_us : then_us;
    }
    if (then_us == UINT64_MAX || db->closing) {
        (void)uv_timer_stop(&db->queue_timer);
        return;
    }
    uv_update_time(db->uv);
    (void)uv_timer_start(&db->queue_timer, on_queue_timer, then_us > now_us ? (then_us - now_us) / 1000 + 1 : 0, 0);
}

static void end_overdue(struct db *db, enum db_lane lane, uint64_t now_us) {
    struct db_request *request;
    while ((request = db->waiting.oldest[lane]) && due_us(db, request) <= now_us) {
        db_waiting_remove(&db->waiting, request);
        db_request_end(request, lane == DB_LANE_LOCKED ? DB_END_LOCKED : DB_END_NO_CONNECTION);
    }
}

static void on_queue_timer(uv_timer_t *timer) {
    struct db *db = timer->data;
    uint64_t now_us = clock_now_us();
    for (int lane = 0; lane < DB_LANE_COUNT; lane++) {
        end_overdue(db, (enum db_lane)lane, now_us);
    }
    arm_queue_timer(db);
}

bool db_submit(struct db *db, struct db_request *request) {
    if (db->waiting.lengths[request->lane] == 0 && send_somewhere(db, request)) {
        return true;
    }
    if (db_waiting_length(&db->waiting) >= db->queue_limit) {
        return false;
    }
    db_waiting_push(&db->waiting, request, clock_now_us());
    drain_lane(db, request->lane); /* others may wait for their turn, and this one not */
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
    db_waiting_remove(&db->waiting, request);
    db_request_free(request);
    return false;
}

/* ---- sending again what was rolled back ---- */

static bool take_back_cancelled(struct db *db, struct db_request *request) {
    db->hit_count++;
    request->hits++;
    db_request_rewind(request);
    db_waiting_push_front(&db->waiting, request, clock_now_us());
    return true;
}

/* One before it has failed, in the transaction that they shared. */
static bool take_back_unshared(struct db *db, struct db_request *request) {
    db_request_rewind(request);
    request->is_alone = true;
    db_waiting_push_front(&db->waiting, request, clock_now_us());
    return true;
}

/* It has waited for a lock as long as others can be held up. */
static bool take_back_locked(struct db *db, struct db_request *request) {
    db_request_rewind(request);
    request->is_alone = true;
    db_waiting_lock(request);
    db_waiting_push(&db->waiting, request, clock_now_us());
    return true;
}

/* The session cannot write. Another one can perhaps, or will soon. */
static bool take_back_refused(struct db *db, struct db_request *request) {
    if (clock_now_us() - request->made_us > QUEUE_WAIT_MS * UINT64_C(1000)) {
        return false;
    }
    db_request_rewind(request);
    db_waiting_push_front(&db->waiting, request, clock_now_us());
    return true;
}

static bool take_back(struct db *db, struct db_request *request) {
    if (request->abandoned || request->failed < 0) {
        return false;
    }
    const PGresult *result = request->results[request->failed];
    if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED) {
        return take_back_unshared(db, request);
    }
    if (db_cancel_has_hit(request)) {
        return take_back_cancelled(db, request);
    }
    if (has_lanes(db) && request->lane != DB_LANE_LOCKED && db_has_sqlstate(result, DB_SQLSTATE_LOCKED)) {
        return take_back_locked(db, request);
    }
    return db_has_sqlstate(result, DB_SQLSTATE_READ_ONLY) && take_back_refused(db, request);
}

/* ---- callbacks of connections ---- */

static bool on_request_answered(void *user, struct db_connection *connection, struct db_request *request) {
    struct db *db = user;
    (void)connection;
    db_health_note_answer(db, request);
    db_health_look(db);
    bool taken = take_back(db, request);
    if (taken) {
        arm_queue_timer(db);
    }
    return taken;
}

static void on_connection_ready(void *user) {
    struct db *db = user;
    db->ready_count++;
    db->is_silent = false;
    db_health_look(db);
    arm_queue_timer(db);
}

/* A pooler takes connections apart from each other only by chance: none is used, until it is looked at again. */
static void refuse_pooler(struct db *db) {
    db->refusal = DB_POOLER_REMEDY;
    db->refused_us = clock_now_us();
}

static void on_connection_down(void *user, const char *cause, bool was_ready) {
    struct db *db = user;
    (void)snprintf(db->cause, sizeof(db->cause), "%s", cause);
    db->ready_count -= was_ready;
    if (!db->refusal && db->ready_count > 0 && strncmp(cause, DB_POOLER_REMEDY, strlen(DB_POOLER_REMEDY)) == 0) {
        refuse_pooler(db);
    }
    db_health_look(db);
    arm_queue_timer(db);
}

static void on_connection_session(void *user, struct db_connection *connection) {
    struct db *db = user;
    if (!db->preamble && db_health_finds_pooler(db, connection)) {
        refuse_pooler(db);
        connection->retiring = true;
    }
    db_health_look(db);
}

static void on_connection_room(void *user) {
    drain_queue(user);
}

static void on_connection_closed(void *user) {
    db_unref(user);
}

/* ---- looking after the connections ---- */

/*
 * Read-only sessions are given up: all of them once another one can write, else one after the other, for the next one may
 * reach a server that can. Meanwhile the others read.
 */
static void replace_read_only(struct db *db, uint64_t now_us) {
    bool is_turn = now_us - db->remade_us >= REMAKE_MS * UINT64_C(1000);
    bool is_needed = db->is_served[DB_LANE_WRITE];
    for (unsigned i = 0; i < db->connection_count; i++) {
        is_turn = is_turn && db_connection_is_up(&db->connections[i]); /* one is being remade */
    }
    for (unsigned i = db->connection_count; i-- > 0;) {
        struct db_connection *connection = &db->connections[i];
        if (db_connection_is_up(connection) && connection->session.is_read_only && (is_needed || is_turn)) {
            db->remade_us = now_us;
            is_turn = false;
            db_connection_retire(connection, "the session is read-only");
        }
    }
}

/*
 * Whether the path is silent: a connection has owed an answer for DB_SILENT_MS, and none has heard anything. After half of
 * that the others are asked, to tell a long statement from a broken path.
 */
static bool look_for_silence(struct db *db, uint64_t now_us) {
    uint64_t longest_us = 0, heard_us = 0;
    for (unsigned i = 0; i < db->connection_count; i++) {
        const struct db_connection *connection = &db->connections[i];
        uint64_t since_us = db_connection_owes_since_us(connection);
        longest_us = since_us > 0 && now_us - since_us > longest_us ? now_us - since_us : longest_us;
        heard_us = connection->heard_us > heard_us ? connection->heard_us : heard_us;
    }
    for (unsigned i = 0; longest_us > DB_SILENT_MS * UINT64_C(500) && i < db->connection_count; i++) {
        struct db_connection *connection = &db->connections[i];
        if (!connection->sent.head && now_us - connection->heard_us > DB_SILENT_MS * UINT64_C(500)) {
            db_connection_ask(connection, now_us);
        }
    }
    uint64_t silent_us = DB_SILENT_MS * UINT64_C(1000);
    return longest_us >= silent_us && now_us - heard_us >= silent_us;
}

static void on_tick(uv_timer_t *timer) {
    struct db *db = timer->data;
    uint64_t now_us = clock_now_us();
    bool was_stopped = now_us - db->ticked_us > 3 * TICK_MS * UINT64_C(1000); /* the loop itself: it has not listened */
    db->ticked_us = now_us;
    for (unsigned i = 0; i < db->connection_count; i++) {
        struct db_connection *connection = &db->connections[i];
        connection->heard_us = was_stopped ? now_us : connection->heard_us;
        db_connection_tick(connection, now_us);
        if (db->refusal && connection->state == DB_CONNECTION_READY && !connection->retiring) {
            db_connection_retire(connection, db->refusal);
        }
    }
    if (db->refusal && now_us - db->refused_us > REFUSE_MS * UINT64_C(1000)) {
        db->refusal = NULL;
    }
    db->is_silent = look_for_silence(db, now_us);
    replace_read_only(db, now_us);
    db_health_look(db);
    drain_queue(db);
    arm_queue_timer(db);
}

/* ---- opening and closing ---- */

/* A plan is kept for as long as its connection. If it is made while a table is small, it reads the whole table, and still does when
 * that has a million rows: our statements all have an index for the tables that grow. */
#define PLAN_OPTIONS  "-c jit=off -c enable_seqscan=off"
#define PLAN_PREAMBLE "set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true)"

/* Our options come first: those of the connection string override them. */
static char *make_session_options(const char *own, uint32_t statement_timeout_ms, uint32_t lock_timeout_ms) {
    char *text = NULL;
    int length = asprintf(&text,
                          "-c statement_timeout=%u -c lock_timeout=%u -c idle_in_transaction_session_timeout=%d "
                          "-c default_transaction_isolation=read\\ committed " PLAN_OPTIONS " %s",
                          statement_timeout_ms, lock_timeout_ms, IDLE_TRANSACTION_MS, own ? own : "");
    return length < 0 ? NULL : text;
}

/* A pooler in transaction mode keeps no settings between transactions. */
static char *make_preamble(uint32_t statement_timeout_ms, uint32_t lock_timeout_ms) {
    char *text = NULL;
    int length = asprintf(
        &text,
        "SELECT set_config('statement_timeout', '%u', true), set_config('lock_timeout', '%u', true), " PLAN_PREAMBLE,
        statement_timeout_ms, lock_timeout_ms);
    return length < 0 ? NULL : text;
}

static bool make_session_settings(struct db *db, const char *own, const struct db_options *options) {
    uint32_t timeout_ms = options->statement_timeout_ms;
    uint32_t locked_ms = options->lock_timeout_ms, shared_ms = locked_ms;
    if (has_lanes(db) && locked_ms > DB_LOCK_PATIENCE_MS) {
        shared_ms = DB_LOCK_PATIENCE_MS;
    }
    if (options->transaction_pooling) {
        db->preamble = make_preamble(timeout_ms, shared_ms);
        db->locked_preamble = make_preamble(timeout_ms, locked_ms);
        return db->preamble && db->locked_preamble;
    }
    db->session_options = make_session_options(own, timeout_ms, shared_ms);
    db->locked_options = make_session_options(own, timeout_ms, locked_ms);
    return db->session_options && db->locked_options;
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
    db_hosts_read(parsed, &db->hosts);
    db->gssencmode = db_dsn_gssencmode(parsed);
    bool made = make_session_settings(db, own, options);
    PQconninfoFree(parsed);
    db->dsn = strdup(options->dsn ? options->dsn : "");
    return db->dsn && made ? HERALD_OK : herald_error_no_memory(reterr, "the database pool");
}

void db_unref(struct db *db) {
    if (--db->refs == 0) {
        free(db->connections);
        free(db->session_options);
        free(db->locked_options);
        free(db->preamble);
        free(db->locked_preamble);
        free(db->dsn);
        free(db);
    }
}

static void on_pool_timer_closed(uv_handle_t *handle) {
    db_unref(handle->data);
}

static bool open_pool_timer(struct db *db, uv_timer_t *timer) {
    if (uv_timer_init(db->uv, timer) != 0) {
        return false;
    }
    timer->data = db;
    db->refs++;
    return true;
}

static bool open_pool_handles(struct db *db, struct loop *loop, const struct db_options *options) {
    db->connection_options =
        (struct db_connection_options){.loop = loop,
                                       .dsn = db->dsn,
                                       .session_options = db->session_options,
                                       .preamble = db->preamble,
                                       .hosts = &db->hosts,
                                       .gssencmode = db->gssencmode,
                                       .answer_within_ms = options->statement_timeout_ms + ANSWER_SLACK_MS,
                                       .refusal = &db->refusal,
                                       .on_ready = on_connection_ready,
                                       .on_down = on_connection_down,
                                       .on_room = on_connection_room,
                                       .on_answered = on_request_answered,
                                       .on_session = on_connection_session,
                                       .on_closed = on_connection_closed,
                                       .user = db};
    db->locked_connection_options = db->connection_options;
    db->locked_connection_options.session_options = db->locked_options;
    db->locked_connection_options.preamble = db->locked_preamble;
    if (!open_pool_timer(db, &db->queue_timer) || !open_pool_timer(db, &db->tick_timer)) {
        return false;
    }
    for (unsigned i = 0; i < db->connection_count; i++) {
        if (!db_connection_open(&db->connections[i],
                                i < db->shared_count ? &db->connection_options : &db->locked_connection_options)) {
            return false;
        }
        db->refs++;
    }
    db->ticked_us = clock_now_us();
    return uv_timer_start(&db->tick_timer, on_tick, TICK_MS, TICK_MS) == 0;
}

/* How many connections serve reads and writes; the others wait for locks. */
static unsigned share_out(uint32_t connections) {
    return connections - connections / DB_LANES_FROM;
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
    db->on_warning = options->on_warning;
    db->user = options->user;
    db->connections = connections;
    db->connection_count = options->connections;
    db->shared_count = share_out(options->connections);
    db->queue_limit = DB_QUEUE_LIMIT;
    db->lock_timeout_ms = options->lock_timeout_ms;
    db->warning = "";
    db->refs = 1;
    enum herald_code code = read_dsn(db, options, reterr);
    if (code != HERALD_OK) {
        db_unref(db);
        return code;
    }
    if (!open_pool_handles(db, loop, options)) {
        db_close(db);
        return herald_error_set(reterr, HERALD_REASON_NO_HANDLES, "no handles for the database pool");
    }
    *ret_db = db;
    return HERALD_OK;
}

static void end_waiting(struct db *db, enum db_lane lane) {
    struct db_request *request;
    while ((request = db->waiting.oldest[lane])) {
        db_waiting_remove(&db->waiting, request);
        db_request_end(request, DB_END_CLOSED);
    }
}

void db_close(struct db *db) {
    if (!db) {
        return;
    }
    db->closing = true;
    for (int lane = 0; lane < DB_LANE_COUNT; lane++) {
        end_waiting(db, (enum db_lane)lane);
    }
    for (unsigned i = 0; i < db->connection_count; i++) {
        db_connection_close(&db->connections[i]);
    }
    if (db->queue_timer.data) {
        uv_close((uv_handle_t *)&db->queue_timer, on_pool_timer_closed);
    }
    if (db->tick_timer.data) {
        uv_close((uv_handle_t *)&db->tick_timer, on_pool_timer_closed);
    }
    db_unref(db);
}
