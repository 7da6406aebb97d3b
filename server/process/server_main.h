#ifndef HERALD_PROCESS_SERVER_MAIN_H
#define HERALD_PROCESS_SERVER_MAIN_H

/*
 * The main function of all servers: options, settings, logs, loops, signals, drain.
 *
 * Options: --config FILE, --check-config, --print-config-reference, --log-events, --version, --help. HERALD_CONFIG
 * names the settings file if --config does not.
 *
 * Exit status: 0 after SIGTERM, SIGINT or SIGQUIT, which drain the server; 1 for bad settings or a port in use, with a sentence
 * that says what to change; 2 for bad options.
 */
#include "server/rpc/server.h"
#include "server/runtime/failpoint.h"
#include "server/runtime/log.h"
#include "server/settings/settings.h"

struct config_problems;

struct server_app {
    const char *name;                           /* "herald-event" */
    const char *summary;                        /* one line for --help */
    const struct log_event *const *log_events;  /* NULL-terminated, for --log-events; may be NULL */
    const struct settings_table *settings;      /* those of all servers */
    struct failpoint *const *const *failpoints; /* tables, for failpoint_use(); may be NULL */
    /** URL to listen on; NULL for a program that serves no RPC: no rpc_server is made then. */
    const char *(*listen_url)(const struct settings *settings);
    /** How many loops there are; NULL: as many as rpc.loops says. */
    unsigned (*loop_count)(const struct settings *settings);
    /** Tells what is wrong with the settings of what start() will open, without opening a connection. May be NULL. The
     *  main thread, before start(), and for --check-config. */
    void (*check)(const struct server_app *app, const struct settings *settings, struct config_problems *problems);
    const void *of; /* for start() and check(): the larger description that holds this one; NULL: none */
    /**
     * Makes the program's state, and adds its services and the components that they need. start_loop() opens what
     * belongs to one loop.
     *
     * @server   NULL without listen_url
     * Returns:  HERALD_OK | any code, which ends the program with exit status 1
     * On error: nothing is left; stop() is not called
     * Context:  the main thread, before any loop runs
     */
    enum herald_code (*start)(const struct server_app *app, const struct settings *settings, struct loop *const *loops,
                              unsigned loop_count, struct rpc_server *server, void **ret_app,
                              struct herald_error *reterr);
    /**
     * Opens what belongs to one loop: pools, background tasks. May be NULL.
     *
     * Returns:  HERALD_OK | any code, which ends the program with exit status 1
     * On error: nothing of that loop is left; stop_loop() is not called for it
     * Context:  that loop's thread, as its first work
     */
    enum herald_code (*start_loop)(void *app, struct loop *loop, struct herald_error *reterr);
    /** Gives work back, on the main thread, after the drain of the calls, while the loops still run. May be NULL. */
    void (*drain)(void *app);
    /** Closes what belongs to one loop, after the drain, on that loop's thread. May return before all is closed: the
     *  loop ends when its handles are closed and its tasks have ended. May be NULL. */
    void (*stop_loop)(void *app, struct loop *loop);
    /** Frees the program's state, on the main thread, after all loops have ended. May be NULL. */
    void (*stop)(void *app);
};

/** Runs a server until a signal; returns the exit status. */
int server_main(const struct server_app *app, int argc, char **argv);

#endif
