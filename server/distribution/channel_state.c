/*
 * The state of a channel in this process. One mutex each; nothing waits under it. The breaker has its own.
 *
 * The rate is a bucket that holds at most one second's calls.
 */
#include "server/distribution/channel_state.h"

#include "client/base/minimum.h"
#include "herald/utf8.h"
#include "server/distribution/adapter.h"
#include "server/distribution/distribution_log.h"
#include "server/distribution/distribution_settings.h"
#include "server/runtime/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE(name)         HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name
#define ACTION(name)        HERALD__DISTRIBUTION__V1__CHANNEL_ACTION__##name
#define SECOND_US           1000000ull
#define LONGEST_THROTTLE_MS 30000ull
#define PAUSED_RETRY_MS     5000u
#define UNSET_RETRY_MS      60000u
#define FULL_RETRY_MS       20u

struct channel_state {
    const struct channel_row *row;
    struct channel_setup setup;
    struct breaker *breaker;
    bool configured;
    pthread_mutex_t lock; /* guards what follows */
    uint32_t in_flight;
    bool is_missed;              /* a place was asked for in vain */
    uint64_t throttled_until_us; /* monotonic */
    uint64_t tokens_us;          /* of the bucket: how much of a second is saved up */
    uint64_t refilled_us;
    int pause, breaker_mode;
    bool probe_due;
    int64_t resets;
    char note[256];
    uint32_t quota_used, quota_total;
    uint64_t quota_read_us; /* 0: never */
    uint32_t prepared_in_ms;
    char token[CHANNEL_TOKEN_BYTES];
    int64_t token_renew_us, token_ends_us;
    int64_t probe_at_us; /* wall clock; 0: none */
};

static void on_channel_breaker(void *user, const struct breaker_event *event) {
    const struct channel_state *state = user;
    if (event->kind == BREAKER_EVENT_STATE_TRANSITION) {
        log_emit(&LOG_CHANNEL_BREAKER, log_str("channel", state->row->name),
                 log_str("from", breaker_state_name(event->from)), log_str("to", breaker_state_name(event->to)),
                 LOG_END);
    }
}

static enum herald_code state_init(struct channel_state *state, const struct channel_row *row,
                                   const struct settings *settings, struct herald_error *reterr) {
    const struct channels_settings *common = channels_settings(settings);
    state->row = row;
    row->setup(settings, &state->setup);
    state->configured = row->adapter->is_configured(&state->setup);
    (void)pthread_mutex_init(&state->lock, NULL);
    state->prepared_in_ms = CHANNEL_PREPARED_LATE;
    state->tokens_us = SECOND_US;
    state->refilled_us = clock_now_us();
    state->breaker_mode = ACTION(BREAKER_AUTOMATIC);
    const struct breaker_config config = {
        .window_calls = common->channels_breaker_window_calls,
        .minimum_calls = herald_min_u32(common->channels_breaker_minimum_calls, common->channels_breaker_window_calls),
        .failure_rate_percent = (float)common->channels_breaker_failure_rate_percent,
        .slow_rate_percent = (float)common->channels_breaker_slow_rate_percent,
        .slow_call_ms = common->channels_breaker_slow_call_ms,
        .open_wait_ms = common->channels_breaker_open_wait_ms,
        .half_open_calls = common->channels_breaker_half_open_calls,
        .on_event = on_channel_breaker,
        .user = state,
    };
    return breaker_new(row->name, &config, &state->breaker, reterr);
}

static void state_free(struct channel_state *state) {
    if (state != NULL) {
        breaker_free(state->breaker);
        (void)pthread_mutex_destroy(&state->lock);
        free(state);
    }
}

void channel_states_free(struct channel_state **states) {
    for (size_t i = 0; states != NULL && i < CHANNEL_COUNT; i++) {
        state_free(states[i]);
    }
    free(states);
}

enum herald_code channel_states_new(const struct settings *settings, struct channel_state ***ret_states,
                                    struct herald_error *reterr) {
    struct channel_state **states = calloc(CHANNEL_COUNT, sizeof(struct channel_state *));
    enum herald_code code = states != NULL ? HERALD_OK : herald_error_no_memory(reterr, "the channels");
    for (size_t i = 0; code == HERALD_OK && i < CHANNEL_COUNT; i++) {
        states[i] = calloc(1, sizeof(struct channel_state));
        code = states[i] != NULL ? state_init(states[i], &channel_rows[i], settings, reterr)
                                 : herald_error_no_memory(reterr, "the channel %s", channel_rows[i].name);
    }
    if (code != HERALD_OK) {
        channel_states_free(states);
        return code;
    }
    *ret_states = states;
    return HERALD_OK;
}

const struct channel_setup *channel_state_setup(const struct channel_state *state) {
    return &state->setup;
}

int64_t channel_open_at_us(const struct channel_state *state, int64_t now_us) {
    return state->setup.keeps_quiet_hours ? channel_quiet_until_us(state->row, now_us) : now_us;
}

/* ---- places ---- */

/* What a call takes from the bucket; 0: the rate has no limit. */
static uint64_t call_cost_us(const struct channel_state *state) {
    return state->setup.rate_per_s != 0 ? SECOND_US / state->setup.rate_per_s : 0;
}

/* Whether the bucket has a call left; takes nothing. */
static bool has_token(struct channel_state *state, uint64_t now_us) {
    if (state->setup.rate_per_s == 0) {
        return true;
    }
    uint64_t saved_us = state->tokens_us + (now_us - state->refilled_us);
    state->tokens_us = herald_min_u64(saved_us, SECOND_US);
    state->refilled_us = now_us;
    return state->tokens_us >= call_cost_us(state);
}

static uint32_t throttle_left_ms(const struct channel_state *state, uint64_t now_us) {
    return state->throttled_until_us > now_us ? (uint32_t)((state->throttled_until_us - now_us) / 1000 + 1) : 0;
}

/* What keeps a call from the channel, but for the breaker; takes a place and a token when nothing does. */
static enum admission take_place(struct channel_state *state, bool probe, uint32_t *ret_retry_ms) {
    uint64_t now_us = clock_now_us();
    uint32_t throttle_ms = throttle_left_ms(state, now_us);
    if (!state->configured) {
        *ret_retry_ms = UNSET_RETRY_MS;
        return NOT_CONFIGURED;
    }
    if (state->pause != PAUSE(NOT_PAUSED) && (!probe || state->pause == PAUSE(PAUSED_BY_OPERATOR))) {
        *ret_retry_ms = PAUSED_RETRY_MS;
        return PAUSED;
    }
    if (throttle_ms > 0) {
        *ret_retry_ms = throttle_ms;
        return THROTTLED;
    }
    if (state->in_flight >= state->setup.in_flight) {
        *ret_retry_ms = FULL_RETRY_MS;
        state->is_missed = true;
        return NO_PLACE;
    }
    if (!has_token(state, now_us)) {
        *ret_retry_ms = 1 + 1000 / state->setup.rate_per_s;
        return THROTTLED;
    }
    state->in_flight++;
    state->tokens_us -= call_cost_us(state);
    return ADMITTED;
}

/* How long a pause keeps calls away. Nobody knows when an operator resumes. */
static uint32_t pause_left_ms(const struct channel_state *state) {
    int64_t now_us = clock_wall_us();
    bool for_cause = state->pause != PAUSE(PAUSED_BY_OPERATOR);
    bool knows_probe = for_cause && !state->probe_due && state->probe_at_us > now_us;
    return knows_probe ? (uint32_t)herald_min_u64((uint64_t)(state->probe_at_us - now_us) / 1000 + 1, UINT32_MAX)
           : for_cause && state->probe_due ? 0
                                           : PAUSED_RETRY_MS;
}

uint32_t channel_retry_ms(struct channel_state *state) {
    uint32_t retry_ms = breaker_retry_after_ms(state->breaker);
    (void)pthread_mutex_lock(&state->lock);
    if (!state->configured) {
        retry_ms = UNSET_RETRY_MS;
    } else if (state->pause != PAUSE(NOT_PAUSED)) {
        uint32_t pause_ms = pause_left_ms(state);
        retry_ms = pause_ms > retry_ms ? pause_ms : retry_ms;
    } else {
        uint32_t throttle_ms = throttle_left_ms(state, clock_now_us());
        retry_ms = throttle_ms > retry_ms ? throttle_ms : retry_ms;
    }
    (void)pthread_mutex_unlock(&state->lock);
    return retry_ms;
}

/* @unused  no call was made: its share of the rate is given back too. Returns whether the place was missed. */
static bool give_place_back(struct channel_state *state, bool unused) {
    (void)pthread_mutex_lock(&state->lock);
    bool missed = state->is_missed;
    state->in_flight--;
    state->tokens_us += unused ? call_cost_us(state) : 0;
    state->is_missed = false;
    (void)pthread_mutex_unlock(&state->lock);
    return missed;
}

enum admission channel_admit(struct channel_state *state, bool probe, struct channel_permit *ret_permit,
                             uint32_t *ret_retry_ms) {
    (void)pthread_mutex_lock(&state->lock);
    enum admission admission = take_place(state, probe, ret_retry_ms);
    (void)pthread_mutex_unlock(&state->lock);
    if (admission != ADMITTED) {
        return admission;
    }
    struct channel_permit permit = {.is_probe = probe};
    struct herald_error error = {0};
    if (breaker_admit(state->breaker, &permit.breaker, &error) != HERALD_OK) {
        (void)give_place_back(state, true);
        *ret_retry_ms = error.retry_after_ms;
        return BREAKER_KEEPS;
    }
    *ret_permit = permit;
    return ADMITTED;
}

bool channel_leave(struct channel_state *state, const struct channel_permit *permit, enum breaker_outcome outcome) {
    breaker_record(state->breaker, &permit->breaker, outcome);
    return give_place_back(state, false);
}

bool channel_leave_unused(struct channel_state *state, const struct channel_permit *permit) {
    breaker_record(state->breaker, &permit->breaker, BREAKER_IGNORED);
    return give_place_back(state, true);
}

void channel_throttle(struct channel_state *state, uint64_t ms) {
    uint64_t until_us = clock_now_us() + herald_min_u64(ms, LONGEST_THROTTLE_MS) * 1000;
    (void)pthread_mutex_lock(&state->lock);
    if (until_us > state->throttled_until_us) {
        state->throttled_until_us = until_us;
    }
    (void)pthread_mutex_unlock(&state->lock);
}

void channel_prepared_in(struct channel_state *state, uint32_t ms) {
    (void)pthread_mutex_lock(&state->lock);
    state->prepared_in_ms = ms;
    (void)pthread_mutex_unlock(&state->lock);
}

bool channel_prepares_within(struct channel_state *state, uint32_t ms) {
    (void)pthread_mutex_lock(&state->lock);
    bool within = state->prepared_in_ms <= ms;
    (void)pthread_mutex_unlock(&state->lock);
    return within && ms > 0;
}

/* ---- what operators do ---- */

bool channel_breaker_is_closed(struct channel_state *state) {
    struct breaker_metrics metrics;
    breaker_metrics(state->breaker, &metrics);
    return metrics.state == BREAKER_CLOSED;
}

static void log_pause(const struct channel_state *state, int pause, const char *note) {
    log_emit(pause == PAUSE(NOT_PAUSED) ? &LOG_CHANNEL_RESUMED : &LOG_CHANNEL_PAUSED,
             log_str("channel", state->row->name),
             log_str("pause", herald_distribution_v1_channel_pause_name((Herald__Distribution__V1__ChannelPause)pause)),
             log_str("note", note), LOG_END);
}

/* Changes the pause. Returns whether it was another one. */
static bool set_pause(struct channel_state *state, int pause, const char *note) {
    bool changes = pause != state->pause;
    state->pause = pause;
    size_t bytes = herald_utf8_cut(note, strlen(note), sizeof(state->note) - 1);
    snprintf(state->note, sizeof(state->note), "%.*s", (int)bytes, note);
    return changes;
}

void channel_pause(struct channel_state *state, int pause, const char *note) {
    (void)pthread_mutex_lock(&state->lock);
    bool changes = state->pause != PAUSE(PAUSED_BY_OPERATOR) && set_pause(state, pause, note);
    state->probe_due = false;
    state->probe_at_us = 0; /* not read yet */
    (void)pthread_mutex_unlock(&state->lock);
    if (changes) {
        log_pause(state, pause, note);
    }
}

void channel_heal(struct channel_state *state) {
    (void)pthread_mutex_lock(&state->lock);
    bool changes = state->pause != PAUSE(PAUSED_BY_OPERATOR) && set_pause(state, PAUSE(NOT_PAUSED), "");
    (void)pthread_mutex_unlock(&state->lock);
    if (changes) {
        log_pause(state, PAUSE(NOT_PAUSED), "");
    }
}

static void apply_breaker_mode(struct channel_state *state, int mode) {
    breaker_transition(state->breaker, mode == ACTION(BREAKER_FORCE_OPEN) ? BREAKER_FORCED_OPEN
                                       : mode == ACTION(BREAKER_DISABLE)  ? BREAKER_DISABLED
                                                                          : BREAKER_CLOSED);
}

bool channel_probe_is_due(struct channel_state *state) {
    (void)pthread_mutex_lock(&state->lock);
    bool due = state->probe_due && state->pause != PAUSE(NOT_PAUSED) && state->pause != PAUSE(PAUSED_BY_OPERATOR);
    (void)pthread_mutex_unlock(&state->lock);
    return due;
}

bool channel_is_paused_for_cause(struct channel_state *state) {
    (void)pthread_mutex_lock(&state->lock);
    bool paused = state->pause != PAUSE(NOT_PAUSED) && state->pause != PAUSE(PAUSED_BY_OPERATOR);
    (void)pthread_mutex_unlock(&state->lock);
    return paused;
}

void channel_control_apply(struct channel_state *state, const struct channel_control *control) {
    (void)pthread_mutex_lock(&state->lock);
    bool moves = control->breaker != state->breaker_mode;
    bool resets = control->resets != state->resets;
    state->breaker_mode = control->breaker;
    state->resets = control->resets;
    bool pauses = set_pause(state, control->pause, control->note);
    state->probe_due = control->probe_due;
    state->probe_at_us = control->probe_at_us;
    (void)pthread_mutex_unlock(&state->lock);
    if (moves) {
        apply_breaker_mode(state, control->breaker);
    } else if (resets && control->breaker == ACTION(BREAKER_AUTOMATIC)) {
        breaker_reset(state->breaker);
    }
    if (pauses) {
        log_pause(state, control->pause, control->note);
    }
}

void channel_view(struct channel_state *state, struct channel_view *ret_view) {
    struct channel_view view = {.configured = state->configured};
    breaker_metrics(state->breaker, &view.breaker);
    if (view.breaker.state == BREAKER_OPEN || view.breaker.state == BREAKER_FORCED_OPEN) {
        view.breaker_retry_ms = breaker_retry_after_ms(state->breaker);
    }
    (void)pthread_mutex_lock(&state->lock);
    view.pause = state->pause;
    view.in_flight = state->in_flight;
    view.quota_used = state->quota_used;
    view.quota_total = state->quota_total;
    view.max_in_flight = state->setup.in_flight;
    view.token_ends_us = state->token_ends_us;
    snprintf(view.note, sizeof(view.note), "%s", state->note);
    (void)pthread_mutex_unlock(&state->lock);
    *ret_view = view;
}

/* ---- what adapters remember ---- */

void channel_quota_set(struct channel_state *state, uint32_t used, uint32_t total) {
    (void)pthread_mutex_lock(&state->lock);
    state->quota_used = used;
    state->quota_total = total;
    state->quota_read_us = clock_now_us();
    (void)pthread_mutex_unlock(&state->lock);
}

void channel_quota_count(struct channel_state *state) {
    (void)pthread_mutex_lock(&state->lock);
    state->quota_used++;
    (void)pthread_mutex_unlock(&state->lock);
}

bool channel_quota(struct channel_state *state, uint32_t fresh_ms, uint32_t *ret_used, uint32_t *ret_total) {
    (void)pthread_mutex_lock(&state->lock);
    bool fresh = state->quota_read_us != 0 && clock_now_us() - state->quota_read_us <= fresh_ms * 1000ull;
    *ret_used = state->quota_used;
    *ret_total = state->quota_total;
    (void)pthread_mutex_unlock(&state->lock);
    return fresh;
}

bool channel_token_set(struct channel_state *state, const char *token, int64_t renew_at_us) {
    if (strlen(token) >= CHANNEL_TOKEN_BYTES) {
        return false;
    }
    (void)pthread_mutex_lock(&state->lock);
    snprintf(state->token, sizeof(state->token), "%s", token);
    state->token_renew_us = renew_at_us;
    (void)pthread_mutex_unlock(&state->lock);
    return true;
}

void channel_token_ends(struct channel_state *state, int64_t ends_us) {
    (void)pthread_mutex_lock(&state->lock);
    state->token_ends_us = ends_us;
    (void)pthread_mutex_unlock(&state->lock);
}

int64_t channel_token(struct channel_state *state, char ret_token[CHANNEL_TOKEN_BYTES]) {
    (void)pthread_mutex_lock(&state->lock);
    snprintf(ret_token, CHANNEL_TOKEN_BYTES, "%s", state->token);
    int64_t renew_at_us = state->token_renew_us;
    (void)pthread_mutex_unlock(&state->lock);
    return renew_at_us;
}
