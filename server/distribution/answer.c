/* What adapters share: from a channel's answer, or from none, to what it means. */
#include "client/json/text.h"
#include "herald/utf8.h"
#include "server/distribution/adapter.h"
#include "server/runtime/call.h"
#include "server/text/post_text.h"
#include "server/text/text_count.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_MOST_BYTES     256u
#define DETAIL_MOST_BYTES 200u
#define SKEW_MS           60000 /* a refused signature and a clock this far off: the clock is the cause */

const struct answer_rule *answer_classify(const struct answer_rule *rules, int status, int code, int subcode) {
    const struct answer_rule *rule = rules;
    while ((rule->status_to != 0 && (status < rule->status_from || status > rule->status_to)) ||
           (rule->code != ANY_CODE && rule->code != code) || (rule->subcode != ANY_CODE && rule->subcode != subcode)) {
        rule++;
    }
    return rule;
}

struct channel_answer answer_plain(enum meaning meaning, enum herald_reason reason, const char *message) {
    return (struct channel_answer){
        .meaning = meaning,
        .reason = reason,
        .message = message,
        .remote_id = "",
        .step_id = "",
        .post_url = "",
    };
}

/* ---- the channel's own words ---- */

/* Bytes of the character at @at, 1..4; 0: it is not valid UTF-8. */
static size_t word_char_bytes(const char *at) {
    size_t left = strnlen(at, 4), bytes = 1;
    while (bytes <= left && !herald_utf8_valid(at, bytes, NULL)) {
        bytes++;
    }
    return bytes <= left ? bytes : 0;
}

/* Removes what is not UTF-8, which Postgres and JSON would refuse. */
static void remove_invalid(char *text) {
    char *to = text;
    for (const char *at = text; *at != '\0';) {
        size_t bytes = word_char_bytes(at);
        memmove(to, at, bytes);
        to += bytes;
        at += bytes > 0 ? bytes : 1;
    }
    *to = '\0';
}

const char *answer_words(const char *text) {
    char *valid = text ? arena_strdup(call_arena(), text) : NULL, *clean = NULL;
    if (valid) {
        remove_invalid(valid);
    }
    if (!valid || post_text_clean(valid, TEXT_LINE, &clean, NULL) != HERALD_OK) {
        return "";
    }
    const char *words = arena_strndup(call_arena(), clean, text_cut(clean, DETAIL_MOST_BYTES, TEXT_BYTES));
    free(clean);
    return words ? words : "";
}

/* "the channel … (HTTP status 429, code 4/2207051: its words)" */
static const char *explain(const struct answer_rule *rule, int status, int code, int subcode, const char *detail) {
    const char *codes = "";
    if (code != ANY_CODE) {
        codes = subcode != ANY_CODE ? arena_printf(call_arena(), ", code %d/%d", code, subcode)
                                    : arena_printf(call_arena(), ", code %d", code);
    }
    const char *words = answer_words(detail);
    const char *text = codes ? arena_printf(call_arena(), "%s (HTTP status %d%s%s%s)", rule->message, status, codes,
                                            words[0] != '\0' ? ": " : "", words)
                             : NULL;
    return text ? text : rule->message;
}

struct channel_answer answer_of_rule(const struct answer_rule *rule, const struct http_response *response, int code,
                                     int subcode, const char *detail) {
    struct channel_answer answer = answer_plain(rule->meaning, rule->reason, "");
    if (rule->message[0] != '\0') {
        answer.message = explain(rule, response->status, code, subcode, detail);
    }
    answer.retry_at_us = response->retry_at_us;
    return answer;
}

/* Herald's own want, not the channel's fault. */
static bool is_own_want(const struct herald_error *error) {
    return herald_error_is(error, HERALD_REASON_HTTP_NO_DESCRIPTORS) ||
           herald_error_is(error, HERALD_REASON_HTTP_NO_MEMORY) || herald_error_is(error, HERALD_REASON_ARENA_FULL);
}

struct channel_answer answer_of_failure(enum herald_code code, const struct herald_error *error, bool may_be_accepted) {
    const char *message = arena_strdup(call_arena(), error->message);
    message = message ? message : "";
    if (is_own_want(error)) {
        return answer_plain(MEANS_OWN_WANT, HERALD_REASON_NOT_SENT, message);
    }
    if (code == HERALD_UNAVAILABLE) {
        return answer_plain(MEANS_RETRY, HERALD_REASON_CHANNEL_UNREACHABLE, message);
    }
    enum herald_reason reason =
        herald_error_is(error, HERALD_REASON_HTTP_TIMEOUT) ? HERALD_REASON_CHANNEL_TIMEOUT : HERALD_REASON_CHANNEL_LOST;
    return answer_plain(may_be_accepted ? MEANS_UNKNOWN : MEANS_RETRY, reason, message);
}

struct channel_answer answer_blame_clock(struct channel_answer answer, const struct http_response *response) {
    bool skewed = response->date_said && (response->clock_ahead_ms > SKEW_MS || response->clock_ahead_ms < -SKEW_MS);
    if (answer.meaning != MEANS_REAUTH || !skewed) {
        return answer;
    }
    const char *message = arena_printf(
        call_arena(), "the channel refused the signature; its clock is %" PRId64 " s ahead of this machine's",
        response->clock_ahead_ms / 1000);
    return answer_plain(MEANS_CLOCK, HERALD_REASON_CLOCK_SKEW,
                        message ? message : "the channel's clock and this machine's differ");
}

/* ---- ids ---- */

/* Finds a member's value in the object at @at; NULL: there is none. */
static const char *find_json_member(const char *at, const char *member) {
    char name[64];
    if (json_peek(&at) != '{') {
        return NULL;
    }
    (void)json_take(&at, '{');
    while (json_peek(&at) == '"') {
        (void)json_take_string(&at, name, sizeof(name));
        (void)json_take(&at, ':');
        (void)json_peek(&at);
        if (strcmp(name, member) == 0) {
            return at;
        }
        json_skip(&at);
        (void)json_take(&at, ',');
    }
    return NULL;
}

/* Removes control characters, and what is not whole UTF-8 at the end of a cut. */
static void clean_id(char *id) {
    char *to = id;
    const char *at = id;
    while (*at != '\0') {
        size_t control = (unsigned char)*at < 0x20 ? 1 : json_control_bytes(at);
        if (control == 0) {
            *to++ = *at++;
        } else {
            at += control;
        }
    }
    *to = '\0';
    while (to > id && !herald_utf8_valid(id, strlen(id), NULL)) {
        *--to = '\0';
    }
}

const char *answer_id(const char *body, size_t body_bytes, const char *member) {
    struct json_problem problem;
    if (body == NULL || !json_text_check(body, body_bytes, &problem)) {
        return "";
    }
    const char *at = find_json_member(body, member);
    char *id = arena_alloc(call_arena(), ID_MOST_BYTES + 1);
    if (at == NULL || id == NULL) {
        return "";
    }
    if (*at == '"') {
        (void)json_take_string(&at, id, ID_MOST_BYTES + 1);
        id[ID_MOST_BYTES] = '\0';
    } else {
        const char *end = json_number_end(at, body + body_bytes);
        size_t bytes = end != NULL ? (size_t)(end - at) : 0;
        bytes = bytes <= ID_MOST_BYTES ? bytes : 0; /* a number is kept whole or not at all */
        memcpy(id, at, bytes);
        id[bytes] = '\0';
    }
    clean_id(id);
    return id;
}
