#ifndef HERALD_PROCESS_SERVICE_MAIN_H
#define HERALD_PROCESS_SERVICE_MAIN_H

/*
 * server_main() for a server with one service that keeps its state in Postgres, Kafka and optionally Redis. Such a
 * server is a description: its service, its backends, and up to five functions of its own.
 *
 * The order: the service is added; open(); the Kafka producer is opened; on each loop the backends are opened, then
 * open_loop(). At the end of the calls comes drain(). The end comes in the opposite order, also after a failed start.
 */
#include "herald/service.h"
#include "server/durable/backends.h"
#include "server/inspect/gauges.h"
#include "server/process/server_main.h"

/** The state that all loops of a service share. */
struct service_process {
    const struct settings *settings;
    struct loop *const *loops;
    unsigned loop_count;
    void *state; /* the service's own, state_bytes, zeroed at first */
};

/** One loop of a service. */
struct service_loop {
    const struct service_process *process;
    struct loop *loop;
    struct backends backends;
    void *service; /* @self of the handlers: service_bytes, zeroed at first */
};

struct service_app {
    struct server_app server; /* first; without start, start_loop, stop_loop, stop */
    const struct herald_service_binding *binding;
    const void *handlers;                                  /* of the binding's struct of handlers */
    const char *owner;                                     /* of its outbox rows: "event" */
    const char *(*topic)(const struct settings *settings); /* for its records */
    const struct redis_needs *redis;                       /* what it needs of Redis; NULL: nothing */
    bool with_replies;                                     /* it has ONCE methods: their replies are pruned */
    const char *signed_method; /* full name of the method that takes its signature itself (signature.h); NULL: none */
    /** Its rows that have a life, and how long that is. May be NULL. */
    struct row_life (*rows)(const struct settings *settings);
    size_t state_bytes, service_bytes;
    /** Opens the shared state, on the main thread, before any loop runs. May be NULL.
     *  Returns: HERALD_OK | any code, which ends the program with exit status 1; close() is called then too */
    enum herald_code (*open)(struct service_process *process, struct herald_error *reterr);
    /** Shows the shared state in Introspection/GetStats: as gauge_source.read(), with the state as @self. May be NULL. */
    void (*read_gauges)(void *state, struct gauge_sheet *sheet);
    /** Gives back what other processes can go on with: no call runs any more, the loops and backends still do. On the main
     *  thread; may block for a second. May be NULL. */
    void (*drain)(struct service_process *process);
    /** Closes the shared state, when no loop runs any more; also after an open() that failed. May be NULL. */
    void (*close)(struct service_process *process);
    /** Fills at->service and starts the loop's background tasks. Loop's thread.
     *  Returns: HERALD_OK | any code, which ends the program with exit status 1; close_loop() is called then too */
    enum herald_code (*open_loop)(struct service_loop *at, struct herald_error *reterr);
    /** Stops the loop's background tasks, before the backends are closed; also after an open_loop() that failed. Loop's
     *  thread. May be NULL. */
    void (*close_loop)(struct service_loop *at);
};

/** Runs the server until a signal; returns the exit status. */
int service_main(const struct service_app *app, int argc, char **argv);

#endif
