#ifndef HERALD_POSTGRES_MIGRATE_H
#define HERALD_POSTGRES_MIGRATE_H

#include "herald/error.h"

/**
 * Applies all missing migrations, under an advisory lock, one transaction each.
 *
 * @dsn          of libpq: key=value pairs, or postgresql://…
 * @ret_applied  how many were applied now; @ret_version  number of the last one
 * Returns:      HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_DSN)
 *               | HERALD_UNAVAILABLE (DATABASE_UNAVAILABLE): cannot connect, or the connection was lost
 *               | HERALD_INTERNAL (MIGRATION_FAILED): names file and line; the origin is the SQLSTATE
 *               | HERALD_FAILED_PRECONDITION (MIGRATION_CHANGED, MIGRATION_GAP, SCHEMA_NEWER): the applied migrations
 *               are not the first files of this build
 * On error:     the migrations before the failing one stay applied
 * Context:      blocks; any thread, no loop
 */
enum herald_code db_migrate(const char *dsn, unsigned *ret_applied, unsigned *ret_version, struct herald_error *reterr);
/**
 * Reads whether the schema is at this build's version, without changing it.
 *
 * @ret_version  number of the last migration applied, 0: none; @ret_wanted  this build's
 * Returns:  as db_migrate()
 * Context:  blocks; any thread, no loop
 */
enum herald_code db_migrate_check(const char *dsn, unsigned *ret_version, unsigned *ret_wanted,
                                  struct herald_error *reterr);
/** What somebody should know of a server whose schema is right. */
struct db_look {
    const char *warning; /* what the promise lacks, one sentence, or ""; static */
    unsigned standbys;   /* attached */
};
/**
 * Looks whether the server can be written, by a table that is gone with the session, and what the promise lacks.
 *
 * Returns:  as db_migrate() | HERALD_UNAVAILABLE (DATABASE_UNAVAILABLE): it cannot be written, for the reason in the
 *           message; the origin is the SQLSTATE
 * Context:  blocks; any thread, no loop
 */
enum herald_code db_look(const char *dsn, struct db_look *ret_look, struct herald_error *reterr);

#endif
