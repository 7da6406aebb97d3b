#ifndef HERALD_PROCESS_WATCHDOG_H
#define HERALD_PROCESS_WATCHDOG_H

#include "herald/error.h"

#include <stdbool.h>

/*
 * Calls Health/Check on each own listener every second, over a new connection. A listener that neither answers nor
 * takes the connection is opened again. A listener that takes the connection is alive, however slow its answer: opening
 * it again would only cut off its callers.
 *
 * Also reads the callers file and the certificates again when they have changed.
 *
 * Has a thread of its own: the loops and nng's threads may be what is stuck.
 */
struct health;
struct listener;
struct rpc_server;
struct watchdog;

/** Starts it, without listeners. After some seconds it logs which components of @health have not been heard of.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "NO_MEMORY", "NO_THREAD") */
enum herald_code watchdog_new(struct rpc_server *server, struct health *health, struct watchdog **ret_watchdog,
                              struct herald_error *reterr);
/** Ends the thread; waits for a check that runs. NULL is allowed. */
void watchdog_free(struct watchdog *watchdog);
/** Adds one of the server's listeners, RPC_LISTENERS_MAX at most, which must outlive the watchdog. */
void watchdog_watch(struct watchdog *watchdog, struct listener *listener);
/** For tests: new watchdogs do not check anything while false. */
void watchdog_enable(bool enabled);

#endif
