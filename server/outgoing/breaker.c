/*
 * The state machine of a circuit breaker.
 *
 * An era is the time between two transitions. A permit belongs to the era that issued it; its result counts only in
 * that era.
 *
 * Each measured permit has a slot in `flights` while its call is in flight. Calls that are not slow yet form a list,
 * oldest first. count_slow_flights() removes each one that has become slow from the list and adds its sample to the
 * window. Invariant: a flight is in that list or `counted`.
 *
 * Events are collected under the mutex and reported after it is released.
 */
#include "server/outgoing/breaker.h"

#include "client/base/minimum.h"
#include "client/base/or_default.h"
#include "server/outgoing/breaker_window.h"
#include "server/runtime/call.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BREAKER_EVENTS_MAX 8
#define BREAKER_CALLS_MAX  1000000

struct flight {
    uint32_t older, newer; /* slots in the list; `newer` also links the free ones; 0: none */
    bool counted;
    uint64_t started_us;
    uint64_t ticket; /* of its sample, when counted */
};

struct breaker {
    pthread_mutex_t mutex;
    char *name;
    struct breaker_config config;
    enum breaker_state state;
    uint64_t era;
    uint64_t since_us;      /* when the era began */
    uint32_t permits_left;  /* half-open */
    uint32_t minimum_calls; /* of the era */
    bool told_failure_rate, told_slow_rate;
    uint64_t not_permitted_calls;
    struct breaker_window window;
    struct flight *flights; /* slot s is flights[s - 1] */
    uint32_t flight_capacity, flight_count, free_slot, oldest, newest;
};

struct events {
    unsigned count;
    struct breaker_event each[BREAKER_EVENTS_MAX];
};

/* ---- events ---- */

/* DISABLED and FORCED_OPEN report only transitions and resets. */
static bool tells(const struct breaker *breaker, enum breaker_event_kind kind) {
    return kind == BREAKER_EVENT_STATE_TRANSITION || kind == BREAKER_EVENT_RESET ||
           (breaker->state != BREAKER_DISABLED && breaker->state != BREAKER_FORCED_OPEN);
}

static void note(const struct breaker *breaker, struct events *events, enum breaker_event_kind kind,
                 enum breaker_state from) {
    if (!tells(breaker, kind)) {
        return;
    }
    assert(events->count < BREAKER_EVENTS_MAX);
    events->each[events->count++] = (struct breaker_event){
        .kind = kind,
        .from = from,
        .to = breaker->state,
        .failure_rate = breaker_window_failure_rate(&breaker->window, breaker->minimum_calls),
        .slow_rate = breaker_window_slow_rate(&breaker->window, breaker->minimum_calls),
    };
}

static void tell_events(const struct breaker *breaker, const struct events *events) {
    for (unsigned i = 0; breaker->config.on_event != NULL && i < events->count; i++) {
        breaker->config.on_event(breaker->config.user, &events->each[i]);
    }
}

/* ---- flights ---- */

static struct flight *flight_at(const struct breaker *breaker, uint64_t slot) {
    return &breaker->flights[slot - 1];
}

static void flights_forget(struct breaker *breaker) {
    breaker->flight_count = breaker->free_slot = breaker->oldest = breaker->newest = 0;
}

/* A slot that is in no list; 0: no memory. */
static uint32_t flight_slot(struct breaker *breaker) {
    uint32_t slot = breaker->free_slot;
    if (slot != 0) {
        breaker->free_slot = flight_at(breaker, slot)->newer;
        return slot;
    }
    if (breaker->flight_count == breaker->flight_capacity) {
        uint32_t capacity = breaker->flight_capacity == 0 ? 32 : 2 * breaker->flight_capacity;
        struct flight *flights =
            capacity > BREAKER_CALLS_MAX ? NULL : realloc(breaker->flights, capacity * sizeof(*flights));
        if (flights == NULL) {
            return 0;
        }
        breaker->flights = flights;
        breaker->flight_capacity = capacity;
    }
    return ++breaker->flight_count;
}

/* Returns the slot; 0: no slot, the call is measured at its end only. */
static uint64_t flight_begin(struct breaker *breaker, uint64_t now_us) {
    uint32_t slot = flight_slot(breaker);
    if (slot == 0) {
        return 0;
    }
    *flight_at(breaker, slot) = (struct flight){.older = breaker->newest, .started_us = now_us};
    if (breaker->newest != 0) {
        flight_at(breaker, breaker->newest)->newer = slot;
    } else {
        breaker->oldest = slot;
    }
    breaker->newest = slot;
    return slot;
}

static void flight_unlist(struct breaker *breaker, struct flight *flight) {
    if (flight->newer != 0) {
        flight_at(breaker, flight->newer)->older = flight->older;
    } else {
        breaker->newest = flight->older;
    }
    if (flight->older != 0) {
        flight_at(breaker, flight->older)->newer = flight->newer;
    } else {
        breaker->oldest = flight->newer;
    }
}

static void flight_end(struct breaker *breaker, uint64_t slot) {
    struct flight *flight = flight_at(breaker, slot);
    if (!flight->counted) {
        flight_unlist(breaker, flight);
    }
    flight->newer = breaker->free_slot;
    breaker->free_slot = (uint32_t)slot;
}

/* ---- states ---- */

static void clear_window(struct breaker *breaker, uint32_t calls) {
    breaker_window_clear(&breaker->window, calls);
    breaker->minimum_calls = herald_min_u32(breaker->config.minimum_calls, calls);
    breaker->not_permitted_calls = 0;
}

/* Begins an era. OPEN keeps the window that caused it, for the metrics. */
static void enter(struct breaker *breaker, enum breaker_state state, uint64_t now_us, struct events *events) {
    enum breaker_state from = breaker->state;
    breaker->era++;
    breaker->since_us = now_us;
    breaker->told_failure_rate = breaker->told_slow_rate = false;
    flights_forget(breaker);
    breaker->state = state;
    if (state == BREAKER_HALF_OPEN) {
        clear_window(breaker, breaker->config.half_open_calls);
    } else if (state != BREAKER_OPEN) {
        clear_window(breaker, breaker->config.window_calls);
    }
    breaker->permits_left = state == BREAKER_HALF_OPEN ? breaker->config.half_open_calls : 0;
    if (from != state) {
        note(breaker, events, BREAKER_EVENT_STATE_TRANSITION, from);
    }
}

static bool is_measured(const struct breaker *breaker) {
    return breaker->state == BREAKER_CLOSED || breaker->state == BREAKER_HALF_OPEN ||
           breaker->state == BREAKER_METRICS_ONLY;
}

static void note_rates(struct breaker *breaker, bool failing, bool slow, struct events *events) {
    if (failing && !breaker->told_failure_rate) {
        note(breaker, events, BREAKER_EVENT_FAILURE_RATE_EXCEEDED, breaker->state);
    }
    if (slow && !breaker->told_slow_rate) {
        note(breaker, events, BREAKER_EVENT_SLOW_RATE_EXCEEDED, breaker->state);
    }
    breaker->told_failure_rate = breaker->told_failure_rate || failing;
    breaker->told_slow_rate = breaker->told_slow_rate || slow;
}

/* Called after each new sample: reports exceeded rates and changes the state. */
static void judge_window(struct breaker *breaker, uint64_t now_us, struct events *events) {
    float failure_rate = breaker_window_failure_rate(&breaker->window, breaker->minimum_calls);
    float slow_rate = breaker_window_slow_rate(&breaker->window, breaker->minimum_calls);
    if (failure_rate < 0) {
        return; /* too few calls */
    }
    bool failing = failure_rate >= breaker->config.failure_rate_percent;
    bool slow = slow_rate >= breaker->config.slow_rate_percent;
    if (breaker->state != BREAKER_HALF_OPEN) {
        note_rates(breaker, failing, slow, events);
    }
    if (breaker->state == BREAKER_METRICS_ONLY) {
        return;
    }
    if (failing || slow) {
        enter(breaker, BREAKER_OPEN, now_us, events);
    } else if (breaker->state == BREAKER_HALF_OPEN) {
        enter(breaker, BREAKER_CLOSED, now_us, events);
    }
}

static bool is_slow(const struct breaker *breaker, uint64_t started_us, uint64_t now_us) {
    return now_us > started_us && now_us - started_us > (uint64_t)breaker->config.slow_call_ms * 1000;
}

/* Adds a sample for each call that has become slow while in flight. A transition empties the list. */
static void count_slow_flights(struct breaker *breaker, uint64_t now_us, struct events *events) {
    while (breaker->oldest != 0 && is_slow(breaker, flight_at(breaker, breaker->oldest)->started_us, now_us)) {
        struct flight *flight = flight_at(breaker, breaker->oldest);
        flight_unlist(breaker, flight);
        flight->counted = true;
        flight->ticket = breaker_window_add(&breaker->window, false, true);
        judge_window(breaker, now_us, events);
    }
}

static void expire_half_open(struct breaker *breaker, uint64_t now_us, struct events *events) {
    uint64_t limit_us = (uint64_t)breaker->config.half_open_max_wait_ms * 1000;
    if (breaker->state == BREAKER_HALF_OPEN && limit_us != 0 && now_us >= breaker->since_us + limit_us) {
        enter(breaker, BREAKER_OPEN, breaker->since_us + limit_us, events);
    }
}

/* Applies the changes that are due by time alone. */
static void catch_up(struct breaker *breaker, uint64_t now_us, struct events *events) {
    expire_half_open(breaker, now_us, events);
    count_slow_flights(breaker, now_us, events);
}

/* ---- life ---- */

static enum herald_code bad_breaker_value(struct herald_error *reterr, const char *name, const char *what) {
    return herald_error_set(reterr, HERALD_REASON_BAD_BREAKER, "circuit breaker \"%s\": %s", name, what);
}

static enum herald_code check_config(const char *name, const struct breaker_config *config,
                                     struct herald_error *reterr) {
    if (config->window_calls > BREAKER_CALLS_MAX) {
        return bad_breaker_value(reterr, name, "window_calls must be at most 1000000");
    }
    if (config->half_open_calls > BREAKER_CALLS_MAX) {
        return bad_breaker_value(reterr, name, "half_open_calls must be at most 1000000");
    }
    if (config->minimum_calls > config->window_calls) {
        return bad_breaker_value(reterr, name, "minimum_calls must be at most window_calls");
    }
    if (!(config->failure_rate_percent > 0 && config->failure_rate_percent <= 100)) { /* NaN too */
        return bad_breaker_value(reterr, name, "failure_rate_percent must be above 0 and at most 100");
    }
    if (!(config->slow_rate_percent > 0 && config->slow_rate_percent <= 100)) {
        return bad_breaker_value(reterr, name, "slow_rate_percent must be above 0 and at most 100");
    }
    return HERALD_OK;
}

static struct breaker_config with_defaults(const struct breaker_config *given) {
    struct breaker_config config = *given;
    config.window_calls = herald_or_default(given->window_calls, 100);
    config.minimum_calls = herald_or_default(given->minimum_calls, herald_min_u32(100, config.window_calls));
    config.slow_call_ms = herald_or_default(given->slow_call_ms, 60000);
    config.open_wait_ms = herald_or_default(given->open_wait_ms, 60000);
    config.half_open_calls = herald_or_default(given->half_open_calls, 10);
    if (given->failure_rate_percent == 0) {
        config.failure_rate_percent = 50;
    }
    if (given->slow_rate_percent == 0) {
        config.slow_rate_percent = 100;
    }
    if (given->now_us == NULL) {
        config.now_us = clock_now_us;
    }
    return config;
}

enum herald_code breaker_new(const char *name, const struct breaker_config *config, struct breaker **ret_breaker,
                             struct herald_error *reterr) {
    struct breaker_config complete = with_defaults(config);
    enum herald_code code = check_config(name, &complete, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct breaker *breaker = calloc(1, sizeof(*breaker));
    if (breaker == NULL) {
        return herald_error_no_memory(reterr, "circuit breaker \"%s\"", name);
    }
    (void)pthread_mutex_init(&breaker->mutex, NULL); /* cannot fail with default attributes */
    breaker->config = complete;
    breaker->name = strdup(name);
    uint32_t capacity =
        complete.window_calls > complete.half_open_calls ? complete.window_calls : complete.half_open_calls;
    if (breaker->name == NULL || !breaker_window_init(&breaker->window, capacity)) {
        breaker_free(breaker);
        return herald_error_no_memory(reterr, "circuit breaker \"%s\"", name);
    }
    struct events none = {0};
    enter(breaker, BREAKER_CLOSED, complete.now_us(), &none); /* from CLOSED: no event */
    *ret_breaker = breaker;
    return HERALD_OK;
}

void breaker_free(struct breaker *breaker) {
    if (breaker == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&breaker->mutex);
    breaker_window_fini(&breaker->window);
    free(breaker->flights);
    free(breaker->name);
    free(breaker);
}

/* ---- calls ---- */

static bool take_permit(struct breaker *breaker) {
    switch (breaker->state) {
    case BREAKER_OPEN:
    case BREAKER_FORCED_OPEN:
        return false;
    case BREAKER_HALF_OPEN:
        if (breaker->permits_left == 0) {
            return false;
        }
        breaker->permits_left--;
        return true;
    default:
        return true;
    }
}

/* How long the caller should wait before it tries again. Half-open, that depends on the calls in flight: soon. */
static uint32_t retry_after_ms(const struct breaker *breaker, uint64_t now_us) {
    enum { SOON_MS = 1000 };
    if (breaker->state == BREAKER_HALF_OPEN) {
        return herald_min_u32(SOON_MS, breaker->config.open_wait_ms);
    }
    if (breaker->state == BREAKER_FORCED_OPEN) {
        return breaker->config.open_wait_ms;
    }
    uint64_t end_us = breaker->since_us + (uint64_t)breaker->config.open_wait_ms * 1000;
    return end_us > now_us ? (uint32_t)((end_us - now_us) / 1000 + 1) : 1;
}

static enum herald_code refuse_by_breaker(const char *name, enum breaker_state state, uint32_t wait_ms,
                                          struct herald_error *reterr) {
    enum herald_code code = herald_error_set(reterr, HERALD_REASON_BREAKER_OPEN,
                                             "circuit breaker \"%s\" is %s, the call was not tried; try again in %u ms",
                                             name, breaker_state_name(state), wait_ms);
    if (reterr != NULL) {
        reterr->retry_after_ms = wait_ms;
    }
    return code;
}

enum herald_code breaker_admit(struct breaker *breaker, struct breaker_permit *ret_permit,
                               struct herald_error *reterr) {
    struct events events = {0};
    (void)pthread_mutex_lock(&breaker->mutex);
    uint64_t now_us = breaker->config.now_us();
    catch_up(breaker, now_us, &events);
    if (breaker->state == BREAKER_OPEN && now_us > breaker->since_us + (uint64_t)breaker->config.open_wait_ms * 1000) {
        enter(breaker, BREAKER_HALF_OPEN, now_us, &events);
    }
    bool permitted = take_permit(breaker);
    enum breaker_state state = breaker->state;
    uint32_t wait_ms = retry_after_ms(breaker, now_us);
    if (permitted) {
        *ret_permit = (struct breaker_permit){
            .era = breaker->era,
            .started_us = now_us,
            .slot = is_measured(breaker) ? flight_begin(breaker, now_us) : 0,
        };
    } else {
        breaker->not_permitted_calls++;
        note(breaker, &events, BREAKER_EVENT_NOT_PERMITTED, state);
    }
    (void)pthread_mutex_unlock(&breaker->mutex);
    tell_events(breaker, &events);
    return permitted ? HERALD_OK : refuse_by_breaker(breaker->name, state, wait_ms, reterr);
}

/* Adds the result of a call of this era. */
static void measure_result(struct breaker *breaker, const struct breaker_permit *permit, enum breaker_outcome outcome,
                           uint64_t now_us, struct events *events) {
    bool counted = permit->slot != 0 && flight_at(breaker, permit->slot)->counted;
    uint64_t ticket = counted ? flight_at(breaker, permit->slot)->ticket : 0;
    if (permit->slot != 0) {
        flight_end(breaker, permit->slot);
    }
    if (outcome == BREAKER_IGNORED) {
        if (counted) {
            breaker_window_withdraw(&breaker->window, ticket);
        }
        if (breaker->state == BREAKER_HALF_OPEN) {
            breaker->permits_left++;
        }
        return;
    }
    if (!counted) {
        (void)breaker_window_add(&breaker->window, outcome == BREAKER_FAILURE,
                                 is_slow(breaker, permit->started_us, now_us));
    } else if (outcome == BREAKER_FAILURE) {
        breaker_window_fail(&breaker->window, ticket);
    }
    judge_window(breaker, now_us, events);
}

void breaker_record(struct breaker *breaker, const struct breaker_permit *permit, enum breaker_outcome outcome) {
    static const enum breaker_event_kind kinds[] = {
        [BREAKER_SUCCESS] = BREAKER_EVENT_SUCCESS,
        [BREAKER_FAILURE] = BREAKER_EVENT_ERROR,
        [BREAKER_IGNORED] = BREAKER_EVENT_IGNORED_ERROR,
    };
    struct events events = {0};
    (void)pthread_mutex_lock(&breaker->mutex);
    uint64_t now_us = breaker->config.now_us();
    expire_half_open(breaker, now_us, &events);
    note(breaker, &events, kinds[outcome], breaker->state);
    if (permit->era == breaker->era && is_measured(breaker)) {
        measure_result(breaker, permit, outcome, now_us, &events); /* before count_slow_flights() could count it */
    }
    count_slow_flights(breaker, now_us, &events);
    (void)pthread_mutex_unlock(&breaker->mutex);
    tell_events(breaker, &events);
}

/* ---- operators ---- */

void breaker_metrics(struct breaker *breaker, struct breaker_metrics *ret_metrics) {
    struct events events = {0};
    (void)pthread_mutex_lock(&breaker->mutex);
    catch_up(breaker, breaker->config.now_us(), &events);
    *ret_metrics = (struct breaker_metrics){
        .state = breaker->state,
        .failure_rate = breaker_window_failure_rate(&breaker->window, breaker->minimum_calls),
        .slow_rate = breaker_window_slow_rate(&breaker->window, breaker->minimum_calls),
        .buffered_calls = breaker->window.buffered,
        .failed_calls = breaker->window.failed,
        .slow_calls = breaker->window.slow,
        .not_permitted_calls = breaker->not_permitted_calls,
    };
    (void)pthread_mutex_unlock(&breaker->mutex);
    tell_events(breaker, &events);
}

void breaker_transition(struct breaker *breaker, enum breaker_state state) {
    struct events events = {0};
    (void)pthread_mutex_lock(&breaker->mutex);
    enter(breaker, state, breaker->config.now_us(), &events);
    (void)pthread_mutex_unlock(&breaker->mutex);
    tell_events(breaker, &events);
}

void breaker_reset(struct breaker *breaker) {
    struct events events = {0};
    (void)pthread_mutex_lock(&breaker->mutex);
    enter(breaker, BREAKER_CLOSED, breaker->config.now_us(), &events);
    note(breaker, &events, BREAKER_EVENT_RESET, BREAKER_CLOSED);
    (void)pthread_mutex_unlock(&breaker->mutex);
    tell_events(breaker, &events);
}

const char *breaker_state_name(enum breaker_state state) {
    static const char *const names[] = {
        [BREAKER_CLOSED] = "CLOSED",           [BREAKER_OPEN] = "OPEN",
        [BREAKER_HALF_OPEN] = "HALF_OPEN",     [BREAKER_DISABLED] = "DISABLED",
        [BREAKER_FORCED_OPEN] = "FORCED_OPEN", [BREAKER_METRICS_ONLY] = "METRICS_ONLY",
    };
    return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : "UNKNOWN";
}
