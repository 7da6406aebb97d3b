#ifndef HERALD_POSTGRES_DSN_H
#define HERALD_POSTGRES_DSN_H

#include "herald/error.h"

/** Checks that libpq can read a connection string, and what libpq itself looks at only when it connects: ports, the values
 *  of sslmode and target_session_attrs among others, and the file of sslrootcert. Connects to nothing.
 *  Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_DSN): the message never repeats the text. Any thread */
enum herald_code db_dsn_check(const char *dsn, struct herald_error *reterr);

#endif
