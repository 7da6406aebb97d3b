/* Posts to a partner's webhook, by Standard Webhooks 1.0.0: checks the signature and the body. */
#include "deploy/fakes/fakes_private.h"
#include "deploy/fakes/signature.h"

#include <stdio.h>
#include <string.h>

static json_t *webhook_error_body(const struct fake_error *error) {
    const char *code = error->code[0] != '\0' ? error->code : error->status == 429 ? "throttled" : "told_to_fail";
    return json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", error->message);
}

static const struct fakes_protocol WEBHOOK = {
    .id_member = "id",
    .error_body = webhook_error_body,
    .rejected = {.status = 422, .code = "rejected", .message = "told to reject"},
    .wrong_clock = {.status = 401, .code = "bad_signature", .message = "webhook-timestamp is more than 5 minutes away"},
};

/* Whether a key is safe in paths and logs: letters, digits, and the punctuation of UUIDs and message ids. */
static bool is_webhook_key(const char *text) {
    static const char ALLOWED[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:";
    return text != NULL && text[0] != '\0' && strlen(text) <= 128 && text[strspn(text, ALLOWED)] == '\0';
}

/* Whether a channel has secrets of its own. */
static bool has_own_secret(const struct fakes *fakes, enum fake_channel channel) {
    for (size_t i = 0; i < fakes->secret_count; i++) {
        if (fakes->secrets[i].channel == channel) {
            return true;
        }
    }
    return false;
}

/* Returns: NULL: signed with one of the channel's secrets | what is wrong */
static const char *check_webhook_signature(const struct fakes_request *request, enum fake_channel channel,
                                           const char *key) {
    const struct fakes *fakes = request->fakes;
    enum fake_channel whose = has_own_secret(fakes, channel) ? channel : FAKE_CHANNEL_COUNT;
    const char *wrong = fakes->secret_count > 0 ? "the channel has no secret" : NULL;
    for (size_t i = 0; i < fakes->secret_count; i++) {
        if (fakes->secrets[i].channel != whose) {
            continue;
        }
        wrong = signature_check(&fakes->secrets[i].secret, key, fakes_header(request, "webhook-timestamp"),
                                fakes_header(request, "webhook-signature"), request->body != NULL ? request->body : "",
                                request->body_bytes, request->received_ms / 1000);
        if (wrong == NULL) {
            break;
        }
    }
    return wrong;
}

static struct fake_error malformed(unsigned status, const char *code, const char *message) {
    struct fake_error error = {.status = status};
    snprintf(error.code, sizeof(error.code), "%s", code);
    snprintf(error.message, sizeof(error.message), "%s", message);
    return error;
}

static struct fake_error check_webhook_body(enum fake_channel channel, const json_t *body) {
    const char *named = json_string_value(json_object_get(body, "channel"));
    if (!json_is_object(body)) {
        return malformed(400, "bad_request", "the body is not a JSON object");
    }
    if (json_string_length(json_object_get(body, "eventId")) == 0) {
        return malformed(400, "bad_request", "eventId is missing");
    }
    if (named == NULL || strcmp(named, fake_channel_name(channel)) != 0) {
        return malformed(400, "bad_request", "channel is not the one in the path");
    }
    if (json_string_length(json_object_get(body, "title")) == 0) {
        return malformed(400, "bad_request", "title is missing");
    }
    return (struct fake_error){0};
}

static struct fake_error check_webhook(const struct fakes_request *request, enum fake_channel channel) {
    const char *key = fakes_header(request, "webhook-id");
    if (!is_webhook_key(key)) {
        return malformed(400, "bad_request", "the header webhook-id is missing or malformed");
    }
    if (request->too_big || request->body_bytes > POST_MAX_BYTES) {
        return malformed(413, "too_big", "the body has more than 20000 bytes");
    }
    const char *wrong = check_webhook_signature(request, channel, key);
    if (wrong != NULL) {
        return malformed(401, "bad_signature", wrong);
    }
    return check_webhook_body(channel, request->json);
}

static void accept_webhook(struct fakes_request *request) {
    char remote_id[FAKE_REMOTE_ID_BYTES];
    fake_ledger_remote_id(request->channel, request->key, remote_id);
    fakes_accept(request, 200, remote_id, NULL, json_pack("{s:s}", "id", remote_id));
}

enum MHD_Result webhook_route_post(struct fakes_request *request, enum fake_channel channel) {
    const char *key = fakes_header(request, "webhook-id");
    request->json =
        json_loadb(request->body != NULL ? request->body : "", request->body_bytes, JSON_REJECT_DUPLICATES, NULL);
    const char *event_id = json_string_value(json_object_get(request->json, "eventId"));
    if (request->event_id[0] == '\0' && event_id != NULL) {
        snprintf(request->event_id, sizeof(request->event_id), "%s", event_id);
    }
    snprintf(request->key, sizeof(request->key), "%s", is_webhook_key(key) ? key : "");
    struct fake_error wrong = check_webhook(request, channel);
    if (wrong.status != 0) {
        return fakes_turn_away(request, channel, &WEBHOOK, &wrong);
    }
    return fakes_call(request, channel, FAKE_STEP_POST, &WEBHOOK, accept_webhook);
}

enum MHD_Result webhook_route_look_up(struct fakes_request *request, enum fake_channel channel, const char *key) {
    const char *remote_id = NULL;
    enum fake_look_up found =
        strlen(key) > 128 ? FAKE_NEVER : fake_ledger_look_up(request->fakes->ledger, channel, key, &remote_id);
    switch (found) {
    case FAKE_ACCEPTED:
        return fakes_answer(request, 200, json_pack("{s:s}", "id", remote_id));
    case FAKE_UNDECIDED:
        return fakes_answer(request, 202, json_pack("{s:s}", "state", "undecided"));
    default:
        return fakes_answer_error(request, 404, "not_found", "no post with this key was accepted");
    }
}
