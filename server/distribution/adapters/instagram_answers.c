/* Source of codes and members: Meta, "Error Codes", "IG Container", "Content Publishing Limit" and "Refresh Access Token"
 * of the Instagram Platform; "Handle Errors" and "Rate Limits" of the Graph API. */
#include "server/distribution/adapters/instagram_answers.h"

#include "client/json/text.h"
#include "herald/utf8.h"
#include "server/distribution/channel_state.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ID_MOST_DIGITS 64
#define DAY_S          86400u
#define DAY_US         (DAY_S * 1000000ll)
#define RENEW_LEFT_US  (20 * DAY_US)
#define LASTS_MOST_S   (400ull * DAY_S) /* what says more is not believed */
#define NUMBER_BYTES   24

/* ---- the tables ---- */

#define PERMISSIONS                                   200 /* stands for codes 200 to 299, all of them permissions */
#define ANY_STATUS                                    0, 0
#define RULE(code, subcode, meaning, reason, message) {ANY_STATUS, code, subcode, MEANS_##meaning, reason, message}
#define STATUS_RULE(from, to, code, meaning, reason, message)                                                          \
    {from, to, code, ANY_CODE, MEANS_##meaning, reason, message}

/* The picture or its text; another container would fail too. Each subcode has one meaning, whatever its code. */
#define CONTENT_RULES                                                                                                  \
    RULE(ANY_CODE, 2207004, REJECT, HERALD_REASON_PICTURE_REFUSED, "the picture is larger than the channel takes"),    \
        RULE(ANY_CODE, 2207005, REJECT, HERALD_REASON_PICTURE_REFUSED,                                                 \
             "the channel does not take the picture's format"),                                                        \
        RULE(ANY_CODE, 2207009, REJECT, HERALD_REASON_PICTURE_REFUSED,                                                 \
             "the channel does not take the picture's shape"),                                                         \
        RULE(ANY_CODE, 2207010, REJECT, HERALD_REASON_CHANNEL_REJECTED,                                                \
             "the caption is longer than the channel takes")

/* The channel did not do what it was asked, in each step. */
#define REFUSAL_RULES                                                                                                  \
    CONTENT_RULES,                                                                                                     \
        RULE(9, ANY_CODE, QUOTA, HERALD_REASON_QUOTA, "the posts that the channel allows within a day are used up"),   \
        RULE(4, 2207051, THROTTLE, HERALD_REASON_CHANNEL_THROTTLED,                                                    \
             "the channel restricts the account's posts for a while"),                                                 \
        RULE(4, ANY_CODE, THROTTLE, HERALD_REASON_CHANNEL_THROTTLED,                                                   \
             "the app has made as many calls as the channel allows"),                                                  \
        RULE(17, ANY_CODE, THROTTLE, HERALD_REASON_CHANNEL_THROTTLED,                                                  \
             "the account has made as many calls as the channel allows"),                                              \
        RULE(32, ANY_CODE, THROTTLE, HERALD_REASON_CHANNEL_THROTTLED,                                                  \
             "the page has made as many calls as the channel allows"),                                                 \
        RULE(341, ANY_CODE, THROTTLE, HERALD_REASON_CHANNEL_THROTTLED, "the app has reached a limit of the channel"),  \
        RULE(368, ANY_CODE, THROTTLE, HERALD_REASON_CHANNEL_THROTTLED, "the channel blocks the account for a while"),  \
        RULE(613, ANY_CODE, THROTTLE, HERALD_REASON_CHANNEL_THROTTLED, "calls come faster than the channel allows"),   \
        RULE(80002, ANY_CODE, THROTTLE, HERALD_REASON_CHANNEL_THROTTLED,                                               \
             "the account has made as many calls as the channel allows"),                                              \
        RULE(190, ANY_CODE, REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH, "the channel refused the access token"),         \
        RULE(102, ANY_CODE, REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH,                                                  \
             "the channel has ended the session of the access token"),                                                 \
        RULE(3, ANY_CODE, REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH, "the app lacks the capability to post"),           \
        RULE(10, ANY_CODE, REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH, "the access token lacks the permission to post"), \
        RULE(PERMISSIONS, ANY_CODE, REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH,                                          \
             "the access token lacks the permission to post"),                                                         \
        RULE(25, 2207050, REAUTH, HERALD_REASON_ACCOUNT_RESTRICTED, "the channel has restricted the account"),         \
        RULE(ANY_CODE, 2207020, RENEW, HERALD_REASON_PREPARING_FAILED, "the container has expired"),                   \
        RULE(ANY_CODE, 2207032, RENEW, HERALD_REASON_PREPARING_FAILED, "the channel failed to make the container"),    \
        RULE(ANY_CODE, 2207053, RENEW, HERALD_REASON_PREPARING_FAILED, "the upload failed"),                           \
        RULE(9004, ANY_CODE, RETRY, HERALD_REASON_PICTURE_UNREACHABLE, "the channel could not fetch the picture"),     \
        RULE(ANY_CODE, 2207052, RETRY, HERALD_REASON_PICTURE_UNREACHABLE, "the channel could not fetch the picture")

/* A step that publishes nothing. */
#define ASK_RULES                                                                                                      \
    REFUSAL_RULES, RULE(-1, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_ERROR, "the channel failed"),                       \
        RULE(-2, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_ERROR, "the channel took too long to fetch the picture"),      \
        RULE(1, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_ERROR, "the channel failed"),                                   \
        RULE(2, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE, "the channel is out of service for now"),          \
        RULE(9007, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_WORKING, "the container is not ready"),                      \
        STATUS_RULE(401, 401, ANY_CODE, REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH,                                      \
                    "the channel refused the access token"),                                                           \
        STATUS_RULE(403, 403, GRAPH_NO_CODE, REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH,                                 \
                    "the channel does not allow this account to post"),                                                \
        STATUS_RULE(408, 408, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE,                                      \
                    "the channel gave up waiting for the request"),                                                    \
        STATUS_RULE(421, 421, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE,                                      \
                    "the request went to a server of another name"),                                                   \
        STATUS_RULE(425, 425, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE, "the channel says: too early"),      \
        STATUS_RULE(429, 429, ANY_CODE, THROTTLE, HERALD_REASON_CHANNEL_THROTTLED,                                     \
                    "the channel takes no more calls for now"),                                                        \
        STATUS_RULE(400, 499, GRAPH_NO_CODE, RETRY, HERALD_REASON_CHANNEL_ERROR,                                       \
                    "the channel refused and did not say why"),                                                        \
        STATUS_RULE(400, 499, ANY_CODE, REJECT, HERALD_REASON_CHANNEL_REJECTED,                                        \
                    "the channel refused the post for good"),                                                          \
        STATUS_RULE(503, 503, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_UNAVAILABLE,                                      \
                    "the channel is out of service for now"),                                                          \
        STATUS_RULE(500, 599, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_ERROR, "the channel failed"),                     \
        STATUS_RULE(300, 399, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_REDIRECTED,                                       \
                    "the channel answered with a redirect, which is not followed"),                                    \
        RULE(ANY_CODE, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_ERROR, "the channel's answer cannot be understood")

static const struct answer_rule ask_rules[] = {
    RULE(100, 33, REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH,
         "the account does not exist, or the access token may not see it"),
    ASK_RULES,
};

static const struct answer_rule look_rules[] = {
    RULE(100, 33, RENEW, HERALD_REASON_PREPARING_FAILED, "the channel does not know the container"),
    RULE(24, ANY_CODE, RENEW, HERALD_REASON_PREPARING_FAILED, "the channel does not know the container"),
    ASK_RULES,
};

/* The status of a gateway says nothing about the post, and a container can be looked at: in doubt UNKNOWN. */
static const struct answer_rule publish_rules[] = {
    STATUS_RULE(200, 299, ANY_CODE, ACCEPTED, HERALD_REASON_NONE, ""),
    STATUS_RULE(500, 599, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_ERROR, "the channel failed while it had the post"),
    RULE(9007, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_WORKING, "the container is not ready, or published already"),
    RULE(ANY_CODE, 2207027, UNKNOWN, HERALD_REASON_CHANNEL_WORKING, "the container is not ready, or published already"),
    RULE(24, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_ERROR, "the channel does not find the container for now"),
    RULE(100, 33, UNKNOWN, HERALD_REASON_CHANNEL_ERROR, "the channel does not find the account or the container"),
    REFUSAL_RULES,
    RULE(-1, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_ERROR, "the channel failed while it had the post"),
    RULE(-2, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_ERROR, "the channel took too long"),
    RULE(1, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_ERROR, "the channel failed while it had the post"),
    RULE(2, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_ERROR, "the channel failed while it had the post"),
    STATUS_RULE(401, 401, ANY_CODE, REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH, "the channel refused the access token"),
    STATUS_RULE(403, 403, GRAPH_NO_CODE, REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH,
                "the channel does not allow this account to post"),
    STATUS_RULE(408, 408, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_TIMEOUT,
                "the channel gave up waiting for the request"),
    STATUS_RULE(409, 409, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_WORKING,
                "the channel has the post and has not decided"),
    STATUS_RULE(429, 429, ANY_CODE, THROTTLE, HERALD_REASON_CHANNEL_THROTTLED,
                "the channel takes no more posts for now"),
    STATUS_RULE(400, 499, GRAPH_NO_CODE, UNKNOWN, HERALD_REASON_CHANNEL_ERROR,
                "the channel refused and did not say why"),
    STATUS_RULE(400, 499, ANY_CODE, REJECT, HERALD_REASON_CHANNEL_REJECTED, "the channel refused the post for good"),
    STATUS_RULE(300, 399, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_REDIRECTED,
                "the channel answered with a redirect, which is not followed"),
    RULE(ANY_CODE, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_ERROR, "the channel's answer cannot be understood"),
};

static const struct answer_rule *const rules_of[] = {
    [GRAPH_ASK] = ask_rules,
    [GRAPH_LOOK] = look_rules,
    [GRAPH_PUBLISH] = publish_rules,
};

/* Refusals that the channel calls transient. */
static const struct answer_rule transient_ask =
    RULE(ANY_CODE, ANY_CODE, RETRY, HERALD_REASON_CHANNEL_ERROR, "the channel failed for the moment, as it says");
static const struct answer_rule transient_publish = RULE(ANY_CODE, ANY_CODE, UNKNOWN, HERALD_REASON_CHANNEL_ERROR,
                                                         "the channel failed for the moment while it had the post");

static const struct answer_rule container_rules[] = {
    CONTENT_RULES,
    RULE(ANY_CODE, ANY_CODE, RENEW, HERALD_REASON_PREPARING_FAILED, "the channel could not make the post ready"),
};

const struct answer_rule *graph_classify(enum graph_step step, int status, const struct graph_error *error) {
    int code = error->code >= PERMISSIONS && error->code < PERMISSIONS + 100 ? PERMISSIONS : error->code;
    const struct answer_rule *rule = answer_classify(rules_of[step], status, code, error->subcode);
    if (rule->meaning == MEANS_REJECT && error->is_transient) {
        return step == GRAPH_PUBLISH ? &transient_publish : &transient_ask;
    }
    return rule;
}

const struct answer_rule *graph_failed_container(int subcode) {
    return answer_classify(container_rules, 200, GRAPH_NO_CODE, subcode);
}

/* ---- bodies ---- */

/* The value of a checked body, or NULL. */
static const char *checked(const char *body, size_t bytes) {
    struct json_problem problem;
    return body != NULL && json_text_check(body, bytes, &problem) ? body : NULL;
}

/* The value of a member of the object at @at; NULL: there is none, or @at is NULL or no object. */
static const char *member_at(const char *at, const char *member) {
    char name[32];
    if (at == NULL || json_peek(&at) != '{') {
        return NULL;
    }
    (void)json_take(&at, '{');
    while (json_peek(&at) == '"') {
        size_t bytes = json_take_string(&at, name, sizeof(name));
        (void)json_take(&at, ':');
        (void)json_peek(&at);
        if (bytes == strlen(member) && memcmp(name, member, bytes) == 0) {
            return at;
        }
        json_skip(&at);
        (void)json_take(&at, ',');
    }
    return NULL;
}

/* The first item of the array at @at; NULL: there is none. */
static const char *first_item(const char *at) {
    if (at == NULL || json_peek(&at) != '[') {
        return NULL;
    }
    (void)json_take(&at, '[');
    return json_peek(&at) != ']' ? at : NULL;
}

/* Copies the string at @at, cut at a character, with blanks for control characters. Returns: whether it is whole */
static bool text_at(const char *at, char *ret_text, size_t room) {
    ret_text[0] = '\0';
    if (at == NULL || *at != '"') {
        return false;
    }
    bool whole = json_take_string(&at, ret_text, room) < room;
    ret_text[room - 1] = '\0';
    size_t bytes = strlen(ret_text);
    while (bytes > 0 && !herald_utf8_valid(ret_text, bytes, NULL)) {
        ret_text[--bytes] = '\0';
    }
    for (char *c = ret_text; *c != '\0'; c++) {
        *c = (unsigned char)*c < 0x20 || *c == 0x7F ? ' ' : *c;
    }
    return whole;
}

/* The whole number at @at, also as a string. Returns: false: it is none */
static bool number_at(const char *at, const char *end, int64_t *ret_number) {
    char text[NUMBER_BYTES] = "";
    if (at == NULL) {
        return false;
    }
    const char *number_end = *at == '"' ? NULL : json_number_end(at, end);
    if (*at == '"' ? !text_at(at, text, sizeof(text))
                   : number_end == NULL || (size_t)(number_end - at) >= sizeof(text)) {
        return false;
    }
    if (number_end != NULL) {
        memcpy(text, at, (size_t)(number_end - at));
    }
    char *rest;
    errno = 0;
    long long number = strtoll(text, &rest, 10);
    if (errno != 0 || rest == text || *rest != '\0') {
        return false;
    }
    *ret_number = number;
    return true;
}

/* A code that the tables can hold. */
static int code_at(const char *at, const char *end, int otherwise) {
    int64_t number;
    bool fits = number_at(at, end, &number) && number > GRAPH_NO_CODE && number <= INT_MAX;
    return fits ? (int)number : otherwise;
}

void graph_error_read(const char *body, size_t bytes, struct graph_error *ret_error) {
    *ret_error = (struct graph_error){.code = GRAPH_NO_CODE, .subcode = ANY_CODE};
    const char *json = checked(body, bytes), *end = body + bytes;
    const char *error = member_at(json, "error");
    const char *transient = member_at(error, "is_transient");
    ret_error->code = code_at(member_at(error, "code"), end, GRAPH_NO_CODE);
    ret_error->subcode = code_at(member_at(error, "error_subcode"), end, ANY_CODE);
    ret_error->subcode = ret_error->subcode != 0 ? ret_error->subcode : ANY_CODE;
    ret_error->is_transient = transient != NULL && *transient == 't';
    (void)text_at(member_at(error, "fbtrace_id"), ret_error->trace, sizeof(ret_error->trace));
    (void)text_at(member_at(error, "message"), ret_error->message, sizeof(ret_error->message));
}

/* The number of seven digits in which a text ends; ANY_CODE: it does not. */
static int last_subcode(const char *text) {
    size_t end = strlen(text), from = end;
    while (from > 0 && text[from - 1] >= '0' && text[from - 1] <= '9') {
        from--;
    }
    return end - from == 7 ? atoi(text + from) : ANY_CODE;
}

enum graph_status graph_status_read(const char *body, size_t bytes, int *ret_subcode) {
    static const char *const WORDS[] = {
        [GRAPH_STATUS_IN_PROGRESS] = "IN_PROGRESS", [GRAPH_STATUS_FINISHED] = "FINISHED",
        [GRAPH_STATUS_PUBLISHED] = "PUBLISHED",     [GRAPH_STATUS_ERROR] = "ERROR",
        [GRAPH_STATUS_EXPIRED] = "EXPIRED",
    };
    char word[32], text[256];
    const char *json = checked(body, bytes);
    *ret_subcode = ANY_CODE;
    if (!text_at(member_at(json, "status_code"), word, sizeof(word))) {
        return GRAPH_STATUS_UNREADABLE;
    }
    for (size_t i = GRAPH_STATUS_IN_PROGRESS; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (strcmp(word, WORDS[i]) == 0) {
            bool said = i == GRAPH_STATUS_ERROR && text_at(member_at(json, "status"), text, sizeof(text));
            *ret_subcode = said ? last_subcode(text) : ANY_CODE;
            return (enum graph_status)i;
        }
    }
    return GRAPH_STATUS_UNREADABLE;
}

static bool count_at(const char *at, const char *end, uint32_t *ret_count) {
    int64_t number;
    bool fits = number_at(at, end, &number) && number >= 0 && number <= UINT32_MAX;
    if (fits) {
        *ret_count = (uint32_t)number;
    }
    return fits;
}

bool graph_quota_read(const char *body, size_t bytes, struct graph_quota *ret_quota) {
    const char *end = body + bytes;
    const char *item = first_item(member_at(checked(body, bytes), "data"));
    const char *config = member_at(item, "config");
    struct graph_quota quota = {0};
    if (!count_at(member_at(item, "quota_usage"), end, &quota.used) ||
        !count_at(member_at(config, "quota_total"), end, &quota.total)) {
        return false;
    }
    (void)count_at(member_at(config, "quota_duration"), end, &quota.duration_s);
    *ret_quota = quota;
    return true;
}

uint64_t graph_quota_wait_ms(uint32_t total, uint32_t duration_s, uint64_t random) {
    uint64_t wait_ms = 1000ull * (duration_s > 0 ? duration_s : DAY_S) / (total > 0 ? total : 1);
    wait_ms = wait_ms < 60000 ? 60000 : wait_ms > 3600000 ? 3600000 : wait_ms;
    return wait_ms + random % (wait_ms / 2 + 1);
}

/* The longest time of the items of the array at @at, minutes. */
static int64_t longest_regain_min(const char *at, const char *end) {
    int64_t longest = 0;
    for (const char *item = first_item(at); item != NULL;) {
        int64_t minutes;
        if (number_at(member_at(item, "estimated_time_to_regain_access"), end, &minutes) && minutes > longest) {
            longest = minutes;
        }
        json_skip(&item);
        item = json_take(&item, ',') && json_peek(&item) != '\0' ? item : NULL;
    }
    return longest;
}

/* {"<account>": [{"type": "instagram", "estimated_time_to_regain_access": 5, …}, …], …} */
uint32_t graph_regain_s(const char *usage) {
    const char *end = usage != NULL ? usage + strlen(usage) : NULL;
    const char *at = usage != NULL ? checked(usage, strlen(usage)) : NULL;
    int64_t longest = 0;
    if (at == NULL || json_peek(&at) != '{') {
        return 0;
    }
    (void)json_take(&at, '{');
    while (json_peek(&at) == '"') {
        json_skip(&at);
        (void)json_take(&at, ':');
        (void)json_peek(&at);
        int64_t minutes = longest_regain_min(at, end);
        longest = minutes > longest ? minutes : longest;
        json_skip(&at);
        (void)json_take(&at, ',');
    }
    return longest < DAY_S / 60 ? (uint32_t)longest * 60 : DAY_S;
}

/* ---- tokens and ids ---- */

bool graph_token_valid(const char *token) {
    size_t bytes = 0;
    while (token[bytes] > 0x20 && token[bytes] < 0x7F) {
        bytes++;
    }
    return token[bytes] == '\0' && bytes > 0 && bytes < CHANNEL_TOKEN_BYTES;
}

uint64_t graph_token_read(const char *body, size_t bytes, char *ret_token, size_t room) {
    const char *json = checked(body, bytes);
    int64_t lasts_s = 0;
    bool whole = text_at(member_at(json, "access_token"), ret_token, room);
    if (!whole || !graph_token_valid(ret_token) || !number_at(member_at(json, "expires_in"), body + bytes, &lasts_s) ||
        lasts_s <= 0) {
        ret_token[0] = '\0';
        return 0;
    }
    return (uint64_t)lasts_s < LASTS_MOST_S ? (uint64_t)lasts_s : LASTS_MOST_S;
}

int64_t graph_token_renew_at_us(int64_t obtained_at_us, int64_t expires_at_us) {
    int64_t a_day_old_us = obtained_at_us + DAY_US, ends_soon_us = expires_at_us - RENEW_LEFT_US;
    return a_day_old_us > ends_soon_us ? a_day_old_us : ends_soon_us;
}

bool graph_id_valid(const char *id) {
    size_t digits = strspn(id, "0123456789");
    return digits > 0 && digits <= ID_MOST_DIGITS && id[digits] == '\0';
}
