#ifndef HERALD_POSTGRES_WAITING_H
#define HERALD_POSTGRES_WAITING_H

/*
 * The requests that no connection has taken: by lane, and in each lane by tenant. Tenants take turns, so the flood of
 * one holds up itself.
 *
 * A tenant is the user on whose behalf a request is made; Herald's own work is one tenant, with the empty name. A tenant
 * lives as long as it has requests, waiting or sent.
 */

#include "server/runtime/hash.h"
#include "server/store/postgres/request.h"

#include <stdbool.h>

struct db_waiting;

struct db_tenant {
    UT_hash_handle hh;
    struct db_waiting *waiting;
    char name[65];
    unsigned requests;                     /* that exist */
    unsigned locked;                       /* of these, in the lane of the locked */
    struct db_queue queues[DB_LANE_COUNT]; /* what waits */
    struct db_tenant *before[DB_LANE_COUNT], *after[DB_LANE_COUNT];
};

struct db_waiting {
    struct db_tenant *tenants;
    struct db_tenant *turns[DB_LANE_COUNT];   /* those with requests in the lane; the next one first */
    struct db_request *oldest[DB_LANE_COUNT]; /* by the time since when they wait */
    unsigned lengths[DB_LANE_COUNT];
};

/** Names the tenant of a new request. Returns: false: no memory. */
bool db_waiting_join(struct db_waiting *waiting, struct db_request *request, const char *tenant);
/** The request is about to be freed; it waits in no queue. One without a tenant is left alone. */
void db_waiting_leave(struct db_request *request);
/** Moves a request that waits in no queue to the lane of the locked. */
void db_waiting_lock(struct db_request *request);

/** Queues a request in its lane, behind its tenant's other ones. */
void db_waiting_push(struct db_waiting *waiting, struct db_request *request, uint64_t now_us);
/** Queues it before its tenant's other ones, and makes it the tenant's turn. */
void db_waiting_push_front(struct db_waiting *waiting, struct db_request *request, uint64_t now_us);
void db_waiting_remove(struct db_waiting *waiting, struct db_request *request);
/** Takes the request whose turn it is, of those tenants whose first one may go. Returns: NULL: none. */
struct db_request *db_waiting_next(struct db_waiting *waiting, enum db_lane lane,
                                   bool (*may_go)(void *user, const struct db_request *request), void *user);
/** All that wait, in all lanes. */
unsigned db_waiting_length(const struct db_waiting *waiting);

#endif
