#ifndef HERALD_STORE_POSTGRES_POSTGRES_SETTINGS_H
#define HERALD_STORE_POSTGRES_POSTGRES_SETTINGS_H

#include "server/settings/part.h"

#define PG_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                                \
    SECRET(pg, dsn, "host=/var/run/postgresql dbname=herald", "libpq connection string.")                              \
    UINT(pg, connections, 8, 1, 64, "Connections of each loop.")                                                       \
    UINT(pg, statement_timeout_ms, 10000, 100, 600000, "Longest statement, ms.")
SETTINGS_PART(pg, PG_SETTINGS)
void pg_settings_check(struct settings_reading *reading, const void *part);

#endif
