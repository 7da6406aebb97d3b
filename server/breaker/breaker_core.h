#ifndef HERALD_BREAKER_BREAKER_CORE_H
#define HERALD_BREAKER_BREAKER_CORE_H

/*
 * The state machine of a circuit breaker: resilience4j's with its count-based window, with the differences that
 * docs/breaker.md explains, or without them (`strict`). It has no clock, no lock and no I/O, and takes no memory after
 * breaker_core_new(). Each operation is given the time and hands back the events that it caused.
 *
 * Times are µs on one clock that does not go back; an earlier time counts as the latest one. What is due by time alone
 * happens at its own time, before the operation that comes later: it does not matter who looks when.
 *
 * Context: any thread, one at a time. breaker.h adds a mutex and a clock.
 */
#include "herald/error.h"

#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
    BREAKER_CLOSED,
    BREAKER_OPEN,
    BREAKER_HALF_OPEN,
    BREAKER_DISABLED,
    BREAKER_FORCED_OPEN,
    BREAKER_METRICS_ONLY
};
enum breaker_outcome { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_IGNORED };
enum breaker_event_kind {
    BREAKER_EVENT_SUCCESS,
    BREAKER_EVENT_ERROR,
    BREAKER_EVENT_IGNORED_ERROR,
    BREAKER_EVENT_NOT_PERMITTED,
    BREAKER_EVENT_STATE_TRANSITION,
    BREAKER_EVENT_RESET,
    BREAKER_EVENT_FAILURE_RATE_EXCEEDED,
    BREAKER_EVENT_SLOW_RATE_EXCEEDED
};

struct breaker_event {
    enum breaker_event_kind kind;
    enum breaker_state from, to;   /* of a state transition; else both the present state */
    float failure_rate, slow_rate; /* percent; -1 below the minimum of calls */
};

/** The most that one operation can cause: seven. */
#define BREAKER_EVENTS_MAX 8
/** The most that window_calls and half_open_calls can be. */
#define BREAKER_CALLS_MAX 1000000

struct breaker_events {
    unsigned count;
    struct breaker_event each[BREAKER_EVENTS_MAX]; /* in the order in which they happened */
};

struct breaker_rules {              /* 0 means resilience4j's default, in brackets */
    uint32_t window_calls;          /* [100] 1..BREAKER_CALLS_MAX */
    uint32_t minimum_calls;         /* [100] at most window_calls; strict: any, a smaller window counts as it */
    float failure_rate_percent;     /* [50] opens at or above; above 0, at most 100 */
    float slow_rate_percent;        /* [100] opens at or above; above 0, at most 100 */
    uint32_t slow_call_ms;          /* [60000] slow is strictly longer */
    uint32_t open_wait_ms;          /* [60000] */
    uint32_t half_open_calls;       /* [10] 1..BREAKER_CALLS_MAX */
    uint32_t half_open_max_wait_ms; /* [0: unbounded] */
    bool strict;                    /* resilience4j, operation by operation */
};

/** Issued by breaker_core_admit(), given back to breaker_core_record() exactly once. */
struct breaker_permit {
    uint64_t era;        /* private */
    uint64_t started_us; /* when it was issued */
    uint32_t slot;       /* private */
};

struct breaker_core;

/**
 * Makes a closed breaker.
 *
 * @name    for the message of a wrong rule
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_BREAKER: names the value)
 *          | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code breaker_core_new(const char *name, const struct breaker_rules *rules, struct breaker_core **ret_core,
                                  struct herald_error *reterr);
void breaker_core_free(struct breaker_core *core);
/**
 * Asks for a permit to call.
 *
 * @ret_permit  set when permitted
 * @ret_events  as of all operations: filled, whatever it held
 * Returns:     whether the call is permitted
 */
bool breaker_core_admit(struct breaker_core *core, uint64_t now_us, struct breaker_permit *ret_permit,
                        struct breaker_events *ret_events);
/**
 * Reports how a call ended.
 *
 * @permit       its permit; strict: may be NULL, as resilience4j knows no permits
 * @outcome      BREAKER_IGNORED returns the permit and leaves no sample
 * @duration_us  how long the call took, of BREAKER_SUCCESS and BREAKER_FAILURE
 * Returns:      false: strict, and resilience4j throws: the breaker opened out of DISABLED or FORCED_OPEN, so that its
 *               window has no place; the counts and events are as after the exception
 */
bool breaker_core_record(struct breaker_core *core, uint64_t now_us, const struct breaker_permit *permit,
                         enum breaker_outcome outcome, uint64_t duration_us, struct breaker_events *ret_events);
/** Does only what is due by time. */
void breaker_core_advance(struct breaker_core *core, uint64_t now_us, struct breaker_events *ret_events);
/** Enters any state. Returns: false: strict, and resilience4j has no such transition: nothing changed */
bool breaker_core_transition(struct breaker_core *core, uint64_t now_us, enum breaker_state state,
                             struct breaker_events *ret_events);
/** Enters CLOSED with an empty window. */
void breaker_core_reset(struct breaker_core *core, uint64_t now_us, struct breaker_events *ret_events);

struct breaker_metrics {
    enum breaker_state state;
    float failure_rate, slow_rate; /* percent; -1 below the minimum of calls */
    uint32_t buffered_calls, failed_calls, slow_calls;
    uint64_t not_permitted_calls;
    uint32_t permits_left; /* of HALF_OPEN; else 0 */
};
/** As of the latest operation. */
void breaker_core_metrics(const struct breaker_core *core, struct breaker_metrics *ret_metrics);
/**
 * How long a call should wait before it tries again.
 *
 * Returns: ms; 0: a call now would be permitted. OPEN: until the wait is over. FORCED_OPEN: the length of the wait, for
 *          want of better. HALF_OPEN: at most 1000, it depends on the calls in flight
 */
uint32_t breaker_core_retry_after_ms(const struct breaker_core *core, uint64_t now_us);

/** "HALF_OPEN" and the like; "UNKNOWN" for any other number. */
const char *breaker_state_name(enum breaker_state state);
/** The state of a name, exactly as breaker_state_name() spells it. Returns: false: none */
bool breaker_state_find(const char *name, enum breaker_state *ret_state);
/** resilience4j's name of an event, "SLOW_CALL_RATE_EXCEEDED"; "UNKNOWN" for any other number. */
const char *breaker_event_name(enum breaker_event_kind kind);

#endif
