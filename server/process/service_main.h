#ifndef HERALD_PROCESS_SERVICE_MAIN_H
#define HERALD_PROCESS_SERVICE_MAIN_H

#include "herald/service.h"
#include "server/durable/backends.h"
#include "server/process/server_main.h"

/*
 * server_main() for a server that serves one service and keeps its state in Postgres, Kafka and, if it wants, Redis.
 * Such a server is a description: what it serves, what it keeps its state in, and four functions for what is its own.
 *
 * The order: the service is added; open(); the Kafka producer is opened; on each loop the backends are opened, then
 * open_loop(). The end, also of a start that failed, comes in the opposite order.
 */

/** What the loops of a service share. */
struct service_process {
    const struct settings *settings;
    void *state; /* the service's own, state_bytes, zeroed at first */
};

/** One loop of a service. */
struct service_loop {
    const struct service_process *process;
    struct loop *loop;
    struct backends backends;
    void *service; /* what its handlers get as self: service_bytes, zeroed at first */
};

struct service_app {
    struct server_app server; /* first; without start, start_loop, stop_loop, stop */
    const struct herald_service_binding *binding;
    const void *handlers;                                  /* of the binding's struct of handlers */
    const char *owner;                                     /* whose outbox rows: "event" */
    const char *(*topic)(const struct settings *settings); /* that it sends records to */
    bool with_redis;
    bool with_replies; /* it has ONCE methods: their replies are pruned */
    size_t state_bytes, service_bytes;
    /** Opens what the loops share, on the main thread, before any loop runs. May be NULL. */
    enum herald_code (*open)(struct service_process *process, struct herald_error *reterr);
    /** Closes it, when no loop runs any more; also what an open() that failed has left. May be NULL. */
    void (*close)(struct service_process *process);
    /** Fills at->service and starts the loop's background tasks. Loop's thread. */
    enum herald_code (*open_loop)(struct service_loop *at, struct herald_error *reterr);
    /** Stops them, before the backends are closed; also what an open_loop() that failed has left. Loop's thread. May be
     *  NULL. */
    void (*close_loop)(struct service_loop *at);
};

/** Runs the server until a signal; returns the exit status. */
int service_main(const struct service_app *app, int argc, char **argv);

#endif
