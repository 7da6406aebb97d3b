#ifndef HERALD_BREAKER_BREAKER_H
#define HERALD_BREAKER_BREAKER_H

/*
 * A circuit breaker for calls of many threads: the state machine of breaker_core.h with a mutex and a clock. What it
 * does, and where it differs from resilience4j, is in docs/breaker.md.
 */
#include "server/breaker/breaker_core.h"

struct breaker_config { /* 0 means resilience4j's default; the first nine are those of struct breaker_rules */
    uint32_t window_calls;
    uint32_t minimum_calls;
    float failure_rate_percent;
    float slow_rate_percent;
    uint32_t slow_call_ms;
    uint32_t open_wait_ms;
    uint32_t half_open_calls;
    uint32_t half_open_max_wait_ms;
    bool strict;
    uint64_t (*now_us)(void);                                        /* NULL: the monotonic clock */
    void (*on_event)(void *user, const struct breaker_event *event); /* may be NULL; called without the lock */
    void *user;
};

struct breaker;

/**
 * Makes a closed breaker.
 *
 * @name    in the errors of breaker_admit(); copied
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_BREAKER: names the value)
 *          | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code breaker_new(const char *name, const struct breaker_config *config, struct breaker **ret_breaker,
                             struct herald_error *reterr);
void breaker_free(struct breaker *breaker);
/**
 * Asks for a permit to call.
 *
 * @ret_permit  set only on HERALD_OK; for breaker_record(), exactly once
 * Returns:     HERALD_OK | HERALD_UNAVAILABLE (BREAKER_OPEN; retry_after_ms is set)
 * Context:     any thread, as all functions here
 */
enum herald_code breaker_admit(struct breaker *breaker, struct breaker_permit *ret_permit, struct herald_error *reterr);
/** Reports how the call ended. BREAKER_IGNORED returns the permit and leaves no sample. */
void breaker_record(struct breaker *breaker, const struct breaker_permit *permit, enum breaker_outcome outcome);
void breaker_metrics(struct breaker *breaker, struct breaker_metrics *ret_metrics);
/** How long a call should wait before it tries again: as breaker_core_retry_after_ms(). */
uint32_t breaker_retry_after_ms(struct breaker *breaker);
/** For operators: enters any state. Returns: false: as breaker_core_transition(), strict only */
bool breaker_transition(struct breaker *breaker, enum breaker_state state);
/** Enters CLOSED with an empty window. */
void breaker_reset(struct breaker *breaker);

#endif
