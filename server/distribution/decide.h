#ifndef HERALD_DISTRIBUTION_DECIDE_H
#define HERALD_DISTRIBUTION_DECIDE_H

/*
 * What becomes of a delivery after a step: a pure function of the answer's meaning. The state machine:
 *
 *   PENDING, DEFERRED, READY, NEEDS_AUTH --taken--> PREPARING --prepare--> COMMITTING --commit--> PUBLISHED
 *                                           \------ without steps ------/                | AWAITING_OPERATOR | REJECTED
 *        ^------------- not accepted, for the moment: due again later ------------------/| OUTCOME_UNKNOWN
 *   OUTCOME_UNKNOWN, or COMMITTING of a process that died --taken--> RECONCILING --look_up--> PUBLISHED | READY
 *                                                                                            | OUTCOME_UNKNOWN
 */
#include "server/breaker/breaker_core.h"
#include "server/distribution/adapter.h"

#include <stdbool.h>
#include <stdint.h>

enum delivery_step { STEP_PREPARE, STEP_COMMIT, STEP_LOOK_UP };

/** What the decision depends on, besides the answer. */
struct decision_input {
    enum delivery_step step;
    enum meaning meaning;
    uint32_t failures;    /* in a row, before this step */
    bool can_look_up;     /* the channel's row says so */
    bool expired;         /* the delivery's time has ended */
    uint64_t retry_in_ms; /* when the channel wants to be asked again; 0: not said */
    uint32_t backoff_min_ms, backoff_max_ms;
    uint64_t random; /* uniform */
};

struct decision {
    int state;           /* DeliveryState */
    bool settled;        /* nothing more happens by itself */
    uint64_t next_in_ms; /* when any process takes it up; unused when settled */
    uint32_t failures;
    bool drops_step;              /* what was prepared is of no use any more */
    bool goes_on;                 /* prepare: commit now */
    int pause;                    /* ChannelPause for which the channel pauses; NOT_PAUSED: none */
    uint64_t throttle_ms;         /* the channel wants no calls for this long; 0: not said */
    bool heals;                   /* the answer shows that no cause of a pause is left */
    enum breaker_outcome outcome; /* what the step says about the channel */
};

struct decision decide(const struct decision_input *input);

/** Whether the channel has accepted the post, by the state. */
bool delivery_accepted(int state);
/** The Outlook of a delivery. */
int delivery_outlook(int state, bool settled);

#endif
