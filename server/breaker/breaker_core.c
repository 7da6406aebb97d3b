/*
 * An era is the time between two transitions. A permit belongs to the era that issued it; its result counts only in
 * that era, except in strict mode.
 *
 * do_what_is_due() applies what happens by time alone, in the order of the times: a call in flight becomes slow, a
 * half-open era ends. Each operation begins with it. So the state at a time depends on the operations alone, not on how
 * often somebody looks.
 */
#include "server/breaker/breaker_core.h"

#include "client/base/minimum.h"
#include "client/base/or_default.h"
#include "server/breaker/breaker_flights.h"
#include "server/breaker/breaker_window.h"

#include <assert.h>
#include <stdlib.h>

/* At least so many calls in flight are watched; others count at their end only. */
#define FLIGHTS_MIN 1024
/* Strict: so many half-open eras that a reset ended can still have a timer. Each takes at least two operations. */
#define TIMERS_MAX 4096

/*
 * resilience4j cancels the timer of a half-open era (the maximum wait) at each transition, but not at a reset. The timer
 * then opens whatever state it meets. All have the same length, so that the first set is the first due.
 */
struct stray_timers {
    uint64_t *due_us; /* ring of TIMERS_MAX */
    uint32_t first, count;
};

struct breaker_core {
    struct breaker_rules rules;
    enum breaker_state state;
    uint64_t now_us; /* the latest time that was given */
    uint64_t era;
    uint64_t since_us;      /* when the era began */
    uint32_t permits_left;  /* of HALF_OPEN */
    uint32_t minimum_calls; /* of the era that the window belongs to */
    bool told_failure_rate, told_slow_rate;
    uint64_t not_permitted_calls;
    struct breaker_window window;
    struct breaker_flights flights;
    struct stray_timers strays;
};

static uint64_t us_of(uint32_t ms) {
    return (uint64_t)ms * 1000;
}

static uint32_t max_calls(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* ---- events ---- */

/* DISABLED and FORCED_OPEN report only transitions and resets. */
static bool tells(const struct breaker_core *core, enum breaker_event_kind kind) {
    return kind == BREAKER_EVENT_STATE_TRANSITION || kind == BREAKER_EVENT_RESET ||
           (core->state != BREAKER_DISABLED && core->state != BREAKER_FORCED_OPEN);
}

static void note_from(const struct breaker_core *core, struct breaker_events *events, enum breaker_event_kind kind,
                      enum breaker_state from) {
    if (!tells(core, kind)) {
        return;
    }
    assert(events->count < BREAKER_EVENTS_MAX);
    events->each[events->count++] = (struct breaker_event){
        .kind = kind,
        .from = from,
        .to = core->state,
        .failure_rate = breaker_window_failure_rate(&core->window, core->minimum_calls),
        .slow_rate = breaker_window_slow_rate(&core->window, core->minimum_calls),
    };
}

static void note(const struct breaker_core *core, struct breaker_events *events, enum breaker_event_kind kind) {
    note_from(core, events, kind, core->state);
}

/* ---- states ---- */

/* How many calls the window of a state holds. resilience4j gives a state that measures nothing a window of no calls. */
static uint32_t window_calls_of(const struct breaker_core *core, enum breaker_state state) {
    if (state == BREAKER_HALF_OPEN) {
        return core->rules.half_open_calls;
    }
    bool measures_nothing = state == BREAKER_DISABLED || state == BREAKER_FORCED_OPEN;
    return core->rules.strict && measures_nothing ? 0 : core->rules.window_calls;
}

static void clear_window(struct breaker_core *core, uint32_t calls) {
    breaker_window_clear(&core->window, calls);
    core->minimum_calls = herald_min_u32(core->rules.minimum_calls, calls);
    core->not_permitted_calls = 0;
}

/* Begins an era. OPEN keeps the window that caused it, for the metrics. */
static void enter(struct breaker_core *core, enum breaker_state state, uint64_t at_us, struct breaker_events *events) {
    enum breaker_state from = core->state;
    core->era++;
    core->since_us = at_us;
    core->told_failure_rate = core->told_slow_rate = false;
    breaker_flights_clear(&core->flights);
    core->state = state;
    if (state != BREAKER_OPEN) {
        clear_window(core, window_calls_of(core, state));
    }
    core->permits_left = state == BREAKER_HALF_OPEN ? core->rules.half_open_calls : 0;
    if (from != state) {
        note_from(core, events, BREAKER_EVENT_STATE_TRANSITION, from);
    }
}

/* Whether calls are measured; strict: results are, OPEN those of calls that began before it. */
static bool measures(const struct breaker_core *core) {
    return core->state == BREAKER_CLOSED || core->state == BREAKER_HALF_OPEN || core->state == BREAKER_METRICS_ONLY ||
           (core->rules.strict && core->state == BREAKER_OPEN);
}

/* METRICS_ONLY reports each rate once in its era; CLOSED ends with the first. */
static void note_rates(struct breaker_core *core, bool failing, bool slow, struct breaker_events *events) {
    if (failing && !core->told_failure_rate) {
        note(core, events, BREAKER_EVENT_FAILURE_RATE_EXCEEDED);
    }
    if (slow && !core->told_slow_rate) {
        note(core, events, BREAKER_EVENT_SLOW_RATE_EXCEEDED);
    }
    core->told_failure_rate = core->told_failure_rate || failing;
    core->told_slow_rate = core->told_slow_rate || slow;
}

/* After each change of the window: reports exceeded rates and changes the state. */
static void judge_window(struct breaker_core *core, uint64_t at_us, struct breaker_events *events) {
    float failure_rate = breaker_window_failure_rate(&core->window, core->minimum_calls);
    float slow_rate = breaker_window_slow_rate(&core->window, core->minimum_calls);
    if (core->state == BREAKER_OPEN || failure_rate < 0) {
        return; /* OPEN: a late result; below 0: too few calls */
    }
    bool failing = failure_rate >= core->rules.failure_rate_percent;
    bool slow = slow_rate >= core->rules.slow_rate_percent;
    if (core->state != BREAKER_HALF_OPEN) {
        note_rates(core, failing, slow, events);
    }
    if (core->state == BREAKER_METRICS_ONLY) {
        return;
    }
    /* A call that is still in flight can open the breaker, but not close it. */
    uint32_t ended = core->window.buffered - core->window.unfinished;
    if (failing || slow) {
        enter(core, BREAKER_OPEN, at_us, events);
    } else if (core->state == BREAKER_HALF_OPEN && ended >= core->minimum_calls) {
        enter(core, BREAKER_CLOSED, at_us, events);
    }
}

/* ---- time ---- */

/* When the next call in flight becomes slow. UINT64_MAX: none. */
static uint64_t slow_due_us(const struct breaker_core *core) {
    const struct breaker_flight *oldest = breaker_flights_oldest(&core->flights);
    return oldest != NULL ? oldest->started_us + us_of(core->rules.slow_call_ms) + 1 : UINT64_MAX;
}

static uint64_t half_open_due_us(const struct breaker_core *core) {
    bool ends = core->state == BREAKER_HALF_OPEN && core->rules.half_open_max_wait_ms != 0;
    return ends ? core->since_us + us_of(core->rules.half_open_max_wait_ms) : UINT64_MAX;
}

static uint64_t stray_due_us(const struct breaker_core *core) {
    return core->strays.count != 0 ? core->strays.due_us[core->strays.first] : UINT64_MAX;
}

static void leave_stray_timer(struct breaker_core *core) {
    struct stray_timers *strays = &core->strays;
    uint64_t due_us = half_open_due_us(core);
    if (strays->due_us == NULL || due_us == UINT64_MAX || strays->count == TIMERS_MAX) {
        return;
    }
    strays->due_us[(strays->first + strays->count++) % TIMERS_MAX] = due_us;
}

static void fire_stray_timer(struct breaker_core *core, uint64_t at_us, struct breaker_events *events) {
    core->strays.first = (core->strays.first + 1) % TIMERS_MAX;
    core->strays.count--;
    if (core->state != BREAKER_METRICS_ONLY) { /* from there OPEN cannot be entered */
        enter(core, BREAKER_OPEN, at_us, events);
    }
}

static void count_slow_flight(struct breaker_core *core, uint64_t at_us, struct breaker_events *events) {
    breaker_flights_count_oldest(&core->flights, breaker_window_add_unfinished(&core->window));
    judge_window(core, at_us, events);
}

/* Applies all that is due until now, each at its time. */
static void do_what_is_due(struct breaker_core *core, uint64_t now_us, struct breaker_events *events) {
    if (now_us > core->now_us) {
        core->now_us = now_us;
    }
    for (;;) {
        uint64_t stray_us = stray_due_us(core), end_us = half_open_due_us(core), slow_us = slow_due_us(core);
        uint64_t due_us = herald_min_u64(herald_min_u64(stray_us, end_us), slow_us);
        if (due_us > core->now_us) {
            return;
        }
        if (due_us == stray_us) {
            fire_stray_timer(core, due_us, events);
        } else if (due_us == end_us) {
            enter(core, BREAKER_OPEN, due_us, events);
        } else {
            count_slow_flight(core, due_us, events);
        }
    }
}

static void begin_operation(struct breaker_core *core, uint64_t now_us, struct breaker_events *ret_events) {
    ret_events->count = 0;
    do_what_is_due(core, now_us, ret_events);
}

/* ---- life ---- */

static enum herald_code bad_breaker_value(struct herald_error *reterr, const char *name, const char *what) {
    return herald_error_set(reterr, HERALD_REASON_BAD_BREAKER, "circuit breaker \"%s\": %s", name, what);
}

static enum herald_code check_rules(const char *name, const struct breaker_rules *rules, struct herald_error *reterr) {
    if (rules->window_calls > BREAKER_CALLS_MAX) {
        return bad_breaker_value(reterr, name, "window_calls must be at most 1000000");
    }
    if (rules->half_open_calls > BREAKER_CALLS_MAX) {
        return bad_breaker_value(reterr, name, "half_open_calls must be at most 1000000");
    }
    if (rules->minimum_calls > rules->window_calls && !rules->strict) {
        return bad_breaker_value(reterr, name, "minimum_calls must be at most window_calls");
    }
    if (!(rules->failure_rate_percent > 0 && rules->failure_rate_percent <= 100)) { /* NaN too */
        return bad_breaker_value(reterr, name, "failure_rate_percent must be above 0 and at most 100");
    }
    if (!(rules->slow_rate_percent > 0 && rules->slow_rate_percent <= 100)) {
        return bad_breaker_value(reterr, name, "slow_rate_percent must be above 0 and at most 100");
    }
    return HERALD_OK;
}

static struct breaker_rules with_defaults(const struct breaker_rules *given) {
    struct breaker_rules rules = *given;
    rules.window_calls = herald_or_default(given->window_calls, 100);
    uint32_t minimum_calls = given->strict ? 100 : herald_min_u32(100, rules.window_calls);
    rules.minimum_calls = herald_or_default(given->minimum_calls, minimum_calls);
    rules.slow_call_ms = herald_or_default(given->slow_call_ms, 60000);
    rules.open_wait_ms = herald_or_default(given->open_wait_ms, 60000);
    rules.half_open_calls = herald_or_default(given->half_open_calls, 10);
    if (given->failure_rate_percent == 0) {
        rules.failure_rate_percent = 50;
    }
    if (given->slow_rate_percent == 0) {
        rules.slow_rate_percent = 100;
    }
    return rules;
}

static bool take_memory(struct breaker_core *core) {
    const struct breaker_rules *rules = &core->rules;
    uint32_t calls = max_calls(rules->window_calls, rules->half_open_calls);
    if (rules->strict) {
        core->strays.due_us = calloc(TIMERS_MAX, sizeof(*core->strays.due_us));
    }
    return (!rules->strict || core->strays.due_us != NULL) && breaker_window_init(&core->window, calls) &&
           breaker_flights_init(&core->flights, max_calls(calls, FLIGHTS_MIN));
}

enum herald_code breaker_core_new(const char *name, const struct breaker_rules *rules, struct breaker_core **ret_core,
                                  struct herald_error *reterr) {
    struct breaker_rules complete = with_defaults(rules);
    enum herald_code code = check_rules(name, &complete, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct breaker_core *core = calloc(1, sizeof(*core));
    if (core == NULL) {
        return herald_error_no_memory(reterr, "circuit breaker \"%s\"", name);
    }
    core->rules = complete;
    if (!take_memory(core)) {
        breaker_core_free(core);
        return herald_error_no_memory(reterr, "circuit breaker \"%s\"", name);
    }
    struct breaker_events none = {0};
    enter(core, BREAKER_CLOSED, 0, &none); /* from CLOSED: no event */
    *ret_core = core;
    return HERALD_OK;
}

void breaker_core_free(struct breaker_core *core) {
    if (core == NULL) {
        return;
    }
    breaker_window_fini(&core->window);
    breaker_flights_fini(&core->flights);
    free(core->strays.due_us);
    free(core);
}

/* ---- calls ---- */

static bool open_wait_is_over(const struct breaker_core *core, uint64_t now_us) {
    return now_us > core->since_us + us_of(core->rules.open_wait_ms);
}

static bool take_permit(struct breaker_core *core) {
    switch (core->state) {
    case BREAKER_OPEN:
    case BREAKER_FORCED_OPEN:
        return false;
    case BREAKER_HALF_OPEN:
        if (core->permits_left == 0) {
            return false;
        }
        core->permits_left--;
        return true;
    default:
        return true;
    }
}

bool breaker_core_admit(struct breaker_core *core, uint64_t now_us, struct breaker_permit *ret_permit,
                        struct breaker_events *ret_events) {
    begin_operation(core, now_us, ret_events);
    if (core->state == BREAKER_OPEN && open_wait_is_over(core, core->now_us)) {
        enter(core, BREAKER_HALF_OPEN, core->now_us, ret_events);
    }
    if (!take_permit(core)) {
        core->not_permitted_calls++;
        note(core, ret_events, BREAKER_EVENT_NOT_PERMITTED);
        return false;
    }
    bool watched = measures(core) && !core->rules.strict;
    *ret_permit = (struct breaker_permit){
        .era = core->era,
        .started_us = core->now_us,
        .slot = watched ? breaker_flights_begin(&core->flights, core->now_us) : 0,
    };
    return true;
}

/* Gives the permit of an ignored call back. In strict mode it may be one of an earlier era, so that there are too many. */
static void return_permit(struct breaker_core *core) {
    if (core->state == BREAKER_HALF_OPEN && core->permits_left < UINT32_MAX) {
        core->permits_left++;
    }
}

static void measure_ended(struct breaker_core *core, enum breaker_outcome outcome, uint64_t duration_us,
                          struct breaker_events *events) {
    if (outcome == BREAKER_IGNORED) {
        return_permit(core);
        return;
    }
    breaker_window_add(&core->window, outcome == BREAKER_FAILURE, duration_us > us_of(core->rules.slow_call_ms));
    judge_window(core, core->now_us, events);
}

/* The call had become slow in flight, so that it has a sample already. */
static void measure_counted(struct breaker_core *core, enum breaker_outcome outcome, struct breaker_ticket ticket,
                            struct breaker_events *events) {
    if (outcome == BREAKER_IGNORED) {
        return_permit(core);
        breaker_window_withdraw(&core->window, ticket);
    } else {
        breaker_window_finish(&core->window, ticket, outcome == BREAKER_FAILURE);
    }
    judge_window(core, core->now_us, events);
}

bool breaker_core_record(struct breaker_core *core, uint64_t now_us, const struct breaker_permit *permit,
                         enum breaker_outcome outcome, uint64_t duration_us, struct breaker_events *ret_events) {
    static const enum breaker_event_kind kinds[] = {
        [BREAKER_SUCCESS] = BREAKER_EVENT_SUCCESS,
        [BREAKER_FAILURE] = BREAKER_EVENT_ERROR,
        [BREAKER_IGNORED] = BREAKER_EVENT_IGNORED_ERROR,
    };
    begin_operation(core, now_us, ret_events);
    note(core, ret_events, kinds[outcome]);
    bool counts = core->rules.strict || permit->era == core->era;
    if (!counts || !measures(core)) {
        return true;
    }
    struct breaker_ticket ticket;
    bool fits = core->window.limit != 0 || outcome == BREAKER_IGNORED;
    if (!core->rules.strict && permit->slot != 0 && breaker_flights_end(&core->flights, permit->slot, &ticket)) {
        measure_counted(core, outcome, ticket, ret_events);
    } else {
        measure_ended(core, outcome, duration_us, ret_events);
    }
    return fits;
}

void breaker_core_advance(struct breaker_core *core, uint64_t now_us, struct breaker_events *ret_events) {
    begin_operation(core, now_us, ret_events);
}

/* ---- operators ---- */

static bool has_transition(enum breaker_state from, enum breaker_state to) {
    return !(from == BREAKER_CLOSED && to == BREAKER_HALF_OPEN) &&
           !(from == BREAKER_METRICS_ONLY && (to == BREAKER_OPEN || to == BREAKER_HALF_OPEN));
}

bool breaker_core_transition(struct breaker_core *core, uint64_t now_us, enum breaker_state state,
                             struct breaker_events *ret_events) {
    begin_operation(core, now_us, ret_events);
    if (core->rules.strict && !has_transition(core->state, state)) {
        return false;
    }
    enter(core, state, core->now_us, ret_events);
    return true;
}

void breaker_core_reset(struct breaker_core *core, uint64_t now_us, struct breaker_events *ret_events) {
    begin_operation(core, now_us, ret_events);
    leave_stray_timer(core);
    enter(core, BREAKER_CLOSED, core->now_us, ret_events);
    note(core, ret_events, BREAKER_EVENT_RESET);
}

/* ---- what it looks like ---- */

void breaker_core_metrics(const struct breaker_core *core, struct breaker_metrics *ret_metrics) {
    *ret_metrics = (struct breaker_metrics){
        .state = core->state,
        .failure_rate = breaker_window_failure_rate(&core->window, core->minimum_calls),
        .slow_rate = breaker_window_slow_rate(&core->window, core->minimum_calls),
        .buffered_calls = core->window.buffered,
        .failed_calls = core->window.failed,
        .slow_calls = core->window.slow,
        .not_permitted_calls = core->not_permitted_calls,
        .permits_left = core->permits_left,
    };
}

uint32_t breaker_core_retry_after_ms(const struct breaker_core *core, uint64_t now_us) {
    enum { SOON_MS = 1000 };
    uint64_t end_us = core->since_us + us_of(core->rules.open_wait_ms);
    switch (core->state) {
    case BREAKER_OPEN:
        return open_wait_is_over(core, now_us) ? 0 : (uint32_t)((end_us - now_us) / 1000 + 1);
    case BREAKER_FORCED_OPEN:
        return core->rules.open_wait_ms;
    case BREAKER_HALF_OPEN:
        return core->permits_left > 0 ? 0 : herald_min_u32(SOON_MS, core->rules.open_wait_ms);
    default:
        return 0;
    }
}
