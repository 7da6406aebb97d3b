#include "server/gateway/events.h"

#include "client/message/field.h"
#include "herald/uuid.h"
#include "server/gateway/request_options.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* How long the gateway waits before it asks a server again that could not answer, ms. */
#define ASK_AGAIN_MS 1000u
/* The wait of the first call: the peer hears at once that the stream has begun, or why not. 0 would be the default. */
#define LOOK_MS 1u
/* The longest wait that the servers allow. */
#define WAIT_MOST_MS  60000u
#define VERSION_BYTES 24

/* What can be followed: where the version is in request and response, and what says that nothing more comes. */
struct followed {
    const char *method;
    const char *seen;    /* proto name of the request's field */
    const char *part;    /* member of the response that has the version; NULL: the response itself */
    const char *settled; /* a member beside the version that is true at the end; NULL: see `status` */
    bool by_status;      /* a job, which ends COMPLETED or FAILED */
};
static const struct followed FOLLOWED[] = {
    {"herald.event.v1.EventService/WaitEvent", "version", NULL, "settled", false},
    {"herald.job.v1.JobService/WaitJob", "version", "job", NULL, true},
    {"herald.distribution.v1.DistributionService/WaitDistribution", "after_version", "distribution", "completed",
     false},
};

static const struct followed *find_followed(const struct herald_route *route) {
    for (size_t i = 0; i < sizeof(FOLLOWED) / sizeof(FOLLOWED[0]); i++) {
        if (strcmp(FOLLOWED[i].method, route->method->full_name) == 0) {
            return &FOLLOWED[i];
        }
    }
    return NULL;
}

bool events_wanted(const struct request_head *head, const struct herald_route *route) {
    struct span accept = head->headers[HTTP_HEADER_ACCEPT], item;
    bool named = false;
    while (span_next(&accept, ',', &item)) {
        named |= item.bytes >= 17 && strncasecmp(span_trim(item).at, "text/event-stream", 17) == 0;
    }
    return named && route->http_method == HERALD_HTTP_GET && find_followed(route) != NULL;
}

/* Sets a number of the request by its proto name. */
static void set_request_number(const struct event_stream *stream, const char *name, uint64_t value) {
    const ProtobufCMessageDescriptor *descriptor = stream->message->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        void *to = (char *)stream->message + field->offset;
        if (strcmp(field->name, name) != 0) {
            continue;
        }
        if (herald_field_value_bytes(field) == sizeof(uint64_t)) {
            *(uint64_t *)to = value;
        } else {
            *(uint32_t *)to = (uint32_t)value;
        }
    }
}

/* Reads Last-Event-ID; what is no version of ours counts as none. */
static uint64_t last_event_id(const struct request_head *head) {
    struct span text = head->headers[HTTP_HEADER_LAST_EVENT_ID];
    char digits[VERSION_BYTES];
    if (text.at == NULL || text.bytes == 0 || text.bytes >= 20 || span_run_of(text, "0123456789") < text.bytes) {
        return 0;
    }
    memcpy(digits, text.at, text.bytes);
    digits[text.bytes] = '\0';
    return strtoull(digits, NULL, 10);
}

/* What an answer says of what is followed. */
struct look {
    uint64_t version;
    bool is_settled;
};

static struct look read_look(const struct followed *followed, const struct backend_end *end) {
    struct look look = {0};
    json_t *answer = json_loadb(end->json, end->json_bytes, 0, NULL);
    const json_t *part = followed->part != NULL ? json_object_get(answer, followed->part) : answer;
    const char *version = json_string_value(json_object_get(part, "version"));
    const char *status = json_string_value(json_object_get(part, "status"));
    look.version = version != NULL ? strtoull(version, NULL, 10) : 0;
    if (followed->by_status) {
        look.is_settled = status != NULL && (strcmp(status, "COMPLETED") == 0 || strcmp(status, "FAILED") == 0);
    } else {
        look.is_settled = json_is_true(json_object_get(part, followed->settled));
    }
    json_decref(answer);
    return look;
}

static bool begin_stream(const struct event_stream *stream) {
    struct response *response = stream->response;
    response_header(response, "cache-control", "no-store");
    response_header(response, "x-accel-buffering", "no"); /* nginx would keep events back */
    return response_stream(response, "text/event-stream; charset=utf-8") &&
           request_stream_put(stream->request, span_of("retry: 1000\n\n"));
}

static bool put_change(const struct event_stream *stream, uint64_t version, struct span json) {
    char head[64];
    int bytes = snprintf(head, sizeof(head), "id: %llu\nevent: change\ndata: ", (unsigned long long)version);
    return request_stream_put(stream->request, (struct span){head, (size_t)bytes}) &&
           request_stream_put(stream->request, json) && request_stream_put(stream->request, span_of("\n\n"));
}

/* Whether asking again can help: the server, or the way to it, failed for now. */
static bool passes(enum herald_code code) {
    return code == HERALD_UNAVAILABLE || code == HERALD_DEADLINE_EXCEEDED || code == HERALD_RESOURCE_EXHAUSTED ||
           code == HERALD_ABORTED;
}

TASK_FN static void ask_once(const struct event_stream *stream, struct backend_end *end) {
    const struct backend_call_options options = {.credential = stream->credential};
    herald_uuid7(stream->request->call.id);
    backend_call(stream->channel, stream->route->method, stream->message, &options, end);
}

/* Goes on after a failed call. Returns: false: the stream is over. */
TASK_FN static bool bear_failure(const struct event_stream *stream, const struct backend_end *end, bool began) {
    if (!began) {
        response_backend_failure(stream->response, stream->route->method, end);
        return false;
    }
    if (!passes(end->code)) {
        char text[96];
        int bytes =
            snprintf(text, sizeof(text), "event: error\ndata: {\"code\":\"%s\"}\n\n", herald_code_name((int)end->code));
        (void)request_stream_put(stream->request, (struct span){text, (size_t)bytes});
        return false;
    }
    return request_stream_put(stream->request, span_of(": the server does not answer just now\n\n")) &&
           task_sleep(ASK_AGAIN_MS, NULL) == HERALD_OK;
}

/* Whether a client that comes back has seen all there will be. */
static bool has_seen_all(const struct followed *followed, const struct backend_end *end, uint64_t seen) {
    if (seen == 0) {
        return false;
    }
    struct look look = read_look(followed, end);
    return look.is_settled && look.version == seen;
}

/* Answers without a stream: a browser's EventSource then comes back no more (HTML, 9.2.3). */
static void answer_all_seen(struct response *response) {
    response_header(response, "cache-control", "no-store");
    response_send(response, 204, NULL, (struct span){"", 0}, true);
}

/* Tells what one answer says. Returns: false: the stream is over. */
static bool tell_answer(const struct event_stream *stream, const struct followed *followed,
                        const struct backend_end *end, uint64_t *seen, bool is_first) {
    struct look look = read_look(followed, end);
    bool fresh = look.version != *seen || is_first;
    bool good = fresh ? put_change(stream, look.version, (struct span){end->json, end->json_bytes})
                      : request_stream_put(stream->request, span_of(": nothing new\n\n"));
    *seen = look.version;
    if (good && look.is_settled) {
        (void)request_stream_put(stream->request, span_of("event: end\ndata: {}\n\n"));
    }
    return good && !look.is_settled;
}

void events_serve(const struct event_stream *stream) {
    const struct followed *followed = find_followed(stream->route);
    uint32_t wait_ms = stream->gateway->options.settings->gateway_keep_alive_ms;
    uint64_t seen = last_event_id(&stream->request->head);
    bool began = false, goes_on = true;
    set_request_number(stream, "wait_ms", LOOK_MS);
    while (goes_on && stream->request->connection != NULL && !http_port_is_draining(stream->request->port)) {
        struct backend_end end;
        if (seen > 0) {
            set_request_number(stream, followed->seen, seen);
        }
        ask_once(stream, &end);
        if (end.code != HERALD_OK) {
            goes_on = bear_failure(stream, &end, began);
        } else if (!began && has_seen_all(followed, &end, seen)) {
            answer_all_seen(stream->response);
            goes_on = false;
        } else {
            bool is_first = !began && seen == 0;
            goes_on = (began || begin_stream(stream)) && tell_answer(stream, followed, &end, &seen, is_first);
            began = true;
            set_request_number(stream, "wait_ms", wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS);
        }
        backend_end_clear(&end);
    }
    if (began) {
        request_stream_end(stream->request);
    }
}
