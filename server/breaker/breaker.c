/* Each operation of the core, under the mutex. Its events are reported after the mutex is released. */
#include "server/breaker/breaker.h"

#include "client/base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct breaker {
    pthread_mutex_t mutex;
    char *name;
    uint64_t (*now_us)(void);
    void (*on_event)(void *user, const struct breaker_event *event);
    void *user;
    struct breaker_core *core;
};

static struct breaker_rules rules_of(const struct breaker_config *config) {
    return (struct breaker_rules){
        .window_calls = config->window_calls,
        .minimum_calls = config->minimum_calls,
        .failure_rate_percent = config->failure_rate_percent,
        .slow_rate_percent = config->slow_rate_percent,
        .slow_call_ms = config->slow_call_ms,
        .open_wait_ms = config->open_wait_ms,
        .half_open_calls = config->half_open_calls,
        .half_open_max_wait_ms = config->half_open_max_wait_ms,
        .strict = config->strict,
    };
}

enum herald_code breaker_new(const char *name, const struct breaker_config *config, struct breaker **ret_breaker,
                             struct herald_error *reterr) {
    struct breaker *breaker = calloc(1, sizeof(*breaker));
    if (breaker == NULL) {
        return herald_error_no_memory(reterr, "circuit breaker \"%s\"", name);
    }
    (void)pthread_mutex_init(&breaker->mutex, NULL); /* cannot fail with default attributes */
    breaker->now_us = config->now_us != NULL ? config->now_us : herald_monotonic_us;
    breaker->on_event = config->on_event;
    breaker->user = config->user;
    breaker->name = strdup(name);
    struct breaker_rules rules = rules_of(config);
    enum herald_code code = breaker->name != NULL ? breaker_core_new(name, &rules, &breaker->core, reterr)
                                                  : herald_error_no_memory(reterr, "circuit breaker \"%s\"", name);
    if (code != HERALD_OK) {
        breaker_free(breaker);
        return code;
    }
    *ret_breaker = breaker;
    return HERALD_OK;
}

void breaker_free(struct breaker *breaker) {
    if (breaker == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&breaker->mutex);
    breaker_core_free(breaker->core);
    free(breaker->name);
    free(breaker);
}

/* Returns: the time; read under the mutex, so that the core sees it rise. */
static uint64_t lock_breaker(struct breaker *breaker) {
    (void)pthread_mutex_lock(&breaker->mutex);
    return breaker->now_us();
}

static void unlock_and_tell(struct breaker *breaker, const struct breaker_events *events) {
    (void)pthread_mutex_unlock(&breaker->mutex);
    for (unsigned i = 0; breaker->on_event != NULL && i < events->count; i++) {
        breaker->on_event(breaker->user, &events->each[i]);
    }
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
    struct breaker_events events;
    struct breaker_metrics metrics;
    uint64_t now_us = lock_breaker(breaker);
    bool permitted = breaker_core_admit(breaker->core, now_us, ret_permit, &events);
    breaker_core_metrics(breaker->core, &metrics);
    uint32_t wait_ms = breaker_core_retry_after_ms(breaker->core, now_us);
    unlock_and_tell(breaker, &events);
    return permitted ? HERALD_OK : refuse_by_breaker(breaker->name, metrics.state, wait_ms, reterr);
}

void breaker_record(struct breaker *breaker, const struct breaker_permit *permit, enum breaker_outcome outcome) {
    struct breaker_events events;
    uint64_t now_us = lock_breaker(breaker);
    uint64_t duration_us = now_us > permit->started_us ? now_us - permit->started_us : 0;
    (void)breaker_core_record(breaker->core, now_us, permit, outcome, duration_us, &events);
    unlock_and_tell(breaker, &events);
}

void breaker_metrics(struct breaker *breaker, struct breaker_metrics *ret_metrics) {
    struct breaker_events events;
    breaker_core_advance(breaker->core, lock_breaker(breaker), &events);
    breaker_core_metrics(breaker->core, ret_metrics);
    unlock_and_tell(breaker, &events);
}

uint32_t breaker_retry_after_ms(struct breaker *breaker) {
    struct breaker_events events;
    uint64_t now_us = lock_breaker(breaker);
    breaker_core_advance(breaker->core, now_us, &events);
    uint32_t wait_ms = breaker_core_retry_after_ms(breaker->core, now_us);
    unlock_and_tell(breaker, &events);
    return wait_ms;
}

bool breaker_transition(struct breaker *breaker, enum breaker_state state) {
    struct breaker_events events;
    uint64_t now_us = lock_breaker(breaker);
    bool done = breaker_core_transition(breaker->core, now_us, state, &events);
    unlock_and_tell(breaker, &events);
    return done;
}

void breaker_reset(struct breaker *breaker) {
    struct breaker_events events;
    breaker_core_reset(breaker->core, lock_breaker(breaker), &events);
    unlock_and_tell(breaker, &events);
}
