/*
 * The adapter that speaks to a channel. Two tables say what each HTTP status means for the delivery. A result that a
 * proxy may have produced after the channel took the post is OUTCOME_UNKNOWN.
 */
#include "server/distribution/channel.h"

#include "client/base/ascii.h"
#include "herald/distribution/v1/channel_post.pb-c.h"
#include "herald/distribution/v1/channel_post.schema.h"
#include "herald/json.h"
#include "server/distribution/channels.h"
#include "server/distribution/distribution_settings.h"
#include "server/runtime/proto_arena.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name

/* The meaning of an HTTP status for a post; the first row that fits counts. */
static const struct status_rule {
    int from, to;
    int state;
    enum herald_reason reason;
    const char *message;
} post_rules[] = {
    {200, 299, STATE(PUBLISHED), HERALD_REASON_NONE, ""},
    {401, 401, STATE(NEEDS_AUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH,
     "the channel refused the signature or the credentials"},
    {403, 403, STATE(NEEDS_AUTH), HERALD_REASON_CHANNEL_NEEDS_AUTH, "the channel does not allow this account to post"},
    {410, 410, STATE(REJECTED), HERALD_REASON_CHANNEL_DISABLED, "the channel has switched this webhook off"},
    {408, 408, STATE(OUTCOME_UNKNOWN), HERALD_REASON_CHANNEL_TIMEOUT, "the channel gave up waiting"},
    {429, 429, STATE(READY), HERALD_REASON_CHANNEL_THROTTLED, "the channel takes no more posts for now"},
    {503, 503, STATE(READY), HERALD_REASON_CHANNEL_UNAVAILABLE, "the channel is out of service for now"},
    {400, 499, STATE(REJECTED), HERALD_REASON_CHANNEL_REJECTED, "the channel refused the post for good"},
    {500, 999, STATE(OUTCOME_UNKNOWN), HERALD_REASON_CHANNEL_ERROR, "the channel failed while it had the post"},
    {100, 399, STATE(REJECTED), HERALD_REASON_CHANNEL_REDIRECTED,
     "the channel answered with a redirect, which is not followed"},
};

static const struct status_rule look_up_rules[] = {
    {200, 200, STATE(PUBLISHED), HERALD_REASON_NONE, ""},
    {202, 202, STATE(OUTCOME_UNKNOWN), HERALD_REASON_CHANNEL_WORKING, "the channel has the post and has not decided"},
    {404, 404, STATE(READY), HERALD_REASON_NOT_ACCEPTED, "the channel did not accept the earlier post"},
    {100, 999, STATE(OUTCOME_UNKNOWN), HERALD_REASON_LOOK_UP_FAILED,
     "the channel does not say what became of the post"},
};

void channel_post_key(const char *event_id, int channel, char ret_key[37]) {
    char text[128];
    int length = snprintf(text, sizeof(text), "%s/%s", event_id, channel_name(channel));
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)text, (size_t)length, digest);
    memcpy(ret_key, "evt_", 4);
    herald_write_hex(digest, 16, ret_key + 4);
}

/* The member "id" of the answer's JSON object; "" when there is none. */
static const char *remote_id_of_answer(const struct http_response *response) {
    json_t *root = json_loadb(response->body, response->body_bytes, 0, NULL);
    const char *id = json_string_value(json_object_get(root, "id"));
    const char *copy = id && strlen(id) <= 128 ? arena_strdup(call_arena(), id) : NULL;
    json_decref(root);
    return copy ? copy : "";
}

/* The wait that the channel asks for, as the row of a delivery holds it: at most an hour. */
static uint32_t retry_after_ms_of(const struct http_response *response) {
    enum { WAIT_MAX_MS = 3600000 };
    int64_t wait_ms = (response->retry_at_us - clock_wall_us()) / 1000;
    return wait_ms <= 0 ? 0 : wait_ms < WAIT_MAX_MS ? (uint32_t)wait_ms : WAIT_MAX_MS;
}

static struct channel_answer answer_of_status(const struct status_rule *rules, const struct http_response *response) {
    const struct status_rule *rule = rules;
    while (response->status < rule->from || response->status > rule->to) {
        rule++;
    }
    struct channel_answer answer = {
        .state = rule->state,
        .remote_id = rule->state == STATE(PUBLISHED) ? remote_id_of_answer(response) : "",
        .reason = rule->reason,
        .message = rule->message,
        .retry_after_ms = retry_after_ms_of(response),
    };
    if (rule->message[0]) {
        const char *message = arena_printf(call_arena(), "%s (HTTP status %d)", rule->message, response->status);
        answer.message = message ? message : rule->message;
    }
    return answer;
}

static struct channel_answer answer_of_error(int state, enum herald_reason reason, const struct herald_error *error) {
    const char *message = arena_strdup(call_arena(), error->message);
    return (struct channel_answer){
        .state = state,
        .remote_id = "",
        .reason = reason,
        .message = message ? message : "",
    };
}

static enum herald_code post_body(const char *event_id, int channel, const Herald__Distribution__V1__Content *content,
                                  char **ret_json, struct herald_error *reterr) {
    Herald__Distribution__V1__ChannelPost post = HERALD__DISTRIBUTION__V1__CHANNEL_POST__INIT;
    post.event_id = borrow_str(event_id);
    post.channel = (Herald__Distribution__V1__Channel)channel;
    post.title = content->title;
    post.prize = content->prize;
    post.text = content->text;
    post.store_info = content->store_info;
    post.png_url = content->png_url;
    post.jpeg_url = content->jpeg_url;
    return herald_json_write(&herald_distribution_v1_channel_post_schema, &post.base, NULL, ret_json, reterr);
}

/* Sends the signed request. Each way in which it can end is an answer. */
TASK_FN static struct channel_answer send_signed(struct distribution_service *service, const char *url, const char *key,
                                                 const char *body, uint32_t timeout_ms) {
    char id[64], timestamp[64], signatures[WEBHOOK_SIGNATURES_BYTES], signature_header[WEBHOOK_SIGNATURES_BYTES + 32];
    int64_t now_s = clock_wall_us() / 1000000;
    if (!webhook_sign_all(service->secrets, key, now_s, body, strlen(body), signatures)) {
        return answer_of_error(STATE(READY), HERALD_REASON_CHANNEL_UNREACHABLE,
                               &(struct herald_error){.message = "no memory to sign the post"});
    }
    snprintf(id, sizeof(id), "webhook-id: %s", key);
    snprintf(timestamp, sizeof(timestamp), "webhook-timestamp: %" PRId64, now_s);
    snprintf(signature_header, sizeof(signature_header), "webhook-signature: %s", signatures);
    const char *const headers[] = {"content-type: application/json", id, timestamp, signature_header, NULL};
    struct http_request request = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .body = body,
        .body_bytes = strlen(body),
        .timeout_ms = timeout_ms,
    };
    struct http_response response;
    struct herald_error error = {0};
    enum herald_code code = http_send(service->http, &request, &response, &error);
    if (code == HERALD_OK) {
        return answer_of_status(post_rules, &response);
    }
    if (code == HERALD_UNAVAILABLE) {
        return answer_of_error(STATE(READY), HERALD_REASON_CHANNEL_UNREACHABLE, &error);
    }
    return answer_of_error(STATE(OUTCOME_UNKNOWN),
                           herald_error_is(&error, HERALD_REASON_HTTP_TIMEOUT) ? HERALD_REASON_CHANNEL_TIMEOUT
                                                                               : HERALD_REASON_CHANNEL_LOST,
                           &error);
}

TASK_FN enum herald_code channel_post(struct distribution_service *service, const char *event_id, int channel,
                                      const Herald__Distribution__V1__Content *content, uint32_t timeout_ms,
                                      struct channel_answer *ret_answer, struct herald_error *reterr) {
    char key[37];
    channel_post_key(event_id, channel, key);
    const char *url = arena_printf(call_arena(), "%s/channels/%s/posts",
                                   channels_settings(service->settings)->channels_url, channel_path(channel));
    if (!url) {
        return arena_full(reterr, "the channel's URL");
    }
    char *body = NULL;
    enum herald_code code = post_body(event_id, channel, content, &body, reterr);
    if (code == HERALD_OK && body) {
        *ret_answer = send_signed(service, url, key, body, timeout_ms);
        free(body);
    }
    return code;
}

TASK_FN enum herald_code channel_look_up(struct distribution_service *service, const char *event_id, int channel,
                                         uint32_t timeout_ms, struct channel_answer *ret_answer,
                                         struct herald_error *reterr) {
    char key[37];
    channel_post_key(event_id, channel, key);
    struct http_request request = {
        .method = "GET",
        .url = arena_printf(call_arena(), "%s/channels/%s/posts/%s", channels_settings(service->settings)->channels_url,
                            channel_path(channel), key),
        .timeout_ms = timeout_ms,
    };
    if (!request.url) {
        return arena_full(reterr, "the channel's URL");
    }
    struct http_response response;
    struct herald_error error = {0};
    *ret_answer = http_send(service->http, &request, &response, &error) == HERALD_OK
                      ? answer_of_status(look_up_rules, &response)
                      : answer_of_error(STATE(OUTCOME_UNKNOWN), HERALD_REASON_LOOK_UP_FAILED, &error);
    return HERALD_OK;
}
