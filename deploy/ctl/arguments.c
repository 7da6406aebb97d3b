/* Parses the command line with getopt_long(), from the tables of options and commands. */
#include "deploy/ctl/arguments.h"

#include "deploy/ctl/words.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX_MS      600000
#define TIME_MAX_MS         86400000
#define CONCURRENCY_MAX     65536
#define CONNECTIONS_MAX     256
#define IDEMPOTENCY_KEY_MAX 128
#define COMMANDS_MOST       64

const struct ctl_option ctl_options[] = {
    {'o', "output", "table|json", "form of the output; table is the default"},
    {'c', "config", "FILE", "settings; else HERALD_CONFIG, else defaults and HERALD_* variables"},
    {'h', "help", NULL, "this text"},
    {'u', "url", "URL", "server to call, instead of the one in the settings"},
    {'S', "server", "event|job|distribution|content", "server to call, by name"},
    {'d', "data", "JSON|@FILE|-", "the request: JSON, a file, or standard input; {} is the default"},
    {'t', "timeout", "MS", "longest wait in milliseconds, 1..600000, instead of the method's deadline"},
    {'k', "idempotency-key", "KEY", "key under which the call takes effect once; else a new one"},
    {'v', "verbose", NULL, "show outcome, call id and time too; with top, the servers' own methods"},
    {'N', "print-nngcat", NULL, "with call: print the same call as an nngcat pipe; call nothing"},
    {'F', "offline", NULL, "from the schemas of this build; call nothing"},
    {'C', "check", NULL, "change nothing; only tell"},
    {'I', "interval", "TIME", "time between two looks; 1s is the default"},
    {'O', "once", NULL, "look once; print a table"},
    {'P', "concurrency", "COUNT", "so many calls at once, each end starts the next; 1 is the default"},
    {'R', "rate", "PER_SECOND", "so many calls started each second, whatever their ends"},
    {'D', "duration", "TIME", "how long to measure; 10s is the default"},
    {'n', "count", "COUNT", "how many calls to measure, instead of a duration"},
    {'X', "connections", "COUNT", "so many connections, 1..256; 1 is the default"},
    {'W', "warm-up", "TIME", "calls before the measurement begins; 1s is the default"},
    {'y', "yes", NULL, "make calls that change something, as often as it takes"},
    {'Y', "type", "TYPE", "name of the message"},
    {'J', "to-json", NULL, "bytes in, JSON out"},
    {'B', "to-binary", NULL, "JSON in, bytes out"},
    {'1', "ignore-unknown", NULL, "pass over JSON names that the message does not have"},
    {'2', "indent", NULL, "JSON on several lines"},
    {'Z', "validate", NULL, "check the rules of the schema too"},
    {'L', "stream", NULL, "many messages: JSON a line each, bytes each behind its length"},
    {'K', "token", "TOKEN", "bearer token to show, instead of a key; HERALD_TOKEN is the default"},
    {'G', "token-file", "FILE", "file with the bearer token: other users cannot see it in a list of processes"},
    {'A', "caller", "NAME", "caller that the token is for"},
    {'U', "user", "USER", "user for whom it acts; none is the default"},
    {'T', "ttl", "TIME", "how long it is good: 30s, 15m, 1h at most; 15m is the default"},
    {'M', "method", "METHOD", "narrow it to this method, or Service/*; several times for more"},
    {'E', "callers-file", "FILE", "take the caller's first key from there; [auth] callers_file is the default"},
    {'Q', "key-id", "ID", "id of the key that signs, with --key-file"},
    {'H', "key-file", "FILE", "file with that key in base64"},
    {'0', "watch", NULL, "look again and again, on a terminal, until q or ^C"},
    {'3', "note", "TEXT", "why, for others on duty"},
    {'4', "attempts", NULL, "with the log of attempts"},
    {'5', "unknown", NULL, "those of all events whose outcome only a person can find out"},
    {'6', "channel", "CHANNEL", "with --unknown: those to this channel"},
    {'7', "id", "ID", "with resolve: the channel's id of the post"},
    {'8', "post-url", "URL", "with resolve: where the post can be seen"},
    {'9', "zone", "ZONE", "with schedule: time zone of TIME, such as Asia/Seoul"},
    {'#', "failed", NULL, "those that have failed and can begin anew"},
    {'$', "draft", "DRAFT_ID", "those of this draft"},
};
#define OPTION_COUNT (sizeof(ctl_options) / sizeof(ctl_options[0]))
const size_t ctl_option_count = OPTION_COUNT;

static const char common_options[] = "och";
/* --print-nngcat may stand before the command too, because it is another way to make the call. */
static const char leading_options[] = "N";

bool ctl_command_takes(const struct ctl_command *command, char letter) {
    return strchr(common_options, letter) != NULL ||
           strchr(command != NULL ? command->options : leading_options, letter) != NULL;
}

bool ctl_option_is_short(char letter) {
    return letter >= 'a';
}

static bool argument_problem(char *ret_problem, size_t problem_bytes, const struct ctl_command *command,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Always false, so that it ends a function. */
static bool argument_problem(char *ret_problem, size_t problem_bytes, const struct ctl_command *command,
                             const char *format, ...) {
    char sentence[400];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    snprintf(ret_problem, problem_bytes, "%s; see heraldctl%s%s --help", sentence, command != NULL ? " " : "",
             command != NULL ? command->name : "");
    return false;
}

/* The tables of getopt_long(), made from the options that @command takes. */
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
        const struct ctl_option *row = &ctl_options[i];
        if (!ctl_command_takes(command, row->letter)) {
            continue;
        }
        int argument = row->argument != NULL ? required_argument : no_argument;
        tables->longs[longs++] = (struct option){row->name, argument, NULL, row->letter};
        if (!ctl_option_is_short(row->letter)) {
            continue;
        }
        *shorts++ = row->letter;
        if (row->argument != NULL) {
            *shorts++ = ':';
        }
    }
    if (command == NULL) {
        tables->longs[longs] = (struct option){"version", no_argument, NULL, 'V'};
    }
}

static bool parse_timeout(const char *text, uint32_t *ret_ms) {
    char *end = NULL;
    errno = 0;
    unsigned long ms = strtoul(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || ms < 1 || ms > TIMEOUT_MAX_MS) {
        return false;
    }
    *ret_ms = (uint32_t)ms;
    return true;
}

static bool parse_number_option(const char *text, double least, double most, double *ret_number) {
    char *end = NULL;
    double number = strtod(text, &end);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number < least || number > most) {
        return false;
    }
    *ret_number = number;
    return true;
}

static bool parse_count_option(const char *text, uint32_t most, uint32_t *ret_count) {
    char *end = NULL;
    errno = 0;
    unsigned long count = strtoul(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || count < 1 || count > most) {
        return false;
    }
    *ret_count = (uint32_t)count;
    return true;
}

/* Whether servers accept the key. An empty one, from an unset variable, must not silently become a new key. */
static bool is_idempotency_key(const char *text) {
    size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return bytes >= 1 && bytes <= IDEMPOTENCY_KEY_MAX;
}

/* Parses "10s", "500ms", "1.5m" or "10", which is in seconds. */
static bool parse_time(const char *text, uint32_t least_ms, uint32_t *ret_ms) {
    char *end = NULL;
    double number = strtod(text, &end), ms = -1;
    if (strcmp(end, "ms") == 0) {
        ms = number;
    } else if (strcmp(end, "s") == 0 || *end == '\0') {
        ms = number * 1000;
    } else if (strcmp(end, "m") == 0) {
        ms = number * 60000;
    }
    if (text[0] < '0' || text[0] > '9' || !(ms >= least_ms && ms <= TIME_MAX_MS)) {
        return false;
    }
    *ret_ms = (uint32_t)ms;
    return true;
}

/* Takes an option of bench or top. Returns: NULL, or what the value should be */
static const char *take_measure_option(struct ctl_arguments *arguments, int letter, const char *value) {
    static const char positive_time[] = "a time such as 500ms, 10s or 2m, up to 24 hours";
    switch (letter) {
    case 'I':
        return parse_time(value, 50, &arguments->interval_ms) ? NULL : "a time of 50ms or more, such as 1s";
    case 'D':
        return parse_time(value, 1, &arguments->duration_ms) ? NULL : positive_time;
    case 'W':
        arguments->warm_up_given = true;
        return parse_time(value, 0, &arguments->warm_up_ms) ? NULL : positive_time;
    case 'R':
        return parse_number_option(value, 0.1, 1e6, &arguments->rate) ? NULL : "calls a second, 0.1..1000000";
    case 'P':
        return parse_count_option(value, CONCURRENCY_MAX, &arguments->concurrency) ? NULL : "a number, 1..65536";
    case 'n':
        return parse_count_option(value, UINT32_MAX, &arguments->count) ? NULL : "a number, 1..4294967295";
    case 'X':
        return parse_count_option(value, CONNECTIONS_MAX, &arguments->connections) ? NULL : "a number, 1..256";
    case 'O':
        arguments->once = true;
        return NULL;
    default: /* 'y' */
        arguments->yes = true;
        return NULL;
    }
}

/* Parses "30s", "15m" or "1h". */
static bool parse_life(const char *text, uint32_t *ret_s) {
    char *end = NULL;
    errno = 0;
    unsigned long count = strtoul(text, &end, 10);
    unsigned long unit_s = strcmp(end, "s") == 0 ? 1 : strcmp(end, "m") == 0 ? 60 : strcmp(end, "h") == 0 ? 3600 : 0;
    if (errno != 0 || text[0] < '0' || text[0] > '9' || unit_s == 0 || count < 1 || count > 3600 / unit_s) {
        return false;
    }
    *ret_s = (uint32_t)(count * unit_s);
    return true;
}

static const char credential_options[] = "TMKGAUEQH";

/* Takes an option about credentials. Returns: NULL, or what the value should be */
static const char *take_credential_option(struct ctl_arguments *arguments, int letter, const char *value) {
    switch (letter) {
    case 'T':
        return parse_life(value, &arguments->token_life_s) ? NULL : "a time such as 30s, 15m or 1h, at most an hour";
    case 'M':
        if (arguments->method_count == CTL_METHODS_MAX) {
            return "given at most 16 times";
        }
        arguments->methods[arguments->method_count++] = value;
        return NULL;
    case 'K':
        arguments->token = value;
        return NULL;
    case 'G':
        arguments->token_file = value;
        return NULL;
    case 'A':
        arguments->caller = value;
        return NULL;
    case 'U':
        arguments->user = value;
        return NULL;
    case 'E':
        arguments->callers_file = value;
        return NULL;
    case 'Q':
        arguments->key_id = value;
        return NULL;
    default: /* 'H' */
        arguments->key_file = value;
        return NULL;
    }
}

static const char delivery_options[] = "03456789#$";

/* Takes an option about channels, deliveries and jobs. Returns: NULL: each value is a text */
static const char *take_delivery_option(struct ctl_arguments *arguments, int letter, const char *value) {
    switch (letter) {
    case '0':
        arguments->watch = true;
        break;
    case '3':
        arguments->note = value;
        break;
    case '4':
        arguments->attempts = true;
        break;
    case '5':
        arguments->unknown = true;
        break;
    case '6':
        arguments->channel = value;
        break;
    case '7':
        arguments->remote_id = value;
        break;
    case '8':
        arguments->post_url = value;
        break;
    case '#':
        arguments->failed = true;
        break;
    case '$':
        arguments->draft = value;
        break;
    default: /* '9' */
        arguments->zone = value;
        break;
    }
    return NULL;
}

/* Takes an option. Returns: NULL, or what the value should be */
static const char *take_option(struct ctl_arguments *arguments, int letter, const char *value) {
    switch (letter) {
    case 'o':
        if (strcmp(value, "table") != 0 && strcmp(value, "json") != 0) {
            return "table or json";
        }
        arguments->format = value[0] == 'j' ? CTL_JSON : CTL_TABLE;
        return NULL;
    case 'S':
        if (strcmp(value, "event") != 0 && strcmp(value, "job") != 0 && strcmp(value, "distribution") != 0 &&
            strcmp(value, "content") != 0) {
            return "event, job, distribution or content";
        }
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
        if (arguments->data != NULL) {
            return "given once";
        }
        arguments->data = value;
        return NULL;
    case 'k':
        arguments->idempotency_key = value;
        return is_idempotency_key(value) ? NULL : "1 to 128 characters of printable ASCII without spaces";
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
    case 'Y':
        arguments->type = value;
        return NULL;
    case 'J':
        arguments->to_json = true;
        return NULL;
    case 'B':
        arguments->to_binary = true;
        return NULL;
    case '1':
        arguments->ignore_unknown = true;
        return NULL;
    case '2':
        arguments->indent = true;
        return NULL;
    case 'Z':
        arguments->validate = true;
        return NULL;
    case 'L':
        arguments->stream = true;
        return NULL;
    case 'C':
        arguments->check = true;
        return NULL;
    default:
        if (strchr(delivery_options, letter) != NULL) {
            return take_delivery_option(arguments, letter, value);
        }
        return strchr(credential_options, letter) != NULL ? take_credential_option(arguments, letter, value)
                                                          : take_measure_option(arguments, letter, value);
    }
}

static const char *option_name(int letter) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (ctl_options[i].letter == letter) {
            return ctl_options[i].name;
        }
    }
    return "version";
}

/* The problem after getopt_long() returned '?'. @word  its last argument. optopt is 0 for an unknown long option. */
static bool unknown_option(const char *word, char *ret_problem, size_t problem_bytes,
                           const struct ctl_command *command) {
    char letter[] = {'-', (char)optopt, '\0'};
    if (optopt != 0 && strchr(word, '=') != NULL && strncmp(word, "--", 2) == 0) {
        return argument_problem(ret_problem, problem_bytes, command, "option %.*s takes no value",
                                (int)strcspn(word, "="), word);
    }
    return argument_problem(ret_problem, problem_bytes, command, "unknown option %s", optopt == 0 ? word : letter);
}

/* Takes options up to the first operand. */
static bool parse_options(int argc, char **argv, const struct ctl_command *command, struct ctl_arguments *arguments,
                          char *ret_problem, size_t problem_bytes) {
    struct getopt_tables tables;
    make_tables(command, &tables);
    opterr = 0;
    for (;;) {
        int letter = getopt_long(argc, argv, tables.shorts, tables.longs, NULL);
        if (letter == -1) {
            return true;
        }
        if (letter == ':') {
            return argument_problem(ret_problem, problem_bytes, command, "option %s needs a value", argv[optind - 1]);
        }
        if (letter == '?') {
            return unknown_option(argv[optind - 1], ret_problem, problem_bytes, command);
        }
        const char *wanted = take_option(arguments, letter, optarg);
        if (wanted != NULL) {
            return argument_problem(ret_problem, problem_bytes, command, "option --%s must be %s, not \"%s\"",
                                    option_name(letter), wanted, optarg);
        }
    }
}

static const struct ctl_command *find_command(const char *name) {
    for (size_t i = 0; i < ctl_command_count; i++) {
        if (strcmp(ctl_commands[i].name, name) == 0) {
            return &ctl_commands[i];
        }
    }
    return NULL;
}

static bool unknown_command(const char *name, char *ret_problem, size_t problem_bytes) {
    const char *names[COMMANDS_MOST];
    size_t count = ctl_command_count < COMMANDS_MOST ? ctl_command_count : COMMANDS_MOST;
    for (size_t i = 0; i < count; i++) {
        names[i] = ctl_commands[i].name;
    }
    const char *near = words_near(names, count, name);
    return argument_problem(ret_problem, problem_bytes, NULL,
                            near != NULL ? "unknown command \"%s\" (did you mean %s?)" : "unknown command \"%s\"%s",
                            name, near != NULL ? near : "");
}

/* Options and operands of a command, in any order; operands after "--" may begin with a dash. */
static bool parse_command(int argc, char **argv, struct ctl_arguments *arguments, char *ret_problem,
                          size_t problem_bytes) {
    const struct ctl_command *command = arguments->command;
    for (;;) {
        if (!parse_options(argc, argv, command, arguments, ret_problem, problem_bytes)) {
            return false;
        }
        bool ended = optind > 0 && optind <= argc && strcmp(argv[optind - 1], "--") == 0;
        do {
            if (optind >= argc) {
                return true;
            }
            if (arguments->operand_count == command->operand_max) {
                return argument_problem(ret_problem, problem_bytes, command, "unexpected operand \"%s\"", argv[optind]);
            }
            arguments->operands[arguments->operand_count++] = argv[optind++];
        } while (ended);
    }
}

bool ctl_arguments_parse(int argc, char **argv, struct ctl_arguments *ret_arguments, char *ret_problem,
                         size_t problem_bytes) {
    struct ctl_arguments arguments = {.format = CTL_TABLE};
    optind = 0; /* resets getopt */
    if (!parse_options(argc, argv, NULL, &arguments, ret_problem, problem_bytes)) {
        return false;
    }
    if (!arguments.help && !arguments.version) {
        if (optind >= argc) {
            return argument_problem(ret_problem, problem_bytes, NULL, "no command given");
        }
        arguments.command = find_command(argv[optind]);
        if (arguments.command == NULL) {
            return unknown_command(argv[optind], ret_problem, problem_bytes);
        }
        int before = optind;
        optind = 0; /* resets getopt: a "--" before the command does not count for its own options */
        if (!parse_command(argc - before, argv + before, &arguments, ret_problem, problem_bytes)) {
            return false;
        }
        if (arguments.print_nngcat && strchr(arguments.command->options, 'N') == NULL) {
            return argument_problem(ret_problem, problem_bytes, arguments.command,
                                    "option --print-nngcat goes with call only");
        }
        if (arguments.url != NULL && arguments.server != NULL) {
            return argument_problem(ret_problem, problem_bytes, arguments.command,
                                    "--url and --server exclude each other");
        }
        if (!arguments.help && arguments.operand_count < arguments.command->operand_min) {
            return argument_problem(ret_problem, problem_bytes, arguments.command, "%s needs %s",
                                    arguments.command->name, arguments.command->operands);
        }
    }
    *ret_arguments = arguments;
    return true;
}

static void print_option(const struct ctl_option *row, FILE *out) {
    char left[64];
    snprintf(left, sizeof(left), "%s%s--%s%s%s",
             ctl_option_is_short(row->letter) ? (char[]){'-', row->letter, '\0'} : "  ",
             ctl_option_is_short(row->letter) ? ", " : "  ", row->name, row->argument != NULL ? " " : "",
             row->argument != NULL ? row->argument : "");
    fprintf(out, "  %-38s  %s\n", left, row->help);
}

static const char exit_help[] =
    "Exit status:\n"
    "  0  it worked: the call, the job or the publish ended well, all is healthy\n"
    "  1  a server answered with an error; the job or the publish failed; a call of bench did\n"
    "  2  the command line, a URL, the settings or the JSON is wrong; nothing was called\n"
    "  3  no server saw the call (outcome NOT_SENT): safe to repeat\n"
    "  4  it may have happened (outcome MAYBE_EXECUTED): sent, and no answer came, or\n"
    "     the server does not know what became of it\n"
    "  5  health, doctor or migrate --check found something wrong\n"
    "  6  it worked, and only its output could not be written\n";

static void print_command_options(const struct ctl_command *command, FILE *out) {
    fputs("\nOptions:\n", out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (ctl_command_takes(command, ctl_options[i].letter)) {
            print_option(&ctl_options[i], out);
        }
    }
    if (command == NULL) {
        fputs("      --version                           version of Herald\n", out);
    }
}

void ctl_arguments_help(const struct ctl_command *command, FILE *out) {
    if (command != NULL) {
        fprintf(out, "Usage: heraldctl %s [OPTION]... %s\n\n%s.\n\n%s", command->name, command->operands,
                command->summary, command->detail);
        print_command_options(command, out);
        return;
    }
    fputs("Usage: heraldctl [OPTION]... COMMAND [OPTION]... [OPERAND]...\n\n"
          "Looks into Herald's servers and calls them.\n\nCommands:\n",
          out);
    for (size_t i = 0; i < ctl_command_count; i++) {
        fprintf(out, "  %-11s  %s\n", ctl_commands[i].name, ctl_commands[i].summary);
    }
    print_command_options(NULL, out);
    fprintf(out, "\nheraldctl COMMAND --help tells more about a command.\n\n%s", exit_help);
}
