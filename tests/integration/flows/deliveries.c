#include "deliveries.h"

#include "herald/uuid.h"
#include "tests/support/loopback.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BRIEF_MS     3000
#define POSTS_MOST   256
#define REQUEST_MAX  32768
#define STOP_LOOK_MS 50

void fresh_event(char ret_id[37]) {
    herald_uuid7(ret_id);
}

struct answer distribute_new(struct stack *stack, const char *channels, char ret_id[37]) {
    fresh_event(ret_id);
    return stack_call_ok(stack, DISTRIBUTION "Distribute", DISTRIBUTE, ret_id, channels, "");
}

struct answer distribute_briefly(struct stack *stack, const char *channels, char ret_id[37]) {
    const struct herald_call_options options = {.timeout_ms = BRIEF_MS};
    fresh_event(ret_id);
    struct answer answer =
        stack_call_with(stack, &options, DISTRIBUTION "Distribute", DISTRIBUTE, ret_id, channels, "");
    assert_string_equal(answer.error.message, "");
    assert_int_equal(answer.code, HERALD_OK);
    return answer;
}

void delivery_becomes(struct stack *stack, const char *event_id, const char *channel, const char *state) {
    stack_sql_becomes(stack, state, "SELECT state FROM deliveries WHERE event_id = '%s' AND channel = '%s'", event_id,
                      channel);
}

void assert_posts(struct stack *stack, const char *event_id, const char *channel, size_t count) {
    json_t *posts = stack_posts(stack, event_id);
    size_t found = 0;
    for (size_t i = 0; i < json_array_size(posts); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(posts, i), "channel"));
        found += strcmp(name, channel) == 0 ? 1 : 0;
    }
    json_decref(posts);
    assert_int_equal(found, count);
}

void assert_listed(struct stack *stack, const char *event_id, const char *channel, bool listed) {
    char token[129] = "";
    bool found = false, more = true;
    while (more) {
        struct answer answer =
            stack_call_ok(stack, DISTRIBUTION "ListUnknownDeliveries",
                          "{\"channel\":\"%s\",\"pageSize\":3,\"pageToken\":\"%s\"}", channel, token);
        const json_t *deliveries = answer_at(&answer, "deliveries");
        for (size_t i = 0; i < json_array_size(deliveries); i++) {
            const json_t *delivery = json_array_get(deliveries, i);
            if (strcmp(json_string_value(json_object_get(delivery, "eventId")), event_id) == 0) {
                found = true;
                assert_true(strlen(json_string_value(json_object_get(delivery, "key"))) > 8);
            }
        }
        snprintf(token, sizeof(token), "%s", answer_text(&answer, "nextPageToken"));
        more = token[0] != '\0';
        answer_clear(&answer);
    }
    assert_int_equal(found, listed);
}

size_t count_records(struct stack *stack, const char *event_id, const char *type, size_t least) {
    char name[128];
    snprintf(name, sizeof(name), "herald.distribution.v1.%s", type);
    size_t count = 0;
    long long deadline_ms = now_ms() + 20000;
    do {
        count = 0;
        json_t *records = stack_records(stack, "HERALD_KAFKA_DISTRIBUTION_TOPIC", event_id, 0);
        for (size_t i = 0; i < json_array_size(records); i++) {
            const json_t *headers = json_object_get(json_array_get(records, i), "headers");
            count += strcmp(json_string_value(json_object_get(headers, "ce_type")), name) == 0 ? 1 : 0;
        }
        json_decref(records);
    } while (count < least && wait_again(deadline_ms));
    return count;
}

void make_probe_due(struct stack *stack, const char *channel) {
    char *ignored = stack_sql(
        stack, "UPDATE channel_controls SET probe_at = now() WHERE channel = '%s' AND probe_at > now()", channel);
    free(ignored);
}

/* ---- callers ---- */

static void *run_caller(void *arg) {
    struct caller *caller = arg;
    caller->answer = stack_call(caller->stack, DISTRIBUTION "Distribute", DISTRIBUTE, caller->id, caller->channels, "");
    caller->ended_ms = now_ms();
    return NULL;
}

void caller_start(struct caller *caller, struct stack *stack, const char *channels) {
    caller->stack = stack;
    caller->channels = channels;
    if (caller->id[0] == '\0') {
        fresh_event(caller->id);
    }
    assert_int_equal(pthread_create(&caller->thread, NULL, run_caller, caller), 0);
}

void caller_join(struct caller *caller) {
    assert_int_equal(pthread_join(caller->thread, NULL), 0);
}

/* ---- a scripted channel ---- */

struct scripted {
    int listener;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    bool stopping;
    char response[4096];
    char events[POSTS_MOST][37]; /* of the posts that were read */
    size_t count;
};

static bool is_stopping(struct scripted *scripted) {
    pthread_mutex_lock(&scripted->lock);
    bool stopping = scripted->stopping;
    pthread_mutex_unlock(&scripted->lock);
    return stopping;
}

static bool has_whole_request(const char *text, size_t bytes) {
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "\r\ncontent-length:");
    return end && bytes - (size_t)(end + 4 - text) >= (length ? strtoul(length + 17, NULL, 10) : 0);
}

static void note_post(struct scripted *scripted, const char *request) {
    const char *event = strcasestr(request, "\r\nx-herald-event: ");
    if (event && scripted->count < POSTS_MOST) {
        snprintf(scripted->events[scripted->count++], 37, "%.36s", event + strlen("\r\nx-herald-event: "));
    }
}

/* Reads one request, answers it, and closes the connection. */
static void serve_one(struct scripted *scripted, int fd) {
    static char request[REQUEST_MAX]; /* one thread */
    size_t bytes = 0;
    request[0] = '\0';
    while (!has_whole_request(request, bytes)) {
        struct pollfd waits = {.fd = fd, .events = POLLIN};
        if (poll(&waits, 1, STOP_LOOK_MS) == 0 && !is_stopping(scripted)) {
            continue;
        }
        ssize_t got = recv(fd, request + bytes, sizeof(request) - 1 - bytes, MSG_DONTWAIT);
        if (got <= 0) {
            return;
        }
        bytes += (size_t)got;
        request[bytes] = '\0';
    }
    pthread_mutex_lock(&scripted->lock);
    note_post(scripted, request);
    (void)send(fd, scripted->response, strlen(scripted->response), MSG_NOSIGNAL);
    pthread_mutex_unlock(&scripted->lock);
}

static void *run_scripted(void *arg) {
    struct scripted *scripted = arg;
    while (!is_stopping(scripted)) {
        struct pollfd waits = {.fd = scripted->listener, .events = POLLIN};
        int fd = poll(&waits, 1, STOP_LOOK_MS) > 0 ? accept(scripted->listener, NULL, NULL) : -1;
        if (fd >= 0) {
            serve_one(scripted, fd);
            close(fd);
        }
    }
    return NULL;
}

struct scripted *scripted_start(void) {
    struct scripted *scripted = calloc(1, sizeof(*scripted));
    assert_non_null(scripted);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)loopback_port())};
    assert_int_equal(inet_pton(AF_INET, loopback_address(), &address.sin_addr), 1);
    scripted->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    assert_int_equal(setsockopt(scripted->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    assert_int_equal(bind(scripted->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(scripted->listener, 64), 0);
    snprintf(scripted->url, sizeof(scripted->url), "http://%s:%u/hook", loopback_address(),
             (unsigned)ntohs(address.sin_port));
    snprintf(scripted->response, sizeof(scripted->response), "%s", SCRIPTED_OK);
    pthread_mutex_init(&scripted->lock, NULL);
    assert_int_equal(pthread_create(&scripted->thread, NULL, run_scripted, scripted), 0);
    return scripted;
}

void scripted_stop(struct scripted *scripted) {
    pthread_mutex_lock(&scripted->lock);
    scripted->stopping = true;
    pthread_mutex_unlock(&scripted->lock);
    pthread_join(scripted->thread, NULL);
    close(scripted->listener);
    pthread_mutex_destroy(&scripted->lock);
    free(scripted);
}

const char *scripted_url(const struct scripted *scripted) {
    return scripted->url;
}

void scripted_answers(struct scripted *scripted, const char *response) {
    pthread_mutex_lock(&scripted->lock);
    snprintf(scripted->response, sizeof(scripted->response), "%s", response);
    pthread_mutex_unlock(&scripted->lock);
}

size_t scripted_posts(struct scripted *scripted, const char *event_id) {
    size_t count = 0;
    pthread_mutex_lock(&scripted->lock);
    for (size_t i = 0; i < scripted->count; i++) {
        count += strcmp(scripted->events[i], event_id) == 0 ? 1 : 0;
    }
    pthread_mutex_unlock(&scripted->lock);
    return count;
}
