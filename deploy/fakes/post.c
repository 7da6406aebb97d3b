/* Posts to a fake channel: checks the signature and body, then does what the channel's behaviour says. */
#include "deploy/fakes/fakes_private.h"
#include "deploy/fakes/signature.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The decision on one post. */
struct verdict {
    unsigned status; /* 200: accepted */
    const char *why;
    uint32_t retry_after_s;
};

static const char *header(struct fakes_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* Whether a key is safe in paths and logs: letters, digits, and the punctuation of UUIDs and message ids. */
static bool is_key(const char *text) {
    static const char ALLOWED[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:";
    return text != NULL && text[0] != '\0' && strlen(text) <= 128 && text[strspn(text, ALLOWED)] == '\0';
}

static void chat(const struct fakes *fakes, const struct fake_post *post, const char *outcome) {
    if (fakes->chatty) {
        fprintf(stderr, "herald-fakes: %-14s event %s key %s: %s (%lld ms)\n", fake_channel_name(post->channel),
                post->event_id[0] != '\0' ? post->event_id : "?",
                post->idempotency_key[0] != '\0' ? post->idempotency_key : "?", outcome,
                (long long)(fakes_now_ms() - post->received_ms));
    }
}

static struct verdict check_body(const struct fakes_request *request, enum fake_channel channel, const json_t *body) {
    const char *named = json_string_value(json_object_get(body, "channel"));
    if (request->too_big) {
        return (struct verdict){413, "the body has more than 20000 bytes", 0};
    }
    if (!json_is_object(body)) {
        return (struct verdict){400, "the body is not a JSON object", 0};
    }
    if (json_string_length(json_object_get(body, "eventId")) == 0) {
        return (struct verdict){400, "eventId is missing", 0};
    }
    if (named == NULL || strcmp(named, fake_channel_name(channel)) != 0) {
        return (struct verdict){400, "channel is not the one in the path", 0};
    }
    if (json_string_length(json_object_get(body, "title")) == 0) {
        return (struct verdict){400, "title is missing", 0};
    }
    return (struct verdict){200, NULL, 0};
}

static struct verdict check_post(struct fakes *fakes, struct fakes_request *request, enum fake_channel channel,
                                 const json_t *body) {
    const char *key = header(request, "webhook-id");
    if (!is_key(key)) {
        return (struct verdict){400, "the header webhook-id is missing or malformed", 0};
    }
    const char *wrong = NULL;
    if (fakes->signed_only && !request->too_big) {
        wrong = signature_check(&fakes->secret, key, header(request, "webhook-timestamp"),
                                header(request, "webhook-signature"), request->body, request->body_bytes,
                                request->received_ms / 1000);
    }
    if (wrong != NULL) {
        return (struct verdict){401, wrong, 0};
    }
    return check_body(request, channel, body);
}

/* Whether the peer closed its side, or the connection broke. */
static bool peer_is_gone(struct fakes_request *request) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    char byte;
    ssize_t got = recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static enum MHD_Result refuse_post(struct fakes *fakes, struct fakes_request *request, const struct fake_post *post,
                                   struct verdict verdict) {
    fake_channels_refuse(fakes->channels, post, verdict.status, verdict.why);
    chat(fakes, post, verdict.why);
    return fakes_answer(request, verdict.status, json_pack("{s:s}", "error", verdict.why), verdict.retry_after_s);
}

static enum MHD_Result drop_post(struct fakes *fakes, const struct fake_post *post) {
    fake_channels_refuse(fakes->channels, post, 0, "the connection was dropped");
    chat(fakes, post, "connection dropped");
    return MHD_NO;
}

static enum MHD_Result hang_post(struct fakes *fakes, struct fakes_request *request, const struct fake_post *post) {
    char remote_id[64];
    uint64_t line;
    fake_channels_accept(fakes->channels, post, remote_id, &line);
    chat(fakes, post, "accepted, never answered");
    while (fakes_wait(fakes, 50) && !peer_is_gone(request)) {
        continue;
    }
    return MHD_NO;
}

static enum MHD_Result accept_post(struct fakes *fakes, struct fakes_request *request, const struct fake_post *post) {
    char remote_id[64];
    uint64_t line;
    bool duplicate = fake_channels_accept(fakes->channels, post, remote_id, &line);
    fake_channels_answered(fakes->channels, line, fakes_now_ms());
    chat(fakes, post, duplicate ? "accepted before, same answer" : "accepted");
    return fakes_answer(request, 200, json_pack("{s:s}", "id", remote_id), 0);
}

static enum MHD_Result decide(struct fakes *fakes, struct fakes_request *request, const struct fake_post *post,
                              struct fake_behaviour behaviour) {
    if (behaviour.mode == FAKE_HANG) {
        return hang_post(fakes, request, post);
    }
    if (!fakes_wait(fakes, behaviour.delay_ms)) {
        return MHD_NO;
    }
    switch (behaviour.mode) {
    case FAKE_DROP:
        return drop_post(fakes, post);
    case FAKE_FAIL:
        return refuse_post(fakes, request, post,
                           (struct verdict){behaviour.status, "told to fail", behaviour.retry_after_s});
    case FAKE_REJECT:
        return refuse_post(fakes, request, post, (struct verdict){422, "told to reject", behaviour.retry_after_s});
    default:
        return accept_post(fakes, request, post);
    }
}

static enum MHD_Result behave(struct fakes *fakes, struct fakes_request *request, const struct fake_post *post) {
    struct fake_behaviour behaviour = fake_channels_take(fakes->channels, post->channel);
    fake_channels_begin(fakes->channels, post);
    enum MHD_Result result = decide(fakes, request, post, behaviour);
    fake_channels_end(fakes->channels, post);
    return result;
}

enum MHD_Result fakes_post(struct fakes *fakes, struct fakes_request *request, enum fake_channel channel) {
    json_t *body = json_loadb(request->body, request->body_bytes, JSON_REJECT_DUPLICATES, NULL);
    const char *event_id = json_string_value(json_object_get(body, "eventId"));
    const char *key = header(request, "webhook-id");
    struct fake_post post = {.channel = channel,
                             .event_id = event_id != NULL ? event_id : "",
                             .idempotency_key = is_key(key) ? key : "",
                             .received_ms = request->received_ms};
    struct verdict verdict = check_post(fakes, request, channel, body);
    enum MHD_Result result =
        verdict.status == 200 ? behave(fakes, request, &post) : refuse_post(fakes, request, &post, verdict);
    json_decref(body);
    return result;
}
