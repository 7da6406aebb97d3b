/* herald-fakes: fake channels, for development and tests. */
#include "deploy/fakes/fakes.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herald-fakes [OPTION]…\n"
    "Serves the six channels as they are, and lets them be slow, fail or hang: docs/fakes.md.\n"
    "\n"
    "  --listen HOST:PORT         where to listen [127.0.0.1:7105]; port 0: any free one\n"
    "  --port PORT                the same on 127.0.0.1\n"
    "  --tls-listen HOST:PORT     a TLS port whose certificate is for another name\n"
    "  --ready-file FILE          writes the base URL there once it listens, and that of TLS on a second line\n"
    "  --secret [NAME=]whsec_…    checks signatures of webhooks, of one channel or all; may be repeated; better given "
    "in\n"
    "                             HERALD_FAKES_SECRET, which no process list shows, with spaces between several\n"
    "  --channel NAME=MODE        initial behaviour, such as INSTAGRAM=fail; may be repeated\n"
    "  --channel NAME={JSON}      the same in full\n"
    "  --scenario FILE            JSON lines, replayed: "
    "{\"afterMs\":5000,\"channel\":\"INSTAGRAM\",\"behaviour\":{…}}\n"
    "  --instagram-quota N        posts in 24 hours [100]\n"
    "  --container-ms N           how long a container takes [500]\n"
    "  --kst HH:MM                Kakao's clock stands still at this time of day in Korea [the real clock]\n"
    "  --all-webhooks             every channel is a webhook too, and its posts can be looked up\n"
    "  --quiet                    no line for each post\n"
    "  --help\n"
    "\n"
    "Environment: HERALD_FAKES_SECRET, HERALD_FAKES_INSTAGRAM_TOKEN, HERALD_FAKES_KAKAO_ACCESS_KEY,\n"
    "HERALD_FAKES_KAKAO_SECRET; what is not set is not checked.\n"
    "\n"
    "PUT  /behaviour/{NAME}    {\"mode\":\"fail\",\"status\":503,\"retryAfterS\":1,\"delayMs\":200,\"count\":2}\n"
    "GET  /channels, /log, /rejected, /containers, /state; DELETE /log\n";

#define INITIAL_MAX 16

struct options {
    char host[256], tls_host[256];
    const char *ready_file;
    struct fakes_options start; /* host and secrets are set when it starts */
    struct fakes_secret secrets[FAKES_SECRETS_MAX];
    struct {
        enum fake_channel channel;
        struct fake_behaviour behaviour;
    } initial[INITIAL_MAX];
    unsigned initial_count;
};

static int complain(const char *what, const char *value) {
    fprintf(stderr, "herald-fakes: %s: \"%s\"; --help shows the options\n", what, value);
    return 2;
}

static bool read_port(const char *text, uint16_t *ret_port) {
    char *end;
    errno = 0;
    unsigned long port = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || port > 65535) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

static bool read_listen(const char *text, char *host_text, size_t host_bytes, uint16_t *ret_port) {
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || !read_port(colon + 1, ret_port)) {
        return false;
    }
    const char *host = text;
    size_t bytes = (size_t)(colon - text);
    if (host[0] == '[' && bytes > 2 && host[bytes - 1] == ']') {
        host++;
        bytes -= 2;
    }
    if (bytes >= host_bytes) {
        return false;
    }
    memcpy(host_text, host, bytes);
    host_text[bytes] = '\0';
    return true;
}

static bool read_count_option(const char *text, uint32_t *ret_number) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number == 0 || number > 1000000000) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

/* Splits "NAME=rest". Returns: NULL: it does not begin with a channel's name */
static const char *split_channel(const char *text, enum fake_channel *ret_channel) {
    char name[32];
    const char *equals = strchr(text, '=');
    if (equals == NULL || (size_t)(equals - text) >= sizeof(name)) {
        return NULL;
    }
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    return fake_channel_find(name, ret_channel) ? equals + 1 : NULL;
}

/* Reads a mode's name, or a behaviour in JSON. */
static bool read_initial_behaviour(const char *text, enum fake_channel channel, struct fake_behaviour *ret_behaviour) {
    json_t *json = text[0] == '{' ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : json_pack("{s:s}", "mode", text);
    const char *wrong = json != NULL ? fake_behaviour_read(json, channel, ret_behaviour) : "no JSON";
    json_decref(json);
    return wrong == NULL;
}

static bool read_initial(const char *text, struct options *options) {
    enum fake_channel channel;
    struct fake_behaviour behaviour;
    const char *rest = split_channel(text, &channel);
    if (rest == NULL || options->initial_count == INITIAL_MAX || !read_initial_behaviour(rest, channel, &behaviour)) {
        return false;
    }
    options->initial[options->initial_count].channel = channel;
    options->initial[options->initial_count++].behaviour = behaviour;
    return true;
}

/* Adds one "[NAME=]whsec_…". */
static enum herald_code add_secret(const char *text, struct options *options, struct herald_error *reterr) {
    struct fakes_secret secret = {.channel = FAKE_CHANNEL_COUNT};
    const char *own = split_channel(text, &secret.channel);
    if (options->start.secret_count == FAKES_SECRETS_MAX) {
        return herald_error_set(reterr, HERALD_REASON_BAD_WEBHOOK_SECRET, "at most %d secrets", FAKES_SECRETS_MAX);
    }
    enum herald_code code = webhook_secret_parse(own != NULL ? own : text, &secret.secret, reterr);
    if (code == HERALD_OK) {
        options->secrets[options->start.secret_count++] = secret;
    }
    return code;
}

/* Adds all secrets of a text with spaces between them. @text  NULL, "": none */
static enum herald_code add_secrets(const char *text, struct options *options, struct herald_error *reterr) {
    char *copy = strdup(text != NULL ? text : ""), *rest = NULL;
    enum herald_code code = copy != NULL ? HERALD_OK : herald_error_no_memory(reterr, "the secrets");
    char *word = copy != NULL ? strtok_r(copy, " ", &rest) : NULL;
    for (; code == HERALD_OK && word != NULL; word = strtok_r(NULL, " ", &rest)) {
        code = add_secret(word, options, reterr);
    }
    free(copy);
    return code;
}

/* Reads an option that has a value of a form. Returns: NULL: it has it, or is none of these | the complaint */
static const char *read_formed_option(int letter, const char *value, struct options *options) {
    struct fakes_options *start = &options->start;
    switch (letter) {
    case 'l':
        return read_listen(value, options->host, sizeof(options->host), &start->port) ? NULL
                                                                                      : "--listen needs HOST:PORT";
    case 't':
        start->tls_host = options->tls_host;
        return read_listen(value, options->tls_host, sizeof(options->tls_host), &start->tls_port)
                   ? NULL
                   : "--tls-listen needs HOST:PORT";
    case 'p':
        return read_port(value, &start->port) ? NULL : "--port needs a port";
    case 'c':
        return read_initial(value, options) ? NULL : "--channel needs NAME=MODE, or NAME={JSON}";
    case 'i':
        return read_count_option(value, &start->instagram_quota) ? NULL : "--instagram-quota needs a number";
    case 'm':
        return read_count_option(value, &start->container_ms) ? NULL : "--container-ms needs milliseconds";
    case 'k':
        start->kst_minute = fakes_read_time(value);
        return start->kst_minute >= 0 ? NULL : "--kst needs a time of day, HH:MM";
    default:
        return NULL;
    }
}

static void read_plain_option(int letter, const char *value, struct options *options, const char **secret) {
    switch (letter) {
    case 'r':
        options->ready_file = value;
        break;
    case 'f':
        options->start.scenario = value;
        break;
    case 's':
        *secret = value;
        break;
    case 'a':
        options->start.all_webhooks = true;
        break;
    case 'q':
        options->start.chatty = false;
        break;
    default:
        break;
    }
}

static const struct option LONG_OPTIONS[] = {
    {"listen", required_argument, NULL, 'l'},
    {"port", required_argument, NULL, 'p'},
    {"tls-listen", required_argument, NULL, 't'},
    {"ready-file", required_argument, NULL, 'r'},
    {"secret", required_argument, NULL, 's'},
    {"channel", required_argument, NULL, 'c'},
    {"scenario", required_argument, NULL, 'f'},
    {"instagram-quota", required_argument, NULL, 'i'},
    {"container-ms", required_argument, NULL, 'm'},
    {"kst", required_argument, NULL, 'k'},
    {"all-webhooks", no_argument, NULL, 'a'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static int complain_of_secret(const struct herald_error *error) {
    fprintf(stderr, "herald-fakes: %s\n", error->message);
    return EXIT_FAILURE;
}

/* Reads the command line. Returns: -1: go on | the exit status */
static int read_fakes_options(int argc, char **argv, struct options *options) {
    int letter;
    bool has_secret = false;
    struct herald_error error;
    while ((letter = getopt_long(argc, argv, "", LONG_OPTIONS, NULL)) != -1) {
        if (letter == 'h') {
            return fputs(USAGE, stdout) < 0;
        }
        if (letter == '?') {
            return 2;
        }
        const char *complaint = read_formed_option(letter, optarg, options), *secret = NULL;
        if (complaint != NULL) {
            return complain(complaint, optarg);
        }
        read_plain_option(letter, optarg, options, &secret);
        has_secret = has_secret || secret != NULL;
        if (secret != NULL && add_secret(secret, options, &error) != HERALD_OK) {
            return complain_of_secret(&error);
        }
    }
    if (!has_secret && add_secrets(getenv("HERALD_FAKES_SECRET"), options, &error) != HERALD_OK) {
        return complain_of_secret(&error);
    }
    return optind < argc ? complain("unexpected argument", argv[optind]) : -1;
}

/* Writes a file beside it and renames that, so that a reader never sees half a file. */
static bool write_ready(const char *path, const struct fakes *fakes) {
    char temporary[4096];
    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary)) {
        return false;
    }
    FILE *file = fopen(temporary, "w");
    if (file == NULL) {
        return false;
    }
    bool written = fprintf(file, "%s\n%s\n", fakes_url(fakes), fakes_tls_url(fakes)) > 0;
    return fclose(file) == 0 && written && rename(temporary, path) == 0;
}

static enum herald_code start_fakes(struct options *options, struct fakes **ret_fakes, struct herald_error *reterr) {
    options->start.host = options->host;
    options->start.secrets = options->secrets;
    enum herald_code code = fakes_start(&options->start, ret_fakes, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    for (unsigned i = 0; i < options->initial_count; i++) {
        fake_channels_set(fakes_channels(*ret_fakes), options->initial[i].channel, options->initial[i].behaviour);
    }
    fprintf(stderr, "herald-fakes: listening on %s, signatures of webhooks are %s\n", fakes_url(*ret_fakes),
            options->start.secret_count > 0 ? "checked" : "not checked (no secret)");
    return HERALD_OK;
}

static void wait_for_fakes_signal(const sigset_t *signals) {
    int signal_number;
    while (sigwait(signals, &signal_number) != 0) {
        continue;
    }
}

static int run_fakes(struct options *options, const sigset_t *signals) {
    struct fakes *fakes = NULL;
    struct herald_error error;
    int status = EXIT_SUCCESS;
    if (start_fakes(options, &fakes, &error) != HERALD_OK) {
        fprintf(stderr, "herald-fakes: %s\n", error.message);
        return EXIT_FAILURE;
    }
    if (options->ready_file != NULL && !write_ready(options->ready_file, fakes)) {
        fprintf(stderr, "herald-fakes: cannot write %s: %s\n", options->ready_file, strerror(errno));
        status = EXIT_FAILURE;
    } else {
        wait_for_fakes_signal(signals);
    }
    fakes_stop(fakes);
    return status;
}

int main(int argc, char **argv) {
    struct options options = {
        .host = "127.0.0.1",
        .start = {.port = 7105,
                  .chatty = true,
                  .kst_minute = -1,
                  .instagram_token = getenv("HERALD_FAKES_INSTAGRAM_TOKEN"),
                  .kakao_access_key = getenv("HERALD_FAKES_KAKAO_ACCESS_KEY"),
                  .kakao_secret = getenv("HERALD_FAKES_KAKAO_SECRET")},
    };
    int status = read_fakes_options(argc, argv, &options);
    if (status >= 0) {
        return status;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* before the first thread: only sigwait() takes them */
    signal(SIGPIPE, SIG_IGN);
    return run_fakes(&options, &signals);
}
