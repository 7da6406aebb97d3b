/*
 * Migrations. They block: for heraldctl and tests, never on a loop.
 *
 * The advisory lock belongs to the connection, so it is released however the program ends. Each migration and its row
 * in schema_migrations are one transaction.
 */
#include "server/store/postgres/migrate.h"

#include "server/store/postgres/embedded_sql.h"
#include "server/store/postgres/session.h"
#include "server/store/postgres/sqlstate.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "HERALD" */
#define LOCK_SQL "SELECT pg_advisory_lock(79600578940996)"

static const char CREATE_TABLE_SQL[] = "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                       "    number integer PRIMARY KEY,"
                                       "    file text NOT NULL,"
                                       "    sha256 text NOT NULL,"
                                       "    applied_at timestamptz NOT NULL DEFAULT now())";

static void connection_free(PGconn **pg) {
    PQfinish(*pg);
}
static void result_free(PGresult **result) {
    PQclear(*result);
}
#define PG_CONNECTION __attribute__((cleanup(connection_free))) PGconn
#define PG_RESULT     __attribute__((cleanup(result_free))) PGresult

static int trimmed_length(const char *text) {
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' ')) {
        length--;
    }
    return (int)length;
}

static void ignore_migration_notice(void *arg, const PGresult *result) {
    (void)arg;
    (void)result;
}

static enum herald_code open_connection(const char *dsn, PGconn **ret_pg, struct herald_error *reterr) {
    PQconninfoOption *parsed = PQconninfoParse(dsn ? dsn : "", NULL);
    if (!parsed) { /* libpq's own message could quote a password */
        return herald_error_set(reterr, HERALD_REASON_BAD_DSN,
                                "the connection string is not one of libpq: key=value pairs, or postgresql://…");
    }
    PQconninfoFree(parsed);
    const char *keywords[] = {"connect_timeout", "fallback_application_name", "dbname", "client_encoding", NULL};
    const char *values[] = {"10", "herald-migrate", dsn ? dsn : "", "UTF8", NULL};
    PGconn *pg = PQconnectdbParams(keywords, values, 1);
    if (!pg || PQstatus(pg) != CONNECTION_OK) {
        const char *message = pg ? PQerrorMessage(pg) : "no memory";
        enum herald_code code = herald_error_set(reterr, HERALD_REASON_DATABASE_UNAVAILABLE,
                                                 "cannot connect to Postgres: %.*s", trimmed_length(message), message);
        PQfinish(pg);
        return code;
    }
    PQsetNoticeReceiver(pg, ignore_migration_notice, NULL);
    *ret_pg = pg;
    return HERALD_OK;
}

/* @what  "db/migrations/0001_x.sql", or the action that failed; @sql  the text in which to find the line, or NULL */
static enum herald_code sql_error(PGconn *pg, const PGresult *result, const char *what, const char *sql,
                                  struct herald_error *reterr) {
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    message = message ? message : PQerrorMessage(pg);
    char line[16] = "";
    if (sql && position) {
        (void)snprintf(line, sizeof(line), ":%u", db_sql_line(sql, position));
    }
    bool lost = PQstatus(pg) != CONNECTION_OK;
    enum herald_code code = herald_error_set(
        reterr, lost ? HERALD_REASON_DATABASE_UNAVAILABLE : HERALD_REASON_MIGRATION_FAILED, "%s%s: %.*s (SQLSTATE %s)",
        what, line, trimmed_length(message), message, sqlstate ? sqlstate : "unknown");
    if (reterr && sqlstate) {
        (void)snprintf(reterr->origin, sizeof(reterr->origin), "%s", sqlstate);
    }
    return code;
}

static enum herald_code run_sql(PGconn *pg, const char *sql, const char *what, struct herald_error *reterr) {
    PG_RESULT *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
    return ok ? HERALD_OK : sql_error(pg, result, what, sql, reterr);
}

static enum herald_code mismatch(const struct db_migration *migration, const char *sha256,
                                 struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_MIGRATION_CHANGED,
                            "db/migrations/%s has changed since it was applied (applied %.12s…, now %.12s…): put the "
                            "file back as it was, and make the change in a new migration",
                            migration->file, sha256, migration->sha256);
}

/* Compares the applied migrations with the files of this build. @ret_version  number of the last one, 0: none */
static enum herald_code check_applied(PGconn *pg, unsigned *ret_version, struct herald_error *reterr) {
    PG_RESULT *result = PQexec(pg, "SELECT number, file, sha256 FROM schema_migrations ORDER BY number");
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        return sql_error(pg, result, "reading schema_migrations", NULL, reterr);
    }
    unsigned version = 0;
    for (int row = 0; row < PQntuples(result); row++) {
        unsigned number = (unsigned)strtoul(PQgetvalue(result, row, 0), NULL, 10);
        if (number != version + 1) {
            return herald_error_set(reterr, HERALD_REASON_MIGRATION_GAP,
                                    "schema_migrations holds number %u after number %u: the table was edited", number,
                                    version);
        }
        version = number;
        if (number <= db_migration_count && strcmp(PQgetvalue(result, row, 2), db_migrations[number - 1].sha256) != 0) {
            return mismatch(&db_migrations[number - 1], PQgetvalue(result, row, 2), reterr);
        }
    }
    *ret_version = version;
    return HERALD_OK;
}

static enum herald_code record_migration(PGconn *pg, const struct db_migration *migration,
                                         struct herald_error *reterr) {
    char number[16];
    (void)snprintf(number, sizeof(number), "%u", migration->number);
    const char *values[] = {number, migration->file, migration->sha256};
    PG_RESULT *result = PQexecParams(pg, "INSERT INTO schema_migrations (number, file, sha256) VALUES ($1, $2, $3)", 3,
                                     NULL, values, NULL, NULL, 0);
    return PQresultStatus(result) == PGRES_COMMAND_OK
               ? HERALD_OK
               : sql_error(pg, result, "writing schema_migrations", NULL, reterr);
}

static enum herald_code apply_migration(PGconn *pg, const struct db_migration *migration, struct herald_error *reterr) {
    char what[256];
    (void)snprintf(what, sizeof(what), "db/migrations/%s", migration->file);
    enum herald_code code = run_sql(pg, "BEGIN", what, reterr);
    if (code == HERALD_OK) {
        code = run_sql(pg, migration->sql, what, reterr);
    }
    if (code == HERALD_OK) {
        code = record_migration(pg, migration, reterr);
    }
    if (code == HERALD_OK) {
        return run_sql(pg, "COMMIT", what, reterr);
    }
    (void)run_sql(pg, "ROLLBACK", what, NULL);
    return code;
}

static enum herald_code apply_missing(PGconn *pg, unsigned *version, unsigned *applied, struct herald_error *reterr) {
    if (*version > db_migration_count) {
        return herald_error_set(reterr, HERALD_REASON_SCHEMA_NEWER,
                                "the schema is at version %u, and this build knows %u: migrate with the newer build",
                                *version, db_migration_count);
    }
    enum herald_code code = HERALD_OK;
    while (*version < db_migration_count && code == HERALD_OK) {
        code = apply_migration(pg, &db_migrations[*version], reterr);
        *version += code == HERALD_OK;
        *applied += code == HERALD_OK;
    }
    return code;
}

enum herald_code db_migrate(const char *dsn, unsigned *ret_applied, unsigned *ret_version,
                            struct herald_error *reterr) {
    PG_CONNECTION *pg = NULL;
    unsigned version = 0, applied = 0;
    enum herald_code code = open_connection(dsn, &pg, reterr);
    if (code == HERALD_OK) {
        code = run_sql(pg, LOCK_SQL, "waiting for another migration to end", reterr);
    }
    if (code == HERALD_OK) {
        code = run_sql(pg, CREATE_TABLE_SQL, "making schema_migrations", reterr);
    }
    if (code == HERALD_OK) {
        code = check_applied(pg, &version, reterr);
    }
    if (code == HERALD_OK) {
        code = apply_missing(pg, &version, &applied, reterr);
    }
    if (code == HERALD_OK) {
        *ret_applied = applied;
        *ret_version = version;
    }
    return code;
}

enum herald_code db_migrate_check(const char *dsn, unsigned *ret_version, unsigned *ret_wanted,
                                  struct herald_error *reterr) {
    PG_CONNECTION *pg = NULL;
    enum herald_code code = open_connection(dsn, &pg, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    PG_RESULT *found = PQexec(pg, "SELECT to_regclass('schema_migrations')");
    if (PQresultStatus(found) != PGRES_TUPLES_OK) {
        return sql_error(pg, found, "looking for schema_migrations", NULL, reterr);
    }
    unsigned version = 0;
    if (!PQgetisnull(found, 0, 0)) {
        code = check_applied(pg, &version, reterr);
    }
    if (code == HERALD_OK) {
        *ret_version = version;
        *ret_wanted = db_migration_count;
    }
    return code;
}

/* More than a page, so that the file must grow. */
static const char WRITE_SQL[] =
    "CREATE TEMPORARY TABLE herald_look AS SELECT repeat('x', 1000) FROM generate_series(1, 100)";

static enum herald_code cannot_write(PGconn *pg, const PGresult *result, struct herald_error *reterr) {
    const struct db_meaning *meaning = db_meaning_of_result(result);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum herald_code code =
        herald_error_set(reterr, HERALD_REASON_DATABASE_UNAVAILABLE, "the database cannot be written: %s%s%s",
                         meaning && meaning->trouble ? meaning->trouble : "", meaning && meaning->trouble ? ": " : "",
                         message ? message : PQerrorMessage(pg));
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (reterr && sqlstate) {
        (void)snprintf(reterr->origin, sizeof(reterr->origin), "%s", sqlstate);
    }
    return code;
}

enum herald_code db_look(const char *dsn, struct db_look *ret_look, struct herald_error *reterr) {
    PG_CONNECTION *pg = NULL;
    enum herald_code code = open_connection(dsn, &pg, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    PG_RESULT *checked = PQexec(pg, db_query_texts[DB_QUERY_SESSION_CHECK].sql);
    struct db_session session;
    if (!db_session_read(checked, &session)) {
        return sql_error(pg, checked, "looking at the session", NULL, reterr);
    }
    PG_RESULT *written = PQexec(pg, WRITE_SQL);
    if (PQresultStatus(written) != PGRES_COMMAND_OK && !db_has_sqlstate(written, "42501")) { /* no right to try */
        return cannot_write(pg, written, reterr);
    }
    *ret_look = (struct db_look){.warning = db_session_warning(&session, true), .standbys = session.standbys};
    return HERALD_OK;
}
