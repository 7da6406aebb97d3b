/* Reads and writes the behaviours of fake channels as JSON. */
#include "deploy/fakes/channels.h"
#include "herald/distribution/v1/distribution.schema.h"

#include <assert.h>
#include <string.h>

#define NAME_ROW(name, usual_ms)         [FAKE_##name] = #name,
#define IS_IN_SCHEMA_ROW(name, usual_ms) HERALD__DISTRIBUTION__V1__CHANNEL__##name > 0 &&

static_assert(FAKE_CHANNELS(IS_IN_SCHEMA_ROW) FAKE_CHANNEL_COUNT == HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT - 1,
              "the fakes have each channel of the schema");

static const char *const CHANNEL_NAMES[FAKE_CHANNEL_COUNT] = {FAKE_CHANNELS(NAME_ROW)};
static const char *const MODE_NAMES[FAKE_MODE_COUNT] = {
    [FAKE_OK] = "ok",     [FAKE_SLOW] = "slow",     [FAKE_FAIL] = "fail",
    [FAKE_HANG] = "hang", [FAKE_REJECT] = "reject", [FAKE_DROP] = "drop",
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

const char *fake_mode_name(enum fake_mode mode) {
    return MODE_NAMES[mode];
}

bool fake_mode_find(const char *name, enum fake_mode *ret_mode) {
    int index;
    if (!find_name(MODE_NAMES, FAKE_MODE_COUNT, name, &index)) {
        return false;
    }
    *ret_mode = (enum fake_mode)index;
    return true;
}

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

static bool is_known(const char *name) {
    static const char *const KNOWN[] = {"mode", "delayMs", "status", "retryAfterS", "count"};
    int index;
    return find_name(KNOWN, sizeof(KNOWN) / sizeof(KNOWN[0]), name, &index);
}

const char *fake_behaviour_read(const json_t *json, struct fake_behaviour *ret_behaviour) {
    struct fake_behaviour behaviour = {.status = 503};
    const char *mode = json_string_value(json_object_get(json, "mode"));
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)json, name, value) {
        if (!is_known(name)) {
            return "unknown member; known: mode, delayMs, status, retryAfterS, count";
        }
    }
    if (mode == NULL || !fake_mode_find(mode, &behaviour.mode)) {
        return "mode must be one of ok, slow, fail, hang, reject, drop";
    }
    if (!read_number_member(json, "delayMs", 0, 600000, &behaviour.delay_ms)) {
        return "delayMs must be a whole number from 0 to 600000";
    }
    if (!read_number_member(json, "status", 300, 599, &behaviour.status)) {
        return "status must be a whole number from 300 to 599";
    }
    if (!read_number_member(json, "retryAfterS", 0, 86400, &behaviour.retry_after_s)) {
        return "retryAfterS must be a whole number from 0 to 86400";
    }
    if (!read_number_member(json, "count", 0, 1000000, &behaviour.count)) {
        return "count must be a whole number from 0 to 1000000";
    }
    *ret_behaviour = behaviour;
    return NULL;
}

json_t *fake_behaviour_write(const struct fake_behaviour *behaviour) {
    return json_pack("{s:s, s:I, s:I, s:I, s:I}", "mode", fake_mode_name(behaviour->mode), "delayMs",
                     (json_int_t)behaviour->delay_ms, "status", (json_int_t)behaviour->status, "retryAfterS",
                     (json_int_t)behaviour->retry_after_s, "count", (json_int_t)behaviour->count);
}
