#ifndef HERALD_DURABLE_INSTANCE_H
#define HERALD_DURABLE_INSTANCE_H

/*
 * The lease of a process. A claim in the database names the process that holds it (a column holder), and each process
 * renews one row for all of its claims. When a process dies, its row is not renewed; another process of the service
 * then deletes the row and releases its claims, in one statement of the service's own. herald-distribution gives each
 * loop a row of its own, so that a loop can tell which claims it has lost from sight.
 *
 * The row names the session that renewed it last. The kernel ends the sessions of a process that dies, so others know of
 * the death within a second. A process that stands still, or whose machine has vanished, keeps its session: its lease
 * decides. In any case nobody buries a process that may still believe in its lease (instance_holds()).
 *
 * One task, on one loop, renews. Other loops read the id, the era and the end of the lease.
 */
#include "server/store/postgres/db.h"
#include "server/store/postgres/db_query.h"

#include <stdbool.h>
#include <stdint.h>

struct instance;

struct instance_options {
    const char *service;   /* "distribution"; static */
    uint32_t lease_ms;     /* how long a renewal lasts while its session is open */
    enum db_query bury;    /* deletes rows of dead processes and releases their claims: $1 service, $2 whether ended
                              sessions count; returns a row of the type burial */
    enum db_query release; /* deletes this process's row and releases its claims: $1 id, $2 service */
};

/** Claims of others were released: there may be something to take up. On the loop of instance_start(). */
typedef void instance_release_fn(void *user);

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
/** Names the function that hears of each release. Before instance_start(), on the same loop. */
void instance_on_release(struct instance *instance, instance_release_fn *on_release, void *user);
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
/**
 * Whether the process may believe in its lease for @ms more. Without one, nothing may be claimed and no claim may be used.
 * A renewal is believed in for a second at most, however long the lease is. Any thread.
 */
bool instance_holds(const struct instance *instance, uint32_t ms);
/** The era of the lease, which ends when the process is buried. Read before a claim is made. Any thread. */
uint64_t instance_era(const struct instance *instance);
/** As instance_holds(), for a claim that was made in @era. False for good: the claim is lost. Any thread. */
bool instance_keeps(const struct instance *instance, uint64_t era, uint32_t ms);
/**
 * The database's time, µs since 1970, as of the last renewal and counted on from there on the monotonic clock: right to the
 * time that a renewal takes. For times that are put into rows, or compared with them. Before the first renewal, and where
 * @instance is NULL, it is this machine's wall clock: instance_wait() first. Any thread.
 */
int64_t instance_now_us(const struct instance *instance);
/**
 * Waits until instance_holds(@ms).
 *
 * @wait_ms  longest wait
 * Returns:  whether it does; false also if the call has to end
 * Context:  suspends the task, unless the lease is held already; any loop
 */
TASK_FN bool instance_wait(const struct instance *instance, uint32_t ms, uint32_t wait_ms);

#endif
