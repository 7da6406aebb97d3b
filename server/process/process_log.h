#ifndef HERALD_PROCESS_PROCESS_LOG_H
#define HERALD_PROCESS_PROCESS_LOG_H

#include "server/runtime/log.h"

/* What server_main() and the watchdog log. */
#define PROCESS_LOG(X)                                                                                                 \
    X(LOG_SERVER_STARTING, LOG_INFO, "server.starting", "The program starts.")                                         \
    X(LOG_VARIABLE_UNKNOWN, LOG_WARNING, "settings.unknown_variable",                                                  \
      "An environment variable HERALD_… means nothing to any of Herald's programs.")                                   \
    X(LOG_SERVER_DRAINING, LOG_INFO, "server.draining", "A signal came; no new calls are taken.")                      \
    X(LOG_SERVER_RELOADING, LOG_INFO, "server.reloading", "SIGHUP came; files are read again.")                        \
    X(LOG_SETTINGS_RELOADED, LOG_INFO, "settings.reloaded",                                                            \
      "The settings were read again: log.level holds, \"changed\" others wait for the next start.")                    \
    X(LOG_SETTINGS_REFUSED, LOG_ERROR, "settings.refused",                                                             \
      "The settings are wrong now; those of the start still hold.")                                                    \
    X(LOG_SERVER_CLOSE_GIVEN_UP, LOG_WARNING, "server.close_given_up",                                                 \
      "The messaging library hangs while closing; the program ends without it.")                                       \
    X(LOG_SERVER_STOPPED, LOG_INFO, "server.stopped", "The program ends.")                                             \
    X(LOG_LISTENER_SILENT, LOG_WARNING, "listener.silent", "A listener did not answer the server's own call.")         \
    X(LOG_DESCRIPTORS_SPENT, LOG_WARNING, "descriptors.spent",                                                         \
      "The process has no descriptor left (ulimit -n): new connections wait until others are closed.")                 \
    X(LOG_LISTENER_UNWATCHED, LOG_ERROR, "listener.unwatched",                                                         \
      "The messaging library hangs when connections are closed (nng#1813): calls are served, but closed connections "  \
      "keep their descriptors and a dead listener is not seen. The server replaces itself.")                           \
    X(LOG_SERVER_REPLACING, LOG_WARNING, "server.replacing",                                                           \
      "The calls under way have ended; the program begins anew in the same process.")                                  \
    X(LOG_LISTENER_REOPENED, LOG_WARNING, "listener.reopened", "A listener that took no connections listens again.")   \
    X(LOG_LISTENER_REOPEN_FAILED, LOG_ERROR, "listener.reopen_failed", "A listener that died cannot be opened again.")

LOG_EVENTS_DECLARE(PROCESS_LOG)

/** The log events of every server, from the process down to the transport; NULL-terminated, for --log-events. */
extern const struct log_event *const server_log_events[];

#endif
