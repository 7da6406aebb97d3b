#ifndef HERALD_CLIENT_RETRY_H
#define HERALD_CLIENT_RETRY_H

#include "herald/client.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What may be repeated, when, and how often. No clock, no random source and no transport of its own: times are
 * monotonic milliseconds that the caller gives, so that tests are exact.
 */

/** Seconds for which calls and retries count in a budget. */
#define HERALD_BUDGET_SECONDS 10

/*
 * Finagle's RetryBudget: each call deposits budget_percent hundredths of a retry, each retry withdraws a whole one,
 * both are forgotten after HERALD_BUDGET_SECONDS; budget_per_s retries a second are free.
 */
struct herald_budget {
    uint32_t percent;
    int64_t reserve; /* hundredths of a retry that are there without any call */
    struct herald_budget_slot {
        int64_t second;  /* which one it holds */
        int64_t balance; /* deposits less withdrawals, hundredths of a retry */
    } slots[HERALD_BUDGET_SECONDS];
};

/** The policy with its defaults filled in. */
struct herald_retry_policy herald_retry_policy_filled(struct herald_retry_policy policy);

/** @policy  with its defaults filled in */
void herald_budget_init(struct herald_budget *budget, const struct herald_retry_policy *policy);
/** Counts a call. */
void herald_budget_deposit(struct herald_budget *budget, int64_t now_ms);
/** Takes a retry from the budget; false, and nothing is taken, if there is none. */
bool herald_budget_withdraw(struct herald_budget *budget, int64_t now_ms);

/** Whether an error that a server replied says that it refused the call before its handler began. */
bool herald_retry_is_refusal(const struct herald_error *error);
/** Whether an error that a server replied says that it is about to end. */
bool herald_retry_is_draining(const struct herald_error *error);
/** Whether an error that a server replied says that it has begun later than the call was signed. */
bool herald_retry_is_signed_early(const struct herald_error *error);
/** Whether an error that a server replied says that it is being restarted: either of these two. */
bool herald_retry_is_restarting(const struct herald_error *error);
/** Whether an error that a server replied says that it has no room for the connection. */
bool herald_retry_is_turned_away(const struct herald_error *error);
/**
 * Whether an attempt that ended so may be repeated, time and budget aside.
 *
 * @outcome, @error  of the attempt alone
 */
bool herald_retry_allowed(enum herald_effect effect, enum herald_outcome outcome, const struct herald_error *error);
/**
 * How long to wait before a retry: full jitter under a capped exponential, and at least what the server asked for.
 *
 * @policy  with its defaults filled in
 * @retry   1 for the first one
 * @random  any number
 */
uint32_t herald_retry_wait_ms(const struct herald_retry_policy *policy, uint32_t retry, uint32_t retry_after_ms,
                              uint64_t random);

#endif
