#ifndef HERALD_TESTS_UNIT_BREAKER_MODEL_H
#define HERALD_TESTS_UNIT_BREAKER_MODEL_H

/*
 * A circuit breaker as one would explain it: a list of all calls and a list of the samples, gone through for each
 * question, and time that passes millisecond by millisecond. It shares no code with server/breaker.
 */
#include "server/breaker/breaker_core.h"

#define MODEL_CALLS_MAX 512

struct model_call {
    bool in_flight, sampled, ignored;
    unsigned era;
    uint64_t started_ms;
};

struct model_sample {
    int call; /* -1: of no call in flight */
    bool failed, slow, ended;
};

struct model {
    struct breaker_rules rules; /* complete */
    enum breaker_state state;
    unsigned era;
    uint64_t now_ms, since_ms;
    unsigned call_count, sample_count, stray_count;
    struct model_call calls[MODEL_CALLS_MAX];
    struct model_sample samples[MODEL_CALLS_MAX];
    uint64_t strays_ms[MODEL_CALLS_MAX]; /* strict: timers that a reset left */
    unsigned window_calls;
    uint32_t extra_permits; /* strict: of ignored calls; the permits given are counted too */
    uint32_t taken_permits; /* strict */
    bool told_failing, told_slow;
    uint64_t refused;
    struct breaker_events events; /* of the latest operation; without rates */
};

/** @rules  all given */
void model_start(struct model *model, const struct breaker_rules *rules);
/** Returns: the call, for model_record(); -1: refused */
int model_admit(struct model *model, uint64_t now_ms);
/** @call  -1: none (strict). Returns: false: strict, and the window has no place */
bool model_record(struct model *model, uint64_t now_ms, int call, enum breaker_outcome outcome, uint64_t duration_ms);
void model_advance(struct model *model, uint64_t now_ms);
bool model_transition(struct model *model, uint64_t now_ms, enum breaker_state state);
void model_reset(struct model *model, uint64_t now_ms);
void model_metrics(const struct model *model, struct breaker_metrics *ret_metrics);

#endif
