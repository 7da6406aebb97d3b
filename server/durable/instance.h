#ifndef HERALD_DURABLE_INSTANCE_H
#define HERALD_DURABLE_INSTANCE_H

/*
 * The lease of a process. A claim in the database names the process that holds it (a column holder), and each process
 * renews one row for all of its claims. When a process dies, its row is not renewed; another process of the service
 * then deletes the row and releases its claims, in one statement of the service's own. herald-distribution gives each
 * loop a row of its own, so that a loop can tell which claims it has lost from sight.
 *
 * One task, on one loop, renews. Other loops read the id and the end of the lease.
 */
#include "server/store/postgres/db.h"
#include "server/store/postgres/db_query.h"

#include <stdbool.h>
#include <stdint.h>

struct instance;

struct instance_options {
    const char *service;   /* "distribution"; static */
    uint32_t lease_ms;     /* how long one renewal lasts; it is renewed four times as often */
    enum db_query bury;    /* deletes rows of dead processes and releases their claims: $1 service */
    enum db_query release; /* deletes this process's row and releases its claims: $1 id, $2 service */
};

/**
 * Makes a process's identity; it holds no lease yet.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 * Context: any thread, before the loops run
 */
enum herald_code instance_new(const struct instance_options *options, struct instance **ret_instance,
                              struct herald_error *reterr);
/** Frees it, when no loop runs any more. NULL is allowed. */
void instance_free(struct instance *instance);
/**
 * Starts the task that renews the lease and buries dead processes.
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (NO_STACK)
 * Context: the thread of @loop, once
 */
enum herald_code instance_start(struct instance *instance, struct loop *loop, struct db *db,
                                struct herald_error *reterr);
/** Ends the task: it releases the process's claims and its row as its last step. NULL is allowed. The loop's thread. */
void instance_stop(struct instance *instance);
/**
 * instance_stop() from another thread, which waits until the claims are released: a process that ends calls it while its
 * database is still open, so that others take up its work at once. NULL is allowed.
 *
 * @wait_ms  longest wait; without a release in time, the lease runs out by itself
 * Context:  blocks; any thread but that of the loop, which must run
 */
void instance_release(struct instance *instance, uint32_t wait_ms);
/** The process's id, a UUID. Any thread. */
const char *instance_id(const struct instance *instance);
/** Whether the lease lasts for @ms more. Without one, nothing may be claimed and no claim may be used. Any thread. */
bool instance_holds(const struct instance *instance, uint32_t ms);

#endif
