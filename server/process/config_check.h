#ifndef HERALD_PROCESS_CONFIG_CHECK_H
#define HERALD_PROCESS_CONFIG_CHECK_H

#include "server/process/server_main.h"
#include "server/settings/config_problems.h"

/**
 * Checks what a server will open at its start: its address, the files of [tls] and [auth], HERALD_FAILPOINT,
 * and what server_app.check
 * adds. Opens no connection.
 *
 * Context: the main thread; blocks while names are looked up
 */
void config_check(const struct server_app *app, const struct settings *settings, struct config_problems *problems);

#endif
