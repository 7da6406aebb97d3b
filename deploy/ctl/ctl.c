/* The main function of heraldctl, and the servers that the settings name. */
#include "deploy/ctl/ctl.h"

#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"

#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ctl_servers(const struct settings *settings, struct ctl_server *ret_servers) {
    ret_servers[0] = (struct ctl_server){"herald-event", "event", "herald.event.", settings_event_url(settings)};
    ret_servers[1] = (struct ctl_server){"herald-job", "job", "herald.job.", settings_job_url(settings)};
    ret_servers[2] = (struct ctl_server){"herald-distribution", "distribution", "herald.distribution.",
                                         settings_distribution_url(settings)};
    ret_servers[3] =
        (struct ctl_server){"herald-content", "content", "herald.content.", settings_content_rpc_url(settings)};
}

size_t ctl_chosen_servers(const struct ctl *ctl, struct ctl_server *ret_servers) {
    const struct ctl_arguments *arguments = ctl->arguments;
    if (arguments->url != NULL) {
        ret_servers[0] = (struct ctl_server){"server", "", "", arguments->url};
        return 1;
    }
    ctl_servers(&ctl->settings, ret_servers);
    for (size_t i = 0; arguments->server != NULL && i < CTL_SERVER_COUNT; i++) {
        if (strcmp(arguments->server, ret_servers[i].section) == 0) {
            ret_servers[0] = ret_servers[i];
            return 1;
        }
    }
    return CTL_SERVER_COUNT;
}

const char *ctl_config_path(const struct ctl_arguments *arguments) {
    const char *from_environment = getenv("HERALD_CONFIG");
    if (arguments->config != NULL) {
        return arguments->config;
    }
    return from_environment != NULL && from_environment[0] != '\0' ? from_environment : NULL;
}

static int run_ctl_command(struct ctl *ctl) {
    struct herald_error error;
    enum herald_code code = settings_load(&ctl->settings, ctl_config_path(ctl->arguments), &error);
    int status = CTL_USAGE;
    if (code == HERALD_OK) {
        code = remote_prepare(ctl, &error);
    }
    if (code == HERALD_OK) {
        status = ctl->arguments->command->run(ctl);
    } else {
        report_error(stderr, ctl->arguments->format, "settings", &error);
    }
    remote_forget();
    settings_fini(&ctl->settings);
    return status;
}

/* Flushes the output. A command that succeeded gets its own status here, because a script would repeat a failed one. */
static int finish_output(const struct ctl_arguments *arguments, int status) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return status;
    }
    fprintf(stderr, "heraldctl: cannot write to standard output%s%s\n", errno != 0 ? ": " : "",
            errno != 0 ? strerror(errno) : "");
    if (status != CTL_OK) {
        return status;
    }
    bool called = arguments->command != NULL && arguments->command->run == ctl_call && !arguments->print_nngcat;
    fputs(called ? "  the call was OK; only its output could not be written\n"
                 : "  all else was OK; only the output could not be written\n",
          stderr);
    return CTL_UNWRITTEN;
}

int ctl_main(int argc, char **argv) {
    struct ctl_arguments arguments;
    char problem[512];
    setlocale(LC_CTYPE, "");
    if (!ctl_arguments_parse(argc, argv, &arguments, problem, sizeof(problem))) {
        fprintf(stderr, "heraldctl: %s\n", problem);
        return CTL_USAGE;
    }
    if (arguments.version || arguments.help) {
        if (arguments.version) {
            puts("heraldctl " HERALD_VERSION);
        } else {
            ctl_arguments_help(arguments.command, stdout);
        }
        return finish_output(&arguments, CTL_OK);
    }
    struct ctl ctl = {.arguments = &arguments};
    int status = arguments.command->settings ? run_ctl_command(&ctl) : arguments.command->run(&ctl);
    return finish_output(&arguments, status);
}
