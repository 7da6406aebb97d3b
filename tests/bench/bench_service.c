/*
 * Calls of a running stack through the client library, a number of them always in flight, for a time or a number of them.
 *
 *   bench_service publish|image|create_job|get_event|get_job IN_FLIGHT SECONDS COUNT FILE
 *
 * COUNT 0: as many as the time allows; SECONDS 0: COUNT of them. FILE has a line 'ID USER' for each: the draft that is published,
 * read or asked pictures for, or the job that is read. Publishes end with the file; others begin it anew. The servers are those
 * of HERALD_EVENT_URL and HERALD_JOB_URL. Each call is one attempt. One JSON line on stdout; exit status 1 if a call failed.
 */
#include "herald/client.h"
#include "herald/event/v1/event.client.h"
#include "herald/job/v1/job.client.h"
#include "server/runtime/call.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHANNEL(name) HERALD__DISTRIBUTION__V1__CHANNEL__##name

#define LATENCY_MAX_US 10000000u /* longer ones count as this */
#define LINES_MAX      1000000u
#define IN_FLIGHT_MAX  4096u
#define TIMEOUT_MS     70000u
#define USAGE          64

struct bench;

struct operation {
    const char *name, *server; /* the variable that has its URL */
    bool once;                 /* each line of the file at most once */
    enum herald_code (*start)(struct herald_channel *channel, char *id, char *user_id, void *slot,
                              struct herald_error *reterr);
};

struct line {
    char id[37], user_id[65];
};

struct bench {
    const struct operation *operation;
    struct herald_channel *channel;
    struct line *lines;
    size_t line_count;
    uint64_t until_us; /* UINT64_MAX: no end by time */
    uint64_t count;    /* calls at most */
    _Atomic uint64_t begun, good, failed, running;
    atomic_uint *latencies; /* by microseconds */
    pthread_mutex_t lock;   /* of said and of the wait for the end */
    pthread_cond_t ended;
    char said[600]; /* of the first failure */
};

struct slot {
    struct bench *bench;
    uint64_t begun_us;
};

static const struct herald_call_options call_options = {.timeout_ms = TIMEOUT_MS};

static void fail(const char *what) {
    fprintf(stderr, "bench_service: %s\n", what);
    exit(EXIT_FAILURE);
}

/* ---- the calls ---- */

static void on_done(void *user, struct herald_reply *reply);

static enum herald_code start_publish(struct herald_channel *channel, char *id, char *user_id, void *slot,
                                      struct herald_error *reterr) {
    Herald__Event__V1__PublishEventRequest request = HERALD__EVENT__V1__PUBLISH_EVENT_REQUEST__INIT;
    Herald__Distribution__V1__Channel channels[] = {CHANNEL(WOORIDONGNE_TV), CHANNEL(RINGO_BIZ),
                                                    CHANNEL(GENIE_TV),       CHANNEL(INSTAGRAM),
                                                    CHANNEL(NAVER_BLOG),     CHANNEL(KAKAO_CHANNEL)};
    request.event_draft_id = id;
    request.user_id = user_id;
    request.selected_channels = channels;
    request.n_selected_channels = sizeof(channels) / sizeof(channels[0]);
    return herald_event_v1_event_service_publish_event_start(channel, &request, &call_options, on_done, slot, NULL,
                                                             reterr);
}

static enum herald_code start_image(struct herald_channel *channel, char *id, char *user_id, void *slot,
                                    struct herald_error *reterr) {
    Herald__Event__V1__RequestImageGenerationRequest request =
        HERALD__EVENT__V1__REQUEST_IMAGE_GENERATION_REQUEST__INIT;
    request.event_draft_id = id;
    request.user_id = user_id;
    return herald_event_v1_event_service_request_image_generation_start(channel, &request, &call_options, on_done, slot,
                                                                        NULL, reterr);
}

static enum herald_code start_create_job(struct herald_channel *channel, char *id, char *user_id, void *slot,
                                         struct herald_error *reterr) {
    Herald__Job__V1__CreateImageJobRequest request = HERALD__JOB__V1__CREATE_IMAGE_JOB_REQUEST__INIT;
    Herald__Job__V1__StoreInfo store = HERALD__JOB__V1__STORE_INFO__INIT;
    store.name = (char *)"Corner Cafe";
    store.address = (char *)"1 Main Street, Seoul";
    store.phone = (char *)"02-123-4567";
    request.event_draft_id = id;
    request.user_id = user_id;
    request.title = (char *)"Opening week";
    request.prize = (char *)"Coffee for two";
    request.brand_color = (char *)"#e4002b";
    request.store_info = &store;
    return herald_job_v1_job_service_create_image_job_start(channel, &request, &call_options, on_done, slot, NULL,
                                                            reterr);
}

static enum herald_code start_get_event(struct herald_channel *channel, char *id, char *user_id, void *slot,
                                        struct herald_error *reterr) {
    Herald__Event__V1__GetEventRequest request = HERALD__EVENT__V1__GET_EVENT_REQUEST__INIT;
    request.event_draft_id = id;
    request.user_id = user_id;
    return herald_event_v1_event_service_get_event_start(channel, &request, &call_options, on_done, slot, NULL, reterr);
}

static enum herald_code start_get_job(struct herald_channel *channel, char *id, char *user_id, void *slot,
                                      struct herald_error *reterr) {
    (void)user_id;
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    request.job_id = id;
    return herald_job_v1_job_service_get_job_start(channel, &request, &call_options, on_done, slot, NULL, reterr);
}

static const struct operation operations[] = {
    {"publish", "HERALD_EVENT_URL", true, start_publish},
    {"image", "HERALD_EVENT_URL", false, start_image},
    {"create_job", "HERALD_JOB_URL", false, start_create_job},
    {"get_event", "HERALD_EVENT_URL", false, start_get_event},
    {"get_job", "HERALD_JOB_URL", false, start_get_job},
};

static void note_failure(struct bench *bench, const struct herald_error *error) {
    bench->failed++;
    pthread_mutex_lock(&bench->lock);
    if (bench->said[0] == '\0') {
        snprintf(bench->said, sizeof(bench->said), "%s: %s", error->reason, error->message);
    }
    pthread_mutex_unlock(&bench->lock);
}

static void end_slot(struct bench *bench) {
    if (--bench->running == 0) {
        pthread_mutex_lock(&bench->lock);
        pthread_cond_signal(&bench->ended);
        pthread_mutex_unlock(&bench->lock);
    }
}

static void begin_next(struct slot *slot) {
    struct bench *bench = slot->bench;
    struct herald_error error;
    slot->begun_us = clock_now_us();
    uint64_t at = bench->begun++;
    if (slot->begun_us >= bench->until_us || at >= bench->count ||
        (bench->operation->once && at >= bench->line_count)) {
        end_slot(bench);
        return;
    }
    struct line *line = &bench->lines[at % bench->line_count];
    if (bench->operation->start(bench->channel, line->id, line->user_id, slot, &error) != HERALD_OK) {
        note_failure(bench, &error);
        end_slot(bench);
    }
}

static void on_done(void *user, struct herald_reply *reply) {
    struct slot *slot = user;
    uint64_t us = clock_now_us() - slot->begun_us;
    if (reply->error.code == HERALD_OK) {
        slot->bench->good++;
        slot->bench->latencies[us < LATENCY_MAX_US ? us : LATENCY_MAX_US]++;
    } else {
        note_failure(slot->bench, &reply->error);
    }
    herald_reply_clear(reply);
    begin_next(slot);
}

/* ---- the run ---- */

static void read_lines(struct bench *bench, const char *path) {
    FILE *file = fopen(path, "r");
    bench->lines = calloc(LINES_MAX, sizeof(*bench->lines));
    if (!file || !bench->lines) {
        fail("the file cannot be read");
    }
    while (bench->line_count < LINES_MAX) {
        struct line *line = &bench->lines[bench->line_count];
        if (fscanf(file, "%36s %64s", line->id, line->user_id) != 2) {
            break;
        }
        bench->line_count++;
    }
    (void)fclose(file);
    if (bench->line_count == 0) {
        fail("the file has no lines 'ID USER'");
    }
}

static struct herald_channel *connect_server(const char *variable) {
    const char *url = getenv(variable), *key_id = getenv("HERALD_AUTH_KEY_ID");
    struct herald_credential *credential = NULL;
    struct herald_channel *channel = NULL;
    struct herald_error error;
    if (!url) {
        fail("HERALD_EVENT_URL and HERALD_JOB_URL must be set");
    }
    if (key_id &&
        herald_credential_hmac_file(key_id, getenv("HERALD_AUTH_KEY_FILE"), &credential, &error) != HERALD_OK) {
        fail(error.message);
    }
    const struct herald_channel_options options = {.credential = credential, .retry.max_attempts = 1};
    if (herald_channel_open(url, &options, &channel, &error) != HERALD_OK) {
        fail(error.message);
    }
    herald_credential_unref(credential);
    return channel;
}

static unsigned percentile(const struct bench *bench, unsigned percent) {
    uint64_t want = (bench->good * percent + 99) / 100, seen = 0;
    for (unsigned us = 0; us <= LATENCY_MAX_US; us++) {
        seen += bench->latencies[us];
        if (seen >= want && seen > 0) {
            return us;
        }
    }
    return 0;
}

static void run(struct bench *bench, unsigned in_flight, double seconds) {
    struct slot *slots = calloc(in_flight, sizeof(*slots));
    if (!slots) {
        fail("no memory");
    }
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    uint64_t begun_us = clock_now_us();
    bench->until_us = seconds > 0 ? begun_us + (uint64_t)(seconds * 1e6) : UINT64_MAX;
    bench->running = in_flight;
    for (unsigned i = 0; i < in_flight; i++) {
        slots[i].bench = bench;
        begin_next(&slots[i]);
    }
    pthread_mutex_lock(&bench->lock);
    while (bench->running > 0) {
        pthread_cond_wait(&bench->ended, &bench->lock);
    }
    pthread_mutex_unlock(&bench->lock);
    double took_s = (double)(clock_now_us() - begun_us) / 1e6;
    getrusage(RUSAGE_SELF, &after);
    double cpu_us =
        (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) *
            1e6 +
        (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    printf("{\"operation\":\"%s\",\"in_flight\":%u,\"operations\":%llu,\"seconds\":%.4f,\"per_second\":%.2f,"
           "\"p50_us\":%u,\"p99_us\":%u,\"cpu_us\":{\"client\":%.2f},\"peak_kib\":{\"client\":%ld},\"errors\":%llu}\n",
           bench->operation->name, in_flight, (unsigned long long)bench->good, took_s, (double)bench->good / took_s,
           percentile(bench, 50), percentile(bench, 99), bench->good > 0 ? cpu_us / (double)bench->good : 0,
           after.ru_maxrss, (unsigned long long)bench->failed);
    if (bench->failed > 0) {
        fprintf(stderr, "bench_service: %llu calls failed; the first: %s\n", (unsigned long long)bench->failed,
                bench->said);
    }
    free(slots);
}

int main(int argc, char **argv) {
    struct bench bench = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    for (size_t i = 0; argc == 6 && i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(argv[1], operations[i].name) == 0) {
            bench.operation = &operations[i];
        }
    }
    unsigned in_flight = bench.operation ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (in_flight == 0 || in_flight > IN_FLIGHT_MAX) {
        fprintf(stderr,
                "usage: bench_service publish|image|create_job|get_event|get_job IN_FLIGHT SECONDS COUNT FILE\n");
        return USAGE;
    }
    double seconds = strtod(argv[3], NULL);
    uint64_t count = strtoull(argv[4], NULL, 10);
    bench.count = count > 0 ? count : UINT64_MAX;
    bench.latencies = calloc(LATENCY_MAX_US + 1, sizeof(*bench.latencies));
    if (!bench.latencies) {
        fail("no memory");
    }
    read_lines(&bench, argv[5]);
    bench.channel = connect_server(bench.operation->server);
    run(&bench, in_flight, seconds);
    herald_channel_close(bench.channel);
    free(bench.latencies);
    free(bench.lines);
    return bench.failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
