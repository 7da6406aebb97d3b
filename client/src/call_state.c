#include "client/src/call_state.h"

#include <assert.h>

static const unsigned char transitions[CALL_STATES][CALL_EVENTS] = {
#define CALL_TRANSITION(state, event, next) [CALL_##state][CALL_##event] = CALL_##next,
    CALL_TRANSITIONS(CALL_TRANSITION)
#undef CALL_TRANSITION
};

enum call_state herald_call_state_next(enum call_state state, enum call_event event) {
    return (enum call_state)transitions[state][event];
}

void herald_call_state_enter(enum call_state *state, enum call_event event) {
    enum call_state next = herald_call_state_next(*state, event);
    assert(next != CALL_NOWHERE);
    *state = next;
}
