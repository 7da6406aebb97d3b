#include "deploy/replay/replay_config.h"

#include <stdlib.h>
#include <string.h>

#define REPLAY_KEYS                                                                                                    \
    "slidingWindowSize, minimumNumberOfCalls, failureRateThreshold, slowCallRateThreshold, "                           \
    "slowCallDurationThresholdMs, waitDurationInOpenStateMs, permittedNumberOfCallsInHalfOpenState, "                  \
    "maxWaitDurationInHalfOpenStateMs"

struct config_key {
    const char *name;
    bool percent;      /* a float above 0 and at most 100; else a uint32_t */
    uint32_t min, max; /* of a uint32_t */
    size_t offset;     /* in struct breaker_rules */
};

#define COUNT_KEY(name, field, min, max) {name, false, min, max, offsetof(struct breaker_rules, field)}
#define PERCENT_KEY(name, field)         {name, true, 0, 0, offsetof(struct breaker_rules, field)}

static const struct config_key CONFIG_KEYS[] = {
    COUNT_KEY("slidingWindowSize", window_calls, 1, BREAKER_CALLS_MAX),
    COUNT_KEY("minimumNumberOfCalls", minimum_calls, 1, UINT32_MAX),
    PERCENT_KEY("failureRateThreshold", failure_rate_percent),
    PERCENT_KEY("slowCallRateThreshold", slow_rate_percent),
    COUNT_KEY("slowCallDurationThresholdMs", slow_call_ms, 1, UINT32_MAX),
    COUNT_KEY("waitDurationInOpenStateMs", open_wait_ms, 1, UINT32_MAX),
    COUNT_KEY("permittedNumberOfCallsInHalfOpenState", half_open_calls, 1, BREAKER_CALLS_MAX),
    COUNT_KEY("maxWaitDurationInHalfOpenStateMs", half_open_max_wait_ms, 0, UINT32_MAX),
};
#define CONFIG_KEY_COUNT (sizeof(CONFIG_KEYS) / sizeof(CONFIG_KEYS[0]))

/* Digits and at most one point: strtof() alone would take "nan", "0x1" and the locale's point. */
static bool read_percent(const char *text, float *ret_percent) {
    size_t whole = strspn(text, "0123456789");
    size_t fraction = text[whole] == '.' ? 1 + strspn(text + whole + 1, "0123456789") : 0;
    if (whole == 0 || fraction == 1 || text[whole + fraction] != '\0') {
        return false;
    }
    float percent = strtof(text, NULL);
    if (!(percent > 0 && percent <= 100)) {
        return false;
    }
    *ret_percent = percent;
    return true;
}

static bool read_config_value(const struct replay_line *line, const struct config_key *key, const char *text,
                              struct breaker_rules *rules) {
    void *field = (char *)rules + key->offset;
    uint64_t number;
    if (key->percent) {
        return read_percent(text, field) ||
               replay_complain(line, "%s: expected percent above 0 and at most 100, such as 50 or 12.5, got \"%s\"",
                               key->name, text);
    }
    if (!replay_read_number(text, key->min, key->max, &number)) {
        return replay_complain(line, "%s: expected a whole number from %u to %u, got \"%s\"", key->name, key->min,
                               key->max, text);
    }
    *(uint32_t *)field = (uint32_t)number;
    return true;
}

static bool read_config_pair(const struct replay_line *line, const char *pair, struct replay_config *config) {
    const char *equals = strchr(pair, '=');
    if (equals == NULL) {
        return replay_complain(line, "expected KEY=VALUE after config, got \"%s\"", pair);
    }
    for (unsigned i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_key *key = &CONFIG_KEYS[i];
        if (strlen(key->name) != (size_t)(equals - pair) || strncmp(key->name, pair, strlen(key->name)) != 0) {
            continue;
        }
        if ((config->given & 1u << i) != 0) {
            return replay_complain(line, "%s: is given twice", key->name);
        }
        config->given |= 1u << i;
        return read_config_value(line, key, equals + 1, &config->rules);
    }
    return replay_complain(line, "unknown key \"%.*s\"; expected one of " REPLAY_KEYS, (int)(equals - pair), pair);
}

bool replay_read_config(const struct replay_line *line, struct replay_config *config) {
    if (line->count == 1) {
        return replay_complain(line, "expected KEY=VALUE after config; keys are " REPLAY_KEYS);
    }
    for (unsigned i = 1; i < line->count; i++) {
        if (!read_config_pair(line, line->words[i], config)) {
            return false;
        }
    }
    return true;
}
