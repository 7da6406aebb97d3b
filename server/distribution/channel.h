#ifndef HERALD_DISTRIBUTION_CHANNEL_H
#define HERALD_DISTRIBUTION_CHANNEL_H

#include "server/distribution/distribution_service.h"

/*
 * The adapter that speaks to a channel: a signed partner webhook (Standard Webhooks 1.0.0). The key of a post is a
 * function of the event and the channel, the same for ever, so that the channel can tell a repeat.
 *
 *   POST <base>/channels/<CHANNEL>/posts         posts; 2xx accepts
 *   GET  <base>/channels/<CHANNEL>/posts/<key>   200 accepted, 202 being worked on, 404 never received or refused
 */

/** What an exchange with a channel says about the delivery. Strings live in the running call's arena or are static. */
struct channel_answer {
    int state;                       /* DeliveryState to go to */
    const char *remote_id, *message; /* "" for none */
    enum herald_reason reason;       /* NONE for none */
    uint32_t retry_after_ms;         /* 0: not said */
};

/**
 * Posts once.
 *
 * Never repeats by itself, whatever happens. State of the answer: PUBLISHED; READY (certainly not accepted, may be
 * tried again); REJECTED; NEEDS_AUTH; OUTCOME_UNKNOWN (it may have been accepted: look it up).
 * @timeout_ms  longest wait for the answer
 * Returns:  HERALD_OK with an answer | HERALD_RESOURCE_EXHAUSTED: nothing was sent
 */
TASK_FN enum herald_code channel_post(struct distribution_service *service, const char *event_id, int channel,
                                      const Herald__Distribution__V1__Content *content, uint32_t timeout_ms,
                                      struct channel_answer *ret_answer, struct herald_error *reterr);
/**
 * Asks what became of a post. State of the answer: PUBLISHED; READY (it was not accepted); OUTCOME_UNKNOWN (still being
 * worked on, or the channel does not say).
 */
TASK_FN enum herald_code channel_look_up(struct distribution_service *service, const char *event_id, int channel,
                                         uint32_t timeout_ms, struct channel_answer *ret_answer,
                                         struct herald_error *reterr);
/** The key of a post, 36 characters and a NUL: "evt_" and 128 bits of SHA-256 of "event_id/CHANNEL". */
void channel_post_key(const char *event_id, int channel, char ret_key[37]);

#endif
