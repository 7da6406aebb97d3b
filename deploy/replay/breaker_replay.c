/* breaker_replay: reads the operations of a circuit breaker and prints what each does. docs/breaker.md has the format. */
#include "deploy/replay/calls.h"
#include "deploy/replay/replay_config.h"
#include "deploy/replay/replay_line.h"
#include "server/breaker/breaker_core.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: breaker_replay [--strict] <INPUT\n"
    "Reads the operations of a circuit breaker and prints its state after each.\n"
    "\n"
    "  --strict  as resilience4j's CircuitBreaker with a COUNT_BASED window, operation by operation\n"
    "  --help\n"
    "\n"
    "Lines of the input; blank ones and what follows a # are skipped:\n"
    "  config KEY=VALUE…           before the operations; resilience4j's defaults for keys that are not given:\n"
    "                              slidingWindowSize, minimumNumberOfCalls, failureRateThreshold,\n"
    "                              slowCallRateThreshold, slowCallDurationThresholdMs, waitDurationInOpenStateMs,\n"
    "                              permittedNumberOfCallsInHalfOpenState, maxWaitDurationInHalfOpenStateMs\n"
    "  TIME_MS acquire             asks for a permit; a permitted call is in flight\n"
    "  TIME_MS success DURATION_MS the oldest call in flight succeeds, after so long\n"
    "  TIME_MS error DURATION_MS   it fails\n"
    "  TIME_MS ignore              it ends with an error that does not count\n"
    "  TIME_MS transition STATE    CLOSED, OPEN, HALF_OPEN, DISABLED, FORCED_OPEN or METRICS_ONLY\n"
    "  TIME_MS reset               CLOSED, with an empty window\n"
    "  TIME_MS advance             only time passes\n"
    "Times never go back. Without a call in flight success, error and ignore are recorded all the same with --strict;\n"
    "otherwise they do nothing, and error=NO_CALL_IN_FLIGHT is printed.\n"
    "\n"
    "Exit status: 0, 1 (input or output fails), 2 (wrong usage or input, no memory; the message names the line)\n";

struct replay {
    struct replay_config config;
    struct breaker_core *core; /* NULL before the first operation */
    struct calls calls;
    uint64_t time_ms; /* of the latest operation */
};

/* What an operation did, besides the breaker's metrics. */
struct shown {
    const char *permitted; /* "true", "false", "-" */
    const char *error;     /* "-": none */
    struct breaker_events events;
};

/* ---- output ---- */

static void print_breaker_events(const struct breaker_events *events) {
    for (unsigned i = 0; i < events->count; i++) {
        const struct breaker_event *event = &events->each[i];
        printf("%s%s", i > 0 ? "," : "", breaker_event_name(event->kind));
        if (event->kind == BREAKER_EVENT_STATE_TRANSITION) {
            printf("(%s>%s)", breaker_state_name(event->from), breaker_state_name(event->to));
        }
    }
    puts(events->count == 0 ? "-" : "");
}

static void print_operation(const struct replay *replay, const char *operation, const struct shown *shown) {
    struct breaker_metrics metrics;
    breaker_core_metrics(replay->core, &metrics);
    printf("%" PRIu64 " %s state=%s permitted=%s permitsLeft=", replay->time_ms, operation,
           breaker_state_name(metrics.state), shown->permitted);
    if (metrics.state == BREAKER_HALF_OPEN) {
        printf("%" PRIu32, metrics.permits_left);
    } else {
        putchar('-');
    }
    printf(" failureRate=%.9g slowCallRate=%.9g bufferedCalls=%" PRIu32 " failedCalls=%" PRIu32 " slowCalls=%" PRIu32
           " notPermittedCalls=%" PRIu64 " error=%s events=",
           (double)metrics.failure_rate, (double)metrics.slow_rate, metrics.buffered_calls, metrics.failed_calls,
           metrics.slow_calls, metrics.not_permitted_calls, shown->error);
    print_breaker_events(&shown->events);
}

/* ---- operations: each returns false after a complaint ---- */

static uint64_t now_us_of(const struct replay *replay) {
    return replay->time_ms * 1000;
}

static bool replay_acquire(struct replay *replay, const struct replay_line *line, struct shown *shown) {
    struct breaker_permit permit;
    bool permitted = breaker_core_admit(replay->core, now_us_of(replay), &permit, &shown->events);
    shown->permitted = permitted ? "true" : "false";
    return !permitted || calls_add(&replay->calls, &permit) || replay_complain(line, "no memory for a call");
}

static bool replay_end(struct replay *replay, enum breaker_outcome outcome, uint64_t duration_ms, struct shown *shown) {
    struct breaker_permit permit;
    bool in_flight = calls_take(&replay->calls, &permit);
    if (!in_flight && !replay->config.rules.strict) {
        breaker_core_advance(replay->core, now_us_of(replay), &shown->events);
        shown->error = "NO_CALL_IN_FLIGHT";
    } else if (!breaker_core_record(replay->core, now_us_of(replay), in_flight ? &permit : NULL, outcome,
                                    duration_ms * 1000, &shown->events)) {
        shown->error = "NO_WINDOW";
    }
    return true;
}

static bool replay_success(struct replay *replay, const struct replay_line *line, struct shown *shown) {
    uint64_t duration_ms = strtoull(line->words[2], NULL, 10); /* checked by check_argument() */
    return replay_end(replay, BREAKER_SUCCESS, duration_ms, shown);
}

static bool replay_error(struct replay *replay, const struct replay_line *line, struct shown *shown) {
    uint64_t duration_ms = strtoull(line->words[2], NULL, 10); /* checked by check_argument() */
    return replay_end(replay, BREAKER_FAILURE, duration_ms, shown);
}

static bool replay_ignore(struct replay *replay, const struct replay_line *line, struct shown *shown) {
    (void)line;
    return replay_end(replay, BREAKER_IGNORED, 0, shown);
}

static bool replay_transition(struct replay *replay, const struct replay_line *line, struct shown *shown) {
    enum breaker_state state = BREAKER_CLOSED;
    (void)breaker_state_find(line->words[2], &state); /* checked by check_argument() */
    if (!breaker_core_transition(replay->core, now_us_of(replay), state, &shown->events)) {
        shown->error = "ILLEGAL_TRANSITION";
    }
    return true;
}

static bool replay_reset(struct replay *replay, const struct replay_line *line, struct shown *shown) {
    (void)line;
    breaker_core_reset(replay->core, now_us_of(replay), &shown->events);
    return true;
}

static bool replay_advance(struct replay *replay, const struct replay_line *line, struct shown *shown) {
    (void)line;
    breaker_core_advance(replay->core, now_us_of(replay), &shown->events);
    return true;
}

enum argument { NO_ARGUMENT, DURATION_ARGUMENT, STATE_ARGUMENT };

struct operation {
    const char *name;
    enum argument argument;
    bool (*run)(struct replay *replay, const struct replay_line *line, struct shown *shown);
};

static const struct operation OPERATIONS[] = {
    {"acquire", NO_ARGUMENT, replay_acquire},          {"success", DURATION_ARGUMENT, replay_success},
    {"error", DURATION_ARGUMENT, replay_error},        {"ignore", NO_ARGUMENT, replay_ignore},
    {"transition", STATE_ARGUMENT, replay_transition}, {"reset", NO_ARGUMENT, replay_reset},
    {"advance", NO_ARGUMENT, replay_advance},
};

/* ---- input ---- */

static const struct operation *find_operation(const char *name) {
    for (size_t i = 0; i < sizeof(OPERATIONS) / sizeof(OPERATIONS[0]); i++) {
        if (strcmp(OPERATIONS[i].name, name) == 0) {
            return &OPERATIONS[i];
        }
    }
    return NULL;
}

static bool check_argument(const struct replay_line *line, const struct operation *operation) {
    static const char *const expected[] = {
        [NO_ARGUMENT] = "no argument",
        [DURATION_ARGUMENT] = "one argument, DURATION_MS: a whole number from 0 to 9007199254740991",
        [STATE_ARGUMENT] = "one argument, STATE: CLOSED, OPEN, HALF_OPEN, DISABLED, FORCED_OPEN or METRICS_ONLY",
    };
    const char *wanted = expected[operation->argument];
    unsigned count = operation->argument == NO_ARGUMENT ? 2 : 3;
    if (line->count < count) {
        return replay_complain(line, "%s: expected %s, got none", operation->name, wanted);
    }
    if (line->count > count) {
        return replay_complain(line, "%s: expected %s, got \"%s\" besides", operation->name, wanted,
                               line->words[count]);
    }
    uint64_t duration_ms;
    enum breaker_state state;
    bool right =
        operation->argument == NO_ARGUMENT ||
        (operation->argument == DURATION_ARGUMENT ? replay_read_number(line->words[2], 0, REPLAY_MS_MAX, &duration_ms)
                                                  : breaker_state_find(line->words[2], &state));
    return right || replay_complain(line, "%s: expected %s, got \"%s\"", operation->name, wanted, line->words[2]);
}

static bool read_time(struct replay *replay, const struct replay_line *line) {
    uint64_t time_ms;
    if (!replay_read_number(line->words[0], 0, REPLAY_MS_MAX, &time_ms)) {
        return replay_complain(
            line,
            "expected TIME_MS OP [ARGS] or config KEY=VALUE…, TIME_MS being a whole number from 0 to "
            "9007199254740991, got \"%s\"",
            line->words[0]);
    }
    if (time_ms < replay->time_ms) {
        return replay_complain(line,
                               "expected a TIME_MS of at least %" PRIu64 ", that of the line before, got %" PRIu64,
                               replay->time_ms, time_ms);
    }
    replay->time_ms = time_ms;
    return true;
}

/* The rules are complete with the first operation. */
static bool make_breaker(struct replay *replay, const struct replay_line *line) {
    struct breaker_rules *rules = &replay->config.rules;
    if (!rules->strict && rules->window_calls != 0 && rules->minimum_calls > rules->window_calls) {
        rules->minimum_calls = rules->window_calls; /* resilience4j's documentation allows it */
    } else if (!rules->strict && rules->window_calls == 0 && rules->minimum_calls > 100) {
        rules->minimum_calls = 100;
    }
    struct herald_error error = {0};
    return breaker_core_new("replay", rules, &replay->core, &error) == HERALD_OK ||
           replay_complain(line, "%s", error.message);
}

static bool run_operation(struct replay *replay, const struct replay_line *line) {
    if (!read_time(replay, line)) {
        return false;
    }
    static const char names[] = "acquire, success, error, ignore, transition, reset or advance";
    if (line->count < 2) {
        return replay_complain(line, "expected an operation after TIME_MS: %s", names);
    }
    const struct operation *operation = find_operation(line->words[1]);
    if (operation == NULL) {
        return replay_complain(line, "unknown operation \"%s\"; expected %s", line->words[1], names);
    }
    if (!check_argument(line, operation) || (replay->core == NULL && !make_breaker(replay, line))) {
        return false;
    }
    struct shown shown = {.permitted = "-", .error = "-"};
    if (!operation->run(replay, line, &shown)) {
        return false;
    }
    print_operation(replay, operation->name, &shown);
    return true;
}

static bool run_line(struct replay *replay, const struct replay_line *line) {
    if (line->count == 0) {
        return true;
    }
    if (strcmp(line->words[0], "config") != 0) {
        return run_operation(replay, line);
    }
    if (replay->core != NULL) {
        return replay_complain(line, "config comes after an operation; expected it before the first");
    }
    return replay_read_config(line, &replay->config);
}

/* Returns: the exit status */
static int run_input(struct replay *replay) {
    struct replay_line line = {0};
    char *text = NULL;
    size_t capacity = 0;
    bool right = true;
    ssize_t bytes;
    while (right && (bytes = getline(&text, &capacity, stdin)) >= 0) {
        line.number++;
        right = replay_split(text, (size_t)bytes, &line) && run_line(replay, &line);
    }
    free(text);
    if (right && ferror(stdin)) {
        fprintf(stderr, "breaker_replay: the input cannot be read\n");
        return 1;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "breaker_replay: the output cannot be written\n");
        return 1;
    }
    return right ? 0 : 2;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"strict", no_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
    struct replay replay = {0};
    int letter;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (letter == 'h') {
            return fputs(USAGE, stdout) < 0;
        }
        if (letter == '?') {
            return 2;
        }
        replay.config.rules.strict = true;
    }
    if (optind < argc) {
        fprintf(stderr, "breaker_replay: unexpected argument \"%s\"; the input comes on stdin\n", argv[optind]);
        return 2;
    }
    int status = run_input(&replay);
    breaker_core_free(replay.core);
    free(replay.calls.permits);
    return status;
}
