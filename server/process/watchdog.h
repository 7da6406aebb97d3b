#ifndef HERALD_PROCESS_WATCHDOG_H
#define HERALD_PROCESS_WATCHDOG_H

/*
 * The watchdog calls Health/Check on each listener of its server every second, over a new connection. A listener that
 * neither answers nor accepts the connection is opened again. A listener that accepts the connection is alive, however
 * slow its answer: opening it again would only cut off its callers.
 *
 * It also reloads the callers file and the certificates when they have changed.
 *
 * It has a thread of its own, because the loops and nng's threads may be the ones that are stuck.
 */
#include "herald/error.h"

#include <stdbool.h>

struct health;
struct listener;
struct rpc_server;
struct watchdog;

/** Starts a watchdog without listeners. After three rounds it logs the components of @health that have not been
 *  reported yet.
 *  Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (reason "OUT_OF_MEMORY", "NO_THREAD") */
enum herald_code watchdog_new(struct rpc_server *server, struct health *health, struct watchdog **ret_watchdog,
                              struct herald_error *reterr);
/** Ends the thread, after a running check. NULL is allowed. */
void watchdog_free(struct watchdog *watchdog);
/** Adds one of the server's listeners, which must outlive the watchdog; RPC_LISTENERS_MAX at most. */
void watchdog_watch(struct watchdog *watchdog, struct listener *listener);
/** Has the thread read the callers file and the certificates again now, whether they have changed or not, and waits for
 *  that, some seconds at most. Not on a loop. */
void watchdog_reload(struct watchdog *watchdog);
/** For tests: while false, watchdogs check no listener. */
void watchdog_enable(bool enabled);

#endif
