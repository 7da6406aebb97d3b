#include "tests/unit/breaker/model.h"

#include <string.h>

static bool strict(const struct model *model) {
    return model->rules.strict;
}

/* ---- what can be counted ---- */

enum counted { FAILED, SLOW, ENDED };

static unsigned count_samples(const struct model *model, enum counted what) {
    unsigned count = 0;
    for (unsigned i = 0; i < model->sample_count; i++) {
        const struct model_sample *sample = &model->samples[i];
        count += what == FAILED ? sample->failed : what == SLOW ? sample->slow : sample->ended;
    }
    return count;
}

static unsigned minimum(const struct model *model) {
    return model->rules.minimum_calls < model->window_calls ? model->rules.minimum_calls : model->window_calls;
}

static float percent(const struct model *model, enum counted what) {
    if (model->sample_count == 0 || model->sample_count < minimum(model)) {
        return -1;
    }
    return (float)(100.0 * count_samples(model, what) / model->sample_count);
}

static uint32_t permits_left(const struct model *model) {
    if (model->state != BREAKER_HALF_OPEN) {
        return 0;
    }
    if (strict(model)) {
        return model->rules.half_open_calls + model->extra_permits - model->taken_permits;
    }
    uint32_t left = model->rules.half_open_calls;
    for (unsigned i = 0; i < model->call_count; i++) {
        left -= model->calls[i].era == model->era && !model->calls[i].ignored;
    }
    return left;
}

/* ---- events and states ---- */

static void tell(struct model *model, enum breaker_event_kind kind, enum breaker_state from) {
    bool always = kind == BREAKER_EVENT_STATE_TRANSITION || kind == BREAKER_EVENT_RESET;
    if (always || (model->state != BREAKER_DISABLED && model->state != BREAKER_FORCED_OPEN)) {
        model->events.each[model->events.count++] =
            (struct breaker_event){.kind = kind, .from = from, .to = model->state};
    }
}

static void go_to(struct model *model, enum breaker_state state, uint64_t at_ms) {
    enum breaker_state from = model->state;
    model->state = state;
    model->era++;
    model->since_ms = at_ms;
    model->told_failing = model->told_slow = false;
    model->extra_permits = model->taken_permits = 0;
    if (state != BREAKER_OPEN) {
        model->sample_count = 0;
        model->refused = 0;
        model->window_calls = state == BREAKER_HALF_OPEN ? model->rules.half_open_calls : model->rules.window_calls;
        if (strict(model) && (state == BREAKER_DISABLED || state == BREAKER_FORCED_OPEN)) {
            model->window_calls = 0;
        }
    }
    if (from != state) {
        tell(model, BREAKER_EVENT_STATE_TRANSITION, from);
    }
}

static void judge(struct model *model, uint64_t at_ms) {
    if (model->state == BREAKER_OPEN || percent(model, FAILED) < 0) {
        return;
    }
    bool failing = percent(model, FAILED) >= model->rules.failure_rate_percent;
    bool slow = percent(model, SLOW) >= model->rules.slow_rate_percent;
    if (model->state == BREAKER_HALF_OPEN) {
        if (failing || slow) {
            go_to(model, BREAKER_OPEN, at_ms);
        } else if (count_samples(model, ENDED) >= minimum(model)) {
            go_to(model, BREAKER_CLOSED, at_ms);
        }
        return;
    }
    if (failing && !model->told_failing) {
        model->told_failing = true;
        tell(model, BREAKER_EVENT_FAILURE_RATE_EXCEEDED, model->state);
    }
    if (slow && !model->told_slow) {
        model->told_slow = true;
        tell(model, BREAKER_EVENT_SLOW_RATE_EXCEEDED, model->state);
    }
    if (model->state == BREAKER_CLOSED && (failing || slow)) {
        go_to(model, BREAKER_OPEN, at_ms);
    }
}

static void remove_sample_at(struct model *model, unsigned at) {
    model->sample_count--;
    memmove(&model->samples[at], &model->samples[at + 1], (model->sample_count - at) * sizeof(model->samples[0]));
}

static void add(struct model *model, struct model_sample sample) {
    if (model->window_calls != 0 && model->sample_count == model->window_calls) {
        remove_sample_at(model, 0);
    }
    model->samples[model->sample_count++] = sample;
}

static bool is_measuring(const struct model *model) {
    return model->state == BREAKER_CLOSED || model->state == BREAKER_HALF_OPEN ||
           model->state == BREAKER_METRICS_ONLY || (strict(model) && model->state == BREAKER_OPEN);
}

/* ---- time ---- */

/* Calls that exceed the limit, between the millisecond before and this one. Calls are in the order of their start. */
static void slow_calls(struct model *model, uint64_t tick_ms) {
    for (unsigned i = 0; i < model->call_count && !strict(model); i++) {
        struct model_call *call = &model->calls[i];
        if (call->in_flight && !call->sampled && call->era == model->era && is_measuring(model) &&
            tick_ms > call->started_ms + model->rules.slow_call_ms) {
            call->sampled = true;
            add(model, (struct model_sample){.call = (int)i, .slow = true});
            judge(model, tick_ms - 1);
        }
    }
}

static void stray_timers(struct model *model, uint64_t tick_ms) {
    while (model->stray_count > 0 && model->strays_ms[0] <= tick_ms) {
        model->stray_count--;
        memmove(&model->strays_ms[0], &model->strays_ms[1], model->stray_count * sizeof(model->strays_ms[0]));
        if (model->state != BREAKER_METRICS_ONLY) {
            go_to(model, BREAKER_OPEN, tick_ms);
        }
    }
}

static bool has_maximum_wait(const struct model *model) {
    return model->state == BREAKER_HALF_OPEN && model->rules.half_open_max_wait_ms != 0;
}

static void pass(struct model *model, uint64_t now_ms) {
    model->events.count = 0;
    while (model->now_ms < now_ms) {
        model->now_ms++;
        slow_calls(model, model->now_ms);
        stray_timers(model, model->now_ms);
        if (has_maximum_wait(model) && model->now_ms >= model->since_ms + model->rules.half_open_max_wait_ms) {
            go_to(model, BREAKER_OPEN, model->now_ms);
        }
    }
}

/* ---- operations ---- */

void model_start(struct model *model, const struct breaker_rules *rules) {
    memset(model, 0, sizeof(*model));
    model->rules = *rules;
    go_to(model, BREAKER_CLOSED, 0);
}

int model_admit(struct model *model, uint64_t now_ms) {
    pass(model, now_ms);
    if (model->state == BREAKER_OPEN && now_ms > model->since_ms + model->rules.open_wait_ms) {
        go_to(model, BREAKER_HALF_OPEN, now_ms);
    }
    bool open = model->state == BREAKER_OPEN || model->state == BREAKER_FORCED_OPEN;
    if (open || (model->state == BREAKER_HALF_OPEN && permits_left(model) == 0)) {
        model->refused++;
        tell(model, BREAKER_EVENT_NOT_PERMITTED, model->state);
        return -1;
    }
    model->taken_permits++;
    model->calls[model->call_count] = (struct model_call){.in_flight = true, .era = model->era, .started_ms = now_ms};
    return (int)model->call_count++;
}

static unsigned sample_of(const struct model *model, int call) {
    unsigned at = 0;
    while (at < model->sample_count && model->samples[at].call != call) {
        at++;
    }
    return at;
}

/* The call became slow in flight. Its sample may have been evicted since. */
static void end_sampled(struct model *model, int call, enum breaker_outcome outcome) {
    unsigned at = sample_of(model, call);
    if (at < model->sample_count && outcome == BREAKER_IGNORED) {
        remove_sample_at(model, at);
    } else if (at < model->sample_count) {
        model->samples[at].ended = true;
        model->samples[at].failed = outcome == BREAKER_FAILURE;
    }
    judge(model, model->now_ms);
}

bool model_record(struct model *model, uint64_t now_ms, int call, enum breaker_outcome outcome, uint64_t duration_ms) {
    pass(model, now_ms);
    tell(model,
         outcome == BREAKER_SUCCESS   ? BREAKER_EVENT_SUCCESS
         : outcome == BREAKER_FAILURE ? BREAKER_EVENT_ERROR
                                      : BREAKER_EVENT_IGNORED_ERROR,
         model->state);
    bool sampled = false;
    if (call >= 0) {
        model->calls[call].in_flight = false;
        model->calls[call].ignored = outcome == BREAKER_IGNORED;
        sampled = model->calls[call].sampled;
        if (!strict(model) && model->calls[call].era != model->era) {
            return true;
        }
    }
    if (!is_measuring(model)) {
        return true;
    }
    if (sampled) {
        end_sampled(model, call, outcome);
        return true;
    }
    if (outcome == BREAKER_IGNORED) {
        model->extra_permits++;
        return true;
    }
    add(model, (struct model_sample){.call = -1,
                                     .failed = outcome == BREAKER_FAILURE,
                                     .slow = duration_ms > model->rules.slow_call_ms,
                                     .ended = true});
    judge(model, now_ms);
    return model->window_calls != 0;
}

void model_advance(struct model *model, uint64_t now_ms) {
    pass(model, now_ms);
}

bool model_transition(struct model *model, uint64_t now_ms, enum breaker_state state) {
    static const char *const illegal[] = {"CLOSED HALF_OPEN", "METRICS_ONLY OPEN", "METRICS_ONLY HALF_OPEN"};
    pass(model, now_ms);
    char wanted[64] = "";
    strcat(strcat(strcat(wanted, breaker_state_name(model->state)), " "), breaker_state_name(state));
    for (unsigned i = 0; i < 3 && strict(model); i++) {
        if (strcmp(wanted, illegal[i]) == 0) {
            return false;
        }
    }
    go_to(model, state, now_ms);
    return true;
}

void model_reset(struct model *model, uint64_t now_ms) {
    pass(model, now_ms);
    if (strict(model) && has_maximum_wait(model)) {
        model->strays_ms[model->stray_count++] = model->since_ms + model->rules.half_open_max_wait_ms;
    }
    go_to(model, BREAKER_CLOSED, now_ms);
    tell(model, BREAKER_EVENT_RESET, BREAKER_CLOSED);
}

void model_metrics(const struct model *model, struct breaker_metrics *ret_metrics) {
    *ret_metrics = (struct breaker_metrics){
        .state = model->state,
        .failure_rate = percent(model, FAILED),
        .slow_rate = percent(model, SLOW),
        .buffered_calls = model->sample_count,
        .failed_calls = count_samples(model, FAILED),
        .slow_calls = count_samples(model, SLOW),
        .not_permitted_calls = model->refused,
        .permits_left = permits_left(model),
    };
}
