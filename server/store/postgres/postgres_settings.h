#ifndef HERALD_STORE_POSTGRES_POSTGRES_SETTINGS_H
#define HERALD_STORE_POSTGRES_POSTGRES_SETTINGS_H

#include "server/settings/part.h"

#define PG_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                                \
    SECRET(pg, dsn, "host=/var/run/postgresql dbname=herald", "libpq connection string.")                              \
    UINT(pg, connections, 8, 1, 64, "Connections of each loop. From 4 on, what waits for a lock holds up no others.")  \
    UINT(pg, statement_timeout_ms, 10000, 100, 600000,                                                                 \
         "Longest statement, ms. A transaction that is not answered 3 s later is given up with its connection.")       \
    UINT(pg, lock_timeout_ms, 3000, 100, 600000, "Longest wait for a row that another transaction has locked, ms.")    \
    CHOICE(pg, pooling, "session", "session|transaction",                                                              \
           "How a pooler between Herald and Postgres shares its connections; without one: session.")
SETTINGS_PART(pg, PG_SETTINGS)
void pg_settings_check(struct settings_reading *reading, const void *part);

#endif
