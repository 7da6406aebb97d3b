#include "client/src/retry.h"

#include "client/base/backoff.h"
#include "client/base/or_default.h"

#include <string.h>

#define DEFAULT_ATTEMPTS       4u
#define DEFAULT_BACKOFF_MIN_MS 20u
#define DEFAULT_BACKOFF_MAX_MS 2000u
#define DEFAULT_PERCENT        20u
#define DEFAULT_PER_S          10u
#define ONE_RETRY              100 /* in hundredths of a retry */

struct herald_retry_policy herald_retry_policy_filled(struct herald_retry_policy policy) {
    policy.max_attempts = herald_or_default(policy.max_attempts, DEFAULT_ATTEMPTS);
    policy.backoff_min_ms = herald_or_default(policy.backoff_min_ms, DEFAULT_BACKOFF_MIN_MS);
    policy.backoff_max_ms = herald_or_default(policy.backoff_max_ms, DEFAULT_BACKOFF_MAX_MS);
    policy.budget_percent = herald_or_default(policy.budget_percent, DEFAULT_PERCENT);
    policy.budget_per_s = herald_or_default(policy.budget_per_s, DEFAULT_PER_S);
    return policy;
}

void herald_budget_init(struct herald_budget *budget, const struct herald_retry_policy *policy) {
    memset(budget, 0, sizeof(*budget));
    budget->percent = policy->budget_percent;
    budget->reserve = (int64_t)policy->budget_per_s * HERALD_BUDGET_SECONDS * ONE_RETRY;
}

static struct herald_budget_slot *slot_of(struct herald_budget *budget, int64_t second) {
    struct herald_budget_slot *slot = &budget->slots[second % HERALD_BUDGET_SECONDS];
    if (slot->second != second) {
        *slot = (struct herald_budget_slot){.second = second};
    }
    return slot;
}

void herald_budget_deposit(struct herald_budget *budget, int64_t now_ms) {
    slot_of(budget, now_ms / 1000)->balance += budget->percent;
}

bool herald_budget_withdraw(struct herald_budget *budget, int64_t now_ms) {
    int64_t second = now_ms / 1000;
    int64_t balance = budget->reserve;
    for (int i = 0; i < HERALD_BUDGET_SECONDS; i++) {
        const struct herald_budget_slot *slot = &budget->slots[i];
        if (slot->second > second - HERALD_BUDGET_SECONDS && slot->second <= second) {
            balance += slot->balance;
        }
    }
    if (balance < ONE_RETRY) {
        return false;
    }
    slot_of(budget, second)->balance -= ONE_RETRY;
    return true;
}

bool herald_retry_is_draining(const struct herald_error *error) {
    return error->code == HERALD_UNAVAILABLE && herald_error_is(error, HERALD_REASON_DRAINING);
}

bool herald_retry_is_signed_early(const struct herald_error *error) {
    return error->code == HERALD_UNAVAILABLE && herald_error_is(error, HERALD_REASON_SIGNED_BEFORE_START);
}

bool herald_retry_is_restarting(const struct herald_error *error) {
    return herald_retry_is_draining(error) || herald_retry_is_signed_early(error);
}

bool herald_retry_is_turned_away(const struct herald_error *error) {
    return error->code == HERALD_RESOURCE_EXHAUSTED && herald_error_is(error, HERALD_REASON_TOO_MANY_CONNECTIONS);
}

bool herald_retry_is_refusal(const struct herald_error *error) {
    /* With these a server refuses a call before its handler begins. */
    return (error->code == HERALD_UNAVAILABLE || error->code == HERALD_RESOURCE_EXHAUSTED) &&
           herald_reason_is_refusal(herald_reason_find(error->reason));
}

/* What is too large stays so: of what is exhausted, only that which the server says may be there again. */
static bool may_pass(const struct herald_error *error) {
    return herald_code_retry((int)error->code) != HERALD_RETRY_NEVER &&
           (error->code != HERALD_RESOURCE_EXHAUSTED || error->retry_after_ms > 0);
}

bool herald_retry_allowed(enum herald_effect effect, enum herald_outcome outcome, const struct herald_error *error) {
    bool repeatable = effect == HERALD_EFFECT_READ || effect == HERALD_EFFECT_IDEMPOTENT;
    switch (outcome) {
    case HERALD_NOT_SENT:
        /* A call that found no connection has tried for all the time that it had for that. */
        return error->code == HERALD_UNAVAILABLE && !herald_error_is(error, HERALD_REASON_NOT_CONNECTED);
    case HERALD_MAYBE_EXECUTED:
        return repeatable && error->code == HERALD_UNAVAILABLE;
    case HERALD_EXECUTED:
        return herald_retry_is_refusal(error) || (repeatable && may_pass(error));
    }
    return false;
}

uint32_t herald_retry_wait_ms(const struct herald_retry_policy *policy, uint32_t retry, uint32_t retry_after_ms,
                              uint64_t random) {
    uint32_t doublings = retry > 0 ? retry - 1 : 0;
    uint32_t wait = herald_backoff_ms(policy->backoff_min_ms, policy->backoff_max_ms, doublings, random);
    return wait > retry_after_ms ? wait : retry_after_ms;
}
