/*
 * Instagram's Graph API. A post is made in steps:
 *
 *   prepare   GET  /{account}/content_publishing_limit   the quota, where it is not known to be far from full
 *             POST /{account}/media                      makes a container, unless step_id names one
 *             GET  /{container}?fields=status_code,status
 *   commit    POST /{account}/media_publish
 *   look_up   GET  /{container}?fields=status_code,status
 *
 * A container is published at most once, and tells whether it was: so step_id is kept until the container is spent, and
 * a post whose answer was lost is looked up. The id of the media is known only from the answer of media_publish; where
 * that was lost the container's id stands for it. The address of the post is not asked for: the answer would come while
 * the post is published and not yet stored as such.
 *
 * The token goes in a header, never in a URL, and is renewed by use: see token_keep().
 */
#include "client/base/random.h"
#include "server/distribution/adapters/adapters.h"
#include "server/distribution/adapters/instagram_answers.h"
#include "server/distribution/adapters/post_caption.h"
#include "server/distribution/adapters/previewing.h"
#include "server/distribution/channel_state.h"
#include "server/distribution/channel_store.h"
#include "server/distribution/distribution_log.h"
#include "server/outgoing/picture_url.h"
#include "server/runtime/call.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUOTA_FRESH_MS   30000
#define QUOTA_NEAR_TENTH 9 /* from this tenth of the quota on it is read for each post */
#define RENEW_AGAIN_US   3600000000ll
#define WARN_LEFT_US     (7 * 86400000000ll)
#define TOKEN_BEGINNING  12 /* bytes of a token that a message may not have */
#define RENEW_SHARE      4  /* a renewal may take this part of a step's time */
#define URL_ROOM         600
#define FORM             "content-type: application/x-www-form-urlencoded"
#define CONTAINER_FIELDS "?fields=status_code,status"
#define LIMIT_FIELDS     "?fields=config,quota_usage"
#define REFRESH_QUERY    "/refresh_access_token?grant_type=ig_refresh_token"

/* One step: its delivery, credential and time. */
struct graph {
    const struct adapter_delivery *delivery;
    uint64_t ends_us; /* of the monotonic clock: the channel's time-out, for all requests of the step */
    char token[CHANNEL_TOKEN_BYTES];
};

static bool instagram_is_configured(const struct channel_setup *setup) {
    return setup->url[0] != '\0' && setup->account[0] != '\0' && setup->secret[0] != '\0';
}

static struct channel_answer no_memory(void) {
    return answer_plain(MEANS_OWN_WANT, HERALD_REASON_NOT_SENT, "no memory to make the request");
}

/* ---- URLs and forms, in the call's arena; NULL: no memory ---- */

/* Bytes of the base without slashes at its end. */
static int base_bytes(const char *base) {
    size_t bytes = strlen(base);
    while (bytes > 0 && base[bytes - 1] == '/') {
        bytes--;
    }
    return (int)bytes;
}

/* Bytes of the base without its version, ".../v21.0": tokens are renewed beside the versions. */
static int unversioned_bytes(const char *base) {
    int bytes = base_bytes(base), slash = bytes;
    while (slash > 0 && base[slash - 1] != '/') {
        slash--;
    }
    size_t version = strspn(base + slash + (base[slash] == 'v'), "0123456789.");
    bool is_version = base[slash] == 'v' && version > 0 && slash + 1 + (int)version == bytes;
    return is_version && slash > 0 ? slash - 1 : bytes;
}

static const char *edge_url(const struct channel_setup *setup, const char *node, const char *edge) {
    return arena_printf(call_arena(), "%.*s/%s%s", base_bytes(setup->url), setup->url, node, edge);
}

static bool is_unreserved(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
}

/* Writes a value as a form holds it. @to  NULL: only counts. Returns: bytes without a NUL */
static size_t form_encode(const char *value, char *to) {
    static const char HEX[] = "0123456789ABCDEF";
    size_t bytes = 0;
    for (; *value != '\0'; value++) {
        unsigned char byte = (unsigned char)*value;
        bool plain = is_unreserved(*value);
        if (to != NULL && plain) {
            to[bytes] = *value;
        } else if (to != NULL) {
            to[bytes] = '%';
            to[bytes + 1] = HEX[byte >> 4];
            to[bytes + 2] = HEX[byte & 15];
        }
        bytes += plain ? 1 : 3;
    }
    return bytes;
}

struct form_field {
    const char *name, *value;
};

static const char *form_make(const struct form_field *fields, size_t count) {
    size_t room = 1, at = 0;
    for (size_t i = 0; i < count; i++) {
        room += strlen(fields[i].name) + 2 + form_encode(fields[i].value, NULL);
    }
    char *form = arena_alloc(call_arena(), room);
    for (size_t i = 0; form != NULL && i < count; i++) {
        at += (size_t)sprintf(form + at, "%s%s=", i > 0 ? "&" : "", fields[i].name);
        at += form_encode(fields[i].value, form + at);
    }
    if (form != NULL) {
        form[at] = '\0';
    }
    return form;
}

/* ---- the content ---- */

/* The square JPEG of a picture that Herald has made; another picture as it is. */
static const char *square_picture(const char *jpeg_url) {
    char shaped[URL_ROOM];
    return arena_strdup(call_arena(),
                        picture_shape_url(jpeg_url, PICTURE_SQUARE, shaped, sizeof(shaped)) ? shaped : jpeg_url);
}

/* What a picture shows, for those who cannot see it. */
static const char *alt_text(const Herald__Distribution__V1__Content *content) {
    bool has_prize = content->prize[0] != '\0';
    return arena_printf(call_arena(), "%s%s%s", content->title, has_prize ? " - " : "", content->prize);
}

/* Composes the caption of a post. Returns: UNSET: it is made; else why it cannot be sent */
static struct channel_answer caption_of(const struct adapter_delivery *delivery, const char **ret_caption) {
    struct herald_error error = {0};
    const char *why = "";
    enum herald_code code = post_caption(delivery, ret_caption, &why, &error);
    if (code == HERALD_RESOURCE_EXHAUSTED) {
        return no_memory();
    }
    if (code != HERALD_OK) {
        return answer_plain(MEANS_REJECT, HERALD_REASON_CONTENT_INVALID, "the text is not UTF-8");
    }
    return why[0] != '\0' ? answer_plain(MEANS_REJECT, HERALD_REASON_CONTENT_INVALID, why)
                          : answer_plain(MEANS_UNSET, HERALD_REASON_NONE, "");
}

/* The form that makes a container. */
static const char *media_form(const struct adapter_delivery *delivery, const char *caption) {
    const struct form_field fields[] = {
        {"image_url", square_picture(delivery->content->jpeg_url)},
        {"caption", caption},
        {"alt_text", alt_text(delivery->content)},
    };
    return fields[0].value != NULL && fields[2].value != NULL ? form_make(fields, 3) : NULL;
}

static const char *publish_form(const char *container) {
    const struct form_field field = {"creation_id", container};
    return form_make(&field, 1);
}

/* ---- requests ---- */

static uint32_t graph_left_ms(const struct graph *graph) {
    uint64_t now_us = clock_now_us();
    return graph->ends_us > now_us ? (uint32_t)((graph->ends_us - now_us + 999) / 1000) : 1;
}

/* Sends a request. @form  NULL: GET. @reuse  see http_request. Returns: as http_send() */
TASK_FN static enum herald_code graph_send(const struct graph *graph, const char *url, const char *form, bool reuse,
                                           uint32_t timeout_ms, struct http_response *ret_response,
                                           struct herald_error *reterr) {
    char authorization[CHANNEL_TOKEN_BYTES + 32], event[64];
    snprintf(authorization, sizeof(authorization), "authorization: Bearer %s", graph->token);
    snprintf(event, sizeof(event), "x-herald-event: %s", graph->delivery->event_id);
    const char *const headers[] = {authorization, event, form != NULL ? FORM : NULL, NULL};
    static const char *const WANTED[] = {"x-business-use-case-usage", NULL};
    const struct http_request request = {
        .method = form != NULL ? "POST" : "GET",
        .url = url,
        .headers = headers,
        .body = form,
        .body_bytes = form != NULL ? strlen(form) : 0,
        .timeout_ms = timeout_ms,
        .wanted_headers = WANTED,
        .reuse = reuse,
    };
    enum herald_code code = http_send(graph->delivery->http, &request, ret_response, reterr);
    OPENSSL_cleanse(authorization, sizeof(authorization));
    return code;
}

static bool is_success(const struct http_response *response) {
    return response->status >= 200 && response->status <= 299;
}

/* The channel's words for an operator: never of a refused token, which they may repeat, nor with the token's beginning. */
static const char *words_of(const struct graph *graph, const struct graph_error *error, enum meaning meaning) {
    char beginning[TOKEN_BEGINNING + 1];
    snprintf(beginning, sizeof(beginning), "%.*s", TOKEN_BEGINNING, graph->token);
    bool tells = meaning != MEANS_REAUTH && strstr(error->message, beginning) == NULL;
    const char *message = tells ? error->message : "";
    const char *words = error->trace[0] != '\0' ? arena_printf(call_arena(), "%s%sfbtrace_id %s", message,
                                                               message[0] != '\0' ? "; " : "", error->trace)
                                                : arena_strdup(call_arena(), message);
    return words != NULL ? words : "";
}

/* A token that was refused: the next step takes the configured one, or reads again what is stored. */
static void token_refused(const struct graph *graph) {
    const char *configured = graph->delivery->setup->secret;
    bool was_renewed = strcmp(graph->token, configured) != 0;
    (void)channel_token_set(graph->delivery->state, was_renewed ? configured : "",
                            was_renewed ? clock_wall_us() + RENEW_AGAIN_US : 0);
    channel_token_ends(graph->delivery->state, 0);
}

/* The quota is used up, as the channel says: when to ask again. */
static int64_t quota_retry_at_us(const struct graph *graph, uint32_t duration_s) {
    uint32_t used, total;
    (void)channel_quota(graph->delivery->state, UINT32_MAX, &used, &total);
    return clock_wall_us() + (int64_t)graph_quota_wait_ms(total, duration_s, herald_random()) * 1000;
}

/* What an answer means; of GRAPH_PUBLISH also that the post is accepted. */
static struct channel_answer meaning_of(const struct graph *graph, enum graph_step step,
                                        const struct http_response *response) {
    struct graph_error error;
    graph_error_read(response->body, response->body_bytes, &error);
    const struct answer_rule *rule = graph_classify(step, response->status, &error);
    int code = error.code == GRAPH_NO_CODE ? ANY_CODE : error.code;
    struct channel_answer answer =
        answer_of_rule(rule, response, code, error.subcode, words_of(graph, &error, rule->meaning));
    if (answer.meaning == MEANS_REAUTH) {
        token_refused(graph);
    } else if (answer.meaning == MEANS_QUOTA && answer.retry_at_us == 0) {
        answer.retry_at_us = quota_retry_at_us(graph, 0);
    } else if (answer.meaning == MEANS_THROTTLE && answer.retry_at_us == 0) {
        uint32_t regain_s = graph_regain_s(response->wanted[0]);
        answer.retry_at_us = regain_s > 0 ? clock_wall_us() + regain_s * 1000000ll : 0;
    }
    return answer;
}

/* ---- the token ---- */

/* Takes the token that is stored, if there is one that descends from the configured one. */
TASK_FN static void token_load(struct graph *graph, struct stored_token *ret_stored) {
    const struct adapter_delivery *delivery = graph->delivery;
    struct herald_error error = {0};
    *ret_stored = (struct stored_token){.token = ""};
    if (delivery->db != NULL && channel_store_token_load(delivery->db, delivery->row, delivery->setup->secret,
                                                         ret_stored, &error) != HERALD_OK) {
        log_emit(&LOG_CHANNEL_NOT_STORED, log_str("channel", delivery->row->name), log_error(&error), LOG_END);
        *ret_stored = (struct stored_token){.token = ""};
    }
    if (graph_token_valid(ret_stored->token)) {
        snprintf(graph->token, sizeof(graph->token), "%s", ret_stored->token);
    }
}

/* Asks for a new token. Returns: seconds that it lasts; 0: there is none */
TASK_FN static uint64_t token_ask(struct graph *graph, char *ret_token) {
    const char *base = graph->delivery->setup->url;
    const char *url = arena_printf(call_arena(), "%.*s" REFRESH_QUERY, unversioned_bytes(base), base);
    struct http_response response;
    struct herald_error error = {0};
    if (url == NULL ||
        graph_send(graph, url, NULL, true, graph_left_ms(graph) / RENEW_SHARE + 1, &response, &error) != HERALD_OK) {
        return 0;
    }
    uint64_t lasts_s = is_success(&response)
                           ? graph_token_read(response.body, response.body_bytes, ret_token, CHANNEL_TOKEN_BYTES)
                           : 0;
    OPENSSL_cleanse(response.body, response.body_bytes);
    return lasts_s;
}

/* Takes a new token, here and for other processes. */
TASK_FN static void token_take(struct graph *graph, const char *token, uint64_t lasts_s) {
    const struct adapter_delivery *delivery = graph->delivery;
    struct herald_error error = {0};
    int64_t now_us = clock_wall_us(), ends_us = now_us + (int64_t)lasts_s * 1000000;
    snprintf(graph->token, sizeof(graph->token), "%s", token);
    (void)channel_token_set(delivery->state, token, graph_token_renew_at_us(now_us, ends_us));
    channel_token_ends(delivery->state, ends_us);
    log_emit(&LOG_CHANNEL_TOKEN, log_str("channel", delivery->row->name), log_u64("lasts_s", lasts_s), LOG_END);
    if (delivery->db != NULL && channel_store_token_save(delivery->db, delivery->row, delivery->setup->secret, token,
                                                         lasts_s, &error) != HERALD_OK) {
        log_emit(&LOG_CHANNEL_NOT_STORED, log_str("channel", delivery->row->name), log_error(&error), LOG_END);
    }
}

/* Renews the token; what fails is tried again after an hour, and keeps no post from being tried. */
TASK_FN static void token_renew(struct graph *graph, const struct stored_token *stored) {
    char token[CHANNEL_TOKEN_BYTES] = "";
    int64_t now_us = clock_wall_us();
    (void)channel_token_set(graph->delivery->state, graph->token, now_us + RENEW_AGAIN_US); /* others need not */
    uint64_t lasts_s = token_ask(graph, token);
    if (lasts_s > 0) {
        token_take(graph, token, lasts_s);
    } else if (stored->expires_at_us != 0 && stored->expires_at_us - now_us < WARN_LEFT_US) {
        log_emit(&LOG_CHANNEL_TOKEN_ENDS, log_str("channel", graph->delivery->row->name),
                 log_i64("left_s", (stored->expires_at_us - now_us) / 1000000), LOG_END);
    }
    OPENSSL_cleanse(token, sizeof(token));
}

/* Whether the token that this process knows need not be renewed yet; takes it then. */
static bool token_is_current(struct graph *graph) {
    char token[CHANNEL_TOKEN_BYTES];
    bool current = channel_token(graph->delivery->state, token) > clock_wall_us();
    if (current) {
        memcpy(graph->token, token, sizeof(token));
    }
    OPENSSL_cleanse(token, sizeof(token));
    return current;
}

/*
 * Renews the token when it is time. The age of the configured one is not known, so its first use renews it, which the
 * channel refuses until it is a day old. A token that is due is read again first: another process may have renewed it.
 */
TASK_FN static void token_keep(struct graph *graph) {
    if (token_is_current(graph)) {
        return;
    }
    struct stored_token stored;
    token_load(graph, &stored);
    int64_t renew_at_us =
        stored.token[0] != '\0' ? graph_token_renew_at_us(stored.obtained_at_us, stored.expires_at_us) : 0;
    if (token_is_current(graph)) { /* another delivery was faster */
        return;
    }
    if (stored.token[0] != '\0') {
        channel_token_ends(graph->delivery->state, stored.expires_at_us);
    }
    if (renew_at_us > clock_wall_us()) {
        (void)channel_token_set(graph->delivery->state, graph->token, renew_at_us);
        return;
    }
    token_renew(graph, &stored);
}

/* Begins a step. Returns: UNSET: it can go on */
static struct channel_answer graph_begin(const struct adapter_delivery *delivery, struct graph *graph) {
    graph->delivery = delivery;
    graph->ends_us = clock_now_us() + delivery->setup->timeout_ms * 1000ull;
    if (!graph_token_valid(delivery->setup->secret)) {
        return answer_plain(MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH, "the channel's token is malformed");
    }
    if (channel_token(delivery->state, graph->token) == 0) {
        snprintf(graph->token, sizeof(graph->token), "%s", delivery->setup->secret);
    }
    return answer_plain(MEANS_UNSET, HERALD_REASON_NONE, "");
}

/* ---- prepare ---- */

/* Whether the quota, as last read and counted on since, leaves room for more than the calls in flight. */
static bool quota_is_far(struct channel_state *state) {
    uint32_t used, total;
    return channel_quota(state, QUOTA_FRESH_MS, &used, &total) && used * 10ull < total * (uint64_t)QUOTA_NEAR_TENTH;
}

/* Reads the quota. Returns: UNSET: it leaves room, or the channel does not tell it */
TASK_FN static struct channel_answer check_quota(const struct graph *graph) {
    const struct adapter_delivery *delivery = graph->delivery;
    struct channel_answer answer = answer_plain(MEANS_UNSET, HERALD_REASON_NONE, "");
    struct http_response response;
    struct herald_error error = {0};
    struct graph_quota quota;
    if (quota_is_far(delivery->state)) {
        return answer;
    }
    const char *url = edge_url(delivery->setup, delivery->setup->account, "/content_publishing_limit" LIMIT_FIELDS);
    if (url == NULL) {
        return no_memory();
    }
    enum herald_code code = graph_send(graph, url, NULL, true, graph_left_ms(graph), &response, &error);
    if (code != HERALD_OK) {
        return answer_of_failure(code, &error, false);
    }
    if (!is_success(&response)) {
        return meaning_of(graph, GRAPH_ASK, &response);
    }
    if (!graph_quota_read(response.body, response.body_bytes, &quota)) {
        return answer; /* media_publish tells when it is full */
    }
    channel_quota_set(delivery->state, quota.used, quota.total);
    if (quota.used >= quota.total) {
        const char *message = arena_printf(call_arena(), "the channel's quota is used up: %u of %u posts",
                                           (unsigned)quota.used, (unsigned)quota.total);
        answer = answer_plain(MEANS_QUOTA, HERALD_REASON_QUOTA, message != NULL ? message : "the quota is used up");
        answer.retry_at_us = quota_retry_at_us(graph, quota.duration_s);
    }
    return answer;
}

/* Makes a container. Returns: UNSET with step_id, or why there is none */
TASK_FN static struct channel_answer graph_make_container(const struct graph *graph) {
    const struct adapter_delivery *delivery = graph->delivery;
    const char *caption = NULL;
    struct channel_answer answer = caption_of(delivery, &caption);
    if (answer.meaning != MEANS_UNSET) {
        return answer;
    }
    const char *url = edge_url(delivery->setup, delivery->setup->account, "/media");
    const char *form = media_form(delivery, caption);
    if (url == NULL || form == NULL) {
        return no_memory();
    }
    struct http_response response;
    struct herald_error error = {0};
    /* A container too many harms nobody: it expires. */
    enum herald_code code = graph_send(graph, url, form, true, graph_left_ms(graph), &response, &error);
    if (code != HERALD_OK) {
        return answer_of_failure(code, &error, false);
    }
    if (!is_success(&response)) {
        return meaning_of(graph, GRAPH_ASK, &response);
    }
    answer.step_id = answer_id(response.body, response.body_bytes, "id");
    return graph_id_valid(answer.step_id)
               ? answer
               : answer_plain(MEANS_RETRY, HERALD_REASON_CHANNEL_ERROR, "the channel made a container without an id");
}

/* What a container's status means. */
static struct channel_answer container_answer(const char *container, enum graph_status status, int subcode,
                                              const struct http_response *response) {
    struct channel_answer answer;
    switch (status) {
    case GRAPH_STATUS_FINISHED:
        return answer_plain(MEANS_PREPARED, HERALD_REASON_NONE, "");
    case GRAPH_STATUS_PUBLISHED:
        answer = answer_plain(MEANS_ACCEPTED, HERALD_REASON_NONE, "");
        answer.remote_id = container;
        return answer;
    case GRAPH_STATUS_IN_PROGRESS:
        return answer_plain(MEANS_NOT_YET, HERALD_REASON_CHANNEL_WORKING, "the channel makes the post ready");
    case GRAPH_STATUS_ERROR:
        return answer_of_rule(graph_failed_container(subcode), response, ANY_CODE, ANY_CODE, "");
    case GRAPH_STATUS_EXPIRED:
        return answer_plain(MEANS_RENEW, HERALD_REASON_PREPARING_FAILED,
                            "the container was not published within its 24 hours");
    default:
        return answer_plain(MEANS_RETRY, HERALD_REASON_CHANNEL_ERROR, "the channel tells no status of the container");
    }
}

/* Looks at a container. Returns: as container_answer(), and *ret_told is true; or what a refusal, or no answer, means;
 * with step_id */
TASK_FN static struct channel_answer look_at_container(const struct graph *graph, const char *container,
                                                       bool *ret_told) {
    const char *url = edge_url(graph->delivery->setup, container, CONTAINER_FIELDS);
    struct http_response response;
    struct herald_error error = {0};
    struct channel_answer answer = no_memory();
    *ret_told = false;
    enum herald_code code =
        url != NULL ? graph_send(graph, url, NULL, true, graph_left_ms(graph), &response, &error) : HERALD_OK;
    if (code != HERALD_OK) {
        answer = answer_of_failure(code, &error, false);
    } else if (url != NULL && !is_success(&response)) {
        answer = meaning_of(graph, GRAPH_LOOK, &response);
    } else if (url != NULL) {
        int subcode;
        enum graph_status status = graph_status_read(response.body, response.body_bytes, &subcode);
        answer = container_answer(container, status, subcode, &response);
        *ret_told = status != GRAPH_STATUS_UNREADABLE;
    }
    answer.step_id = container;
    return answer;
}

/* A container of an earlier step: the quota is asked only once it is ready. */
TASK_FN static struct channel_answer prepare_again(const struct graph *graph, const char *container) {
    bool told;
    struct channel_answer answer = look_at_container(graph, container, &told);
    if (answer.meaning != MEANS_PREPARED) {
        return answer;
    }
    struct channel_answer quota = check_quota(graph);
    return quota.meaning == MEANS_UNSET ? answer : quota;
}

TASK_FN static struct channel_answer prepare_anew(const struct graph *graph) {
    bool told;
    struct channel_answer answer = check_quota(graph);
    if (answer.meaning == MEANS_UNSET) {
        answer = graph_make_container(graph);
    }
    return answer.meaning == MEANS_UNSET ? look_at_container(graph, answer.step_id, &told) : answer;
}

TASK_FN static struct channel_answer instagram_prepare(const struct adapter_delivery *delivery) {
    struct graph graph;
    struct channel_answer answer = graph_begin(delivery, &graph);
    if (answer.meaning == MEANS_UNSET) {
        token_keep(&graph);
        answer = delivery->step_id[0] != '\0' ? prepare_again(&graph, delivery->step_id) : prepare_anew(&graph);
    }
    OPENSSL_cleanse(graph.token, sizeof(graph.token));
    return answer;
}

/* ---- commit and look_up ---- */

TASK_FN static struct channel_answer graph_publish(const struct graph *graph) {
    const struct adapter_delivery *delivery = graph->delivery;
    const char *url = edge_url(delivery->setup, delivery->setup->account, "/media_publish");
    const char *form = publish_form(delivery->step_id);
    struct http_response response;
    struct herald_error error = {0};
    if (url == NULL || form == NULL) {
        return no_memory();
    }
    enum herald_code code =
        graph_send(graph, url, form, delivery->row->can.idempotency, graph_left_ms(graph), &response, &error);
    if (code != HERALD_OK) {
        return answer_of_failure(code, &error, true);
    }
    struct channel_answer answer = meaning_of(graph, GRAPH_PUBLISH, &response);
    if (answer.meaning == MEANS_ACCEPTED) {
        const char *id = answer_id(response.body, response.body_bytes, "id");
        answer.remote_id = id[0] != '\0' ? id : delivery->step_id;
        channel_quota_count(delivery->state);
    }
    return answer;
}

TASK_FN static struct channel_answer instagram_commit(const struct adapter_delivery *delivery) {
    struct graph graph;
    if (delivery->step_id[0] == '\0') {
        return answer_plain(MEANS_RENEW, HERALD_REASON_PREPARING_FAILED, "there is no container to publish");
    }
    struct channel_answer answer = graph_begin(delivery, &graph);
    if (answer.meaning == MEANS_UNSET) {
        answer = graph_publish(&graph);
    }
    OPENSSL_cleanse(graph.token, sizeof(graph.token));
    return answer;
}

static bool speaks_of_post(enum meaning meaning) {
    return meaning == MEANS_ACCEPTED || meaning == MEANS_RENEW || meaning == MEANS_REJECT;
}

/*
 * What a look at the container says about a post whose answer was lost. A refusal proves nothing about the post, also one
 * that says that the container does not exist; only a status does. What a refusal says about the channel counts.
 */
static struct channel_answer look_up_answer(struct channel_answer seen, bool told) {
    if (!told) {
        seen.meaning = speaks_of_post(seen.meaning) ? MEANS_UNKNOWN : seen.meaning;
        seen.reason = HERALD_REASON_LOOK_UP_FAILED;
    } else if (seen.meaning == MEANS_PREPARED) {
        seen.meaning = MEANS_NOT_THERE;
        seen.reason = HERALD_REASON_NOT_ACCEPTED;
        seen.message = "the container is ready and was not published";
    } else if (seen.meaning == MEANS_RENEW) {
        seen.reason = HERALD_REASON_NOT_ACCEPTED;
    }
    return seen;
}

TASK_FN static struct channel_answer instagram_look_up(const struct adapter_delivery *delivery) {
    struct graph graph;
    bool told = false;
    if (delivery->step_id[0] == '\0') {
        return answer_plain(MEANS_UNKNOWN, HERALD_REASON_LOOK_UP_FAILED, "there is no container to look at");
    }
    struct channel_answer answer = graph_begin(delivery, &graph);
    if (answer.meaning == MEANS_UNSET) {
        token_keep(&graph);
        answer = look_at_container(&graph, delivery->step_id, &told);
    }
    OPENSSL_cleanse(graph.token, sizeof(graph.token));
    return look_up_answer(answer, told);
}

/* ---- preview ---- */

#define SHOWN_CONTAINER "{container}"

static enum herald_code preview_requests(const struct adapter_delivery *delivery, struct preview *preview,
                                         const char *form, struct herald_error *reterr) {
    static const char *const NO_HEADERS[] = {NULL}, *const FORM_HEADERS[] = {FORM, NULL};
    const struct channel_setup *setup = delivery->setup;
    const struct {
        const char *method, *node, *edge, *body, *purpose;
    } REQUESTS[] = {
        {"GET", setup->account, "/content_publishing_limit" LIMIT_FIELDS, "", "read the quota"},
        {"POST", setup->account, "/media", form, "make a container"},
        {"GET", SHOWN_CONTAINER, CONTAINER_FIELDS, "", "wait until the container is ready"},
        {"POST", setup->account, "/media_publish", "creation_id=" SHOWN_CONTAINER, "publish the post"},
    };
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; i < sizeof(REQUESTS) / sizeof(REQUESTS[0]) && code == HERALD_OK; i++) {
        const char *url = edge_url(setup, REQUESTS[i].node, REQUESTS[i].edge);
        const char *const *headers = REQUESTS[i].body[0] != '\0' ? FORM_HEADERS : NO_HEADERS;
        code = url != NULL ? preview_add_request(preview, REQUESTS[i].method, url, headers, REQUESTS[i].body,
                                                 REQUESTS[i].purpose, reterr)
                           : arena_full(reterr, "the preview");
    }
    return code;
}

static enum herald_code instagram_preview(const struct adapter_delivery *delivery, struct preview *preview,
                                          struct herald_error *reterr) {
    const char *caption = NULL;
    enum herald_code code = post_caption(delivery, &caption, NULL, reterr); /* preview_check_content() lists problems */
    const char *form = code == HERALD_OK ? media_form(delivery, caption) : NULL;
    if (code == HERALD_OK && form == NULL) {
        code = arena_full(reterr, "the preview");
    }
    if (code == HERALD_OK) {
        code = preview_requests(delivery, preview, form, reterr);
    }
    if (code == HERALD_OK) {
        code = preview_add_picture(preview, square_picture(delivery->content->jpeg_url), reterr);
    }
    return code == HERALD_OK ? preview_check_content(delivery, preview, caption, strlen(form), reterr) : code;
}

const struct adapter instagram_adapter = {
    .name = "instagram",
    .is_configured = instagram_is_configured,
    .preview = instagram_preview,
    .prepare = instagram_prepare,
    .commit = instagram_commit,
    .look_up = instagram_look_up,
    .renews_token = true,
};
