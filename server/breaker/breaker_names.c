/* The names of states and events, those of resilience4j. */
#include "server/breaker/breaker_core.h"

#include <string.h>

static const char *const STATE_NAMES[] = {
    [BREAKER_CLOSED] = "CLOSED",           [BREAKER_OPEN] = "OPEN",
    [BREAKER_HALF_OPEN] = "HALF_OPEN",     [BREAKER_DISABLED] = "DISABLED",
    [BREAKER_FORCED_OPEN] = "FORCED_OPEN", [BREAKER_METRICS_ONLY] = "METRICS_ONLY",
};
#define STATE_COUNT (sizeof(STATE_NAMES) / sizeof(STATE_NAMES[0]))

const char *breaker_state_name(enum breaker_state state) {
    return (unsigned)state < STATE_COUNT ? STATE_NAMES[state] : "UNKNOWN";
}

bool breaker_state_find(const char *name, enum breaker_state *ret_state) {
    for (unsigned i = 0; i < STATE_COUNT; i++) {
        if (strcmp(name, STATE_NAMES[i]) == 0) {
            *ret_state = (enum breaker_state)i;
            return true;
        }
    }
    return false;
}

const char *breaker_event_name(enum breaker_event_kind kind) {
    static const char *const names[] = {
        [BREAKER_EVENT_SUCCESS] = "SUCCESS",
        [BREAKER_EVENT_ERROR] = "ERROR",
        [BREAKER_EVENT_IGNORED_ERROR] = "IGNORED_ERROR",
        [BREAKER_EVENT_NOT_PERMITTED] = "NOT_PERMITTED",
        [BREAKER_EVENT_STATE_TRANSITION] = "STATE_TRANSITION",
        [BREAKER_EVENT_RESET] = "RESET",
        [BREAKER_EVENT_FAILURE_RATE_EXCEEDED] = "FAILURE_RATE_EXCEEDED",
        [BREAKER_EVENT_SLOW_RATE_EXCEEDED] = "SLOW_CALL_RATE_EXCEEDED",
    };
    return (unsigned)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "UNKNOWN";
}
