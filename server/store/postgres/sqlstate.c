/* The meaning of the server's errors. */
#include "server/store/postgres/sqlstate.h"

#include <stddef.h>
#include <string.h>

bool db_has_sqlstate(const PGresult *result, const char *sqlstate) {
    const char *own = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return own && strcmp(own, sqlstate) == 0;
}

bool db_is_fatal(const PGresult *result) {
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

bool db_is_stale(const PGresult *result) {
    return db_has_sqlstate(result, "0A000") || db_has_sqlstate(result, "26000");
}

bool db_is_missing_object(const PGresult *result) {
    return db_has_sqlstate(result, "42P01") || db_has_sqlstate(result, "42703") || db_has_sqlstate(result, "3F000") ||
           db_has_sqlstate(result, "42883") || db_has_sqlstate(result, "42704");
}

bool db_is_passing(const char *sqlstate) {
    static const char *const prefixes[] = {
        "08",    /* connection exception */
        "53",    /* insufficient resources */
        "57",    /* operator intervention: time-out of a statement, shutdown */
        "40001", /* serialization failure */
        "40P01", /* deadlock */
        "55P03", /* lock not available */
        "25006", /* read-only: a standby */
        "0A000", /* the tables have changed under prepared statements; the connection is remade */
        "26000",
    };
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (strncmp(sqlstate, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}
