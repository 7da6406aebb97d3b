/*
 * Runs seeds:
 *
 *   herald-simulate [--publish] [--seeds N] [--from SEED] [--first] [--seed SEED [--trace]]
 *
 * Each seed is one run of the simulated world (sim.h): callers of Distribute, or with --publish those of PublishEvent. A seed
 * that fails is named, with what does not hold; --seed runs it again, exactly so, and --trace shows what happens in it.
 * --first ends at the first that fails. Exit status: 0 all held, 1 one did not, 64 wrong usage.
 */
#include "server/programs/settings.h"
#include "server/runtime/log.h"
#include "tests/simulation/sim.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define SHOWN_FAILURES 10

struct sim sim;

int __real_clock_gettime(clockid_t clock, struct timespec *ret_now);

/* What a run has, unless the seed says otherwise: short waits, few places, a breaker that judges early. */
static const char *const SETTINGS[][2] = {
    {"HERALD_CHANNELS_URL", "http://127.0.0.1:1"},
    {"HERALD_CHANNELS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    {"HERALD_CHANNELS_TIMEOUT_MS", "5000"},
    {"HERALD_CHANNELS_IN_FLIGHT", "2"},
    {"HERALD_CHANNELS_KEEP_TRYING_S", "86400"},
    {"HERALD_CHANNELS_BACKOFF_MIN_MS", "100"},
    {"HERALD_CHANNELS_BACKOFF_MAX_MS", "5000"},
    {"HERALD_CHANNELS_BREAKER_WINDOW_CALLS", "10"},
    {"HERALD_CHANNELS_BREAKER_MINIMUM_CALLS", "4"},
    {"HERALD_CHANNELS_BREAKER_OPEN_WAIT_MS", "2000"},
    {"HERALD_CHANNELS_BREAKER_HALF_OPEN_CALLS", "2"},
    {"HERALD_KAKAO_CHANNEL_QUIET_HOURS", "false"},
    {"HERALD_KAFKA_ENCODING", "json"},
    {"HERALD_BREAKER_WINDOW_CALLS", "6"},
    {"HERALD_BREAKER_MINIMUM_CALLS", "3"},
    {"HERALD_BREAKER_OPEN_WAIT_MS", "2000"},
    {"HERALD_BREAKER_HALF_OPEN_CALLS", "2"},
};

void sim_fail(const char *format, ...) {
    if (sim.failure[0] != '\0') {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sim.failure, sizeof(sim.failure), format, arguments);
    va_end(arguments);
    sim_say("FAILED: %s", sim.failure);
}

void sim_give_up(const char *what) {
    printf("seed %" PRIu64 ": %s%s%s\n", sim.seed, sim.failure, sim.failure[0] ? "; then " : "", what);
    fflush(stdout);
    _exit(EXIT_FAILURE);
}

void sim_say(const char *format, ...) {
    if (!sim.trace) {
        return;
    }
    va_list arguments;
    printf("%12.6f  ", (double)(sim.now_us % 1000000000) / 1e6);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

size_t sim_event_index(const char *event_id) {
    size_t i = 0;
    while (i + 1 < SIM_EVENTS && strcmp(sim.event_ids[i], event_id) != 0) {
        i++;
    }
    return i;
}

/* One run. Returns: whether everything held; sim.failure says what did not. */
static bool run_seed(uint64_t seed, const struct settings *settings, bool publishes, bool trace) {
    sim = (struct sim){.seed = seed, .settings = settings, .publishes = publishes, .trace = trace};
    sim_clock_reset(seed);
    if (loop_new(0, &sim.loop, NULL) != HERALD_OK) {
        sim_fail("no loop");
        return false;
    }
    if (!sim_start_plan()) {
        sim_fail("no memory for the plan");
    }
    loop_run(sim.loop);
    loop_free(sim.loop);
    for (size_t i = 0; i < sim.life_count; i++) {
        sim_check_places(sim.lives[i]);
        sim_free_life(sim.lives[i]);
    }
    sim_free_database();
    sim_free_replies();
    return sim.failure[0] == '\0';
}

static double real_seconds(void) {
    struct timespec now;
    (void)__real_clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool read_number(const char *text, uint64_t *ret_number) {
    char *end = NULL;
    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

int main(int argc, char **argv) {
    static const struct option LONG_OPTIONS[] = {{"seeds", required_argument, NULL, 'n'},
                                                 {"from", required_argument, NULL, 'f'},
                                                 {"seed", required_argument, NULL, 's'},
                                                 {"trace", no_argument, NULL, 't'},
                                                 {"first", no_argument, NULL, '1'},
                                                 {"publish", no_argument, NULL, 'p'},
                                                 {NULL, 0, NULL, 0}};
    uint64_t from = 1, count = 1000;
    bool publishes = false, trace = false, first = false, good = true;
    for (int option; good && (option = getopt_long(argc, argv, "", LONG_OPTIONS, NULL)) != -1;) {
        publishes = publishes || option == 'p';
        trace = trace || option == 't';
        first = first || option == '1';
        count = option == 's' ? 1 : count;
        good = option == 'p' || option == 't' || option == '1' || (option == 'n' && read_number(optarg, &count)) ||
               ((option == 'f' || option == 's') && read_number(optarg, &from));
    }
    if (!good || optind < argc) {
        fprintf(stderr,
                "Usage: herald-simulate [--publish] [--seeds N] [--from SEED] [--first] [--seed SEED [--trace]]\n");
        return EX_USAGE;
    }
    for (size_t i = 0; i < sizeof(SETTINGS) / sizeof(SETTINGS[0]); i++) {
        (void)setenv(SETTINGS[i][0], SETTINGS[i][1], 1);
    }
    struct settings settings;
    struct herald_error error = {0};
    if (settings_load(&settings, NULL, &error) != HERALD_OK) {
        fprintf(stderr, "herald-simulate: %s\n", error.message);
        return EXIT_FAILURE;
    }
    log_init("herald-simulate", LOG_ERROR, LOG_FORMAT_TEXT);
    double began = real_seconds();
    uint64_t failures = 0, done = 0;
    while (done < count && !(first && failures > 0)) {
        uint64_t seed = from + done++;
        if (!run_seed(seed, &settings, publishes, trace) && ++failures <= SHOWN_FAILURES) {
            printf("seed %" PRIu64 ": %s\n", seed, sim.failure);
        }
    }
    double seconds = real_seconds() - began;
    printf("%" PRIu64 " seeds, %" PRIu64 " failed, %.0f a minute\n", done, failures, (double)done * 60 / seconds);
    settings_fini(&settings);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
