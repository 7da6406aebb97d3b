/*
 * Health of a pool, by what is seen: connections that are down or silent, sessions that cannot write, and statements that
 * fail of what a later one would fail of too.
 */
#include "server/store/postgres/pool_health.h"

#include "server/store/postgres/sqlstate.h"

#include <stdio.h>
#include <string.h>

#define TROUBLE_MS 30000 /* after it was last seen; a write that succeeds ends it at once */

void db_health_note_answer(struct db *db, const struct db_request *request) {
    if (request->failed < 0) {
        db->trouble = request->writes ? NULL : db->trouble;
        return;
    }
    const struct db_meaning *meaning = db_meaning_of_result(request->results[request->failed]);
    if (meaning && meaning->trouble && strcmp(meaning->sqlstate, DB_SQLSTATE_READ_ONLY) != 0) {
        db->trouble = meaning->trouble;
        db->trouble_us = clock_now_us();
    }
}

static bool serves(const struct db_connection *connection, enum db_lane lane) {
    return db_connection_is_up(connection) && (lane != DB_LANE_WRITE || !connection->session.is_read_only);
}

static void look_at_lanes(struct db *db) {
    for (int lane = 0; lane < DB_LANE_COUNT; lane++) {
        bool was_served = db->is_served[lane];
        db->is_served[lane] = false;
        for (unsigned i = 0; i < db->connection_count; i++) {
            bool is_for_locked = db->shared_count < db->connection_count && i >= db->shared_count;
            db->is_served[lane] = db->is_served[lane] || ((lane == DB_LANE_LOCKED || !is_for_locked) &&
                                                          serves(&db->connections[i], (enum db_lane)lane));
        }
        if (was_served && !db->is_served[lane]) {
            db->unserved_since_us[lane] = clock_now_us();
        }
    }
}

/* Why the pool is not healthy; NULL: it is. */
static const char *why_unhealthy(const struct db *db) {
    if (db->refusal) {
        return db->refusal;
    }
    if (db->ready_count == 0) {
        return db->cause;
    }
    if (db->is_silent) {
        return "its connections are open and nothing is heard: the path to the server is broken, or it does not answer";
    }
    if (!db->is_served[DB_LANE_READ]) {
        return NULL; /* they are being made anew */
    }
    if (!db->is_served[DB_LANE_WRITE]) {
        return "its sessions are read-only (SQLSTATE 25006): a standby, or default_transaction_read_only; nothing can "
               "be "
               "written";
    }
    bool is_recent = db->trouble && clock_now_us() - db->trouble_us < TROUBLE_MS * UINT64_C(1000);
    return is_recent ? db->trouble : NULL;
}

static void report_pool_health(struct db *db, const char *why) {
    char message[sizeof(db->health.message)];
    (void)snprintf(message, sizeof(message), "Postgres: %s", why ? why : "");
    if (why && !db->serving && strcmp(message, db->health.message) == 0) {
        return;
    }
    if (!why && db->serving) {
        return;
    }
    db->serving = !why;
    if (why) {
        herald_error_set(&db->health, HERALD_REASON_DATABASE_UNAVAILABLE, "%s", message);
    } else {
        db->health.message[0] = '\0';
        db->warning = ""; /* it is told anew */
    }
    if (db->on_health) {
        db->on_health(db->user, why ? &db->health : NULL);
    }
}

static const char *worst_warning(const struct db *db) {
    const char *warning = "";
    for (unsigned i = 0; i < db->connection_count; i++) {
        const struct db_connection *connection = &db->connections[i];
        if (db_connection_is_up(connection) && !warning[0]) {
            warning = db_session_warning(&connection->session, db->preamble != NULL);
        }
    }
    return warning;
}

static void report_warning(struct db *db) {
    const char *warning = db->serving ? worst_warning(db) : "";
    if (warning != db->warning) {
        db->warning = warning;
        if (db->on_warning && db->serving) {
            db->on_warning(db->user, warning);
        }
    }
}

void db_health_look(struct db *db) {
    look_at_lanes(db);
    if (db->closing) {
        return;
    }
    bool is_known = db->ready_count > 0 || db->cause[0]; /* at first, all are connecting */
    if (is_known) {
        report_pool_health(db, why_unhealthy(db));
        report_warning(db);
    }
}

bool db_health_finds_pooler(const struct db *db, struct db_connection *connection) {
    int pid = connection->session.server_pid;
    if (pid == PQbackendPID(connection->pg)) {
        return false; /* no pooler, or one that has not invented a number */
    }
    for (unsigned i = 0; i < db->connection_count; i++) {
        const struct db_connection *other = &db->connections[i];
        if (other != connection && other->state == DB_CONNECTION_READY && other->session.server_pid == pid) {
            return true;
        }
    }
    return false;
}
