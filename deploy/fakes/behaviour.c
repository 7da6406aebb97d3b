/* Reads and writes the behaviours of fake channels as JSON. */
#include "deploy/fakes/behaviour.h"

#include "herald/distribution/v1/distribution.schema.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NAME_ROW(name, usual_ms)         [FAKE_##name] = #name,
#define IS_IN_SCHEMA_ROW(name, usual_ms) HERALD__DISTRIBUTION__V1__CHANNEL__##name > 0 &&
#define STEP_NAME_ROW(name, text)        [FAKE_STEP_##name] = (text),

static_assert(FAKE_CHANNELS(IS_IN_SCHEMA_ROW) FAKE_CHANNEL_COUNT == HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT - 1,
              "the fakes have each channel of the schema");

static const char *const CHANNEL_NAMES[FAKE_CHANNEL_COUNT] = {FAKE_CHANNELS(NAME_ROW)};
static const char *const STEP_NAMES[FAKE_STEP_COUNT] = {FAKE_STEPS(STEP_NAME_ROW)};

#define STEP(name) (1u << FAKE_STEP_##name)
#define ALL_STEPS  ((1u << FAKE_STEP_COUNT) - 1)
#define INSTAGRAM_STEPS                                                                                                \
    (STEP(MEDIA) | STEP(STATUS) | STEP(MEDIA_PUBLISH) | STEP(LIMIT) | STEP(PERMALINK) | STEP(REFRESH))

static const struct {
    const char *name;
    unsigned steps; /* where it means anything */
} MODES[FAKE_MODE_COUNT] = {
    [FAKE_OK] = {"ok", ALL_STEPS},
    [FAKE_SLOW] = {"slow", ALL_STEPS},
    [FAKE_LATE] = {"late", ALL_STEPS},
    [FAKE_DRIP] = {"drip", ALL_STEPS},
    [FAKE_HUGE] = {"huge", ALL_STEPS},
    [FAKE_NOT_JSON] = {"not_json", ALL_STEPS},
    [FAKE_NUMERIC_ID] = {"numeric_id", ALL_STEPS},
    [FAKE_NO_ID] = {"no_id", ALL_STEPS},
    [FAKE_HANG] = {"hang", ALL_STEPS},
    [FAKE_RESET_AFTER] = {"reset_after", ALL_STEPS},
    [FAKE_CUT] = {"cut", ALL_STEPS},
    [FAKE_BAD_CHUNK] = {"bad_chunk", ALL_STEPS},
    [FAKE_FAIL] = {"fail", ALL_STEPS},
    [FAKE_REJECT] = {"reject", ALL_STEPS},
    [FAKE_DROP] = {"drop", ALL_STEPS},
    [FAKE_RESET] = {"reset", ALL_STEPS},
    [FAKE_STALL] = {"stall", ALL_STEPS},
    [FAKE_WRONG_CLOCK] = {"wrong_clock", STEP(POST) | STEP(SEND) | STEP(LOOK_UP)},
    [FAKE_TOKEN_EXPIRED] = {"token_expired", INSTAGRAM_STEPS},
    [FAKE_QUOTA_FULL] = {"quota_full", STEP(MEDIA_PUBLISH) | STEP(LIMIT)},
    [FAKE_QUIET_HOURS] = {"quiet_hours", STEP(SEND)},
    [FAKE_CONTAINER_SLOW] = {"container_slow", STEP(MEDIA)},
    [FAKE_CONTAINER_ERROR] = {"container_error", STEP(MEDIA)},
    [FAKE_CONTAINER_EXPIRED] = {"container_expired", STEP(MEDIA)},
};

static bool find_name(const char *const *names, int count, const char *name, int *ret_index) {
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

const char *fake_channel_name(enum fake_channel channel) {
    return CHANNEL_NAMES[channel];
}

bool fake_channel_find(const char *name, enum fake_channel *ret_channel) {
    int index;
    if (!find_name(CHANNEL_NAMES, FAKE_CHANNEL_COUNT, name, &index)) {
        return false;
    }
    *ret_channel = (enum fake_channel)index;
    return true;
}

const char *fake_step_name(enum fake_step step) {
    return STEP_NAMES[step];
}

const char *fake_mode_name(enum fake_mode mode) {
    return MODES[mode].name;
}

bool fake_mode_find(const char *name, enum fake_mode *ret_mode) {
    for (int i = 0; i < FAKE_MODE_COUNT; i++) {
        if (strcmp(MODES[i].name, name) == 0) {
            *ret_mode = (enum fake_mode)i;
            return true;
        }
    }
    return false;
}

static unsigned steps_of_channel(enum fake_channel channel) {
    switch (channel) {
    case FAKE_INSTAGRAM:
        return STEP(POST) | INSTAGRAM_STEPS;
    case FAKE_KAKAO_CHANNEL:
        return STEP(POST) | STEP(SEND) | STEP(LOOK_UP);
    case FAKE_NAVER_BLOG:
        return STEP(POST) | STEP(PAGE);
    default:
        return STEP(POST);
    }
}

bool fake_channel_has_step(enum fake_channel channel, enum fake_step step) {
    return (steps_of_channel(channel) >> step & 1) != 0;
}

bool fake_mode_fits(enum fake_mode mode, enum fake_step step) {
    return (MODES[mode].steps >> step & 1) != 0;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* Reads a number. @value  unchanged when the member is missing */
static bool read_number_member(const json_t *json, const char *name, json_int_t min, json_int_t max, uint32_t *value) {
    const json_t *member = json_object_get(json, name);
    if (member == NULL) {
        return true;
    }
    if (!json_is_integer(member) || json_integer_value(member) < min || json_integer_value(member) > max) {
        return false;
    }
    *value = (uint32_t)json_integer_value(member);
    return true;
}

static const char *read_members_known(const json_t *json) {
    static const char *const KNOWN[] = {"mode",        "step",        "delayMs", "latency", "status",
                                        "error",       "retryAfterS", "count",   "share",   "retryAfterForm",
                                        "containerMs", "dripMs",      "bytes"};
    const char *name;
    json_t *value;
    int index;
    if (!json_is_object(json)) {
        return "a behaviour is a JSON object";
    }
    json_object_foreach((json_t *)(uintptr_t)json, name, value) {
        if (!find_name(KNOWN, sizeof(KNOWN) / sizeof(KNOWN[0]), name, &index)) {
            return "unknown member; known: mode, step, delayMs, latency, status, error, retryAfterS, retryAfterForm, "
                   "count, share, containerMs, dripMs, bytes";
        }
    }
    return NULL;
}

static const char *read_mode(const json_t *json, enum fake_channel channel, struct fake_behaviour *behaviour) {
    const json_t *member = json_object_get(json, "mode");
    const char *step = json_string_value(json_object_get(json, "step"));
    int index = FAKE_ANY_STEP;
    behaviour->mode = FAKE_FAIL;
    if (member == NULL && json_object_get(json, "error") == NULL) {
        return "mode is missing";
    }
    if (member != NULL && (!json_is_string(member) || !fake_mode_find(json_string_value(member), &behaviour->mode))) {
        return "mode must be one of ok, slow, late, drip, huge, not_json, numeric_id, no_id, hang, reset_after, cut, "
               "bad_chunk, fail, reject, drop, reset, stall, wrong_clock, token_expired, quota_full, quiet_hours, "
               "container_slow, container_error, container_expired";
    }
    if (json_object_get(json, "step") != NULL &&
        (step == NULL || !find_name(STEP_NAMES, FAKE_STEP_COUNT, step, &index) ||
         !fake_channel_has_step(channel, (enum fake_step)index))) {
        return "step must be one of the channel's: post; INSTAGRAM media, status, media_publish, limit, permalink, "
               "refresh; KAKAO_CHANNEL send, look_up; NAVER_BLOG page";
    }
    behaviour->step = (enum fake_step)index;
    unsigned steps = index == FAKE_ANY_STEP ? steps_of_channel(channel) : 1u << index;
    return (MODES[behaviour->mode].steps & steps) != 0 ? NULL : "mode does not fit the channel or step";
}

static const char *read_error(const json_t *error, struct fake_error *into) {
    const json_t *code = json_object_get(error, "code"), *subcode = json_object_get(error, "subcode");
    const json_t *message = json_object_get(error, "message");
    if (error == NULL) {
        return NULL;
    }
    size_t known = 1u + (subcode != NULL) + (message != NULL);
    if (!json_is_object(error) || code == NULL || json_object_size(error) != known) {
        return "error must be {\"code\": …, \"subcode\": …, \"message\": …}; code is a must";
    }
    if (json_is_integer(code)) {
        snprintf(into->code, sizeof(into->code), "%lld", (long long)json_integer_value(code));
    } else if (json_is_string(code) && json_string_length(code) > 0 && json_string_length(code) < sizeof(into->code)) {
        snprintf(into->code, sizeof(into->code), "%s", json_string_value(code));
    } else {
        return "error.code must be a whole number or a text of 1 to 23 bytes";
    }
    if (subcode != NULL && !json_is_integer(subcode)) {
        return "error.subcode must be a whole number";
    }
    if (message != NULL && (!json_is_string(message) || json_string_length(message) >= sizeof(into->message))) {
        return "error.message must be a text of at most 127 bytes";
    }
    into->subcode = json_integer_value(subcode);
    snprintf(into->message, sizeof(into->message), "%s", message != NULL ? json_string_value(message) : "");
    return NULL;
}

static const char *read_latency(const json_t *json, struct fake_latency *latency) {
    const json_t *distribution = json_object_get(json, "latency");
    if (!read_number_member(json, "delayMs", 0, FAKE_LATENCY_MAX_MS, &latency->low_ms)) {
        return "delayMs must be a whole number from 0 to 600000";
    }
    if (json_object_get(json, "delayMs") != NULL) {
        latency->kind = FAKE_LATENCY_FIXED;
        return distribution == NULL ? NULL : "latency and delayMs exclude each other";
    }
    return distribution == NULL ? NULL : fake_latency_read(distribution, latency);
}

static const char *read_retry_after(const json_t *json, struct fake_behaviour *behaviour) {
    const json_t *form = json_object_get(json, "retryAfterForm");
    const char *name = json_string_value(form);
    if (!read_number_member(json, "retryAfterS", 0, 86400, &behaviour->retry_after_s)) {
        return "retryAfterS must be a whole number from 0 to 86400";
    }
    if (form != NULL && (name == NULL || (strcmp(name, "seconds") != 0 && strcmp(name, "date") != 0))) {
        return "retryAfterForm must be seconds or date";
    }
    behaviour->retry_after_date = name != NULL && strcmp(name, "date") == 0;
    return NULL;
}

static const char *read_reach(const json_t *json, struct fake_behaviour *behaviour) {
    const json_t *share = json_object_get(json, "share");
    if (!read_number_member(json, "count", 0, 1000000, &behaviour->count)) {
        return "count must be a whole number from 0 to 1000000";
    }
    behaviour->share = json_number_value(share);
    if (share != NULL && !(behaviour->share > 0 && behaviour->share <= 1)) {
        return "share must be a number above 0, at most 1";
    }
    return NULL;
}

static const char *read_sizes(const json_t *json, struct fake_behaviour *behaviour) {
    uint32_t status = 0;
    if (!read_number_member(json, "status", 300, 599, &status)) {
        return "status must be a whole number from 300 to 599";
    }
    behaviour->error.status = status;
    if (!read_number_member(json, "containerMs", 1, 86400000, &behaviour->container_ms)) {
        return "containerMs must be a whole number from 1 to 86400000";
    }
    if (!read_number_member(json, "dripMs", 1, 60000, &behaviour->drip_ms)) {
        return "dripMs must be a whole number from 1 to 60000";
    }
    if (!read_number_member(json, "bytes", 1, 1 << 30, &behaviour->huge_bytes)) {
        return "bytes must be a whole number from 1 to 1073741824";
    }
    return NULL;
}

const char *fake_behaviour_read(const json_t *json, enum fake_channel channel, struct fake_behaviour *ret_behaviour) {
    struct fake_behaviour behaviour = {0};
    const char *wrong = read_members_known(json);
    wrong = wrong != NULL ? wrong : read_mode(json, channel, &behaviour);
    wrong = wrong != NULL ? wrong : read_error(json_object_get(json, "error"), &behaviour.error);
    wrong = wrong != NULL ? wrong : read_latency(json, &behaviour.latency);
    wrong = wrong != NULL ? wrong : read_retry_after(json, &behaviour);
    wrong = wrong != NULL ? wrong : read_reach(json, &behaviour);
    wrong = wrong != NULL ? wrong : read_sizes(json, &behaviour);
    if (wrong == NULL) {
        *ret_behaviour = behaviour;
    }
    return wrong;
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void write_error(json_t *json, const struct fake_error *error) {
    json_int_t number;
    int end = 0;
    if (error->code[0] == '\0') {
        return;
    }
    bool numeric = sscanf(error->code, "%lld%n", (long long *)&number, &end) == 1 && error->code[end] == '\0';
    json_t *written = json_pack("{s:o}", "code", numeric ? json_integer(number) : json_string(error->code));
    if (error->subcode != 0) {
        json_object_set_new(written, "subcode", json_integer(error->subcode));
    }
    if (error->message[0] != '\0') {
        json_object_set_new(written, "message", json_string(error->message));
    }
    json_object_set_new(json, "error", written);
}

static void write_if_set(json_t *json, const char *name, uint32_t value) {
    if (value > 0) {
        json_object_set_new(json, name, json_integer(value));
    }
}

json_t *fake_behaviour_write(const struct fake_behaviour *behaviour, uint32_t usual_ms) {
    const struct fake_latency *latency = &behaviour->latency;
    json_t *json = json_pack("{s:s}", "mode", fake_mode_name(behaviour->mode));
    if (latency->kind == FAKE_LATENCY_USUAL || latency->kind == FAKE_LATENCY_FIXED) {
        json_object_set_new(json, "delayMs", json_integer(fake_latency_at(latency, 0, usual_ms)));
    } else {
        json_object_set_new(json, "latency", fake_latency_write(latency));
    }
    json_object_set_new(json, "status", json_integer(behaviour->error.status > 0 ? behaviour->error.status : 503));
    json_object_set_new(json, "retryAfterS", json_integer(behaviour->retry_after_s));
    json_object_set_new(json, "count", json_integer(behaviour->count));
    write_error(json, &behaviour->error);
    if (behaviour->step != FAKE_ANY_STEP) {
        json_object_set_new(json, "step", json_string(fake_step_name(behaviour->step)));
    }
    if (behaviour->retry_after_date) {
        json_object_set_new(json, "retryAfterForm", json_string("date"));
    }
    if (behaviour->share > 0) {
        json_object_set_new(json, "share", json_real(behaviour->share));
    }
    write_if_set(json, "containerMs", behaviour->container_ms);
    write_if_set(json, "dripMs", behaviour->drip_ms);
    write_if_set(json, "bytes", behaviour->huge_bytes);
    return json;
}
