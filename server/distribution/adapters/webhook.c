/*
 * Signed partner webhooks (Standard Webhooks 1.0.0): 우리동네TV, 링고비즈, 지니TV.
 *
 *   POST <url>   2xx accepts. Any other status says that the post was not accepted.
 *
 * The receiver recognises a repeat by webhook-id, which never changes. It cannot be asked: a lost answer stays unknown.
 */
#include "server/outgoing/webhook.h"

#include "herald/distribution/v1/channel_post.pb-c.h"
#include "herald/distribution/v1/channel_post.schema.h"
#include "herald/json.h"
#include "server/distribution/adapter.h"
#include "server/distribution/adapters/adapters.h"
#include "server/distribution/adapters/previewing.h"
#include "server/outgoing/picture_url.h"
#include "server/runtime/proto_arena.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_ROOM    600
#define HEADER_ROOM (WEBHOOK_SIGNATURES_BYTES + 32)

static const struct answer_rule rules[] = {
    {200, 299, ANY_CODE, ANY_CODE, MEANS_ACCEPTED, HERALD_REASON_NONE, ""},
    {401, 401, ANY_CODE, ANY_CODE, MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH,
     "the channel refused the signature or the credentials"},
    {403, 403, ANY_CODE, ANY_CODE, MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH,
     "the channel does not allow this account to post"},
    {408, 408, ANY_CODE, ANY_CODE, MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE,
     "the channel gave up waiting for the post"},
    {409, 409, ANY_CODE, ANY_CODE, MEANS_UNKNOWN, HERALD_REASON_CHANNEL_LOST,
     "the channel has the post's key already, and does not say what became of it"},
    {410, 410, ANY_CODE, ANY_CODE, MEANS_DISABLED, HERALD_REASON_CHANNEL_DISABLED,
     "the channel has switched this webhook off"},
    {421, 421, ANY_CODE, ANY_CODE, MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE,
     "the request went to a server that does not serve the channel"},
    {425, 425, ANY_CODE, ANY_CODE, MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE, "the channel says: too early"},
    {429, 429, ANY_CODE, ANY_CODE, MEANS_THROTTLE, HERALD_REASON_CHANNEL_THROTTLED,
     "the channel takes no more posts for now"},
    {502, 502, ANY_CODE, ANY_CODE, MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE,
     "the channel's gateway does not reach it"},
    {503, 503, ANY_CODE, ANY_CODE, MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE,
     "the channel is out of service for now"},
    {504, 504, ANY_CODE, ANY_CODE, MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE,
     "the channel's gateway waited in vain for it"},
    {400, 499, ANY_CODE, ANY_CODE, MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED,
     "the channel refused the post for good"},
    {500, 599, ANY_CODE, ANY_CODE, MEANS_RETRY, HERALD_REASON_CHANNEL_ERROR, "the channel failed at the post"},
    {300, 399, ANY_CODE, ANY_CODE, MEANS_REJECT, HERALD_REASON_CHANNEL_REDIRECTED,
     "the channel answered with a redirect, which is not followed"},
    {0, 0, ANY_CODE, ANY_CODE, MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED,
     "the channel answered with a status that no standard knows"},
};

static bool webhook_is_configured(const struct channel_setup *setup) {
    return setup->secret[0] != '\0' && (setup->url[0] != '\0' || setup->base[0] != '\0');
}

/* Where the webhook is: its own URL as it stands, or one under the common base. NULL: no memory. */
static const char *webhook_url(const struct adapter_delivery *delivery) {
    const struct channel_setup *setup = delivery->setup;
    if (setup->url[0] != '\0') {
        return setup->url;
    }
    size_t bytes = strlen(setup->base);
    while (bytes > 0 && setup->base[bytes - 1] == '/') {
        bytes--;
    }
    return arena_printf(call_arena(), "%.*s/channels/%s/posts", (int)bytes, setup->base, delivery->row->name);
}

/* The JPEG of a picture that Herald has made, in the shape of televisions; another picture as it is. NULL: no memory. */
static const char *tv_picture(const char *jpeg_url) {
    char shaped[URL_ROOM];
    return arena_strdup(call_arena(),
                        picture_shape_url(jpeg_url, PICTURE_VIDEO, shaped, sizeof(shaped)) ? shaped : jpeg_url);
}

/* The body. Returns: NULL: no memory, or a text that JSON cannot hold; malloc'ed */
static char *webhook_body(const struct adapter_delivery *delivery, struct herald_error *reterr) {
    const Herald__Distribution__V1__Content *content = delivery->content;
    Herald__Distribution__V1__ChannelPost post = HERALD__DISTRIBUTION__V1__CHANNEL_POST__INIT;
    const char *picture = tv_picture(content->jpeg_url);
    char *json = NULL;
    if (!picture) {
        (void)arena_full(reterr, "the post");
        return NULL;
    }
    post.event_id = borrow_str(delivery->event_id);
    post.channel = (Herald__Distribution__V1__Channel)delivery->row->number;
    post.title = content->title;
    post.prize = content->prize;
    post.text = content->text;
    post.store_info = content->store_info;
    post.png_url = content->png_url;
    post.jpeg_url = content->jpeg_url;
    post.wide_jpeg_url = borrow_str(picture);
    return herald_json_write(&herald_distribution_v1_channel_post_schema, &post.base, NULL, &json, reterr) == HERALD_OK
               ? json
               : NULL;
}

/* Filled and read without a wait between; on the stack of a task that waits it would take two pages. */
static _Thread_local struct herald_error last_failure;

TASK_FN static struct channel_answer send_signed(const struct adapter_delivery *delivery, const char *url,
                                                 const struct webhook_secrets *secrets, const char *body) {
    char id[64], timestamp[64], signatures[WEBHOOK_SIGNATURES_BYTES], signature[HEADER_ROOM], event[64];
    int64_t now_s = clock_wall_us() / 1000000;
    if (!webhook_sign_all(secrets, delivery->key, now_s, body, strlen(body), signatures)) {
        return answer_plain(MEANS_OWN_WANT, HERALD_REASON_NOT_SENT, "no memory to sign the post");
    }
    snprintf(id, sizeof(id), "webhook-id: %s", delivery->key);
    snprintf(timestamp, sizeof(timestamp), "webhook-timestamp: %" PRId64, now_s);
    snprintf(signature, sizeof(signature), "webhook-signature: %s", signatures);
    snprintf(event, sizeof(event), "x-herald-event: %s", delivery->event_id);
    const char *const headers[] = {"content-type: application/json", id, timestamp, signature, event, NULL};
    struct http_request request = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .body = body,
        .body_bytes = strlen(body),
        .timeout_ms = delivery->setup->timeout_ms,
        .reuse = delivery->row->can.idempotency,
    };
    struct http_response response;
    enum herald_code code = http_send(delivery->http, &request, &response, &last_failure);
    if (code != HERALD_OK) {
        return answer_of_failure(code, &last_failure, true);
    }
    const struct answer_rule *rule = answer_classify(rules, response.status, ANY_CODE, ANY_CODE);
    struct channel_answer answer = answer_of_rule(rule, &response, ANY_CODE, ANY_CODE, "");
    if (answer.meaning == MEANS_ACCEPTED) {
        answer.remote_id = answer_id(response.body, response.body_bytes, "id");
    }
    return answer_blame_clock(answer, &response);
}

TASK_FN static struct channel_answer webhook_commit(const struct adapter_delivery *delivery) {
    struct webhook_secrets secrets;
    const char *url = webhook_url(delivery);
    if (webhook_secrets_parse(delivery->setup->secret, &secrets, NULL) != HERALD_OK) {
        return answer_plain(MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH, "the channel's secret is malformed");
    }
    char *body = url ? webhook_body(delivery, NULL) : NULL;
    struct channel_answer answer =
        body ? send_signed(delivery, url, &secrets, body)
             : answer_plain(MEANS_OWN_WANT, HERALD_REASON_NOT_SENT, "no memory to make the post");
    free(body);
    OPENSSL_cleanse(&secrets, sizeof(secrets));
    return answer;
}

static enum herald_code webhook_preview(const struct adapter_delivery *delivery, struct preview *preview,
                                        struct herald_error *reterr) {
    const char *url = webhook_url(delivery);
    char *body = url ? webhook_body(delivery, reterr) : NULL;
    const char *kept = body ? arena_strdup(call_arena(), body) : NULL;
    size_t bytes = body ? strlen(body) : 0;
    free(body);
    if (!url || !kept) {
        return arena_full(reterr, "the preview");
    }
    static const char *const HEADERS[] = {"content-type: application/json", NULL};
    enum herald_code code = preview_add_request(preview, "POST", url, HEADERS, kept, "publish the post", reterr);
    if (code == HERALD_OK) {
        code = preview_add_picture(preview, tv_picture(delivery->content->jpeg_url), reterr);
    }
    return code == HERALD_OK ? preview_check_content(delivery, preview, delivery->content->text, bytes, reterr) : code;
}

const struct adapter webhook_adapter = {
    .name = "webhook",
    .is_configured = webhook_is_configured,
    .preview = webhook_preview,
    .commit = webhook_commit,
};
