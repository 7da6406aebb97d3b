#ifndef HERALD_CTL_ARGUMENTS_H
#define HERALD_CTL_ARGUMENTS_H

/*
 * The command line: heraldctl [OPTION…] COMMAND [OPTION…] OPERAND…. One table of options drives both the parser and
 * --help.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum ctl_format { CTL_TABLE, CTL_JSON };

#define CTL_OPERANDS_MAX 4
#define CTL_METHODS_MAX  16

struct ctl;

/** A parsed command line. Strings point into argv. */
struct ctl_arguments {
    const struct ctl_command *command; /* NULL: none was given */
    const char *operands[CTL_OPERANDS_MAX];
    size_t operand_count;
    bool help, version;
    enum ctl_format format;
    const char *config;
    const char *url;
    const char *server;
    const char *data; /* NULL: not given */
    const char *idempotency_key;
    uint32_t timeout_ms; /* 0: not given */
    bool verbose, offline, check, print_nngcat;
    uint32_t interval_ms; /* 0: not given, like the fields that follow */
    uint32_t concurrency, count, connections;
    uint32_t duration_ms, warm_up_ms;
    double rate;
    bool warm_up_given, once, yes;
    const char *type; /* of json; NULL: not given */
    bool to_json, to_binary, ignore_unknown, indent, validate, stream;
    const char *token, *token_file; /* NULL: not given, like the fields that follow */
    const char *caller, *user, *callers_file, *key_id, *key_file;
    const char *methods[CTL_METHODS_MAX];
    size_t method_count;
    uint32_t token_life_s;                                    /* 0: not given */
    const char *note, *channel, *remote_id, *post_url, *zone; /* NULL: not given */
    const char *draft;                                        /* likewise */
    bool watch, attempts, unknown, failed;
};

struct ctl_option {
    char letter; /* also its key; upper-case ones have no short form */
    const char *name;
    const char *argument; /* NULL: takes none */
    const char *help;
};
extern const struct ctl_option ctl_options[];
extern const size_t ctl_option_count;

struct ctl_command {
    const char *name;
    const char *operands; /* for --help: "METHOD" */
    const char *summary;  /* one line */
    const char *detail;   /* paragraphs for --help, each line ended */
    const char *options;  /* short letters of the options it takes besides the common ones */
    size_t operand_min, operand_max;
    bool settings; /* it needs the settings */
    int (*run)(struct ctl *ctl);
};

extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;

/** Whether the command takes the option; NULL: whether it may stand before the command. */
bool ctl_command_takes(const struct ctl_command *command, char letter);
/** Whether an option may be written as its letter. */
bool ctl_option_is_short(char letter);

/**
 * Parses a command line.
 *
 * @ret_arguments   set only on success; command is set unless only --help or --version was given
 * @ret_problem     on failure: a sentence that ends with the command for help; @problem_bytes its size
 * Returns: whether the command line is valid
 * Context: one thread; uses getopt's globals
 */
bool ctl_arguments_parse(int argc, char **argv, struct ctl_arguments *ret_arguments, char *ret_problem,
                         size_t problem_bytes);
/** Prints help: of one command, or of all if @command is NULL. */
void ctl_arguments_help(const struct ctl_command *command, FILE *out);

#endif
