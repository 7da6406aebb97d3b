#include "server/event/distribute_outcome.h"

/* A channel reports a refusal of the called server under the word with which a handler passes it on. */
static bool was_not_begun(enum herald_reason reason) {
    return herald_reason_is_refusal(reason) || herald_reason_is_passed_on(reason);
}

enum breaker_outcome distribute_outcome(enum herald_code code, enum herald_reason reason, bool wanted,
                                        bool whole_budget) {
    if (code == HERALD_OK) {
        return BREAKER_SUCCESS;
    }
    if (!wanted || was_not_begun(reason) || (code == HERALD_DEADLINE_EXCEEDED && !whole_budget)) {
        return BREAKER_IGNORED;
    }
    switch (code) {
    case HERALD_UNAVAILABLE:
    case HERALD_DEADLINE_EXCEEDED:
    case HERALD_RESOURCE_EXHAUSTED:
    case HERALD_INTERNAL:
    case HERALD_UNKNOWN:
    case HERALD_OUTCOME_UNKNOWN:
    case HERALD_DATA_LOSS:
        return BREAKER_FAILURE;
    default:
        return BREAKER_IGNORED;
    }
}
