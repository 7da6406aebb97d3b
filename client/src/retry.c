/* The retry policy as pure functions: retry.h. */
#include "client/src/retry.h"

#include "client/base/backoff.h"
#include "client/base/minimum.h"
#include "client/base/or_default.h"

#include <string.h>

#define DEFAULT_ATTEMPTS       4u
#define DEFAULT_BACKOFF_MIN_MS 20u
#define DEFAULT_BACKOFF_MAX_MS 2000u
#define DEFAULT_PERCENT        20u
#define DEFAULT_PER_S          10u
#define DEFAULT_ATTEMPT_MS     1000u
#define ONE_RETRY              100 /* in hundredths of a retry */
/* How long a call whose attempt was cut short leaves nng's aio alone (call_pool.c). */
#define CUT_PAUSE_MS 10
/* Longest delay of an attempt while every server is draining. */
#define HOLD_BACK_MS 1000
/* How many times a call moves to another server at once while servers drain. */
#define AT_ONCE_MOST 4u

struct herald_retry_policy herald_retry_policy_filled(struct herald_retry_policy policy) {
    policy.max_attempts = herald_or_default(policy.max_attempts, DEFAULT_ATTEMPTS);
    policy.backoff_min_ms = herald_or_default(policy.backoff_min_ms, DEFAULT_BACKOFF_MIN_MS);
    policy.backoff_max_ms = herald_or_default(policy.backoff_max_ms, DEFAULT_BACKOFF_MAX_MS);
    policy.budget_percent = herald_or_default(policy.budget_percent, DEFAULT_PERCENT);
    policy.budget_per_s = herald_or_default(policy.budget_per_s, DEFAULT_PER_S);
    policy.attempt_timeout_ms = herald_or_default(policy.attempt_timeout_ms, DEFAULT_ATTEMPT_MS);
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

bool herald_budget_has(const struct herald_budget *budget, int64_t now_ms) {
    int64_t second = now_ms / 1000;
    int64_t balance = budget->reserve;
    for (int i = 0; i < HERALD_BUDGET_SECONDS; i++) {
        const struct herald_budget_slot *slot = &budget->slots[i];
        if (slot->second > second - HERALD_BUDGET_SECONDS && slot->second <= second) {
            balance += slot->balance;
        }
    }
    return balance >= ONE_RETRY;
}

bool herald_budget_withdraw(struct herald_budget *budget, int64_t now_ms) {
    if (!herald_budget_has(budget, now_ms)) {
        return false;
    }
    slot_of(budget, now_ms / 1000)->balance -= ONE_RETRY;
    return true;
}

/* ---- the end of an attempt ---- */

struct herald_attempt_end herald_attempt_end_of(enum herald_outcome outcome, const struct herald_error *error) {
    return (struct herald_attempt_end){
        .outcome = outcome,
        .code = error->code,
        .reason = herald_reason_find(error->reason),
        .retry_after_ms = error->retry_after_ms,
    };
}

struct herald_attempt_end herald_attempt_end_of_reply(const struct herald_reply *reply) {
    struct herald_attempt_end end = herald_attempt_end_of(reply->outcome, &reply->error);
    end.done = reply->done;
    return end;
}

bool herald_retry_is_answered(const struct herald_attempt_end *end) {
    return end->outcome == HERALD_EXECUTED || end->done == HERALD_DONE_NOT_KNOWN;
}

bool herald_retry_is_draining(const struct herald_attempt_end *end) {
    return end->code == HERALD_UNAVAILABLE && end->reason == HERALD_REASON_DRAINING;
}

bool herald_retry_is_signed_early(const struct herald_attempt_end *end) {
    return end->code == HERALD_UNAVAILABLE && end->reason == HERALD_REASON_SIGNED_BEFORE_START;
}

bool herald_retry_is_restarting(const struct herald_attempt_end *end) {
    return herald_retry_is_draining(end) || herald_retry_is_signed_early(end);
}

bool herald_retry_is_turned_away(const struct herald_attempt_end *end) {
    return end->code == HERALD_RESOURCE_EXHAUSTED && end->reason == HERALD_REASON_TOO_MANY_CONNECTIONS;
}

bool herald_retry_is_refusal(const struct herald_attempt_end *end) {
    /* A server refuses a call with one of these codes before its handler begins. */
    bool passes =
        end->code == HERALD_UNAVAILABLE || (end->code == HERALD_RESOURCE_EXHAUSTED && end->retry_after_ms > 0);
    return (end->done == HERALD_DONE_NOTHING && passes) ||
           ((end->code == HERALD_UNAVAILABLE || end->code == HERALD_RESOURCE_EXHAUSTED) &&
            herald_reason_is_refusal(end->reason));
}

bool herald_retry_is_overload(const struct herald_attempt_end *end) {
    return end->code == HERALD_RESOURCE_EXHAUSTED && end->retry_after_ms > 0 && herald_retry_is_refusal(end) &&
           !herald_retry_is_turned_away(end) && end->reason != HERALD_REASON_TOO_MANY_CALLS_OF_CALLER;
}

bool herald_retry_is_served(const struct herald_attempt_end *end) {
    return herald_retry_is_answered(end) && end->code != HERALD_UNAVAILABLE && !herald_retry_is_turned_away(end);
}

/* Whether a later attempt may succeed. RESOURCE_EXHAUSTED counts only with retry_after_ms: a message that is too large
 * will be refused again. */
static bool may_error_pass(const struct herald_attempt_end *end) {
    return herald_code_retry((int)end->code) != HERALD_RETRY_NEVER &&
           (end->code != HERALD_RESOURCE_EXHAUSTED || end->retry_after_ms > 0);
}

bool herald_retry_allowed(enum herald_effect effect, const struct herald_attempt_end *end) {
    bool repeatable = effect == HERALD_EFFECT_READ || effect == HERALD_EFFECT_IDEMPOTENT;
    switch (end->outcome) {
    case HERALD_NOT_SENT:
        /* A call that found no connection has already waited for connect_timeout_ms. */
        return end->code == HERALD_UNAVAILABLE && end->reason != HERALD_REASON_NOT_CONNECTED;
    case HERALD_MAYBE_EXECUTED:
        if (end->cut) {
            return effect == HERALD_EFFECT_READ;
        }
        return repeatable && (herald_retry_is_answered(end) ? may_error_pass(end) : end->code == HERALD_UNAVAILABLE);
    case HERALD_EXECUTED:
        return herald_retry_is_refusal(end) || (repeatable && may_error_pass(end));
    }
    return false;
}

/* ---- outcomes ---- */

/* Whether the handler answered, so that its outcome is known. */
static bool is_known_answer(const struct herald_attempt_end *end) {
    return end->outcome == HERALD_EXECUTED && end->done != HERALD_DONE_NOTHING && !herald_retry_is_refusal(end);
}

enum herald_outcome herald_retry_carried(enum herald_outcome before, const struct herald_attempt_end *end) {
    bool begun = end->outcome == HERALD_MAYBE_EXECUTED || is_known_answer(end);
    return begun ? HERALD_MAYBE_EXECUTED : before;
}

enum herald_outcome herald_retry_outcome(enum herald_outcome before, const struct herald_attempt_end *last) {
    return before == HERALD_MAYBE_EXECUTED && !is_known_answer(last) ? HERALD_MAYBE_EXECUTED : last->outcome;
}

/* ---- decisions ---- */

static int64_t remaining_ms(const struct herald_retry_facts *facts, int64_t now_ms) {
    return facts->deadline_ms > now_ms ? facts->deadline_ms - now_ms : 0;
}

/* A draining server would refuse the attempt, or lose it when it closes its connections. A call that may be retried
 * waits a while for another server, or for this one's restart. */
static struct herald_decision decide_begin(const struct herald_retry_facts *facts, int64_t now_ms) {
    int64_t left_ms = remaining_ms(facts, now_ms);
    if (!facts->draining || facts->held_until_ms > 0 || facts->own || facts->policy->max_attempts == 1) {
        return (struct herald_decision){.next = HERALD_NEXT_NOW};
    }
    return (struct herald_decision){
        .next = HERALD_NEXT_WHEN_READY,
        .wait_ms = (uint32_t)(left_ms < HOLD_BACK_MS ? left_ms : HOLD_BACK_MS),
    };
}

static struct herald_decision decide_pause_end(const struct herald_retry_facts *facts, int64_t now_ms) {
    struct herald_decision decision = {.next = HERALD_NEXT_NOW};
    if (facts->held_until_ms == 0 || facts->ready) {
        return decision;
    }
    if (remaining_ms(facts, now_ms) == 0) {
        decision.next = HERALD_NEXT_END;
    } else if (now_ms < facts->held_until_ms) {
        decision.next = HERALD_NEXT_WHEN_READY;
        decision.wait_ms = (uint32_t)(facts->held_until_ms - now_ms);
    }
    return decision;
}

/* A server that is being restarted has not tried the call and is not overloaded. So its refusals do not count for
 * connect_timeout_ms from the first one. */
static void count_refusal(const struct herald_retry_facts *facts, int64_t now_ms, struct herald_decision *decision) {
    decision->restart_until_ms = facts->restart_until_ms;
    if (facts->policy->max_attempts == 1 || !herald_retry_is_restarting(&facts->end)) {
        return;
    }
    if (decision->restart_until_ms == 0) {
        decision->restart_until_ms = now_ms + facts->connect_timeout_ms;
    }
    decision->uncounted = now_ms < decision->restart_until_ms;
}

/* Chooses how long the retry waits. False: longer than the call has time. */
static bool choose_wait(const struct herald_retry_facts *facts, int64_t now_ms, struct herald_decision *decision) {
    const struct herald_attempt_end *end = &facts->end;
    int64_t left_ms = remaining_ms(facts, now_ms);
    bool draining = herald_retry_is_draining(end);
    decision->wait_ms = herald_retry_wait_ms(facts->policy, facts->attempts, end->retry_after_ms, facts->random);
    if (decision->wait_ms >= left_ms) {
        if (!decision->uncounted || !draining || left_ms == 0) {
            return false;
        }
        decision->wait_ms = (uint32_t)left_ms; /* a server may be ready before */
    }
    decision->next = decision->wait_ms == 0 ? HERALD_NEXT_NOW : draining ? HERALD_NEXT_WHEN_READY : HERALD_NEXT_AFTER;
    return true;
}

static struct herald_decision decide_attempt_end(const struct herald_retry_facts *facts, int64_t now_ms) {
    static const struct herald_decision end_call = {.next = HERALD_NEXT_END};
    const struct herald_attempt_end *end = &facts->end;
    struct herald_decision decision = {.next = HERALD_NEXT_NOW};
    if (facts->own || facts->closing || facts->attempts == 0 || !herald_retry_allowed(facts->effect, end)) {
        return end_call;
    }
    count_refusal(facts, now_ms, &decision);
    uint32_t uncounted = facts->uncounted + decision.uncounted;
    uint32_t counted = facts->attempts - uncounted;
    if (!decision.uncounted && counted >= facts->policy->max_attempts) {
        return end_call;
    }
    if (end->cut) {
        decision.next = HERALD_NEXT_AFTER;
        decision.wait_ms = CUT_PAUSE_MS;
        decision.charged = true;
        return decision;
    }
    /* This server drains or has no room for the connection; another one can serve the call at once. */
    bool for_another = herald_retry_is_draining(end) || herald_retry_is_turned_away(end);
    if (for_another && facts->ready && uncounted <= AT_ONCE_MOST) {
        return decision;
    }
    if (!choose_wait(facts, now_ms, &decision)) {
        return end_call;
    }
    /* A dying server loses all its calls at once, which is no overload: each retries elsewhere without charge, once. */
    bool lost = end->outcome == HERALD_MAYBE_EXECUTED && !herald_retry_is_answered(end) && counted == 1;
    decision.charged = !decision.uncounted && !(lost && facts->connected);
    return decision;
}

struct herald_decision herald_retry_decide(const struct herald_retry_facts *facts, enum herald_retry_event event,
                                           int64_t now_ms) {
    switch (event) {
    case HERALD_ATTEMPT_BEGINS:
        return decide_begin(facts, now_ms);
    case HERALD_ATTEMPT_ENDED:
        return decide_attempt_end(facts, now_ms);
    case HERALD_PAUSE_ENDED:
        return decide_pause_end(facts, now_ms);
    }
    return (struct herald_decision){.next = HERALD_NEXT_END};
}

int64_t herald_retry_reply_ms(const struct herald_retry_policy *policy, const struct herald_reply_wait *wait) {
    bool last = wait->attempts >= policy->max_attempts;
    if (wait->effect != HERALD_EFFECT_READ || wait->waits || last || policy->attempt_timeout_ms == UINT32_MAX) {
        return wait->left_ms;
    }
    int64_t cut_ms = (int64_t)policy->attempt_timeout_ms << herald_min_u32(wait->cuts, 16);
    /* A slow server must have a chance too: from the second attempt on most of the time stays for the last one. */
    int64_t least_ms = wait->cuts == 0 ? 2 * cut_ms : 4 * cut_ms;
    return wait->left_ms >= least_ms ? cut_ms : wait->left_ms;
}

uint32_t herald_retry_wait_ms(const struct herald_retry_policy *policy, uint32_t retry, uint32_t retry_after_ms,
                              uint64_t random) {
    uint32_t doublings = retry > 0 ? retry - 1 : 0;
    uint32_t wait = herald_backoff_ms(policy->backoff_min_ms, policy->backoff_max_ms, doublings, random);
    return wait > retry_after_ms ? wait : retry_after_ms;
}

/* ---- what a caller may do ---- */

/* Whether the same message would be refused again, though its code passes elsewhere. */
static bool is_too_much(enum herald_reason reason) {
    switch (reason) {
    case HERALD_REASON_MESSAGE_TOO_LARGE:
    case HERALD_REASON_MESSAGE_TOO_BIG:
    case HERALD_REASON_PAYLOAD_TOO_COMPLEX:
    case HERALD_REASON_JSON_TOO_LONG:
    case HERALD_REASON_RESPONSE_TOO_LARGE:
    case HERALD_REASON_ARENA_FULL:
        return true;
    default:
        return false;
    }
}

/* Whether the same call may end otherwise a little later. */
static bool may_end_otherwise(const struct herald_attempt_end *end) {
    switch (end->code) {
    case HERALD_UNAVAILABLE:
    case HERALD_ABORTED:
    case HERALD_DEADLINE_EXCEEDED:
    case HERALD_CANCELLED:
        return true;
    case HERALD_RESOURCE_EXHAUSTED:
        return !is_too_much(end->reason);
    default:
        return false;
    }
}

enum herald_repeat herald_reply_may_repeat(const struct herald_reply *reply) {
    const struct herald_attempt_end end = herald_attempt_end_of_reply(reply);
    bool repeatable = reply->effect == HERALD_EFFECT_READ || reply->effect == HERALD_EFFECT_IDEMPOTENT;
    bool unknown = end.outcome == HERALD_MAYBE_EXECUTED;
    if (end.code == HERALD_OK || (!unknown && !may_end_otherwise(&end))) {
        return HERALD_REPEAT_NO;
    }
    if (repeatable || (!unknown && !is_known_answer(&end))) {
        return HERALD_REPEAT_YES;
    }
    return reply->idempotency_key[0] != '\0' ? HERALD_REPEAT_SAME_KEY : HERALD_REPEAT_NO;
}

const char *herald_repeat_name(enum herald_repeat repeat) {
    switch (repeat) {
    case HERALD_REPEAT_NO:
        return "NO";
    case HERALD_REPEAT_YES:
        return "YES";
    case HERALD_REPEAT_SAME_KEY:
        return "SAME_KEY";
    }
    return "UNKNOWN";
}
