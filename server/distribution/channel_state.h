#ifndef HERALD_DISTRIBUTION_CHANNEL_STATE_H
#define HERALD_DISTRIBUTION_CHANNEL_STATE_H

/*
 * How each channel stands in this process: its places, rate, breaker and pause. Each channel has its own, so that
 * trouble at one takes nothing from another. Shared by all loops; all functions may be called from any thread.
 *
 * Pauses and forced breakers are stored (channel_controls); each process reads them again and again.
 */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/breaker/breaker.h"
#include "server/distribution/channels.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/** Why a call to a channel may not be made now. */
enum admission {
    ADMITTED,
    NOT_CONFIGURED, /* its settings are not complete */
    PAUSED,         /* by an operator, or for a cause */
    THROTTLED,      /* the channel has asked for a pause, or the rate is used up */
    BREAKER_KEEPS,  /* the breaker is open */
    NO_PLACE        /* as many calls as may be are in flight */
};

/** A place at a channel. */
struct channel_permit {
    struct breaker_permit breaker;
    bool is_probe; /* it tries whether the cause of a pause is gone */
};

/** What is stored about a channel, for all processes. */
struct channel_control {
    int pause;           /* ChannelPause */
    int breaker;         /* ChannelAction: BREAKER_AUTOMATIC, BREAKER_FORCE_OPEN, BREAKER_DISABLE */
    const char *note;    /* never NULL */
    bool probe_due;      /* one delivery may try now */
    int64_t probe_at_us; /* wall clock; 0: none */
    int64_t resets;
};

struct channel_state;

/**
 * Makes the state of all channels.
 *
 * @ret_states  CHANNEL_COUNT of them, in the order of channel_rows; channel_states_free() frees them
 * Returns:     HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_BREAKER) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code channel_states_new(const struct settings *settings, struct channel_state ***ret_states,
                                    struct herald_error *reterr);
/** NULL is allowed. */
void channel_states_free(struct channel_state **states);

const struct channel_setup *channel_state_setup(const struct channel_state *state);

/** When the channel takes posts again, by its quiet hours and the settings; @now_us when it does now. Wall clock. */
int64_t channel_open_at_us(const struct channel_state *state, int64_t now_us);
/**
 * Asks for a place at the channel.
 *
 * @probe          a paused channel gives a place, for a delivery that tries whether the cause is gone
 * @ret_permit     set only on ADMITTED; for channel_leave(), exactly once
 * @ret_retry_ms   set on all others: when to ask again, ms
 */
enum admission channel_admit(struct channel_state *state, bool probe, struct channel_permit *ret_permit,
                             uint32_t *ret_retry_ms);
/**
 * How long the channel takes no calls, as far as this process knows, because of its settings, a pause, its breaker or a
 * throttle. Places are not looked at.
 *
 * Returns: ms; 0: it takes calls now
 */
uint32_t channel_retry_ms(struct channel_state *state);
/**
 * Gives the place back, with what the call says about the channel.
 *
 * Returns: whether a place was asked for in vain meanwhile: what waits for one is to be looked for (look_at())
 */
bool channel_leave(struct channel_state *state, const struct channel_permit *permit, enum breaker_outcome outcome);
/** Gives back a place that was not used. Returns: as channel_leave() */
bool channel_leave_unused(struct channel_state *state, const struct channel_permit *permit);
/** Makes no calls for a time, as the channel has asked; at most half a minute, however long it asked for. */
void channel_throttle(struct channel_state *state, uint64_t ms);
/** Whether the channel is paused for a cause, and a delivery may try whether it is gone. */
bool channel_probe_is_due(struct channel_state *state);
/** Whether the channel is paused for a cause, not by an operator. */
bool channel_is_paused_for_cause(struct channel_state *state);
bool channel_breaker_is_closed(struct channel_state *state);
/** Pauses the channel in this process, before the others have read it; an operator's pause stays. */
void channel_pause(struct channel_state *state, int pause, const char *note);
/** Ends a pause for a cause in this process. */
void channel_heal(struct channel_state *state);
/** Takes over what is stored. */
void channel_control_apply(struct channel_state *state, const struct channel_control *control);

/** How a channel stands, to be shown. */
struct channel_view {
    bool configured;
    int pause;
    char note[256];
    struct breaker_metrics breaker;
    uint32_t breaker_retry_ms; /* 0: it lets calls through */
    uint32_t in_flight;
    uint32_t quota_used, quota_total; /* as last read; 0: not read */
    uint32_t max_in_flight;
    int64_t token_ends_us; /* wall clock; 0: not known */
};
void channel_view(struct channel_state *state, struct channel_view *ret_view);

/** Remembers the quota as the channel says it. */
void channel_quota_set(struct channel_state *state, uint32_t used, uint32_t total);
/** Counts a post against it. */
void channel_quota_count(struct channel_state *state);
/**
 * The quota as last read.
 *
 * Returns: false: not read within @fresh_ms
 */
bool channel_quota(struct channel_state *state, uint32_t fresh_ms, uint32_t *ret_used, uint32_t *ret_total);

/** Remembers how long the last preparation took; CHANNEL_PREPARED_LATE: it was not ready at once. */
void channel_prepared_in(struct channel_state *state, uint32_t ms);
#define CHANNEL_PREPARED_LATE UINT32_MAX
/** Whether the last preparation of this process was ready at once, within @ms; false before the first. */
bool channel_prepares_within(struct channel_state *state, uint32_t ms);

#define CHANNEL_TOKEN_BYTES 1024u /* with the terminator */
/** Remembers a renewed token and when it is to be renewed, wall clock. A longer token is refused. */
bool channel_token_set(struct channel_state *state, const char *token, int64_t renew_at_us);
/** Remembers when the token ends, wall clock; 0: not known. */
void channel_token_ends(struct channel_state *state, int64_t ends_us);
/** Copies the renewed token. Returns: when it is to be renewed, wall clock; 0: none is known, @ret_token is empty */
int64_t channel_token(struct channel_state *state, char ret_token[CHANNEL_TOKEN_BYTES]);

#endif
