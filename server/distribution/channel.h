#ifndef HERALD_DISTRIBUTION_CHANNEL_H
#define HERALD_DISTRIBUTION_CHANNEL_H

/*
 * The adapter that speaks to a channel: a signed partner webhook (Standard Webhooks 1.0.0). The key of a post is a
 * function of the event and the channel and never changes, so the channel can recognise a repeat.
 *
 *   POST <base>/channels/<CHANNEL>/posts         posts; 2xx accepts
 *   GET  <base>/channels/<CHANNEL>/posts/<key>   200 accepted, 202 in progress, 404 never received or refused
 */

#include "server/distribution/distribution_service.h"

/** The result of an exchange with a channel. Strings live in the running call's arena or are static. */
struct channel_answer {
    int state;                       /* the DeliveryState that follows */
    const char *remote_id, *message; /* "" for none */
    enum herald_reason reason;       /* NONE for none */
    uint32_t retry_after_ms;         /* 0: not said */
};

/**
 * Posts once and never repeats the post by itself.
 *
 * State of the answer: PUBLISHED; READY: not accepted, may be tried again; REJECTED; NEEDS_AUTH; OUTCOME_UNKNOWN: it
 * may have been accepted, look it up.
 *
 * @timeout_ms  longest wait for the answer
 * Returns:     HERALD_OK with an answer
 *              | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL, OUT_OF_MEMORY), HERALD_INVALID_ARGUMENT (NOT_JSON): nothing was
 *              sent
 * Context:     suspends the task; the client's loop
 */
TASK_FN enum herald_code channel_post(struct distribution_service *service, const char *event_id, int channel,
                                      const Herald__Distribution__V1__Content *content, uint32_t timeout_ms,
                                      struct channel_answer *ret_answer, struct herald_error *reterr);
/**
 * Asks the channel about an earlier post.
 *
 * State of the answer: PUBLISHED; READY: not accepted; OUTCOME_UNKNOWN: in progress, or the channel does not say.
 *
 * Returns: HERALD_OK with an answer | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL): nothing was asked
 * Context: suspends the task; the client's loop
 */
TASK_FN enum herald_code channel_look_up(struct distribution_service *service, const char *event_id, int channel,
                                         uint32_t timeout_ms, struct channel_answer *ret_answer,
                                         struct herald_error *reterr);
/** The key of a post, 36 characters and a NUL: "evt_" and 128 bits of SHA-256 of "event_id/CHANNEL". */
void channel_post_key(const char *event_id, int channel, char ret_key[37]);

#endif
