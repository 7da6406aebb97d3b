/* The command line of every server: see the list in server_main.h. */
#include "server/process/main_options.h"

#include "server/process/process_log.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 2

static const char *const LEVEL_NAMES[] = {"debug", "info", "warning", "error"};

static void print_help(const struct server_app *app) {
    printf("%s: %s\n\n"
           "Usage: %s [OPTION]…\n\n"
           "  --config FILE             read settings from this INI file (else from $HERALD_CONFIG, if set)\n"
           "  --check-config            check the settings, print them with secrets masked, and end\n"
           "  --print-config-reference  print all settings with their defaults and meanings, and end\n"
           "  --log-events              print what this program logs, and end\n"
           "  --version                 print the version, and end\n"
           "  --help                    print this, and end\n\n"
           "Every setting can be given in the environment too: HERALD_SECTION_KEY, such as HERALD_RPC_LOOPS=2.\n\n"
           "SIGTERM, SIGINT and SIGQUIT end it after the running calls (rpc.drain_ms at most); a second one ends it at "
           "once.\n"
           "SIGHUP has it read callers, certificates and log.level again.\n"
           "Exit status: 0 after a signal, 1 when it cannot start, 2 for wrong options.\n",
           app->name, app->summary, app->name);
}

static void print_events(const struct log_event *const *events) {
    for (; events && *events; events++) {
        printf("%-26s %-8s %s\n", (*events)->id, LEVEL_NAMES[(*events)->level], (*events)->meaning);
    }
}

/* Answers an option after which the program ends. */
static void answer_option(const struct server_app *app, int option) {
    switch (option) {
    case 'r':
        settings_print_reference(app->settings, stdout);
        break;
    case 'l':
        print_events(server_log_events);
        print_events(app->log_events);
        break;
    case 'v':
        printf("%s %s\n", app->name, HERALD_VERSION);
        break;
    default:
        print_help(app);
    }
}

static bool end_with(struct main_options *options, int exit_status) {
    options->exit_status = exit_status;
    return false;
}

bool main_options_read(const struct server_app *app, int argc, char **argv, struct main_options *ret_options) {
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 'k'},
        {"print-config-reference", no_argument, NULL, 'r'},
        {"log-events", no_argument, NULL, 'l'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *from_environment = getenv("HERALD_CONFIG");
    *ret_options =
        (struct main_options){.config_path = from_environment && *from_environment ? from_environment : NULL};
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (option == '?') {
            fprintf(stderr, "%s: --help lists the options\n", app->name);
            return end_with(ret_options, EXIT_USAGE);
        }
        if (option == 'c') {
            ret_options->config_path = optarg;
        } else if (option == 'k') {
            ret_options->check_config = true;
        } else {
            answer_option(app, option);
            return end_with(ret_options, EXIT_SUCCESS);
        }
    }
    if (optind == argc) {
        return true;
    }
    fprintf(stderr, "%s: \"%s\" is no option; --help lists the options\n", app->name, argv[optind]);
    return end_with(ret_options, EXIT_USAGE);
}
