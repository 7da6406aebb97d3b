#ifndef HERALD_OUTGOING_BREAKER_H
#define HERALD_OUTGOING_BREAKER_H

/*
 * A circuit breaker with the semantics of resilience4j's count-based window; breaker_new() lists the differences.
 * Thread-safe.
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

struct breaker_config {                                              /* 0 means resilience4j's default, in brackets */
    uint32_t window_calls;                                           /* [100] */
    uint32_t minimum_calls;                                          /* [100], at most window_calls */
    float failure_rate_percent;                                      /* [50] opens at or above */
    float slow_rate_percent;                                         /* [100] opens at or above */
    uint32_t slow_call_ms;                                           /* [60000] slow is strictly longer */
    uint32_t open_wait_ms;                                           /* [60000] */
    uint32_t half_open_calls;                                        /* [10] */
    uint32_t half_open_max_wait_ms;                                  /* [0: unbounded] */
    uint64_t (*now_us)(void);                                        /* NULL: clock_now_us */
    void (*on_event)(void *user, const struct breaker_event *event); /* may be NULL; called without the lock */
    void *user;
};

struct breaker;
/** Issued by breaker_admit(), returned by breaker_record() exactly once. */
struct breaker_permit {
    uint64_t era;        /* private */
    uint64_t started_us; /* private */
    uint64_t slot;       /* private */
};

/**
 * Makes a closed breaker.
 *
 * Differences from resilience4j, on purpose:
 * - It uses the monotonic clock.
 * - Results of an earlier era never count in a later one.
 * - There are never more permits than configured.
 * - Calls in flight longer than slow_call_ms count as slow before they end.
 *
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_BREAKER: names the value)
 *          | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code breaker_new(const char *name, const struct breaker_config *config, struct breaker **ret_breaker,
                             struct herald_error *reterr);
void breaker_free(struct breaker *breaker);
/** Asks for a permit to call. Returns: HERALD_OK | HERALD_UNAVAILABLE (BREAKER_OPEN; retry_after_ms is set). */
enum herald_code breaker_admit(struct breaker *breaker, struct breaker_permit *ret_permit, struct herald_error *reterr);
/** Reports how the call ended. BREAKER_IGNORED returns the permit and leaves no sample. */
void breaker_record(struct breaker *breaker, const struct breaker_permit *permit, enum breaker_outcome outcome);

struct breaker_metrics {
    enum breaker_state state;
    float failure_rate, slow_rate; /* percent; -1 below the minimum of calls */
    uint32_t buffered_calls, failed_calls, slow_calls;
    uint64_t not_permitted_calls;
};
void breaker_metrics(struct breaker *breaker, struct breaker_metrics *ret_metrics);
/** For operators: enters any state. */
void breaker_transition(struct breaker *breaker, enum breaker_state state);
/** Enters CLOSED with an empty window. */
void breaker_reset(struct breaker *breaker);
const char *breaker_state_name(enum breaker_state state);

#endif
