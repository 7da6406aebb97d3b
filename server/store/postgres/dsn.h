#ifndef HERALD_POSTGRES_DSN_H
#define HERALD_POSTGRES_DSN_H

#include "herald/error.h"

/**
 * Checks that libpq can read a connection string, and what libpq itself looks at only when it connects: services, hosts
 * and ports, numbers, words such as those of sslmode, and the files of TLS. Values that come from a service file or from
 * the environment (PGCONNECT_TIMEOUT) are checked too. Connects to nothing.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_DSN): a clause that goes on behind the setting's name and never
 *           repeats the text | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 * Context:  any thread
 */
enum herald_code db_dsn_check(const char *text, struct herald_error *reterr);

#endif
