#ifndef HERALD_CLIENT_RETRY_H
#define HERALD_CLIENT_RETRY_H

/*
 * Decides which calls are retried, when, and how often. It has no clock, random source or transport of its own: the
 * caller passes times (monotonic milliseconds) and random numbers, so that tests are exact.
 */
#include "herald/client.h"

#include <stdbool.h>
#include <stdint.h>

/** Seconds for which calls and retries count in a budget. */
#define HERALD_BUDGET_SECONDS 10

/*
 * Finagle's RetryBudget: each call deposits budget_percent hundredths of a retry, each retry withdraws a whole one,
 * both are forgotten after HERALD_BUDGET_SECONDS; budget_per_s retries a second are free.
 */
struct herald_budget {
    uint32_t percent;
    int64_t reserve; /* hundredths of a retry that need no call's deposit */
    struct herald_budget_slot {
        int64_t second;  /* the second that the slot counts */
        int64_t balance; /* deposits less withdrawals, hundredths of a retry */
    } slots[HERALD_BUDGET_SECONDS];
};

/** The policy with its defaults filled in. */
struct herald_retry_policy herald_retry_policy_filled(struct herald_retry_policy policy);

/** Makes a budget full. @policy  with its defaults filled in */
void herald_budget_init(struct herald_budget *budget, const struct herald_retry_policy *policy);
/** Counts a call. */
void herald_budget_deposit(struct herald_budget *budget, int64_t now_ms);
/** Whether the budget has a retry left. */
bool herald_budget_has(const struct herald_budget *budget, int64_t now_ms);
/** Takes a retry from the budget; false, and nothing is taken, if there is none. */
bool herald_budget_withdraw(struct herald_budget *budget, int64_t now_ms);

/** How an attempt ended, as far as a retry depends on it. Zeroed: it has not ended, or nothing was sent. */
struct herald_attempt_end {
    enum herald_outcome outcome;
    enum herald_code code;
    enum herald_done done;     /* of a reply */
    enum herald_reason reason; /* NONE: none, or a word that is not in the table */
    uint32_t retry_after_ms;
    bool cut; /* no reply came within the attempt's own time, which was shorter than the call's */
};

/** Makes an attempt's end from its outcome and error; looks the reason's word up in the table. */
struct herald_attempt_end herald_attempt_end_of(enum herald_outcome outcome, const struct herald_error *error);
/** The same of a reply, with what it says was done. */
struct herald_attempt_end herald_attempt_end_of_reply(const struct herald_reply *reply);

/** Whether a server replied, whether or not it knows the call's effect. */
bool herald_retry_is_answered(const struct herald_attempt_end *end);

/** Whether a reply says that the server refused the call before its handler began, and that a repeat may be taken. */
bool herald_retry_is_refusal(const struct herald_attempt_end *end);
/** Whether they say that the server drains. */
bool herald_retry_is_draining(const struct herald_attempt_end *end);
/** Whether they say that the call was signed before the server began to take calls. */
bool herald_retry_is_signed_early(const struct herald_attempt_end *end);
/** Whether they say that the server is being restarted: it drains, or refuses an early signature. */
bool herald_retry_is_restarting(const struct herald_attempt_end *end);
/** Whether they say that the server has no room for the connection. */
bool herald_retry_is_turned_away(const struct herald_attempt_end *end);
/** Whether they say that the server had no place for the call, whoever made it: a caller that has too many must not hold
 *  back others that share its channel. */
bool herald_retry_is_overload(const struct herald_attempt_end *end);
/** Whether a server replied and is available, whatever its answer. */
bool herald_retry_is_served(const struct herald_attempt_end *end);
/** Whether a call may be retried after this end of an attempt, time, number of attempts and budget aside. */
bool herald_retry_allowed(enum herald_effect effect, const struct herald_attempt_end *end);

/**
 * The combined outcome of all attempts so far, when a retry follows the last of them.
 *
 * @before   the combined outcome of the attempts before the last; HERALD_NOT_SENT when there were none
 * Returns:  HERALD_MAYBE_EXECUTED | HERALD_NOT_SENT: none of them has begun
 */
enum herald_outcome herald_retry_carried(enum herald_outcome before, const struct herald_attempt_end *end);
/**
 * The outcome of a call. It is MAYBE_EXECUTED if any attempt may have been executed and the last one does not tell.
 *
 * @before  of the attempts before the last one: herald_retry_carried()
 * @last    how the call ends
 */
enum herald_outcome herald_retry_outcome(enum herald_outcome before, const struct herald_attempt_end *last);

/** The event after which a call needs a decision. */
enum herald_retry_event {
    HERALD_ATTEMPT_BEGINS, /* an attempt is to begin, and its endpoint is chosen */
    HERALD_ATTEMPT_ENDED,
    HERALD_PAUSE_ENDED, /* a sleep between attempts is over */
};

/** Everything that a decision depends on, except the clock. Times are monotonic milliseconds. */
struct herald_retry_facts {
    const struct herald_retry_policy *policy; /* with its defaults filled in */
    enum herald_effect effect;
    struct herald_attempt_end end; /* of the attempt that has ended */
    uint32_t attempts;             /* how many were made */
    uint32_t uncounted;            /* of these: refused by servers that were being restarted; the last not included */
    int64_t deadline_ms;
    int64_t restart_until_ms; /* refusals by servers that are being restarted do not count until then; 0: none yet */
    int64_t held_until_ms;    /* the next attempt is held back until then, or until a server is ready; 0: it is not */
    uint32_t connect_timeout_ms;
    uint64_t random; /* any number */
    bool own;        /* one of the channel's own calls, which are never retried */
    bool closing;    /* the channel is being closed */
    bool draining;   /* ATTEMPT_BEGINS: the endpoint is connected, and its server said that it drains */
    bool ready;      /* an endpoint is connected and healthy; ATTEMPT_ENDED: another than the attempt's */
    bool connected;  /* ATTEMPT_ENDED: another endpoint is connected, healthy or not */
};

/** What a call does next. */
enum herald_next {
    HERALD_NEXT_END,        /* it ends */
    HERALD_NEXT_NOW,        /* an attempt is made */
    HERALD_NEXT_AFTER,      /* an attempt is made after wait_ms */
    HERALD_NEXT_WHEN_READY, /* an attempt is made when a server is ready, or after wait_ms */
};

struct herald_decision {
    enum herald_next next;
    uint32_t wait_ms;         /* 0 unless AFTER or WHEN_READY */
    bool charged;             /* the retry is charged to the budget; once that is spent, the call ends */
    bool uncounted;           /* the attempt that ended does not count */
    int64_t restart_until_ms; /* the facts', or set at the first refusal by a server that is being restarted */
};

/**
 * Decides whether and when a call makes its next attempt. Nothing else decides that.
 *
 * After a refusal by a server that drains, or has no room for the connection, the call moves to another ready server at
 * once, up to four times. If no other is ready, it waits for one. Refusals by servers that are being restarted are
 * neither counted nor charged for connect_timeout_ms. A call whose connection was lost moves without charge, once.
 *
 * Context:  pure: any thread, no clock, no lock
 */
struct herald_decision herald_retry_decide(const struct herald_retry_facts *facts, enum herald_retry_event event,
                                           int64_t now_ms);

/** What the time of an attempt depends on. */
struct herald_reply_wait {
    enum herald_effect effect;
    bool waits;        /* the method waits for as long as its request asks */
    uint32_t attempts; /* made, this one included */
    uint32_t cuts;     /* how many attempts before were cut short */
    int64_t left_ms;   /* of the call's time */
};

/**
 * How long an attempt waits for its reply: attempt_timeout_ms, doubled for each attempt that was cut short before, if
 * another attempt would still have as long as this one. The budget, which the caller asks, must have a retry left.
 *
 * @policy   with its defaults filled in
 * Returns:  left_ms: the attempt is not cut short | less
 */
int64_t herald_retry_reply_ms(const struct herald_retry_policy *policy, const struct herald_reply_wait *wait);

/**
 * How long to wait before a retry: full jitter under a capped exponential, but at least @retry_after_ms.
 *
 * @policy  with its defaults filled in
 * @retry   1 for the first one
 * @random  any number
 */
uint32_t herald_retry_wait_ms(const struct herald_retry_policy *policy, uint32_t retry, uint32_t retry_after_ms,
                              uint64_t random);

#endif
