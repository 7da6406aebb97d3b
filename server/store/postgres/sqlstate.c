/* The meaning of the server's errors: one table. */
#include "server/store/postgres/sqlstate.h"

#include <stddef.h>
#include <string.h>

static const struct db_meaning meanings[] = {
    /* SQLSTATE, passing, unknown, retires, trouble */
    {"08007", false, true, true, NULL},  /* transaction resolution unknown */
    {"08", true, false, true, NULL},     /* connection exception */
    {"40003", false, true, false, NULL}, /* statement completion unknown */
    {"40001", true, false, false, NULL}, /* serialization failure */
    {"40P01", true, false, false, NULL}, /* deadlock */
    {"55P03", true, false, false, NULL}, /* lock not available */
    {"25006", true, false, true, "its sessions are read-only"},
    {"53100", true, false, false, "its disk is full"},
    {"53200", true, false, false, "it has no memory left"},
    {"53300", true, false, true, "it takes no more connections (max_connections)"},
    {"53", true, false, false, "it lacks resources"},
    {"57014", true, false, false, NULL}, /* cancelled, or statement_timeout */
    {"57P01", true, false, true, "it is shutting down"},
    {"57P02", true, false, true, "it has crashed and restarts"},
    {"57P03", true, false, true, "it is starting up or shutting down"},
    {"57", true, false, true, NULL}, /* operator intervention */
    {"58030", true, false, false, "it cannot read or write its files"},
    /* The tables, or the session, have changed under the prepared statements. */
    {"0A000", true, false, true, NULL},
    {"26000", true, false, true, NULL},
    {"", false, false, false, NULL},
};

const struct db_meaning *db_meaning_of(const char *sqlstate) {
    const struct db_meaning *meaning = meanings;
    while (strncmp(sqlstate, meaning->sqlstate, strlen(meaning->sqlstate)) != 0) {
        meaning++;
    }
    return meaning;
}

const struct db_meaning *db_meaning_of_result(const PGresult *result) {
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return sqlstate ? db_meaning_of(sqlstate) : NULL;
}

bool db_has_sqlstate(const PGresult *result, const char *sqlstate) {
    const char *own = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return own && strcmp(own, sqlstate) == 0;
}

bool db_is_fatal(const PGresult *result) {
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

bool db_is_missing_object(const PGresult *result) {
    return db_has_sqlstate(result, "42P01") || db_has_sqlstate(result, "42703") || db_has_sqlstate(result, "3F000") ||
           db_has_sqlstate(result, "42883") || db_has_sqlstate(result, "42704");
}
