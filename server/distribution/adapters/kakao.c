/*
 * Kakao brand messages, through a dealer that speaks the protocol of NAVER Cloud SENS:
 *
 *   POST <url>/brandmessage/v2/services/<service>/messages                      2xx accepts; 202 {"requestId": …}
 *   GET  <url>/brandmessage/v2/services/<service>/messages?idempotencyKey=<key> 200 with the message | 404, none: not there
 *
 * Each request is signed over its path and query as they are sent; what <url> has behind its host is signed with them.
 *
 * A repeated key is refused with -1005, and that says nothing about the first post: the outcome is unknown and looked
 * up. The gateway's own failures (5xx) leave open whether the dealer has the message: likewise.
 *
 * Source: NAVER Cloud, "SENS overview", "Brand message: send", "Brand message: list". Of the key and the look-up by it:
 * docs/channels.md.
 */
#include "client/json/text.h"
#include "server/distribution/adapters/adapters.h"
#include "server/distribution/adapters/post_caption.h"
#include "server/distribution/adapters/previewing.h"
#include "server/outgoing/picture_url.h"
#include "server/outgoing/sens.h"
#include "server/runtime/proto_arena.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_ROOM   600
#define CODE_CHARS 9 /* digits of a code, its sign included */
#define HEADERS    8

#define CODE_QUIET_HOURS  3022 /* no advertising from 20:50 to 08:00 */
#define CODE_REPEATED_KEY (-1005)
#define CODE_GATEWAY_FULL 400  /* the gateway's quota of requests is used up */
#define CODE_UNCERTAIN    3005 /* sent, and Kakao did not confirm it */
#define CODE_KAKAO_BUSY   9998 /* Kakao's own trouble; 9999 too */
#define CODE_KAKAO_ERROR  9999

static const struct answer_rule kakao_rules[] = {
    {200, 299, ANY_CODE, ANY_CODE, MEANS_ACCEPTED, HERALD_REASON_NONE, ""},
    {0, 0, CODE_REPEATED_KEY, ANY_CODE, MEANS_UNKNOWN, HERALD_REASON_KEY_REPEATED,
     "the dealer has the post's key already, and does not say what became of it"},
    {0, 0, CODE_QUIET_HOURS, ANY_CODE, MEANS_QUIET, HERALD_REASON_QUIET_HOURS,
     "the channel takes no advertising at night"},
    {500, 599, ANY_CODE, ANY_CODE, MEANS_UNKNOWN, HERALD_REASON_CHANNEL_ERROR, "the dealer failed at the post"},
    {300, 399, ANY_CODE, ANY_CODE, MEANS_REJECT, HERALD_REASON_CHANNEL_REDIRECTED,
     "the dealer answered with a redirect, which is not followed"},
    {401, 401, ANY_CODE, ANY_CODE, MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH,
     "the dealer refused the signature or the keys"},
    {403, 403, ANY_CODE, ANY_CODE, MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH,
     "the dealer does not allow this account to send"},
    {408, 408, ANY_CODE, ANY_CODE, MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE,
     "the dealer gave up waiting for the post"},
    {409, 409, ANY_CODE, ANY_CODE, MEANS_UNKNOWN, HERALD_REASON_KEY_REPEATED,
     "the dealer has the post's key already, and does not say what became of it"},
    {421, 421, ANY_CODE, ANY_CODE, MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE,
     "the request went to a server that does not serve the dealer"},
    {425, 425, ANY_CODE, ANY_CODE, MEANS_RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE, "the dealer says: too early"},
    {429, 429, CODE_GATEWAY_FULL, ANY_CODE, MEANS_QUOTA, HERALD_REASON_QUOTA,
     "the dealer's quota of requests is used up"},
    {429, 429, ANY_CODE, ANY_CODE, MEANS_THROTTLE, HERALD_REASON_CHANNEL_THROTTLED,
     "the dealer takes no more posts for now"},
    {400, 499, ANY_CODE, ANY_CODE, MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED,
     "the dealer refused the post for good"},
    {0, 0, ANY_CODE, ANY_CODE, MEANS_UNKNOWN, HERALD_REASON_CHANNEL_ERROR,
     "the dealer answered with a status that no standard knows"},
};

/* A look-up whose answer is not the message. */
static const struct answer_rule look_up_rules[] = {
    {202, 202, ANY_CODE, ANY_CODE, MEANS_NOT_YET, HERALD_REASON_CHANNEL_WORKING,
     "the dealer has not decided about the post"},
    {401, 401, ANY_CODE, ANY_CODE, MEANS_REAUTH, HERALD_REASON_LOOK_UP_FAILED,
     "the dealer refused the signature or the keys"},
    {403, 403, ANY_CODE, ANY_CODE, MEANS_REAUTH, HERALD_REASON_LOOK_UP_FAILED,
     "the dealer does not allow this account to ask"},
    {429, 429, ANY_CODE, ANY_CODE, MEANS_THROTTLE, HERALD_REASON_LOOK_UP_FAILED,
     "the dealer takes no more requests for now"},
    {0, 0, ANY_CODE, ANY_CODE, MEANS_UNKNOWN, HERALD_REASON_LOOK_UP_FAILED,
     "the dealer does not say what became of the post"},
};

/* A message that the dealer took and could not deliver. */
static const struct answer_rule failed_rules[] = {
    {0, 0, CODE_QUIET_HOURS, ANY_CODE, MEANS_NOT_THERE, HERALD_REASON_NOT_ACCEPTED,
     "the message was not delivered: no advertising at night"},
    {0, 0, CODE_UNCERTAIN, ANY_CODE, MEANS_UNKNOWN, HERALD_REASON_LOOK_UP_FAILED,
     "the message was sent, and Kakao did not confirm it"},
    {0, 0, CODE_KAKAO_BUSY, ANY_CODE, MEANS_UNKNOWN, HERALD_REASON_LOOK_UP_FAILED, "Kakao has trouble of its own"},
    {0, 0, CODE_KAKAO_ERROR, ANY_CODE, MEANS_UNKNOWN, HERALD_REASON_LOOK_UP_FAILED, "Kakao has trouble of its own"},
    {0, 0, ANY_CODE, ANY_CODE, MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED, "the message was not delivered"},
};

static bool kakao_is_configured(const struct channel_setup *setup) {
    return setup->url[0] != '\0' && setup->account[0] != '\0' && setup->key[0] != '\0' && setup->secret[0] != '\0' &&
           setup->sender[0] != '\0';
}

/* ---- what is sent ---- */

static bool may_stand_in_path(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~:@", c) != NULL);
}

/* A service's id is an NRN: "ncp:kkobizmsg:kr:123:shop". NULL: no memory. */
static const char *service_in_path(const char *service) {
    size_t length = 0;
    char *path = arena_alloc(call_arena(), 3 * strlen(service) + 1);
    for (; path && *service != '\0'; service++) {
        if (may_stand_in_path(*service)) {
            path[length++] = *service;
        } else {
            length += (size_t)snprintf(path + length, 4, "%%%02X", (unsigned char)*service);
        }
    }
    if (path) {
        path[length] = '\0';
    }
    return path;
}

/* Where messages are. @query  "" or "?…". NULL: no memory. */
static const char *messages_url(const struct channel_setup *setup, const char *query) {
    const char *service = service_in_path(setup->account);
    size_t bytes = strlen(setup->url);
    while (bytes > 0 && setup->url[bytes - 1] == '/') {
        bytes--;
    }
    return service ? arena_printf(call_arena(), "%.*s/brandmessage/v2/services/%s/messages%s", (int)bytes, setup->url,
                                  service, query)
                   : NULL;
}

/* Path and query of a URL. */
static const char *path_of_url(const char *url) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return host + strcspn(host, "/");
}

/* The picture in the shape of messages, where Herald has made it; "": none. NULL: no memory. */
static const char *wide_picture(const char *jpeg_url) {
    char shaped[URL_ROOM];
    bool is_shaped = picture_shape_url(jpeg_url, PICTURE_WIDE, shaped, sizeof(shaped));
    return arena_strdup(call_arena(), is_shaped ? shaped : jpeg_url);
}

/* The body; malloc'ed. NULL: no memory. */
static char *message_body(const struct channel_setup *setup, const char *caption, const char *picture) {
    bool pictured = picture[0] != '\0';
    json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "plusFriendId", setup->sender, "messageType",
                             pictured ? "IMAGE" : "TEXT", "targeting", setup->option, "content", caption);
    if (json && pictured && json_object_set_new(json, "imageUrl", json_string(picture)) != 0) {
        json_decref(json);
        return NULL;
    }
    char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return body;
}

/* Makes the body of a delivery. @ret_body  in the running call's arena */
static enum herald_code make_kakao_message(const struct adapter_delivery *delivery, const char **ret_body,
                                           const char **ret_caption, const char **ret_picture,
                                           struct herald_error *reterr) {
    const char *picture = wide_picture(delivery->content->jpeg_url);
    enum herald_code code =
        picture ? post_caption(delivery, ret_caption, NULL, reterr) : arena_full(reterr, "the message");
    if (code != HERALD_OK) {
        return code;
    }
    char *body = message_body(delivery->setup, *ret_caption, picture);
    *ret_picture = picture;
    *ret_body = body ? arena_strdup(call_arena(), body) : NULL;
    free(body);
    return *ret_body ? HERALD_OK : arena_full(reterr, "the message");
}

static const char *header(const char *name, const char *value) {
    return arena_printf(call_arena(), "%s: %s", name, value);
}

/* The headers of a signed request, and @own, NULL-terminated. False: no memory. */
static bool sign_request(const struct channel_setup *setup, const struct http_request *request, const char *const *own,
                         const char *ret_headers[HEADERS]) {
    char signature[SENS_SIGNATURE_BYTES], timestamp[24];
    int64_t now_ms = clock_wall_us() / 1000;
    size_t count = 0;
    if (!sens_sign(setup->secret, request->method, path_of_url(request->url), now_ms, setup->key, signature)) {
        return false;
    }
    snprintf(timestamp, sizeof(timestamp), "%" PRId64, now_ms);
    ret_headers[count++] = header("x-ncp-apigw-timestamp", timestamp);
    ret_headers[count++] = header("x-ncp-iam-access-key", setup->key);
    ret_headers[count++] = header("x-ncp-apigw-signature-v2", signature);
    while (*own) {
        ret_headers[count++] = *own++;
    }
    ret_headers[count] = NULL;
    return ret_headers[0] && ret_headers[1] && ret_headers[2];
}

/* Signs and sends. NOT_SENT without memory. */
TASK_FN static enum herald_code send_to_dealer(const struct adapter_delivery *delivery, struct http_request *request,
                                               const char *const *own, struct http_response *ret_response,
                                               struct herald_error *reterr) {
    const char *headers[HEADERS];
    if (!sign_request(delivery->setup, request, own, headers)) {
        return arena_full(reterr, "the headers of a message");
    }
    request->headers = headers;
    request->timeout_ms = delivery->setup->timeout_ms;
    enum herald_code code = http_send(delivery->http, request, ret_response, reterr);
    request->headers = NULL; /* they end here */
    return code;
}

/* ---- what is answered ---- */

/* A code: a number, or one as a string. ANY_CODE: it is none. */
static int read_kakao_code(const json_t *json) {
    if (json_is_integer(json)) {
        json_int_t number = json_integer_value(json);
        return number > -99999999 && number < 999999999 ? (int)number : ANY_CODE;
    }
    const char *text = json_string_value(json);
    size_t length = text ? strlen(text) : 0, sign = length > 0 && text[0] == '-';
    if (length == sign || length > CODE_CHARS || strspn(text + sign, "0123456789") != length - sign) {
        return ANY_CODE;
    }
    return (int)strtol(text, NULL, 10);
}

/* The code of an error's body, which gateway and dealer write differently. ANY_CODE: there is none. */
static int error_code(const json_t *body) {
    const json_t *error = json_object_get(body, "error");
    const json_t *places[] = {json_object_get(error, "errorCode"), json_object_get(error, "code"),
                              json_object_get(body, "errorCode"), json_object_get(body, "code"),
                              json_object_get(body, "statusCode")};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int code = read_kakao_code(places[i]);
        if (code != ANY_CODE) {
            return code;
        }
    }
    return ANY_CODE;
}

static const char *error_words(const json_t *body) {
    const char *words = json_string_value(json_object_get(json_object_get(body, "error"), "message"));
    return answer_words(words ? words : json_string_value(json_object_get(body, "message")));
}

/* The body as JSON; NULL: it is none. Checked first: jansson reads 2048 levels, most of a task's stack. */
static json_t *read_body(const struct http_response *response) {
    struct json_problem problem;
    return json_text_check(response->body, response->body_bytes, &problem)
               ? json_loadb(response->body, response->body_bytes, 0, NULL)
               : NULL;
}

static struct channel_answer answer_by_rules(const struct answer_rule *rules, const struct http_response *response,
                                             const json_t *body) {
    int code = error_code(body);
    return answer_of_rule(answer_classify(rules, response->status, code, ANY_CODE), response, code, ANY_CODE,
                          error_words(body));
}

/* Quiet hours end when the channel's row says so, if the dealer names no time. */
static struct channel_answer until_morning(const struct adapter_delivery *delivery, struct channel_answer answer) {
    int64_t now_us = clock_wall_us(), until_us = channel_quiet_until_us(delivery->row, now_us);
    if (answer.meaning == MEANS_QUIET && answer.retry_at_us == 0 && until_us > now_us) {
        answer.retry_at_us = until_us;
    }
    return answer;
}

TASK_FN static struct channel_answer send_kakao_message(const struct adapter_delivery *delivery, const char *url,
                                                        const char *body) {
    char key[64], event[64];
    snprintf(key, sizeof(key), "idempotency-key: %s", delivery->key);
    snprintf(event, sizeof(event), "x-herald-event: %s", delivery->event_id);
    const char *const own[] = {"content-type: application/json; charset=utf-8", key, event, NULL};
    struct http_request request = {
        .method = "POST",
        .url = url,
        .body = body,
        .body_bytes = strlen(body),
        .reuse = delivery->row->can.idempotency,
    };
    struct http_response response;
    struct herald_error error = {0};
    enum herald_code code = send_to_dealer(delivery, &request, own, &response, &error);
    if (code != HERALD_OK) {
        return answer_of_failure(code, &error, true);
    }
    json_t *json = read_body(&response);
    struct channel_answer answer = answer_by_rules(kakao_rules, &response, json);
    json_decref(json);
    if (answer.meaning == MEANS_ACCEPTED) {
        answer.remote_id = answer_id(response.body, response.body_bytes, "requestId");
    }
    return answer_blame_clock(until_morning(delivery, answer), &response);
}

TASK_FN static struct channel_answer kakao_commit(const struct adapter_delivery *delivery) {
    const char *url = messages_url(delivery->setup, ""), *body = NULL, *caption = NULL, *picture = NULL;
    struct herald_error error = {0};
    if (!url || make_kakao_message(delivery, &body, &caption, &picture, &error) != HERALD_OK) {
        return answer_plain(MEANS_OWN_WANT, HERALD_REASON_NOT_SENT, "no memory to make the message");
    }
    return send_kakao_message(delivery, url, body);
}

/* ---- looking up ---- */

/* What a look-up's body says. */
enum told {
    TOLD_NOTHING, /* it cannot be understood, or is about another message */
    TOLD_NONE,    /* there is no such message */
    TOLD_THERE,
    TOLD_FAILED,
};

static bool has_failed(const json_t *message) {
    static const char *const NAMES[] = {"messageStatusName", "requestStatusName", "statusName"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        const char *name = json_string_value(json_object_get(message, NAMES[i]));
        if (name && strcmp(name, "fail") == 0) {
            return true;
        }
    }
    return false;
}

static int failed_code(const json_t *message) {
    static const char *const CODES[] = {"messageStatusCode", "requestStatusCode", "statusCode"};
    int code = ANY_CODE;
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]) && (code == ANY_CODE || code == 0); i++) {
        code = read_kakao_code(json_object_get(message, CODES[i]));
    }
    return code;
}

/* Whether @json may be about the message: it names no other key, nor a request other than @first. */
static bool may_be_ours(const json_t *json, const char *key, const json_t *first) {
    const char *said = json_string_value(json_object_get(json, "idempotencyKey"));
    const json_t *id = json_object_get(json, "requestId"), *first_id = json_object_get(first, "requestId");
    return json_is_object(json) && (!said || strcmp(said, key) == 0) &&
           (!id || !first_id || json_equal(id, first_id) != 0);
}

/* Reads the list of a body. A message with several recipients has failed when it reached none. */
static enum told read_messages(const json_t *body, const char *key, int *ret_code) {
    const json_t *list = json_object_get(body, "messages");
    size_t count = json_array_size(list), failed = 0;
    const json_t *first = json_object_get(body, "requestId") ? body : json_array_get(list, 0);
    if (!json_is_array(list)) {
        return TOLD_NOTHING;
    }
    if (count == 0) {
        return first == body ? TOLD_NOTHING : TOLD_NONE; /* a request without messages is neither there nor not there */
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *message = json_array_get(list, i);
        if (!may_be_ours(message, key, first)) {
            return TOLD_NOTHING;
        }
        failed += has_failed(message);
    }
    *ret_code = failed_code(json_array_get(list, 0));
    return failed == count ? TOLD_FAILED : TOLD_THERE;
}

static enum told read_look_up(const json_t *body, const char *key, int *ret_code) {
    if (!may_be_ours(body, key, NULL)) {
        return TOLD_NOTHING;
    }
    if (json_object_get(body, "messages")) {
        return read_messages(body, key, ret_code);
    }
    *ret_code = failed_code(body);
    return !json_object_get(body, "requestId") ? TOLD_NOTHING : has_failed(body) ? TOLD_FAILED : TOLD_THERE;
}

/* The id of the request, which stands at the top or in the first message. */
static const char *request_id(const struct http_response *response, const json_t *body) {
    const json_t *first = json_array_get(json_object_get(body, "messages"), 0);
    const char *id = answer_id(response->body, response->body_bytes, "requestId");
    return id[0] != '\0' ? id : answer_words(json_string_value(json_object_get(first, "requestId")));
}

static struct channel_answer answer_look_up(const struct adapter_delivery *delivery,
                                            const struct http_response *response, const json_t *body) {
    int code = ANY_CODE;
    enum told told = response->status == 200 ? read_look_up(body, delivery->key, &code) : TOLD_NOTHING;
    if (response->status == 404 && error_code(body) == ANY_CODE) {
        told = TOLD_NONE; /* with a code, it is the gateway that does not know the path */
    }
    if (told == TOLD_NONE) {
        return answer_plain(MEANS_NOT_THERE, HERALD_REASON_NOT_ACCEPTED, "the dealer does not have the post");
    }
    if (told == TOLD_NOTHING) {
        return answer_by_rules(look_up_rules, response, body);
    }
    struct channel_answer answer = answer_plain(MEANS_ACCEPTED, HERALD_REASON_NONE, "");
    if (told == TOLD_FAILED) {
        answer = answer_of_rule(answer_classify(failed_rules, response->status, code, ANY_CODE), response, code,
                                ANY_CODE, "");
    }
    answer.remote_id = request_id(response, body);
    return answer;
}

TASK_FN static struct channel_answer kakao_look_up(const struct adapter_delivery *delivery) {
    static const char *const OWN[] = {NULL};
    const char *query = arena_printf(call_arena(), "?idempotencyKey=%s", delivery->key);
    struct http_request request = {.method = "GET", .url = query ? messages_url(delivery->setup, query) : NULL};
    struct http_response response;
    struct herald_error error = {0};
    enum herald_code code = request.url ? send_to_dealer(delivery, &request, OWN, &response, &error)
                                        : arena_full(&error, "the URL of a look-up");
    if (code != HERALD_OK) {
        return answer_of_failure(code, &error, false);
    }
    json_t *body = read_body(&response);
    struct channel_answer answer = answer_look_up(delivery, &response, body);
    json_decref(body);
    return answer;
}

/* ---- preview ---- */

static enum herald_code kakao_preview(const struct adapter_delivery *delivery, struct preview *preview,
                                      struct herald_error *reterr) {
    const char *url = messages_url(delivery->setup, ""), *body = NULL, *caption = NULL, *picture = NULL;
    enum herald_code code =
        url ? make_kakao_message(delivery, &body, &caption, &picture, reterr) : arena_full(reterr, "the preview");
    if (code != HERALD_OK) {
        return code;
    }
    const char *key = header("idempotency-key", delivery->key);
    const char *const headers[] = {"content-type: application/json; charset=utf-8", key, NULL};
    if (!key) {
        return arena_full(reterr, "the preview");
    }
    code = preview_add_request(preview, "POST", url, headers, body, "publish the message", reterr);
    if (code == HERALD_OK && picture[0] != '\0') {
        code = preview_add_picture(preview, picture, reterr);
    }
    return code == HERALD_OK ? preview_check_content(delivery, preview, caption, strlen(body), reterr) : code;
}

const struct adapter kakao_adapter = {
    .name = "kakao",
    .is_configured = kakao_is_configured,
    .preview = kakao_preview,
    .commit = kakao_commit,
    .look_up = kakao_look_up,
};
