#ifndef HERALD_CTL_CTL_H
#define HERALD_CTL_CTL_H

/*
 * heraldctl: the declarations that its sub-commands share. Each sub-command is one function ctl_<name>() in a file of
 * its own; their table is in commands.c.
 */
#include "deploy/ctl/arguments.h"
#include "server/programs/settings.h"

#include <stddef.h>

/** Exit statuses. They are an interface: --help and README list them. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,    /* a server answered with an error; a job or a publish failed */
    CTL_USAGE = 2,     /* the command line, the configuration or the JSON is wrong; nothing was called */
    CTL_NOT_SENT = 3,  /* no server saw the call: safe to repeat */
    CTL_MAYBE = 4,     /* sent, but no reply or UNKNOWN came: it may have been executed */
    CTL_UNHEALTHY = 5, /* health, doctor or migrate --check found something wrong */
    CTL_UNWRITTEN = 6, /* the command succeeded, but its output could not be written */
};

struct ctl {
    const struct ctl_arguments *arguments;
    struct settings settings; /* empty for commands that need none */
};

/** One of the servers that the settings name. */
struct ctl_server {
    const char *name;    /* "herald-event" */
    const char *section; /* "event": in the settings and for --server */
    const char *package; /* "herald.event." */
    const char *url;
};
#define CTL_SERVER_COUNT 4

/** The servers; @ret_servers has CTL_SERVER_COUNT places. */
void ctl_servers(const struct settings *settings, struct ctl_server *ret_servers);

/** The servers that --url or --server choose, else all. A URL's server is named "server". Returns: how many */
size_t ctl_chosen_servers(const struct ctl *ctl, struct ctl_server *ret_servers);

/* The sub-commands. Each returns the exit status. */
int ctl_ls(struct ctl *ctl);
int ctl_describe(struct ctl *ctl);
int ctl_call(struct ctl *ctl);
int ctl_json(struct ctl *ctl);
int ctl_health(struct ctl *ctl);
int ctl_watch(struct ctl *ctl);
int ctl_migrate(struct ctl *ctl);
int ctl_doctor(struct ctl *ctl);
int ctl_top(struct ctl *ctl);
int ctl_bench(struct ctl *ctl);
int ctl_failpoints(struct ctl *ctl);
int ctl_failpoint(struct ctl *ctl);
int ctl_completions(struct ctl *ctl);
int ctl_token(struct ctl *ctl);
int ctl_channels(struct ctl *ctl);
int ctl_channel(struct ctl *ctl);
int ctl_deliveries(struct ctl *ctl);
int ctl_timeline(struct ctl *ctl);
int ctl_jobs(struct ctl *ctl);
int ctl_requeue(struct ctl *ctl);

/** The settings file: --config, else HERALD_CONFIG; NULL: none. */
const char *ctl_config_path(const struct ctl_arguments *arguments);
/** Runs heraldctl: parses, reads the settings, runs the sub-command. Returns: the exit status */
int ctl_main(int argc, char **argv);

#endif
