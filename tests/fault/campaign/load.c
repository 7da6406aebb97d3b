/*
 * campaign-load: callers of Herald as they are: each publishes events, or asks for pictures, one after the other. Most
 * repeat a call under its key until they know what came of it; some never come back.
 *
 * usage: campaign-load --url URL[,URL…] --drafts FILE --publishers N --requests FILE --requesters N [--pause MS]
 *
 * --drafts    events to publish, a line each: EVENT USER CHANNEL…
 * --requests  events to ask pictures for: EVENT USER
 * --pause     mean wait of a caller between two events
 *
 * Each end of a call is a JSON line on standard output, with times in milliseconds since 1970. At SIGTERM the callers
 * begin nothing new; a call whose outcome is open is still repeated, for LAST_WORD_MS.
 */
#include "client/base/backoff.h"
#include "client/base/random.h"
#include "herald/event/v1/event.client.h"
#include "herald/uuid.h"

#include <getopt.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define CALLERS_MAX     512
#define CHANNELS_MAX    6
#define ATTEMPTS_MAX    30
#define PUBLISH_MS      20000 /* what a caller's own user is patient for */
#define BACKOFF_MIN_MS  50
#define BACKOFF_MAX_MS  2000
#define LAST_WORD_MS    40000
#define ASK_AGAIN_EVERY 4 /* one known outcome in so many is asked for again */
#define GIVE_UP_EVERY   3 /* one task in so many is called once: its caller never comes back */

/* Lines of a file, handed out once each. */
struct pile {
    FILE *file;
    pthread_mutex_t lock;
};

struct task {
    char event_id[64], user[64], key[37];
    Herald__Distribution__V1__Channel channels[CHANNELS_MAX];
    size_t channel_count;
    unsigned attempt;
    bool is_open; /* accepted, and a repeat of the call waits for the end */
};

typedef enum herald_code call_fn(struct task *task, struct herald_reply *reply, json_t *line);

static struct herald_channel *channel;
static struct pile drafts = {.lock = PTHREAD_MUTEX_INITIALIZER}, requests = {.lock = PTHREAD_MUTEX_INITIALIZER};
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_ending;
static long long ending_ms;
static unsigned pause_ms = 200;

static long long epoch_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void wait_ms(uint64_t ms) {
    const struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

static uint64_t draw(uint64_t below) {
    return below ? herald_random() % below : 0;
}

/* ---- calls ---- */

static const char *enum_text(const ProtobufCEnumDescriptor *type, int value) {
    const ProtobufCEnumValue *row = protobuf_c_enum_descriptor_get_value(type, value);
    return row ? row->name : "?";
}

static enum herald_code publish(struct task *task, struct herald_reply *reply, json_t *line) {
    Herald__Event__V1__PublishEventRequest request = HERALD__EVENT__V1__PUBLISH_EVENT_REQUEST__INIT;
    request.event_draft_id = task->event_id;
    request.user_id = task->user;
    request.selected_channels = task->channels;
    request.n_selected_channels = task->channel_count;
    const struct herald_call_options options = {.idempotency_key = task->key, .timeout_ms = PUBLISH_MS};
    const Herald__Event__V1__PublishEventResponse *response = NULL;
    enum herald_code code = herald_event_v1_event_service_publish_event(channel, &request, &options, reply, &response);
    if (code == HERALD_OK) {
        json_t *results = json_object();
        for (size_t i = 0; i < response->n_distribution_results; i++) {
            const Herald__Distribution__V1__ChannelResult *result = response->distribution_results[i];
            json_object_set_new(
                results, enum_text(&herald__distribution__v1__channel__descriptor, (int)result->channel),
                json_string(enum_text(&herald__distribution__v1__delivery_state__descriptor, (int)result->state)));
        }
        json_object_set_new(
            line, "status",
            json_string(enum_text(&herald__event__v1__event_status__descriptor, (int)response->status)));
        json_object_set_new(line, "results", results);
        json_object_set_new(line, "goes_on", json_boolean(response->goes_on));
        task->is_open = *response->reason != '\0';
        if (task->is_open) {
            json_object_set_new(line, "reason", json_string(response->reason));
            json_object_set_new(line, "message", json_string(response->message));
        }
    }
    return code;
}

static enum herald_code request_images(struct task *task, struct herald_reply *reply, json_t *line) {
    Herald__Event__V1__RequestImageGenerationRequest request =
        HERALD__EVENT__V1__REQUEST_IMAGE_GENERATION_REQUEST__INIT;
    request.event_draft_id = task->event_id;
    request.user_id = task->user;
    const struct herald_call_options options = {.idempotency_key = task->key};
    const Herald__Event__V1__RequestImageGenerationResponse *response = NULL;
    enum herald_code code =
        herald_event_v1_event_service_request_image_generation(channel, &request, &options, reply, &response);
    if (code == HERALD_OK) {
        json_object_set_new(line, "job_id", json_string(response->job_id));
    }
    return code;
}

/* Bytes of a reply, so that two can be compared. */
static void digest_of(const struct herald_reply *reply, char ret_text[2 * SHA256_DIGEST_LENGTH + 1]) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(reply->payload, reply->payload_bytes, digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
    }
}

static void tell(const struct task *task, const char *call, const struct herald_reply *reply, long long began_us,
                 json_t *line) {
    char digest[2 * SHA256_DIGEST_LENGTH + 1] = "";
    if (reply->error.code == HERALD_OK) {
        digest_of(reply, digest);
    }
    json_t *told = json_pack("{s:s, s:s, s:s, s:i, s:f, s:f, s:s, s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:s}", "call",
                             call, "event", task->event_id, "key", task->key, "attempt", (int)task->attempt, "began_ms",
                             (double)began_us / 1e3, "ended_ms", (double)epoch_us() / 1e3, "outcome",
                             herald_outcome_name(reply->outcome), "code", herald_code_name((int)reply->error.code),
                             "reason", reply->error.reason, "message", reply->error.message, "retry_after_ms",
                             (int)reply->error.retry_after_ms, "url", reply->url ? reply->url : "", "attempts",
                             (int)reply->attempts, "reply", digest, "call_id", reply->call_id);
    json_object_update(told, line);
    char *text = json_dumps(told, JSON_COMPACT | JSON_REAL_PRECISION(16));
    pthread_mutex_lock(&output);
    puts(text);
    fflush(stdout);
    pthread_mutex_unlock(&output);
    free(text);
    json_decref(told);
}

static bool has_time_left(void) {
    return !atomic_load(&is_ending) || epoch_us() / 1000 < ending_ms + LAST_WORD_MS;
}

static void carry_out(struct task *task, const char *name, call_fn *call) {
    herald_uuid7(task->key);
    bool asks_again = draw(ASK_AGAIN_EVERY) == 0;
    unsigned attempts_max = draw(GIVE_UP_EVERY) == 0 ? 1 : ATTEMPTS_MAX;
    for (task->attempt = 1; task->attempt <= attempts_max && has_time_left(); task->attempt++) {
        struct herald_reply reply = {0};
        json_t *line = json_object();
        long long began_us = epoch_us();
        task->is_open = false;
        enum herald_code code = call(task, &reply, line);
        bool is_known = code == HERALD_OK && !task->is_open;
        bool is_refused = code != HERALD_OK && herald_reply_may_repeat(&reply) == HERALD_REPEAT_NO;
        tell(task, name, &reply, began_us, line);
        uint64_t wait = reply.error.retry_after_ms;
        json_decref(line);
        herald_reply_clear(&reply);
        if (is_refused || (is_known && !asks_again)) {
            return;
        }
        if (is_known) {
            asks_again = false;
            continue;
        }
        uint64_t backoff_ms = herald_backoff_ms(BACKOFF_MIN_MS, BACKOFF_MAX_MS, task->attempt, herald_random());
        wait_ms(wait > backoff_ms ? (wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS) : backoff_ms);
    }
}

/* ---- callers ---- */

static bool read_channel(const char *word, Herald__Distribution__V1__Channel *ret_channel) {
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value_by_name(&herald__distribution__v1__channel__descriptor, word);
    if (value) {
        *ret_channel = (Herald__Distribution__V1__Channel)value->value;
    }
    return value != NULL;
}

/* False when the pile is used up. */
static bool take_task(struct pile *pile, struct task *ret_task) {
    char text[512];
    pthread_mutex_lock(&pile->lock);
    bool taken = fgets(text, sizeof(text), pile->file) != NULL;
    pthread_mutex_unlock(&pile->lock);
    if (!taken) {
        return false;
    }
    struct task task = {0};
    char *rest = NULL;
    char *event_id = strtok_r(text, " \n", &rest), *user = strtok_r(NULL, " \n", &rest);
    snprintf(task.event_id, sizeof(task.event_id), "%s", event_id ? event_id : "");
    snprintf(task.user, sizeof(task.user), "%s", user ? user : "");
    for (char *word = NULL; task.channel_count < CHANNELS_MAX && (word = strtok_r(NULL, " \n", &rest)) != NULL;) {
        task.channel_count += read_channel(word, &task.channels[task.channel_count]);
    }
    *ret_task = task;
    return true;
}

static void *publish_events(void *arg) {
    (void)arg;
    struct task task;
    wait_ms(draw(1000)); /* not all at once */
    while (!atomic_load(&is_ending) && take_task(&drafts, &task)) {
        carry_out(&task, "publish", publish);
        wait_ms(draw(2 * pause_ms));
    }
    return NULL;
}

static void *request_pictures(void *arg) {
    (void)arg;
    struct task task;
    wait_ms(draw(1000));
    while (!atomic_load(&is_ending) && take_task(&requests, &task)) {
        carry_out(&task, "request_images", request_images);
        wait_ms(draw(8 * pause_ms));
    }
    return NULL;
}

/* ---- the program ---- */

struct options {
    const char *url;
    unsigned publishers, requesters;
};

static unsigned small_number(const char *text) {
    unsigned long number = strtoul(text, NULL, 10);
    return number < CALLERS_MAX ? (unsigned)number : CALLERS_MAX;
}

static bool read_options(int argc, char **argv, struct options *ret_options) {
    static const struct option names[] = {
        {"url", required_argument, NULL, 'u'},
        {"drafts", required_argument, NULL, 'd'},
        {"publishers", required_argument, NULL, 'p'},
        {"requests", required_argument, NULL, 'r'},
        {"requesters", required_argument, NULL, 'n'},
        {"pause", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    for (int option = 0; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (option) {
        case 'u':
            ret_options->url = optarg;
            break;
        case 'd':
            drafts.file = fopen(optarg, "re");
            break;
        case 'r':
            requests.file = fopen(optarg, "re");
            break;
        case 'p':
            ret_options->publishers = small_number(optarg);
            break;
        case 'n':
            ret_options->requesters = small_number(optarg);
            break;
        case 'w':
            pause_ms = (unsigned)strtoul(optarg, NULL, 10);
            break;
        default:
            return false;
        }
    }
    return ret_options->url && drafts.file && requests.file;
}

static void start_callers(pthread_t *threads, unsigned count, void *(*body)(void *)) {
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, body, NULL) != 0) {
            perror("campaign-load: no thread");
            exit(EX_OSERR);
        }
    }
}

int main(int argc, char **argv) {
    struct options options = {.publishers = 50, .requesters = 4};
    if (!read_options(argc, argv, &options)) {
        fputs(
            "usage: campaign-load --url URL --drafts FILE --publishers N --requests FILE --requesters N [--pause MS]\n",
            stderr);
        return EX_USAGE;
    }
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    struct herald_error error = {0};
    if (herald_channel_open(options.url, NULL, &channel, &error) != HERALD_OK) {
        fprintf(stderr, "campaign-load: %s: %s\n", options.url, error.message);
        return EX_UNAVAILABLE;
    }
    static pthread_t threads[2 * CALLERS_MAX];
    start_callers(threads, options.publishers, publish_events);
    start_callers(threads + options.publishers, options.requesters, request_pictures);
    int signal = 0;
    sigwait(&ends, &signal);
    ending_ms = epoch_us() / 1000;
    atomic_store(&is_ending, true);
    for (unsigned i = 0; i < options.publishers + options.requesters; i++) {
        pthread_join(threads[i], NULL);
    }
    herald_channel_close(channel);
    return 0;
}
