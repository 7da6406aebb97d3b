#ifndef HERALD_PROCESS_SERVER_MAIN_H
#define HERALD_PROCESS_SERVER_MAIN_H

#include "server/rpc/server.h"
#include "server/runtime/failpoint.h"
#include "server/runtime/log.h"
#include "server/settings/settings.h"

/*
 * What all servers' main functions share: options, settings, logs, loops, signals, drain.
 *
 * Options: --config FILE, --check-config, --print-config-reference, --log-events, --version, --help.
 * HERALD_CONFIG names the file when --config does not. SIGTERM and SIGINT drain and end it with exit status 0;
 * bad settings or a port in use end it with 1 and a sentence that says what to change; bad options with 2.
 */
struct server_app {
    const char *name;                           /* "herald-event" */
    const char *summary;                        /* one line for --help */
    const struct log_event *const *log_events;  /* NULL-terminated, for --log-events; may be NULL */
    const struct settings_table *settings;      /* those of all servers */
    struct failpoint *const *const *failpoints; /* tables, for failpoint_use(); may be NULL */
    /** URL to listen on; NULL for a program that serves no RPC (herald-content): no rpc_server is made then. */
    const char *(*listen_url)(const struct settings *settings);
    /** Makes the app's state, adds services and needs. On each loop's thread before it runs nothing else has run.
     *  @server is NULL without listen_url. Called on the main thread, loops not running yet. */
    enum herald_code (*start)(const struct settings *settings, struct loop *const *loops, unsigned loop_count,
                              struct rpc_server *server, void **ret_app, struct herald_error *reterr);
    /** Runs on each loop's thread, first: opens what belongs to that loop (pools, background tasks). */
    enum herald_code (*start_loop)(void *app, struct loop *loop, struct herald_error *reterr);
    /** Runs on each loop's thread after the drain: cancels background tasks, closes what belongs to that loop; may
     *  return before all has closed: loop_run() returns when its handles and tasks are gone. */
    void (*stop_loop)(void *app, struct loop *loop);
    /** After all loops ended. */
    void (*stop)(void *app);
};

/** Runs a server until a signal; returns the exit status. */
int server_main(const struct server_app *app, int argc, char **argv);

#endif
