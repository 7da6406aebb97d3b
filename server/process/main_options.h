#ifndef HERALD_PROCESS_MAIN_OPTIONS_H
#define HERALD_PROCESS_MAIN_OPTIONS_H

#include "server/process/server_main.h"

struct main_options {
    const char *config_path; /* --config, else HERALD_CONFIG; NULL: none */
    bool check_config;
    int exit_status; /* when main_options_read() returns false */
};

/** Reads the options; answers --help, --version and the like on stdout. False: the program ends with exit_status. */
bool main_options_read(const struct server_app *app, int argc, char **argv, struct main_options *ret_options);

#endif
