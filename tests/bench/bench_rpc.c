#include "herald/client.h"
#include "herald/job/v1/job.client.h"
#include "herald/rpc/v1/envelope.pb-c.h"
#include "server/runtime/call.h"
#include "tests/bench/server.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Throughput and latency of small calls over TCP, server and client each a process of its own, on one machine:
 *
 *   bare_nng       64 bytes there and back between REQ and REP contexts: what the transport gives
 *   herald_server  the same bare client, sending an envelope for GetJob to a Herald server
 *   herald         GetJob through the client library to a Herald server: the whole stack
 *
 * Each with 64 calls in flight and with one, side by side in one run. One JSON line each on stdout.
 * Usage: bench_rpc [SECONDS-EACH [ONLY-THIS]]
 */

#define JOB_ID      "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e"
#define SLOTS_MAX   64u
#define ECHO_BYTES  64u
#define WARM_UP_MS  300u
#define LATENCY_MAX 200000u /* µs; longer ones count as this */

static void check(int failure, const char *what) {
    if (failure == 0) {
        return;
    }
    fprintf(stderr, "bench_rpc: %s: %s\n", what, nng_strerror(failure));
    exit(EXIT_FAILURE);
}

/* ---- measuring ---- */

struct run {
    atomic_bool recording;
    atomic_bool ending;
    atomic_uint running; /* slots that have not ended */
    _Atomic uint64_t calls;
    _Atomic uint64_t failures;
    atomic_uint latency[LATENCY_MAX + 1];
};

static struct run run;

static void record(uint64_t started_us, bool ok) {
    uint64_t us = clock_now_us() - started_us;
    if (!atomic_load_explicit(&run.recording, memory_order_relaxed)) {
        return;
    }
    atomic_fetch_add_explicit(&run.calls, 1, memory_order_relaxed);
    if (!ok) {
        atomic_fetch_add_explicit(&run.failures, 1, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&run.latency[us < LATENCY_MAX ? us : LATENCY_MAX], 1, memory_order_relaxed);
}

static unsigned percentile_us(double part) {
    uint64_t wanted = (uint64_t)((double)run.calls * part), seen = 0;
    unsigned us = 0;
    while (us < LATENCY_MAX && (seen += run.latency[us]) < wanted) {
        us++;
    }
    return us;
}

static void sleep_ms(uint32_t ms) {
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};
    nanosleep(&time, NULL);
}

/* The slots run: warm up, record, let them end, report. */
static void measure(const char *what, unsigned in_flight, uint32_t ms) {
    sleep_ms(WARM_UP_MS);
    uint64_t start_us = clock_now_us();
    run.recording = true;
    sleep_ms(ms);
    run.recording = false;
    double seconds = (double)(clock_now_us() - start_us) / 1e6;
    run.ending = true;
    while (run.running > 0) {
        sleep_ms(1);
    }
    printf("{\"bench\":\"rpc\",\"what\":\"%s\",\"in_flight\":%u,\"calls_per_s\":%.0f,\"p50_us\":%u,\"p99_us\":%u,"
           "\"p999_us\":%u,\"calls\":%llu,\"failures\":%llu}\n",
           what, in_flight, (double)run.calls / seconds, percentile_us(0.5), percentile_us(0.99), percentile_us(0.999),
           (unsigned long long)run.calls, (unsigned long long)run.failures);
    fflush(stdout);
}

static void reset_run(unsigned in_flight) {
    run.ending = false;
    run.calls = run.failures = 0;
    run.running = in_flight;
    for (unsigned i = 0; i <= LATENCY_MAX; i++) {
        run.latency[i] = 0;
    }
}

/* ---- a client of bare nng ---- */

struct bare_slot {
    nng_ctx ctx;
    nng_aio *aio;
    bool receiving;
    uint64_t started_us;
    const uint8_t *bytes;
    size_t count;
};

static void bare_send(struct bare_slot *slot) {
    nng_msg *message = NULL;
    check(nng_msg_alloc(&message, slot->count), "nng_msg_alloc");
    memcpy(nng_msg_body(message), slot->bytes, slot->count);
    slot->receiving = false;
    slot->started_us = clock_now_us();
    nng_aio_set_msg(slot->aio, message);
    nng_ctx_send(slot->ctx, slot->aio);
}

static void on_bare(void *arg) {
    struct bare_slot *slot = arg;
    check(nng_aio_result(slot->aio), "bare call");
    if (!slot->receiving) {
        slot->receiving = true;
        nng_ctx_recv(slot->ctx, slot->aio);
        return;
    }
    nng_msg_free(nng_aio_get_msg(slot->aio));
    nng_aio_set_msg(slot->aio, NULL);
    record(slot->started_us, true);
    if (run.ending) {
        run.running--;
    } else {
        bare_send(slot);
    }
}

static void run_bare(const char *what, const char *url, const uint8_t *bytes, size_t count, unsigned in_flight,
                     uint32_t ms) {
    static struct bare_slot slots[SLOTS_MAX];
    nng_socket socket;
    check(nng_req0_open(&socket), "nng_req0_open");
    check(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), "resend time");
    check(nng_dial(socket, url, NULL, NNG_FLAG_NONBLOCK), url); /* the server may still be starting */
    reset_run(in_flight);
    for (unsigned i = 0; i < in_flight; i++) {
        slots[i].bytes = bytes;
        slots[i].count = count;
        check(nng_ctx_open(&slots[i].ctx, socket), "nng_ctx_open");
        check(nng_aio_alloc(&slots[i].aio, on_bare, &slots[i]), "nng_aio_alloc");
        bare_send(&slots[i]);
    }
    measure(what, in_flight, ms);
    for (unsigned i = 0; i < in_flight; i++) {
        nng_aio_free(slots[i].aio);
    }
    nng_close(socket);
}

/* ---- a client of the client library ---- */

struct herald_slot {
    struct herald_channel *channel;
    uint64_t started_us;
};

static void herald_send(struct herald_slot *slot);

static void on_herald(void *user, struct herald_reply *reply) {
    struct herald_slot *slot = user;
    record(slot->started_us, reply->error.code == HERALD_OK);
    herald_reply_clear(reply);
    if (run.ending) {
        run.running--;
    } else {
        herald_send(slot);
    }
}

static void herald_send(struct herald_slot *slot) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    struct herald_error error;
    request.job_id = (char *)JOB_ID;
    slot->started_us = clock_now_us();
    if (herald_call_start(slot->channel, herald_job_v1_job_service_get_job_method, &request.base, NULL, on_herald, slot,
                          NULL, &error) == HERALD_OK) {
        return;
    }
    fprintf(stderr, "bench_rpc: %s\n", error.message);
    exit(EXIT_FAILURE);
}

static void run_herald(const char *url, unsigned in_flight, uint32_t ms) {
    static struct herald_slot slots[SLOTS_MAX];
    struct herald_channel *channel = NULL;
    struct herald_error error;
    if (herald_channel_open(url, NULL, &channel, &error) != HERALD_OK) {
        fprintf(stderr, "bench_rpc: %s\n", error.message);
        exit(EXIT_FAILURE);
    }
    reset_run(in_flight);
    for (unsigned i = 0; i < in_flight; i++) {
        slots[i].channel = channel;
        herald_send(&slots[i]);
    }
    measure("herald", in_flight, ms);
    herald_channel_close(channel);
}

/* ---- the echo, in the server's process ---- */

struct echo {
    nng_ctx ctx;
    nng_aio *aio;
    bool receiving;
};

static void on_echo(void *arg) {
    struct echo *echo = arg;
    if (nng_aio_result(echo->aio) != 0) {
        return;
    }
    echo->receiving = !echo->receiving;
    if (echo->receiving) {
        nng_ctx_recv(echo->ctx, echo->aio);
    } else {
        nng_ctx_send(echo->ctx, echo->aio); /* the message is in the aio still */
    }
}

static void start_echo(const char *url) {
    static struct echo echoes[SLOTS_MAX * 2];
    nng_socket socket;
    check(nng_rep0_open(&socket), "nng_rep0_open");
    for (size_t i = 0; i < SLOTS_MAX * 2; i++) {
        check(nng_ctx_open(&echoes[i].ctx, socket), "nng_ctx_open");
        check(nng_aio_alloc(&echoes[i].aio, on_echo, &echoes[i]), "nng_aio_alloc");
        echoes[i].receiving = true;
        nng_ctx_recv(echoes[i].ctx, echoes[i].aio);
    }
    check(nng_listen(socket, url, NULL, 0), url);
}

/* ---- the run ---- */

static bool is_wanted(const char *only, const char *what) {
    return !only || strcmp(only, what) == 0;
}

static void run_all(const char *echo_url, const char *server_url, uint32_t ms, const char *only) {
    static const uint8_t ECHO[ECHO_BYTES] = {1};
    static const unsigned IN_FLIGHT[] = {SLOTS_MAX, 1};
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    Herald__Rpc__V1__Request envelope = HERALD__RPC__V1__REQUEST__INIT;
    uint8_t payload[64], bytes[256];
    request.job_id = (char *)JOB_ID;
    envelope.method = (char *)"herald.job.v1.JobService/GetJob";
    envelope.call_id = (char *)JOB_ID;
    envelope.timeout_ms = 5000;
    envelope.payload.data = payload;
    envelope.payload.len = herald__job__v1__get_job_request__pack(&request, payload);
    size_t count = herald__rpc__v1__request__pack(&envelope, bytes);
    for (size_t i = 0; i < sizeof(IN_FLIGHT) / sizeof(*IN_FLIGHT); i++) {
        if (is_wanted(only, "bare_nng")) {
            run_bare("bare_nng", echo_url, ECHO, sizeof(ECHO), IN_FLIGHT[i], ms);
        }
        if (is_wanted(only, "herald_server")) {
            run_bare("herald_server", server_url, bytes, count, IN_FLIGHT[i], ms);
        }
        if (is_wanted(only, "herald")) {
            run_herald(server_url, IN_FLIGHT[i], ms);
        }
    }
}

int main(int argc, char **argv) {
    uint32_t ms = (uint32_t)(argc > 1 ? atof(argv[1]) * 1000 : 3000);
    char echo_url[64], server_url[64];
    int status = 0;
    bench_server_url(echo_url);
    bench_server_url(server_url);
    pid_t child = fork();
    if (child == 0) {
        start_echo(echo_url);
        return bench_server_run(server_url, &(const struct bench_handler){0});
    }
    if (child < 0) {
        return EXIT_FAILURE;
    }
    run_all(echo_url, server_url, ms, argc > 2 ? argv[2] : NULL);
    kill(child, SIGTERM);
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
