#include "client/ctl/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MAX_MS = 600000 };

struct option_row {
    char letter; /* also its key; upper-case ones have no short form */
    const char *name;
    const char *argument; /* NULL: takes none */
    const char *help;
};

static const struct option_row option_rows[] = {
    {'o', "output", "table|json", "form of the output; table is the default"},
    {'c', "config", "FILE", "settings; else HERALD_CONFIG, else defaults and HERALD_* variables"},
    {'h', "help", NULL, "this text"},
    {'u', "url", "URL", "server to call, instead of the one in the settings"},
    {'S', "server", "event|job|distribution", "server to call, by name"},
    {'d', "data", "JSON|@FILE|-", "the request: JSON, a file, or standard input; {} is the default"},
    {'t', "timeout", "MS", "longest wait in milliseconds, 1..600000, instead of the method's deadline"},
    {'k', "idempotency-key", "KEY", "key under which the call takes effect once; else a new one"},
    {'v', "verbose", NULL, "show outcome, call id and time too"},
    {'N', "print-nngcat", NULL, "with call: print the same call as an nngcat pipe; call nothing"},
    {'F', "offline", NULL, "from the schemas of this build; call nothing"},
    {'C', "check", NULL, "change nothing; only tell"},
};
enum { OPTION_COUNT = sizeof(option_rows) / sizeof(option_rows[0]) };

static const char common_options[] = "och";
/* --print-nngcat goes before the command too, where it looks like what it is: another way to make the call. */
static const char leading_options[] = "N";

static bool takes(const struct ctl_command *command, char letter) {
    return strchr(common_options, letter) != NULL ||
           strchr(command != NULL ? command->options : leading_options, letter) != NULL;
}

static bool has_short_form(char letter) {
    return letter >= 'a';
}

static bool problem(char *ret_problem, size_t problem_bytes, const struct ctl_command *command, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Always false, so that it ends a function. */
static bool problem(char *ret_problem, size_t problem_bytes, const struct ctl_command *command, const char *format,
                    ...) {
    char sentence[400];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    snprintf(ret_problem, problem_bytes, "%s; see heraldctl%s%s --help", sentence, command != NULL ? " " : "",
             command != NULL ? command->name : "");
    return false;
}

/* What getopt_long() wants, made from the rows that @command takes. */
struct getopt_tables {
    char shorts[2 * OPTION_COUNT + 4];
    struct option longs[OPTION_COUNT + 2];
};

static void make_tables(const struct ctl_command *command, struct getopt_tables *tables) {
    size_t longs = 0;
    char *shorts = tables->shorts;
    memset(tables, 0, sizeof(*tables));
    *shorts++ = '+'; /* options end where operands begin: the command's own follow it */
    *shorts++ = ':';
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        if (!takes(command, row->letter))
            continue;
        int argument = row->argument != NULL ? required_argument : no_argument;
        tables->longs[longs++] = (struct option){row->name, argument, NULL, row->letter};
        if (!has_short_form(row->letter))
            continue;
        *shorts++ = row->letter;
        if (row->argument != NULL)
            *shorts++ = ':';
    }
    if (command == NULL)
        tables->longs[longs] = (struct option){"version", no_argument, NULL, 'V'};
}

static bool parse_timeout(const char *text, uint32_t *ret_ms) {
    char *end = NULL;
    errno = 0;
    unsigned long ms = strtoul(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || ms < 1 || ms > TIMEOUT_MAX_MS)
        return false;
    *ret_ms = (uint32_t)ms;
    return true;
}

/* Returns: NULL, or what the value should be. */
static const char *take_option(struct ctl_arguments *arguments, int letter, const char *value) {
    switch (letter) {
    case 'o':
        if (strcmp(value, "table") != 0 && strcmp(value, "json") != 0)
            return "table or json";
        arguments->format = value[0] == 'j' ? CTL_JSON : CTL_TABLE;
        return NULL;
    case 'S':
        if (strcmp(value, "event") != 0 && strcmp(value, "job") != 0 && strcmp(value, "distribution") != 0)
            return "event, job or distribution";
        arguments->server = value;
        return NULL;
    case 't':
        return parse_timeout(value, &arguments->timeout_ms) ? NULL : "milliseconds, 1..600000";
    case 'c':
        arguments->config = value;
        return NULL;
    case 'u':
        arguments->url = value;
        return NULL;
    case 'd':
        arguments->data = value;
        return NULL;
    case 'k':
        arguments->idempotency_key = value;
        return NULL;
    case 'h':
        arguments->help = true;
        return NULL;
    case 'V':
        arguments->version = true;
        return NULL;
    case 'v':
        arguments->verbose = true;
        return NULL;
    case 'N':
        arguments->print_nngcat = true;
        return NULL;
    case 'F':
        arguments->offline = true;
        return NULL;
    default: /* 'C' */
        arguments->check = true;
        return NULL;
    }
}

static const char *option_name(int letter) {
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (option_rows[i].letter == letter)
            return option_rows[i].name;
    return "version";
}

/* After getopt_long() said '?'; @word  the argument before the next one. optopt is 0 for an unknown long option. */
static bool unknown_option(const char *word, char *ret_problem, size_t problem_bytes,
                           const struct ctl_command *command) {
    char letter[] = {'-', (char)optopt, '\0'};
    if (optopt != 0 && strchr(word, '=') != NULL && strncmp(word, "--", 2) == 0)
        return problem(ret_problem, problem_bytes, command, "option %.*s takes no value", (int)strcspn(word, "="),
                       word);
    return problem(ret_problem, problem_bytes, command, "unknown option %s", optopt == 0 ? word : letter);
}

/* Takes options up to the first operand. */
static bool parse_options(int argc, char **argv, const struct ctl_command *command, struct ctl_arguments *arguments,
                          char *ret_problem, size_t problem_bytes) {
    struct getopt_tables tables;
    make_tables(command, &tables);
    opterr = 0;
    for (;;) {
        int letter = getopt_long(argc, argv, tables.shorts, tables.longs, NULL);
        if (letter == -1)
            return true;
        if (letter == ':')
            return problem(ret_problem, problem_bytes, command, "option %s needs a value", argv[optind - 1]);
        if (letter == '?')
            return unknown_option(argv[optind - 1], ret_problem, problem_bytes, command);
        const char *wanted = take_option(arguments, letter, optarg);
        if (wanted != NULL)
            return problem(ret_problem, problem_bytes, command, "option --%s must be %s, not \"%s\"",
                           option_name(letter), wanted, optarg);
    }
}

static const struct ctl_command *find_command(const char *name) {
    for (size_t i = 0; i < ctl_command_count; i++)
        if (strcmp(ctl_commands[i].name, name) == 0)
            return &ctl_commands[i];
    return NULL;
}

/* Options and operands of a command, in any order; operands after "--" may begin with a dash. */
static bool parse_command(int argc, char **argv, struct ctl_arguments *arguments, char *ret_problem,
                          size_t problem_bytes) {
    const struct ctl_command *command = arguments->command;
    for (;;) {
        if (!parse_options(argc, argv, command, arguments, ret_problem, problem_bytes))
            return false;
        bool ended = optind > 0 && optind <= argc && strcmp(argv[optind - 1], "--") == 0;
        do {
            if (optind >= argc)
                return true;
            if (arguments->operand_count == command->operand_max)
                return problem(ret_problem, problem_bytes, command, "unexpected operand \"%s\"", argv[optind]);
            arguments->operands[arguments->operand_count++] = argv[optind++];
        } while (ended);
    }
}

bool ctl_arguments_parse(int argc, char **argv, struct ctl_arguments *ret_arguments, char *ret_problem,
                         size_t problem_bytes) {
    struct ctl_arguments arguments = {.format = CTL_TABLE};
    optind = 0; /* begin anew */
    if (!parse_options(argc, argv, NULL, &arguments, ret_problem, problem_bytes))
        return false;
    if (!arguments.help && !arguments.version) {
        if (optind >= argc)
            return problem(ret_problem, problem_bytes, NULL, "no command given");
        arguments.command = find_command(argv[optind]);
        if (arguments.command == NULL)
            return problem(ret_problem, problem_bytes, NULL, "unknown command \"%s\"", argv[optind]);
        optind++;
        if (!parse_command(argc, argv, &arguments, ret_problem, problem_bytes))
            return false;
        if (arguments.print_nngcat && strchr(arguments.command->options, 'N') == NULL)
            return problem(ret_problem, problem_bytes, arguments.command, "option --print-nngcat goes with call only");
        if (!arguments.help && arguments.operand_count < arguments.command->operand_min)
            return problem(ret_problem, problem_bytes, arguments.command, "%s needs %s", arguments.command->name,
                           arguments.command->operands);
    }
    *ret_arguments = arguments;
    return true;
}

static void print_option(const struct option_row *row, FILE *out) {
    char left[64];
    snprintf(left, sizeof(left), "%s%s--%s%s%s", has_short_form(row->letter) ? (char[]){'-', row->letter, '\0'} : "  ",
             has_short_form(row->letter) ? ", " : "  ", row->name, row->argument != NULL ? " " : "",
             row->argument != NULL ? row->argument : "");
    fprintf(out, "  %-38s  %s\n", left, row->help);
}

static const char exit_help[] = "Exit status:\n"
                                "  0  it worked: the call, the job or the publish ended well, all is healthy\n"
                                "  1  a server answered with an error; or the job or the publish failed\n"
                                "  2  the command line, the settings or the JSON is wrong; nothing was called\n"
                                "  3  no server saw the call (outcome NOT_SENT): safe to repeat\n"
                                "  4  sent, and no answer came (outcome MAYBE_EXECUTED): it may have happened\n"
                                "  5  health, doctor or migrate --check found something wrong\n";

static void print_options(const struct ctl_command *command, FILE *out) {
    fputs("\nOptions:\n", out);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (takes(command, option_rows[i].letter))
            print_option(&option_rows[i], out);
    if (command == NULL)
        fputs("      --version                           version of Herald\n", out);
}

void ctl_arguments_help(const struct ctl_command *command, FILE *out) {
    if (command != NULL) {
        fprintf(out, "Usage: heraldctl %s [OPTION]... %s\n\n%s.\n\n%s", command->name, command->operands,
                command->summary, command->detail);
        print_options(command, out);
        return;
    }
    fputs("Usage: heraldctl [OPTION]... COMMAND [OPTION]... [OPERAND]...\n\n"
          "Looks into Herald's servers and calls them.\n\nCommands:\n",
          out);
    for (size_t i = 0; i < ctl_command_count; i++)
        fprintf(out, "  %-10s  %s\n", ctl_commands[i].name, ctl_commands[i].summary);
    print_options(NULL, out);
    fprintf(out, "\nheraldctl COMMAND --help tells more about a command.\n\n%s", exit_help);
}
