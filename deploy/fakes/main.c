/* herald-fakes: fake channels, for development and tests. */
#include "deploy/fakes/fakes.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: herald-fakes [OPTION]…\n"
    "Serves the six channels as signed webhooks that can be told to be slow, fail or hang.\n"
    "\n"
    "  --listen HOST:PORT      where to listen [127.0.0.1:7105]; port 0: any free one\n"
    "  --port PORT             the same on 127.0.0.1\n"
    "  --ready-file FILE       writes the base URL there once it listens\n"
    "  --secret whsec_…        checks signatures; better given in HERALD_FAKES_SECRET, which no process list shows\n"
    "  --channel NAME=MODE     initial behaviour: ok, slow, fail, hang, reject, drop; may be repeated\n"
    "  --quiet                 no line for each post\n"
    "  --help\n"
    "\n"
    "POST /channels/{NAME}/posts            posts\n"
    "GET  /channels/{NAME}/posts/{key}      looks a post up by its webhook-id\n"
    "PUT  /channels/{NAME}/behaviour        {\"mode\":\"fail\",\"status\":503,\"retryAfterS\":1,\"delayMs\":200,"
    "\"count\":2}\n"
    "GET  /channels, /log, /rejected; DELETE /log\n";

#define INITIAL_MAX 16

struct options {
    char host[256];
    uint16_t port;
    const char *ready_file;
    const char *secret; /* NULL: none */
    bool quiet;
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

static bool read_listen(const char *text, struct options *options) {
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || !read_port(colon + 1, &options->port)) {
        return false;
    }
    const char *host = text;
    size_t bytes = (size_t)(colon - text);
    if (host[0] == '[' && bytes > 2 && host[bytes - 1] == ']') {
        host++;
        bytes -= 2;
    }
    if (bytes >= sizeof(options->host)) {
        return false;
    }
    memcpy(options->host, host, bytes);
    options->host[bytes] = '\0';
    return true;
}

static bool read_initial(const char *text, struct options *options) {
    char name[32];
    const char *equals = strchr(text, '=');
    if (equals == NULL || (size_t)(equals - text) >= sizeof(name) || options->initial_count == INITIAL_MAX) {
        return false;
    }
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    enum fake_channel channel;
    struct fake_behaviour behaviour = {.status = 503};
    if (!fake_channel_find(name, &channel) || !fake_mode_find(equals + 1, &behaviour.mode)) {
        return false;
    }
    options->initial[options->initial_count].channel = channel;
    options->initial[options->initial_count++].behaviour = behaviour;
    return true;
}

/* Reads the command line. Returns: -1: go on | the exit status */
static int read_fakes_options(int argc, char **argv, struct options *options) {
    static const struct option LONG[] = {
        {"listen", required_argument, NULL, 'l'},
        {"port", required_argument, NULL, 'p'},
        {"ready-file", required_argument, NULL, 'r'},
        {"secret", required_argument, NULL, 's'},
        {"channel", required_argument, NULL, 'c'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int letter;
    while ((letter = getopt_long(argc, argv, "", LONG, NULL)) != -1) {
        if (letter == 'h') {
            return fputs(USAGE, stdout) < 0;
        }
        if (letter == '?') {
            return 2;
        }
        if (letter == 'l' && !read_listen(optarg, options)) {
            return complain("--listen needs HOST:PORT", optarg);
        }
        if (letter == 'p' && !read_port(optarg, &options->port)) {
            return complain("--port needs a port", optarg);
        }
        if (letter == 'c' && !read_initial(optarg, options)) {
            return complain("--channel needs NAME=MODE", optarg);
        }
        if (letter == 'r') {
            options->ready_file = optarg;
        }
        if (letter == 's') {
            options->secret = optarg;
        }
        if (letter == 'q') {
            options->quiet = true;
        }
    }
    return optind < argc ? complain("unexpected argument", argv[optind]) : -1;
}

/* Writes a file beside it and renames that, so that a reader never sees half a file. */
static bool write_ready(const char *path, const char *url) {
    char temporary[4096];
    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary)) {
        return false;
    }
    FILE *file = fopen(temporary, "w");
    if (file == NULL) {
        return false;
    }
    bool written = fprintf(file, "%s\n", url) > 0;
    return fclose(file) == 0 && written && rename(temporary, path) == 0;
}

static enum herald_code start_fakes(const struct options *options, struct fakes **ret_fakes,
                                    struct herald_error *reterr) {
    struct webhook_secret secret;
    bool checked = options->secret != NULL && options->secret[0] != '\0';
    enum herald_code code = checked ? webhook_secret_parse(options->secret, &secret, reterr) : HERALD_OK;
    struct fakes_options start_options = {
        .host = options->host, .port = options->port, .secret = checked ? &secret : NULL, .chatty = !options->quiet};
    if (code == HERALD_OK) {
        code = fakes_start(&start_options, ret_fakes, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    for (unsigned i = 0; i < options->initial_count; i++) {
        fake_channels_set(fakes_channels(*ret_fakes), options->initial[i].channel, options->initial[i].behaviour);
    }
    fprintf(stderr, "herald-fakes: listening on %s, signatures are %s\n", fakes_url(*ret_fakes),
            checked ? "checked" : "not checked (no secret)");
    return HERALD_OK;
}

static void wait_for_fakes_signal(const sigset_t *signals) {
    int signal_number;
    while (sigwait(signals, &signal_number) != 0) {
        continue;
    }
}

static int run_fakes(const struct options *options, const sigset_t *signals) {
    struct fakes *fakes = NULL;
    struct herald_error error;
    int status = EXIT_SUCCESS;
    if (start_fakes(options, &fakes, &error) != HERALD_OK) {
        fprintf(stderr, "herald-fakes: %s\n", error.message);
        return EXIT_FAILURE;
    }
    if (options->ready_file != NULL && !write_ready(options->ready_file, fakes_url(fakes))) {
        fprintf(stderr, "herald-fakes: cannot write %s: %s\n", options->ready_file, strerror(errno));
        status = EXIT_FAILURE;
    } else {
        wait_for_fakes_signal(signals);
    }
    fakes_stop(fakes);
    return status;
}

int main(int argc, char **argv) {
    struct options options = {.host = "127.0.0.1", .port = 7105, .secret = getenv("HERALD_FAKES_SECRET")};
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
