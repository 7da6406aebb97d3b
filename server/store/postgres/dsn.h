#ifndef HERALD_POSTGRES_DSN_H
#define HERALD_POSTGRES_DSN_H

#include "herald/error.h"

#include <libpq-fe.h>

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
/**
 * The gssencmode that libpq is to be given, unless the connection string has one. With its default, libpq looks for
 * Kerberos tickets before each connection: it reads files on the loop's thread, and keeps what that took.
 *
 * @parsed   the connection string
 * Returns:  "disable" | NULL: the environment or a service file may name one, or the default
 */
const char *db_dsn_gssencmode(const PQconninfoOption *parsed);

#endif
