#ifndef HERALD_POSTGRES_POOL_HEALTH_H
#define HERALD_POSTGRES_POOL_HEALTH_H

/* What a pool tells of its health, and which lanes its connections serve. All functions: the loop's thread. */

#include "server/store/postgres/pool.h"

/** Learns from an answered request whether statements fail of something that concerns health. */
void db_health_note_answer(struct db *db, const struct db_request *request);
/** Looks which lanes are served, and reports health and warning if they have changed. */
void db_health_look(struct db *db);
/** Whether a connection's session proves that a pooler hands server processes from one connection to another. */
bool db_health_finds_pooler(const struct db *db, struct db_connection *connection);

#endif
