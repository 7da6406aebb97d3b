/*
 * A load generator on the callback API. Calls start in one of two ways:
 *
 *   closed loop (--concurrency)  a fixed number of shots; each starts its next call in the callback of the last one
 *   open loop (--rate)           the main thread starts calls by the clock, whether or not earlier ones have ended.
 *                                Latency counts from the scheduled start, so that delays of the server or of this
 *                                program are measured in full
 *
 * Calls that began in the warm-up are not counted. A call that could not be started counts as an error; in a closed
 * loop its shot is parked for a moment, so that it does not spin. Calls are not retried: each is one attempt.
 */
#include "deploy/ctl/bench.h"

#include "client/base/clock.h"
#include "deploy/ctl/input.h"
#include "deploy/ctl/methods.h"
#include "deploy/ctl/progress.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS_MAX     256
#define IN_FLIGHT_MAX       65536
#define DEFAULT_DURATION_MS 10000
#define DEFAULT_WARM_UP_MS  1000
#define TICK_MS             10
#define GRACE_MS            2000 /* for the calls in flight when interrupted */

struct bench {
    struct bench_plan plan;
    struct bench_result result;
    pthread_mutex_t errors_mutex; /* guards result.errors and its count while calls are made */
    const ProtobufCMessage *request;
    uint32_t timeout_ms;
    struct herald_channel *channels[CONNECTIONS_MAX];
    unsigned channel_count;
    atomic_uint next_channel;
    uint64_t measure_us, end_us; /* when the measurement begins and ends, on the monotonic clock */
    _Atomic uint64_t counted;    /* measured calls that have begun */
    atomic_uint in_flight;       /* shots that have not ended */
    atomic_bool stopping, closing;
    struct progress progress;
};

struct shot {
    struct bench *bench;
    uint64_t begin_us; /* scheduled start of the call */
    bool measured, repeats;
    atomic_bool parked;
};

static volatile sig_atomic_t interruptions;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interruptions = interruptions + 1;
}

static void sleep_until(uint64_t us) {
    const struct timespec until = herald_timespec_of_us(us);
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* ---- one call ---- */

static void count_error(struct bench *bench, const struct herald_error *error) {
    struct bench_result *result = &bench->result;
    size_t i = 0;
    pthread_mutex_lock(&bench->errors_mutex);
    while (i < result->error_count &&
           (result->errors[i].code != error->code || strcmp(result->errors[i].reason, error->reason) != 0)) {
        i++;
    }
    if (i == result->error_count && i < BENCH_ERRORS_MAX) {
        result->errors[i].code = error->code;
        snprintf(result->errors[i].reason, sizeof(result->errors[i].reason), "%s", error->reason);
        result->error_count++;
    }
    if (i < BENCH_ERRORS_MAX) {
        result->errors[i].count++;
    }
    pthread_mutex_unlock(&bench->errors_mutex);
}

static void record_shot(struct shot *shot, const struct herald_error *error, enum herald_outcome outcome) {
    struct bench *bench = shot->bench;
    struct bench_result *result = &bench->result;
    enum herald_code code = error->code;
    uint64_t end_us = herald_monotonic_us();
    if (!shot->measured) {
        return;
    }
    if (code == HERALD_CANCELLED && atomic_load(&bench->closing)) {
        atomic_fetch_add(&result->unfinished, 1);
        return;
    }
    if (code != HERALD_OK) {
        count_error(bench, error);
    }
    histogram_record(&result->latency, end_us > shot->begin_us ? end_us - shot->begin_us : 0);
    atomic_fetch_add_explicit(&result->codes[(unsigned)code < BENCH_CODES ? code : HERALD_UNKNOWN], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&result->outcomes[outcome], 1, memory_order_relaxed);
    atomic_store_explicit(&result->last_end_us, end_us - bench->measure_us, memory_order_relaxed);
}

/* Whether another call may begin at @begin_us; marks whether it is measured. */
static bool may_begin(struct shot *shot, uint64_t begin_us) {
    struct bench *bench = shot->bench;
    shot->begin_us = begin_us;
    shot->measured = begin_us >= bench->measure_us;
    if (atomic_load(&bench->stopping)) {
        return false;
    }
    if (!shot->measured) {
        return true;
    }
    if (bench->plan.count > 0) {
        return atomic_fetch_add(&bench->counted, 1) < bench->plan.count;
    }
    return begin_us < bench->end_us;
}

/* Ends a shot of an open loop. */
static void end_shot(struct shot *shot) {
    struct bench *bench = shot->bench;
    free(shot);
    atomic_fetch_sub(&bench->in_flight, 1);
}

static void on_shot_done(void *user, struct herald_reply *reply);

static enum herald_code start_shot(struct shot *shot, struct herald_error *reterr) {
    struct bench *bench = shot->bench;
    const struct herald_call_options options = {.timeout_ms = bench->timeout_ms};
    unsigned turn = atomic_fetch_add_explicit(&bench->next_channel, 1, memory_order_relaxed);
    return herald_call_start(bench->channels[turn % bench->channel_count], bench->plan.method, bench->request, &options,
                             on_shot_done, shot, NULL, reterr);
}

/* Starts the next call of a closed loop's shot, or ends the shot. */
static void repeat(struct shot *shot) {
    if (!may_begin(shot, herald_monotonic_us())) {
        atomic_fetch_sub(&shot->bench->in_flight, 1);
        return;
    }
    struct herald_error error;
    if (start_shot(shot, &error) == HERALD_OK) {
        return; /* another thread may run the shot already */
    }
    record_shot(shot, &error, HERALD_NOT_SENT);
    atomic_store(&shot->parked, true);
}

static void on_shot_done(void *user, struct herald_reply *reply) {
    struct shot *shot = user;
    record_shot(shot, &reply->error, reply->outcome);
    herald_reply_clear(reply);
    if (shot->repeats) {
        repeat(shot);
    } else {
        end_shot(shot);
    }
}

/* ---- the run ---- */

static void show_progress(struct bench *bench) {
    char line[128];
    uint64_t now = herald_monotonic_us();
    if (!bench->progress.terminal) {
        return;
    }
    if (now < bench->measure_us) {
        snprintf(line, sizeof(line), "warming up");
    } else {
        snprintf(line, sizeof(line), "%llu calls", (unsigned long long)bench->result.latency.count);
    }
    progress_show(&bench->progress, line);
}

static void stop_if_interrupted(struct bench *bench) {
    if (interruptions > 0) {
        atomic_store(&bench->stopping, true);
    }
}

/* Starts the parked shots again. */
static void unpark(struct shot *shots, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (atomic_exchange(&shots[i].parked, false)) {
            repeat(&shots[i]);
        }
    }
}

/* Waits for the calls in flight, at most GRACE_MS after an interruption. */
static void wait_for_shots(struct bench *bench, struct shot *shots, uint32_t count) {
    uint64_t give_up_us = 0;
    for (unsigned tick = 0; atomic_load(&bench->in_flight) > 0; tick++) {
        stop_if_interrupted(bench);
        if (interruptions > 0 && give_up_us == 0) {
            give_up_us = herald_monotonic_us() + GRACE_MS * 1000u;
        }
        if ((give_up_us != 0 && herald_monotonic_us() > give_up_us) || interruptions > 1) {
            break;
        }
        if (tick % 20 == 0) {
            show_progress(bench);
        }
        sleep_until(herald_monotonic_us() + TICK_MS * 1000u);
        unpark(shots, count);
    }
}

static bool run_closed(struct bench *bench, struct shot **ret_shots) {
    uint32_t count = bench->plan.concurrency;
    struct shot *shots = calloc(count, sizeof(*shots));
    if (shots == NULL) {
        return false;
    }
    atomic_store(&bench->in_flight, count);
    for (uint32_t i = 0; i < count; i++) {
        shots[i].bench = bench;
        shots[i].repeats = true;
        repeat(&shots[i]);
    }
    wait_for_shots(bench, shots, count);
    *ret_shots = shots;
    return true;
}

static bool fire(struct bench *bench, uint64_t begin_us) {
    struct shot *shot = calloc(1, sizeof(*shot));
    if (shot == NULL) {
        return false;
    }
    shot->bench = bench;
    atomic_fetch_add(&bench->in_flight, 1);
    bool begins = may_begin(shot, begin_us);
    struct herald_error error;
    if (begins && start_shot(shot, &error) == HERALD_OK) {
        return true;
    }
    if (begins) {
        record_shot(shot, &error, HERALD_NOT_SENT);
    }
    end_shot(shot);
    return begins;
}

static void run_open(struct bench *bench, uint64_t first_us) {
    uint64_t shown_us = 0;
    for (uint64_t i = 0; !atomic_load(&bench->stopping); i++) {
        uint64_t begin_us = first_us + (uint64_t)((double)i * 1e6 / bench->plan.rate);
        while (interruptions == 0 &&
               (herald_monotonic_us() < begin_us || atomic_load(&bench->in_flight) >= IN_FLIGHT_MAX)) {
            uint64_t tick_us = herald_monotonic_us() + TICK_MS * 1000u;
            sleep_until(begin_us > herald_monotonic_us() && begin_us < tick_us ? begin_us
                                                                               : herald_monotonic_us() + 1000);
        }
        stop_if_interrupted(bench);
        if (herald_monotonic_us() - shown_us > 200000) {
            shown_us = herald_monotonic_us();
            show_progress(bench);
        }
        if (!fire(bench, begin_us)) {
            break;
        }
    }
    wait_for_shots(bench, NULL, 0);
}

static void close_channels(struct bench *bench) {
    atomic_store(&bench->closing, true);
    atomic_store(&bench->stopping, true);
    for (unsigned i = 0; i < bench->channel_count; i++) {
        herald_channel_close(bench->channels[i]); /* waits for the callbacks of the calls in flight */
    }
}

static bool run_bench(struct bench *bench) {
    const struct sigaction on_signal = {.sa_handler = on_interrupt};
    struct sigaction before;
    struct shot *shots = NULL;
    bool ran = true;
    interruptions = 0;
    sigaction(SIGINT, &on_signal, &before);
    uint64_t first_us = herald_monotonic_us();
    bench->measure_us = first_us + bench->plan.warm_up_ms * UINT64_C(1000);
    bench->end_us = bench->measure_us + bench->plan.duration_ms * UINT64_C(1000);
    if (bench->plan.rate > 0) {
        run_open(bench, first_us);
    } else {
        ran = run_closed(bench, &shots);
    }
    close_channels(bench);
    free(shots);
    bench->result.interrupted = interruptions > 0;
    sigaction(SIGINT, &before, NULL);
    progress_end(&bench->progress);
    return ran;
}

/* ---- the command ---- */

static int tell_failure(const struct ctl *ctl, const char *what, const struct herald_error *error) {
    report_error(stderr, ctl->arguments->format, what, error);
    return CTL_USAGE;
}

static void make_plan(const struct ctl *ctl, const struct herald_method_schema *method, struct bench_plan *plan) {
    const struct ctl_arguments *arguments = ctl->arguments;
    *plan = (struct bench_plan){
        .method = method,
        .url = methods_url(arguments, &ctl->settings, method),
        .rate = arguments->rate,
        .concurrency = arguments->concurrency > 0 ? arguments->concurrency : 1,
        .connections = arguments->connections > 0 ? arguments->connections : 1,
        .count = arguments->count,
        .duration_ms = arguments->duration_ms > 0 ? arguments->duration_ms : DEFAULT_DURATION_MS,
        .warm_up_ms = arguments->warm_up_given ? arguments->warm_up_ms : DEFAULT_WARM_UP_MS,
    };
}

/* Refuses methods that change something, unless the command line allows it. */
static bool may_be_called_often(const struct ctl *ctl, const struct bench_plan *plan) {
    const struct herald_method_schema *method = plan->method;
    bool once = method->effect == HERALD_EFFECT_ONCE;
    if (method->effect == HERALD_EFFECT_READ) {
        return true;
    }
    if (ctl->arguments->yes && !once) {
        return true;
    }
    fprintf(stderr, "heraldctl: bench: %s %s%s\n", method->full_name,
            once ? "takes effect once for each call, that is, as many times as it is called here" : "changes something",
            ctl->arguments->yes ? "" : "; say --yes if you mean it, nothing was called");
    return ctl->arguments->yes;
}

static enum herald_code open_bench_channels(const struct ctl *ctl, struct bench *bench, struct herald_error *reterr) {
    const struct herald_channel_options options = {.max_in_flight = IN_FLIGHT_MAX,
                                                   .overload_percent = UINT32_MAX,
                                                   .retry.max_attempts = 1,
                                                   .health_check_ms = UINT32_MAX};
    while (bench->channel_count < bench->plan.connections) {
        enum herald_code code = ctl_remote_open(bench->plan.url, ctl->settings.rpc_max_message_bytes, &options,
                                                &bench->channels[bench->channel_count], reterr);
        if (code != HERALD_OK) {
            return code;
        }
        bench->channel_count++;
    }
    return HERALD_OK;
}

static int measure_calls(const struct ctl *ctl, struct bench *bench) {
    struct herald_error error;
    bool json = ctl->arguments->format == CTL_JSON;
    progress_init(&bench->progress, stderr, json);
    if (open_bench_channels(ctl, bench, &error) != HERALD_OK) {
        close_channels(bench);
        return tell_failure(ctl, "bench", &error);
    }
    if (!run_bench(bench)) {
        herald_error_no_memory(&error, "%u calls at once", (unsigned)bench->plan.concurrency);
        return tell_failure(ctl, "bench", &error);
    }
    (json ? bench_report_json : bench_report_table)(&bench->plan, &bench->result, stdout);
    return (int)bench_report_status(&bench->result);
}

int ctl_bench(struct ctl *ctl) {
    const struct herald_method_schema *method = NULL;
    ProtobufCMessage *request = NULL;
    struct herald_error error;
    if (ctl->arguments->rate > 0 && ctl->arguments->concurrency > 0) {
        herald_error_set(
            &error, HERALD_REASON_ONE_OF,
            "--rate and --concurrency exclude each other: calls start by the clock or by the end of others");
        return tell_failure(ctl, "bench", &error);
    }
    if (methods_find(ctl->arguments->operands[0], &method, &error) != HERALD_OK) {
        return tell_failure(ctl, "method", &error);
    }
    if (input_read_message(ctl->arguments->data, method->request, &request, &error) != HERALD_OK) {
        return tell_failure(ctl, "request", &error);
    }
    struct bench *bench = calloc(1, sizeof(*bench));
    int status = CTL_USAGE;
    if (bench != NULL) {
        pthread_mutex_init(&bench->errors_mutex, NULL);
        make_plan(ctl, method, &bench->plan);
        bench->request = request;
        bench->timeout_ms = ctl->arguments->timeout_ms;
        if (may_be_called_often(ctl, &bench->plan)) {
            status = measure_calls(ctl, bench);
        }
        pthread_mutex_destroy(&bench->errors_mutex);
        free(bench);
    }
    protobuf_c_message_free_unpacked(request, NULL);
    return status;
}
