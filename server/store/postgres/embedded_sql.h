#ifndef HERALD_POSTGRES_EMBEDDED_SQL_H
#define HERALD_POSTGRES_EMBEDDED_SQL_H

/* The .sql files of db/queries and db/migrations, embedded at build time by server/store/postgres/embed_sql.cmake. */

#include "server/store/postgres/db_query.h"

enum db_effect {
    DB_EFFECT_READ,
    DB_EFFECT_READ_BY_KEY, /* as quick as any other of its kind */
    DB_EFFECT_WRITE        /* a lost connection leaves its outcome unknown */
};

struct db_query_text {
    const char *name; /* of the file, without .sql; also the name of the prepared statement */
    enum db_effect effect;
    unsigned params; /* $1 … */
    enum db_row_type row;
    const char *sql;
};
extern const struct db_query_text db_query_texts[DB_QUERY_COUNT];

/* The columns of a row type, in their order. */
struct db_row_columns {
    const char *name; /* of the row type, "event_draft" */
    unsigned count;
    const char *names[DB_ROW_COLUMNS_MAX];
};
extern const struct db_row_columns db_row_columns[DB_ROW_TYPE_COUNT];

struct db_migration {
    unsigned number; /* 1, 2, … without gaps */
    const char *file;
    const char *sha256; /* of the file, 64 hexadecimal digits */
    const char *sql;
};
extern const struct db_migration db_migrations[];
extern const unsigned db_migration_count;

/** Line of a file's text that Postgres' error points at. @position  its PG_DIAG_STATEMENT_POSITION; NULL: line 1 */
unsigned db_sql_line(const char *sql, const char *position);

#endif
