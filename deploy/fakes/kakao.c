/*
 * Brand messages through NAVER Cloud SENS. Source: NAVER Cloud, "SENS overview" (headers), "Brand message: send" and
 * "list". docs/fakes.md lists where it differs: other dealers have an idempotency key, and refuse at once in quiet hours.
 */
#include "deploy/fakes/kakao.h"

#include "client/base/random.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#define TOLERANCE_MS          300000
#define QUIET_FROM            (20 * 60 + 50)
#define QUIET_UNTIL           (8 * 60)
#define TEXT_MAX              400
#define TEXT_WITH_PICTURE_MAX 300
#define BUTTON_NAME_MAX       8
#define KST_AHEAD_OF_UTC_S    (9 * 3600)

/* An accepted message. */
struct message {
    UT_hash_handle hh;
    char request_id[64];
    char key[FAKES_KEY_BYTES];
    char time[32];
};

struct kakao {
    struct message *messages; /* by request id */
    char access_key[128];     /* "": any */
    char secret[256];         /* "": signatures are not checked */
    int minute;               /* -1: the real clock */
};

static json_t *kakao_error_body(const struct fake_error *error) {
    const char *code = error->code[0] != '\0' ? error->code : "900";
    return json_pack("{s:{s:s, s:s, s:s}, s:s, s:s}", "error", "code", code, "errorCode", code, "message",
                     error->message, "statusCode", code, "statusName", "fail");
}

static const struct fakes_protocol SENS = {
    .id_member = "requestId",
    .error_body = kakao_error_body,
    .rejected = {.status = 400, .code = "3018", .message = "told to reject"},
    .wrong_clock = {.status = 401, .code = "200", .message = "Authentication Failed: the timestamp is too far away"},
    .quiet_hours = {.status = 400, .code = "3022", .message = "no advertisements from 20:50 to 08:00"},
};

static struct fake_error sens_error(unsigned status, const char *code, const char *message) {
    struct fake_error error = {.status = status};
    snprintf(error.code, sizeof(error.code), "%s", code);
    snprintf(error.message, sizeof(error.message), "%s", message);
    return error;
}

struct kakao *kakao_new(const struct fakes_options *options) {
    struct kakao *kakao = calloc(1, sizeof(*kakao));
    if (kakao != NULL) {
        kakao->minute = options->kst_minute;
        snprintf(kakao->access_key, sizeof(kakao->access_key), "%s",
                 options->kakao_access_key != NULL ? options->kakao_access_key : "");
        snprintf(kakao->secret, sizeof(kakao->secret), "%s",
                 options->kakao_secret != NULL ? options->kakao_secret : "");
    }
    return kakao;
}

void kakao_free(struct kakao *kakao) {
    if (kakao == NULL) {
        return;
    }
    struct message *message = kakao->messages;
    HASH_CLEAR(hh, kakao->messages); /* leaves the items linked by hh.next */
    while (message != NULL) {
        struct message *next = message->hh.next;
        free(message);
        message = next;
    }
    free(kakao);
}

/* --- the clock --------------------------------------------------------------------------------------------------- */

int fakes_read_time(const char *text) {
    unsigned hour, minute;
    int end = 0;
    if (sscanf(text, "%2u:%2u%n", &hour, &minute, &end) != 2 || end != 5 || text[end] != '\0' || hour > 23 ||
        minute > 59) {
        return -1;
    }
    return (int)(hour * 60 + minute);
}

const char *kakao_set_clock(struct kakao *kakao, const json_t *json) {
    const json_t *kst = json_object_get(json, "kst");
    int minute = json_is_string(kst) ? fakes_read_time(json_string_value(kst)) : -1;
    if (json_object_size(json) != 1 || (minute < 0 && !json_is_null(kst))) {
        return "kst must be a time of day, \"21:00\", or null for the real clock";
    }
    kakao->minute = minute;
    return NULL;
}

int kakao_minute(const struct kakao *kakao) {
    int64_t now_s = fakes_now_ms() / 1000 + KST_AHEAD_OF_UTC_S;
    return kakao->minute >= 0 ? kakao->minute : (int)(now_s % 86400 / 60);
}

bool kakao_is_quiet(int minute) {
    return minute >= QUIET_FROM || minute < QUIET_UNTIL;
}

/* --- signatures -------------------------------------------------------------------------------------------------- */

void kakao_sign(const char *secret, const char *method, const char *uri, const char *timestamp, const char *access_key,
                char *ret_signature) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    size_t bytes = strlen(method) + strlen(uri) + strlen(timestamp) + strlen(access_key) + 4;
    char *text = malloc(bytes);
    ret_signature[0] = '\0';
    if (text == NULL) {
        return;
    }
    int length = snprintf(text, bytes, "%s %s\n%s\n%s", method, uri, timestamp, access_key);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text, (size_t)length, digest, &digest_bytes);
    EVP_EncodeBlock((unsigned char *)ret_signature, digest, (int)digest_bytes);
    free(text);
}

static bool is_timely(const struct fakes_request *request, const char *timestamp) {
    char *end;
    errno = 0;
    long long sent_ms = strtoll(timestamp, &end, 10);
    return timestamp[0] >= '0' && timestamp[0] <= '9' && *end == '\0' && errno == 0 &&
           llabs(sent_ms - (long long)request->received_ms) <= TOLERANCE_MS;
}

/* Returns: NULL: signed well | what is wrong */
static const char *check_sens_signature(const struct fakes_request *request, const char *method) {
    const struct kakao *kakao = request->fakes->kakao;
    const char *timestamp = fakes_header(request, "x-ncp-apigw-timestamp");
    const char *access_key = fakes_header(request, "x-ncp-iam-access-key");
    const char *signature = fakes_header(request, "x-ncp-apigw-signature-v2");
    char expected[64];
    if (timestamp == NULL || access_key == NULL || signature == NULL) {
        return "Authentication Failed: a header x-ncp-… is missing";
    }
    if (!is_timely(request, timestamp)) {
        return "Authentication Failed: the timestamp is too far away";
    }
    if (kakao->access_key[0] != '\0' && strcmp(kakao->access_key, access_key) != 0) {
        return "Authentication Failed: unknown access key";
    }
    if (kakao->secret[0] == '\0') {
        return NULL;
    }
    kakao_sign(kakao->secret, method, request->uri, timestamp, access_key, expected);
    return strlen(expected) == strlen(signature) && CRYPTO_memcmp(expected, signature, strlen(expected)) == 0
               ? NULL
               : "Authentication Failed: the signature is wrong";
}

/* --- the message ------------------------------------------------------------------------------------------------- */

static size_t kakao_characters(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return count;
}

/* A member of the message, which the first recipient's own takes the place of. */
static const json_t *message_member(const json_t *body, const char *name) {
    const json_t *own = json_object_get(json_array_get(json_object_get(body, "messages"), 0), name);
    return own != NULL ? own : json_object_get(body, name);
}

static bool has_long_button(const json_t *body) {
    const json_t *buttons = message_member(body, "buttons");
    for (size_t i = 0; i < json_array_size(buttons); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(buttons, i), "name"));
        if (name == NULL || name[0] == '\0' || kakao_characters(name) > BUTTON_NAME_MAX) {
            return true;
        }
    }
    return false;
}

/* Returns: NULL: in order | what is wrong */
static const char *check_brand_message(const json_t *body) {
    const char *targeting = json_string_value(json_object_get(body, "targeting"));
    const char *content = json_string_value(message_member(body, "content"));
    bool pictured = message_member(body, "imageUrl") != NULL || message_member(body, "image") != NULL;
    if (!json_is_object(body)) {
        return "the body is not a JSON object";
    }
    if (json_string_length(json_object_get(body, "plusFriendId")) == 0) {
        return "plusFriendId is missing";
    }
    if (json_object_get(body, "targeting") != NULL &&
        (targeting == NULL || strlen(targeting) != 1 || strchr("IMN", targeting[0]) == NULL)) {
        return "targeting must be I, M or N";
    }
    if (content == NULL || content[0] == '\0') {
        return "content is missing";
    }
    if (kakao_characters(content) > (pictured ? TEXT_WITH_PICTURE_MAX : TEXT_MAX)) {
        return "content has more than 400 characters, or 300 with a picture";
    }
    return has_long_button(body) ? "a button's name must have 1 to 8 characters" : NULL;
}

/* Without memory, the message can not be looked up. */
static void keep_message(struct kakao *kakao, const char *request_id, const char *key, const char *when) {
    struct message *message = calloc(1, sizeof(*message));
    if (message != NULL) {
        snprintf(message->request_id, sizeof(message->request_id), "%s", request_id);
        snprintf(message->key, sizeof(message->key), "%s", key);
        snprintf(message->time, sizeof(message->time), "%s", when);
        HASH_ADD_STR(kakao->messages, request_id, message);
    }
}

static void make_request_id(char *id, size_t bytes) {
    uint64_t high = herald_random(), low = herald_random();
    snprintf(id, bytes, "%08x-%04x-%04x-%04x-%012" PRIx64, (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xffff),
             (unsigned)(high & 0xffff), (unsigned)(low >> 48), low & UINT64_C(0xffffffffffff));
}

static void write_kst(char *text, size_t bytes) {
    struct tm when;
    int64_t now_ms = fakes_now_ms();
    time_t kst_s = (time_t)(now_ms / 1000 + KST_AHEAD_OF_UTC_S);
    size_t length = strftime(text, bytes, "%Y-%m-%dT%H:%M:%S", gmtime_r(&kst_s, &when));
    snprintf(text + length, bytes - length, ".%03d", (int)(now_ms % 1000));
}

static void send_message(struct fakes_request *request) {
    struct kakao *kakao = request->fakes->kakao;
    const char *known;
    char request_id[64], when[32];
    struct fake_error error;
    if (request->key[0] != '\0' &&
        fake_ledger_look_up(request->fakes->ledger, FAKE_KAKAO_CHANNEL, request->key, &known) == FAKE_ACCEPTED) {
        error = sens_error(400, "-1005", "the idempotency key was used before");
        fakes_refuse(request, &error);
        return;
    }
    if (kakao_is_quiet(kakao_minute(kakao))) {
        fakes_refuse(request, &SENS.quiet_hours);
        return;
    }
    make_request_id(request_id, sizeof(request_id));
    write_kst(when, sizeof(when));
    keep_message(kakao, request_id, request->key, when);
    fakes_accept(request, 202, request_id, NULL,
                 json_pack("{s:s, s:s, s:s, s:s}", "requestId", request_id, "requestTime", when, "statusCode", "202",
                           "statusName", "success"));
}

/* --- looking up -------------------------------------------------------------------------------------------------- */

static void reply_message(struct fakes_request *request, const struct message *message) {
    if (message == NULL) {
        fakes_reply(request, 404, NULL);
        return;
    }
    fakes_reply(request, 200,
                json_pack("{s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:s, s:s, s:s}]}", "requestId", message->request_id,
                          "idempotencyKey", message->key, "requestTime", message->time, "statusCode", "202",
                          "statusName", "success", "messages", "messageId", message->request_id, "requestStatusCode",
                          "A000", "requestStatusName", "success", "messageStatusCode", "0000", "messageStatusName",
                          "success"));
}

static void look_up_message(struct fakes_request *request) {
    struct kakao *kakao = request->fakes->kakao;
    const char *request_id = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "requestId");
    struct message *message = NULL;
    enum fake_look_up found = FAKE_ACCEPTED;
    if (request_id == NULL) {
        found = fake_ledger_look_up(request->fakes->ledger, FAKE_KAKAO_CHANNEL, request->key, &request_id);
    }
    if (found == FAKE_UNDECIDED) {
        fakes_reply(request, 202, json_pack("{s:s, s:s}", "statusCode", "202", "statusName", "processing"));
        return;
    }
    if (found == FAKE_ACCEPTED) {
        HASH_FIND_STR(kakao->messages, request_id, message);
    }
    reply_message(request, message);
}

/* --- routes ------------------------------------------------------------------------------------------------------ */

static enum MHD_Result turn_away_sens(struct fakes_request *request, unsigned status, const char *code,
                                      const char *message) {
    struct fake_error error = sens_error(status, code, message);
    return fakes_turn_away(request, FAKE_KAKAO_CHANNEL, &SENS, &error);
}

static enum MHD_Result route_send(struct fakes_request *request) {
    const char *key = fakes_header(request, "idempotency-key");
    snprintf(request->key, sizeof(request->key), "%s", key != NULL ? key : "");
    request->json =
        json_loadb(request->body != NULL ? request->body : "", request->body_bytes, JSON_REJECT_DUPLICATES, NULL);
    const char *wrong = check_brand_message(request->json);
    return wrong != NULL ? turn_away_sens(request, 400, "400", wrong)
                         : fakes_call(request, FAKE_KAKAO_CHANNEL, FAKE_STEP_SEND, &SENS, send_message);
}

static enum MHD_Result route_messages_look_up(struct fakes_request *request) {
    const char *key = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "idempotencyKey");
    const char *id = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "requestId");
    snprintf(request->key, sizeof(request->key), "%s", key != NULL ? key : "");
    return key == NULL && id == NULL
               ? turn_away_sens(request, 400, "400", "requestId or idempotencyKey is needed")
               : fakes_call(request, FAKE_KAKAO_CHANNEL, FAKE_STEP_LOOK_UP, &SENS, look_up_message);
}

enum MHD_Result kakao_route(struct fakes_request *request, const char *method, const char *path) {
    static const char SERVICES[] = "brandmessage/v2/services/";
    const char *service = path + sizeof(SERVICES) - 1;
    if (strncmp(path, SERVICES, sizeof(SERVICES) - 1) != 0 || strcspn(service, "/") == 0 ||
        strcmp(service + strcspn(service, "/"), "/messages") != 0) {
        return fakes_answer_error(request, 404, "404", "no such page");
    }
    const char *wrong = check_sens_signature(request, method);
    if (wrong != NULL) {
        return turn_away_sens(request, 401, "200", wrong);
    }
    if (request->too_big) {
        return turn_away_sens(request, 413, "413", "the body is too long");
    }
    if (strcmp(method, "POST") == 0) {
        return route_send(request);
    }
    return strcmp(method, "GET") == 0 ? route_messages_look_up(request)
                                      : fakes_answer_error(request, 405, "405", "POST sends, GET looks up");
}
