#include "server/store/postgres/dsn.h"

#include <libpq-fe.h>

enum herald_code db_dsn_check(const char *dsn, struct herald_error *reterr) {
    PQconninfoOption *parsed = PQconninfoParse(dsn, NULL);
    if (!parsed) { /* libpq's own message could quote a password */
        return herald_error_set(
            reterr, HERALD_REASON_BAD_DSN,
            "[pg] dsn is no connection string of libpq: write key=value pairs (host=db dbname=herald "
            "user=herald), or postgresql://user@db/herald");
    }
    PQconninfoFree(parsed);
    return HERALD_OK;
}
