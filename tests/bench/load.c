#include "tests/bench/load.h"

#include "herald/client.h"
#include "herald/job/v1/job.client.h"
#include "server/runtime/call.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define JOB_ID       "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e"
#define SLOTS_MAX    1024u
#define CHANNELS_MAX 64u
#define WARM_UP_MS   300u
#define DEADLINE_MS  10000u

struct run {
    struct load *load;
    struct herald_channel *channels[CHANNELS_MAX];
    unsigned channel_count;
    atomic_bool recording, ending;
    atomic_uint running;
};

struct slot {
    struct run *run;
    struct herald_channel *channel;
    uint64_t begun_us;
    bool repeats;
};

struct load *load_new(void) {
    void *load = mmap(NULL, sizeof(struct load), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (load == MAP_FAILED) {
        exit(EXIT_FAILURE);
    }
    return load;
}

void load_reset(struct load *load) {
    memset(load, 0, sizeof(*load));
}

unsigned load_percentile(const load_histogram histogram, double part) {
    uint64_t count = 0, seen = 0;
    unsigned us = 0;
    for (unsigned i = 0; i <= LOAD_LATENCY_MAX_US; i++) {
        count += histogram[i];
    }
    uint64_t wanted = (uint64_t)((double)count * part);
    while (us < LOAD_LATENCY_MAX_US && (seen += histogram[us]) < wanted) {
        us++;
    }
    return us;
}

static void sleep_us(uint64_t us) {
    const struct timespec time = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
    nanosleep(&time, NULL);
}

static void count(load_histogram histogram, uint64_t us) {
    atomic_fetch_add_explicit(&histogram[us < LOAD_LATENCY_MAX_US ? us : LOAD_LATENCY_MAX_US], 1, memory_order_relaxed);
}

static void record(struct load *load, const struct herald_reply *reply, uint64_t us) {
    if (reply->error.code == HERALD_OK) {
        load->good++;
        count(load->good_us, us);
    } else if (reply->outcome == HERALD_MAYBE_EXECUTED) {
        load->unanswered++;
    } else if (reply->outcome == HERALD_NOT_SENT) {
        load->unsent++;
    } else if (reply->error.code == HERALD_RESOURCE_EXHAUSTED) {
        load->refused++;
        count(load->refused_us, us);
        count(load->refused_server, reply->timings.queue_us);
    } else {
        load->failed++;
    }
}

static void begin(struct slot *slot);

static void on_done(void *user, struct herald_reply *reply) {
    struct slot *slot = user;
    struct run *run = slot->run;
    run->load->good_ever += reply->error.code == HERALD_OK;
    if (run->recording) {
        record(run->load, reply, clock_now_us() - slot->begun_us);
    }
    herald_reply_clear(reply);
    if (slot->repeats && !run->ending) {
        slot->begun_us = clock_now_us();
        begin(slot);
        return;
    }
    if (!slot->repeats) {
        free(slot);
    }
    run->running--;
}

/* The channel turned the call away. A closed loop ends so. */
static void hold(struct slot *slot) {
    struct run *run = slot->run;
    run->load->unsent++;
    run->load->held++;
    if (!slot->repeats) {
        free(slot);
    }
    run->running--;
}

static void begin(struct slot *slot) {
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    const struct herald_call_options options = {.timeout_ms = DEADLINE_MS, .want_timings = true};
    struct herald_error error;
    request.job_id = (char *)JOB_ID;
    if (slot->run->recording) {
        slot->run->load->begun++;
    }
    enum herald_code code =
        herald_job_v1_job_service_get_job_start(slot->channel, &request, &options, on_done, slot, NULL, &error);
    if (code == HERALD_OK) {
        return;
    }
    if (code == HERALD_RESOURCE_EXHAUSTED) {
        hold(slot);
        return;
    }
    fprintf(stderr, "bench: %s\n", error.message);
    exit(EXIT_FAILURE);
}

static struct herald_channel *connect_as(const char *url, uint32_t max_attempts, uint32_t overload_percent) {
    const struct herald_channel_options options = {.max_in_flight = UINT32_MAX,
                                                   .overload_percent = overload_percent,
                                                   .retry.max_attempts = max_attempts,
                                                   .connect_timeout_ms = DEADLINE_MS};
    struct herald_channel *channel = NULL;
    struct herald_error error;
    if (herald_channel_open(url, &options, &channel, &error) == HERALD_OK) {
        return channel;
    }
    fprintf(stderr, "bench: %s\n", error.message);
    exit(EXIT_FAILURE);
}

struct herald_channel *load_connect(const char *url) {
    return connect_as(url, 1, UINT32_MAX);
}

struct herald_channel *load_connect_as_usual(const char *url) {
    return connect_as(url, 0, 0);
}

static void await_end(struct run *run) {
    run->ending = true;
    while (run->running > 0) {
        sleep_us(1000);
    }
}

double load_closed(struct herald_channel *channel, unsigned in_flight, uint32_t ms, struct load *load) {
    static struct slot slots[SLOTS_MAX];
    struct run run = {.load = load, .running = in_flight};
    for (unsigned i = 0; i < in_flight && i < SLOTS_MAX; i++) {
        slots[i] = (struct slot){.run = &run, .channel = channel, .begun_us = clock_now_us(), .repeats = true};
        begin(&slots[i]);
    }
    sleep_us(WARM_UP_MS * 1000);
    uint64_t start_us = clock_now_us();
    run.recording = true;
    sleep_us(ms * UINT64_C(1000));
    run.recording = false;
    double seconds = (double)(clock_now_us() - start_us) / 1e6;
    await_end(&run);
    return seconds;
}

static void fire(struct run *run, uint64_t number, uint64_t due_us) {
    struct slot *slot = calloc(1, sizeof(*slot));
    if (!slot) {
        exit(EXIT_FAILURE);
    }
    *slot = (struct slot){.run = run, .channel = run->channels[number % run->channel_count], .begun_us = due_us};
    uint64_t late_us = clock_now_us() - due_us;
    if (late_us > run->load->delay_max_us) {
        run->load->delay_max_us = (unsigned)late_us;
    }
    run->running++;
    begin(slot);
}

void load_open(const char *url, unsigned channels, uint32_t overload_percent, double rate, uint32_t ms,
               struct load *load) {
    struct run run = {.load = load, .recording = true};
    while (run.channel_count < channels && run.channel_count < CHANNELS_MAX) {
        run.channels[run.channel_count++] = connect_as(url, 1, overload_percent);
    }
    sleep_us(WARM_UP_MS * 1000); /* all are connected */
    uint64_t start_us = clock_now_us(), number = 0, now_us;
    while ((now_us = clock_now_us()) < start_us + ms * UINT64_C(1000)) {
        uint64_t due_us = start_us + (uint64_t)((double)number * 1e6 / rate);
        if (now_us < due_us) {
            sleep_us(due_us - now_us);
        } else {
            fire(&run, number++, due_us);
        }
    }
    run.recording = false; /* what ends later is more than the server can do in that time */
    await_end(&run);
    for (unsigned i = 0; i < run.channel_count; i++) {
        herald_channel_close(run.channels[i]);
    }
}
