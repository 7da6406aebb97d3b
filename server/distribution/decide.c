#include "server/distribution/decide.h"

#include "client/base/backoff.h"
#include "client/base/minimum.h"

#include <assert.h>

#define STATE(name)   HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name
#define PAUSE(name)   HERALD__DISTRIBUTION__V1__CHANNEL_PAUSE__##name
#define OUTLOOK(name) HERALD__DISTRIBUTION__V1__OUTLOOK__##name

#define SOON_MS       50    /* after a first look-up of a post that is not there */
#define LOOK_AGAIN_MS 1000  /* first wait before a look at what is under way */
#define LONG_MIN_MS   60000 /* first wait where a person, or the end of a period, must help */

/* How the wait before the next step is found. */
enum wait {
    WAIT_NONE,    /* settled */
    WAIT_BACKOFF, /* as the settings say; longer if the channel says so */
    WAIT_SOON,    /* as WAIT_BACKOFF, but short at first: nothing has failed, a server has died */
    WAIT_LOOK,    /* begins with LOOK_AGAIN_MS */
    WAIT_LONG,    /* begins with LONG_MIN_MS */
};

/* What each meaning leads to. */
static const struct meaning_row {
    int state;
    bool settled;
    enum wait wait;
    enum breaker_outcome outcome;
    int pause;
    bool throttles; /* Retry-After holds for the whole channel */
} rows[MEANING_COUNT] = {
    [MEANS_UNSET] = {STATE(READY), false, WAIT_BACKOFF, BREAKER_IGNORED, PAUSE(NOT_PAUSED), false},
    [MEANS_ACCEPTED] = {STATE(PUBLISHED), true, WAIT_NONE, BREAKER_SUCCESS, PAUSE(NOT_PAUSED), false},
    [MEANS_HANDED] = {STATE(AWAITING_OPERATOR), true, WAIT_NONE, BREAKER_SUCCESS, PAUSE(NOT_PAUSED), false},
    [MEANS_PREPARED] = {STATE(COMMITTING), false, WAIT_NONE, BREAKER_SUCCESS, PAUSE(NOT_PAUSED), false},
    [MEANS_NOT_YET] = {STATE(PREPARING), false, WAIT_LOOK, BREAKER_SUCCESS, PAUSE(NOT_PAUSED), false},
    [MEANS_NOT_THERE] = {STATE(READY), false, WAIT_SOON, BREAKER_SUCCESS, PAUSE(NOT_PAUSED), false},
    [MEANS_RETRY] = {STATE(READY), false, WAIT_BACKOFF, BREAKER_FAILURE, PAUSE(NOT_PAUSED), true},
    [MEANS_THROTTLE] = {STATE(READY), false, WAIT_BACKOFF, BREAKER_IGNORED, PAUSE(NOT_PAUSED), true},
    [MEANS_QUOTA] = {STATE(DEFERRED), false, WAIT_LONG, BREAKER_IGNORED, PAUSE(NOT_PAUSED), false},
    [MEANS_QUIET] = {STATE(DEFERRED), false, WAIT_LONG, BREAKER_IGNORED, PAUSE(NOT_PAUSED), false},
    [MEANS_RENEW] = {STATE(READY), false, WAIT_BACKOFF, BREAKER_SUCCESS, PAUSE(NOT_PAUSED), false},
    [MEANS_REAUTH] = {STATE(NEEDS_AUTH), false, WAIT_LONG, BREAKER_IGNORED, PAUSE(PAUSED_FOR_CREDENTIAL), false},
    [MEANS_CLOCK] = {STATE(DEFERRED), false, WAIT_LONG, BREAKER_IGNORED, PAUSE(PAUSED_FOR_CLOCK), false},
    [MEANS_DISABLED] = {STATE(DEFERRED), false, WAIT_LONG, BREAKER_IGNORED, PAUSE(PAUSED_FOR_DISABLED), false},
    [MEANS_REJECT] = {STATE(REJECTED), true, WAIT_NONE, BREAKER_SUCCESS, PAUSE(NOT_PAUSED), false},
    [MEANS_UNKNOWN] = {STATE(OUTCOME_UNKNOWN), false, WAIT_LOOK, BREAKER_FAILURE, PAUSE(NOT_PAUSED), false},
    [MEANS_OWN_WANT] = {STATE(READY), false, WAIT_BACKOFF, BREAKER_IGNORED, PAUSE(NOT_PAUSED), false},
};

static uint64_t wait_ms(const struct decision_input *input, enum wait wait) {
    uint32_t min_ms = wait == WAIT_LONG ? LONG_MIN_MS : wait == WAIT_LOOK ? LOOK_AGAIN_MS : input->backoff_min_ms;
    if (wait == WAIT_SOON && input->failures == 0) {
        uint64_t soon_ms = herald_min_u32(input->backoff_min_ms, SOON_MS);
        return input->retry_in_ms > soon_ms ? input->retry_in_ms : soon_ms;
    }
    uint32_t max_ms = input->backoff_max_ms > min_ms ? input->backoff_max_ms : min_ms;
    uint64_t ms = herald_backoff_ms(min_ms, max_ms, input->failures, input->random);
    if (wait != WAIT_BACKOFF && wait != WAIT_SOON && ms < min_ms / 2) {
        ms = min_ms / 2; /* a look, or a person, needs some time in any case */
    }
    return input->retry_in_ms > ms ? input->retry_in_ms : ms;
}

/* The meaning as the step and the channel allow it. */
static enum meaning effective_meaning(const struct decision_input *input) {
    enum meaning meaning = input->meaning;
    if (input->step == STEP_LOOK_UP) {
        /* Only an answer about the post ends a look-up; all else leaves its outcome as it is. */
        bool ends = meaning == MEANS_ACCEPTED || meaning == MEANS_NOT_THERE || meaning == MEANS_RENEW ||
                    meaning == MEANS_REJECT;
        return ends ? meaning : MEANS_UNKNOWN;
    }
    assert(meaning != MEANS_PREPARED || input->step == STEP_PREPARE);
    return meaning;
}

/* Whether the channel has served a request: its credential, its clock and its service are as they must be. */
static bool shows_channel_works(enum meaning meaning) {
    return meaning == MEANS_ACCEPTED || meaning == MEANS_HANDED || meaning == MEANS_PREPARED ||
           meaning == MEANS_NOT_YET || meaning == MEANS_NOT_THERE;
}

struct decision decide(const struct decision_input *input) {
    enum meaning meaning = effective_meaning(input);
    const struct meaning_row *row = &rows[meaning];
    const struct meaning_row *said = &rows[input->meaning]; /* what the answer says about the channel, in any step */
    struct decision decision = {
        .state = row->state,
        .settled = row->settled,
        .pause = said->pause,
        .outcome = said->outcome,
        .goes_on = meaning == MEANS_PREPARED,
        .drops_step = meaning == MEANS_RENEW,
        .heals = shows_channel_works(input->meaning),
        .throttle_ms = said->throttles ? input->retry_in_ms : 0,
        .failures = input->failures + 1,
    };
    if (decision.settled || decision.goes_on) {
        decision.failures = 0;
        return decision;
    }
    if (meaning == MEANS_UNKNOWN && (!input->can_look_up || input->expired)) {
        decision.settled = true; /* only a person can find out */
        return decision;
    }
    if (input->expired) {
        decision.state = STATE(EXPIRED);
        decision.settled = true;
        return decision;
    }
    decision.next_in_ms = wait_ms(input, row->wait);
    return decision;
}

bool delivery_accepted(int state) {
    return state == STATE(PUBLISHED) || state == STATE(AWAITING_OPERATOR);
}

int delivery_outlook(int state, bool settled) {
    switch (state) {
    case STATE(PUBLISHED):
        return OUTLOOK(DONE);
    case STATE(AWAITING_OPERATOR):
    case STATE(NEEDS_AUTH):
        return OUTLOOK(NEEDS_PERSON);
    case STATE(REJECTED):
    case STATE(EXPIRED):
    case STATE(CANCELLED):
        return OUTLOOK(REFUSED);
    default:
        return settled ? OUTLOOK(NEEDS_PERSON) : OUTLOOK(GOES_ON);
    }
}
