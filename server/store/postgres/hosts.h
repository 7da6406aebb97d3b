#ifndef HERALD_POSTGRES_HOSTS_H
#define HERALD_POSTGRES_HOSTS_H

/* The hosts of a connection string that names several: whichever of them is silent, the others must get their turn. */

#include <libpq-fe.h>

#define DB_HOSTS_BYTES 1024 /* of each list; longer ones are not turned */

/** The lists of the connection string, as they stand there; "" where it names one or none. */
struct db_hosts {
    char host[DB_HOSTS_BYTES], address[DB_HOSTS_BYTES], port[DB_HOSTS_BYTES];
    unsigned count; /* 1 or more */
};

void db_hosts_read(const PQconninfoOption *parsed, struct db_hosts *ret_hosts);
/**
 * Writes the lists beginning with host number @first modulo their count; "" for a list that is not to be changed.
 *
 * @host, @address, @port  DB_HOSTS_BYTES each
 */
void db_hosts_turn(const struct db_hosts *hosts, unsigned first, char *host, char *address, char *port);

#endif
