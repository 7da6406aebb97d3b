/*
 * Drives calls from state to state: call_state.h has the table, retry.c decides on retries, attempt.c makes an attempt.
 * The engine's threads drive a started call, the caller's thread a blocking one, through the same steps. Invariant: after
 * CALL_POSTED a step must not touch the call, because its completion may run on another thread.
 */
#include "client/src/call.h"

#include "client/base/random.h"
#include "client/src/attempt.h"
#include "client/src/call_post.h"
#include "client/src/forked.h"
#include "client/src/intercept.h"
#include "client/src/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often a call that is held back checks for a ready server. The interval grows with the refusals so far. */
#define LOOK_AGAIN_MS 50

static const struct herald_call_options default_options;

/* ---- between attempts ---- */

static struct herald_decision call_decide(struct herald_call *call, enum herald_retry_event event) {
    struct herald_channel *channel = call->channel;
    struct herald_retry_facts facts = {
        .policy = &channel->retry,
        .effect = call->method->effect,
        .end = call->end,
        .attempts = call->attempts,
        .uncounted = call->uncounted,
        .deadline_ms = call->deadline_ms,
        .restart_until_ms = call->restart_until_ms,
        .held_until_ms = call->held_until_ms,
        .connect_timeout_ms = channel->connect_timeout_ms,
        .random = herald_random(),
        .own = call->pinned != NULL,
        .closing = atomic_load(&channel->closing),
        .draining = event == HERALD_ATTEMPT_BEGINS,
    };
    if (event != HERALD_ATTEMPT_BEGINS) {
        const struct herald_endpoint *but = event == HERALD_ATTEMPT_ENDED ? call->endpoint : NULL;
        herald_pool_look(channel, but, &facts.ready, &facts.connected);
    }
    return herald_retry_decide(&facts, event, herald_now_ms());
}

static enum call_event call_pause(struct herald_call *call, enum call_event event, uint32_t ms) {
    if (herald_post_pause(call, event, ms)) {
        return CALL_POSTED;
    }
    herald_attempt_fail_cancelled(call, HERALD_NOT_SENT);
    return CALL_END;
}

/* Sleeps until the next check for a ready server, at most @wait_ms. */
static enum call_event call_hold(struct herald_call *call, uint32_t wait_ms) {
    uint32_t look_ms = LOOK_AGAIN_MS * (call->uncounted > 1 ? call->uncounted : 1);
    return call_pause(call, CALL_HOLD, wait_ms < look_ms ? wait_ms : look_ms);
}

/* Sets the end of a call for which no server was ready in time. */
static void fail_drained(struct herald_call *call) {
    struct herald_reply *reply = call->reply;
    reply->outcome = call->attempts > 0 ? HERALD_EXECUTED : HERALD_NOT_SENT;
    reply->done = HERALD_DONE_NOTHING;
    herald_error_set(&reply->error, HERALD_REASON_DRAINING,
                     "%s: %s is about to end, and no server was ready within %" PRIu32 " ms", call->method->full_name,
                     call->channel->url, call->timeout_ms);
}

/* Completion of HELD and BACKING_OFF. */
static enum call_event on_woken(struct herald_call *call, int result, enum call_stop stop) {
    herald_pool_unpause(call->channel, call);
    if (result != 0 || stop != CALL_NOT_STOPPED || atomic_load(&call->channel->closing)) {
        herald_attempt_fail_cancelled(call, HERALD_NOT_SENT);
        return CALL_END;
    }
    const struct herald_decision decision = call_decide(call, HERALD_PAUSE_ENDED);
    if (decision.next == HERALD_NEXT_WHEN_READY) {
        return call_hold(call, decision.wait_ms);
    }
    if (decision.next == HERALD_NEXT_END) {
        fail_drained(call);
        return CALL_END;
    }
    return CALL_GO_ON;
}

/* Forgets the attempt's result, but not what the attempt may have done. */
static void forget_attempt(struct herald_call *call) {
    struct herald_reply *reply = call->reply;
    if (herald_retry_is_answered(&call->end)) {
        call->earlier_code = reply->error.code;
        memcpy(call->earlier_reason, reply->error.reason, sizeof(call->earlier_reason));
    }
    call->before = herald_retry_carried(call->before, &call->end);
    /* A server that is being restarted counts as draining already, and may be ready before another one is. */
    call->avoid = herald_retry_is_restarting(&call->end) ? NULL : call->endpoint;
    herald_reply_clear(reply);
    herald_reply_init(reply);
    herald_pool_leave(call->channel, call);
    call->end = (struct herald_attempt_end){0};
}

/* Begins the retry as decided. The wait after a draining server's refusal also holds the next attempt back. */
static enum call_event call_repeat(struct herald_call *call, const struct herald_decision *decision) {
    bool draining = herald_retry_is_draining(&call->end);
    call->uncounted += decision->uncounted;
    call->restart_until_ms = decision->restart_until_ms;
    call->held_until_ms = draining ? herald_now_ms() + decision->wait_ms : 0;
    forget_attempt(call);
    switch (decision->next) {
    case HERALD_NEXT_AFTER:
        return call_pause(call, CALL_BACK_OFF, decision->wait_ms);
    case HERALD_NEXT_WHEN_READY:
        return call_hold(call, decision->wait_ms);
    default:
        return CALL_GO_ON;
    }
}

/* ---- steps: the work of a state ---- */

/* BEGINNING: chooses an endpoint, and begins an attempt unless that is to be held back. */
static enum call_event step_begin(struct herald_call *call) {
    if (!call->endpoint) {
        herald_pool_enter(call->channel, call);
    }
    const struct herald_endpoint *endpoint = call->endpoint;
    if (endpoint && atomic_load_explicit(&endpoint->draining, memory_order_relaxed) &&
        herald_endpoint_connected(endpoint)) {
        const struct herald_decision decision = call_decide(call, HERALD_ATTEMPT_BEGINS);
        if (decision.next == HERALD_NEXT_WHEN_READY) {
            call->held_until_ms = herald_now_ms() + decision.wait_ms;
            herald_pool_leave(call->channel, call);
            return call_hold(call, decision.wait_ms);
        }
    }
    return herald_attempt_begin(call);
}

/* JUDGING: the call ends with the attempt's result, or another attempt follows. */
static enum call_event step_judge(struct herald_call *call) {
    struct herald_channel *channel = call->channel;
    struct herald_reply *reply = call->reply;
    call->end = herald_attempt_end_of_reply(reply);
    call->end.cut = call->cut && call->end.reason == HERALD_REASON_NO_REPLY_IN_TIME;
    call->cut = false;
    if (call->endpoint) {
        reply->url = call->endpoint->url;
    }
    if (call->held_until_ms > 0 && herald_retry_is_answered(&call->end) && !herald_retry_is_draining(&call->end)) {
        atomic_store(&call->endpoint->draining, false); /* its reply shows that it does not drain */
    }
    herald_intercept_after(call);
    if (reply->error.code == HERALD_OK) {
        return CALL_END;
    }
    if ((reply->error.code == HERALD_UNAVAILABLE && !herald_retry_is_signed_early(&call->end)) ||
        herald_retry_is_turned_away(&call->end) || call->end.cut) {
        herald_pool_report(channel, call, &call->end);
    }
    const struct herald_decision decision = call_decide(call, HERALD_ATTEMPT_ENDED);
    /* For an attempt that was cut short the budget was asked before: the call has no reply to end with. */
    bool admitted = !decision.charged || herald_pool_admit_retry(channel) || call->end.cut;
    if (decision.next == HERALD_NEXT_END || !admitted) {
        return CALL_END;
    }
    return call_repeat(call, &decision);
}

/* ---- the end ---- */

/* Adds to an error made here what a server answered before: that may be the cause. */
static void tell_earlier(struct herald_call *call) {
    struct herald_error *error = &call->reply->error;
    size_t used = strlen(error->message);
    snprintf(error->message + used, sizeof(error->message) - used, "; an attempt before was answered %s (%s)",
             herald_code_name((int)call->earlier_code), call->earlier_reason);
}

/* Copies the idempotency key into the reply. */
static void tell_key(struct herald_call *call) {
    const struct herald_request *packed = &call->request;
    if (packed->key_bytes == 0 || packed->key_bytes > HERALD_IDEMPOTENCY_KEY_MAX) {
        return;
    }
    memcpy(call->reply->idempotency_key, packed->common.bytes + packed->key_at, packed->key_bytes);
    call->reply->idempotency_key[packed->key_bytes] = '\0';
}

/* Completes the reply with the results of all attempts. */
static void call_settle(struct herald_call *call) {
    struct herald_reply *reply = call->reply;
    const struct herald_attempt_end last = herald_attempt_end_of_reply(reply);
    reply->effect = call->method->effect;
    reply->outcome = herald_retry_outcome(call->before, &last);
    bool known = reply->outcome == HERALD_EXECUTED || last.done == HERALD_DONE_NOT_KNOWN;
    if (call->earlier_code != HERALD_OK && reply->error.code != HERALD_OK && !known) {
        tell_earlier(call);
    }
    herald_intercept_tell(call);
    tell_key(call);
}

/* ---- the machine ---- */

/* Returns the event that ends the state's work; CALL_POSTED: the call must not be touched any more. */
typedef enum call_event step_fn(struct herald_call *call);
typedef enum call_event completion_fn(struct herald_call *call, int result, enum call_stop stop);

static step_fn *const steps[CALL_STATES] = {
    [CALL_BEGINNING] = step_begin,
    [CALL_ATTEMPTING] = herald_attempt_go_on,
    [CALL_JUDGING] = step_judge,
};

static completion_fn *const completions[CALL_STATES] = {
    [CALL_HELD] = on_woken,
    [CALL_BACKING_OFF] = on_woken,
    [CALL_SEEKING] = herald_attempt_on_sought,
    [CALL_SENDING] = herald_attempt_on_unsent,
    [CALL_WAITING] = herald_attempt_on_received,
};

/* Does the work of states until something is posted. True: the call has ended. */
static bool call_run(struct herald_call *call) {
    while (call->state != CALL_ENDED) {
        enum call_event event = steps[call->state](call);
        if (event == CALL_POSTED) {
            return false;
        }
        herald_call_state_enter(&call->state, event);
    }
    call_settle(call);
    return true;
}

/* Takes the completion of what was posted. True: the call has ended. */
static bool call_go_on(struct herald_call *call, int result, enum call_stop stop) {
    enum call_event event = completions[call->state](call, result, stop);
    if (event == CALL_POSTED) {
        return false;
    }
    herald_call_state_enter(&call->state, event);
    return call_run(call);
}

/* Drops the callback's reference. The later of this and the handle's release returns the call to the pool. */
static void call_returned(struct herald_call *call) {
    struct herald_channel *channel = call->channel;
    pthread_mutex_lock(&call->mutex);
    bool last = --call->shares == 0;
    if (!last) {
        herald_pool_end(channel, call, false);
    }
    pthread_mutex_unlock(&call->mutex);
    if (last) {
        herald_pool_end(channel, call, true);
    }
}

void herald_call_on_completion(void *user) {
    struct herald_call *call = user;
    struct herald_reply reply;
    int result;
    enum call_stop stop;
    if (!herald_post_complete(call, &result, &stop)) {
        return;
    }
    herald_reply_init(&reply);
    call->reply = &reply;
    if (call_go_on(call, result, stop)) {
        call->done(call->user, &reply);
        call_returned(call);
    }
}

/* ---- the API ---- */

static void set_times(struct herald_call *call, uint32_t timeout_ms, int64_t now_ms) {
    call->timeout_ms = timeout_ms > 0 ? timeout_ms : call->method->deadline_ms;
    if (call->timeout_ms > INT32_MAX) {
        call->timeout_ms = INT32_MAX; /* nng's longest */
    }
    call->started_ms = now_ms;
    call->deadline_ms = now_ms + call->timeout_ms;
}

/* Clears what the pooled call's last user left. */
static void call_reset(struct herald_call *call) {
    call->end = (struct herald_attempt_end){0};
    call->before = HERALD_NOT_SENT;
    call->earlier_code = HERALD_OK;
    call->attempts = 0;
    call->uncounted = call->cuts = 0;
    call->reply_until_ms = INT64_MAX;
    call->cut = call->packed = false;
    call->restart_until_ms = call->held_until_ms = 0;
    call->posted = HERALD_NO_OPERATION;
    call->stop = CALL_NOT_STOPPED;
    call->shares = 1;
}

/* Takes a call from the pool, fills it, and packs what its attempts have in common. On failure nothing is taken. */
static enum herald_code call_prepare(struct herald_channel *channel, struct herald_endpoint *pinned,
                                     const struct herald_method_schema *method, const ProtobufCMessage *request,
                                     const struct herald_call_options *options, struct herald_reply *reply,
                                     struct herald_call **ret_call, struct herald_error *reterr) {
    struct herald_call *call = NULL;
    int64_t now_ms = herald_now_ms();
    enum call_kind kind = reply ? CALL_BLOCKING : CALL_STARTED;
    if (herald_is_forked()) {
        return herald_error_set(reterr, HERALD_REASON_CHANNEL_CLOSED, "%s: %s", method->full_name, HERALD_FORKED_TEXT);
    }
    enum herald_code code = herald_pool_take(channel, kind, pinned, method, now_ms, &call, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    call_reset(call);
    call->method = method;
    set_times(call, options->timeout_ms, now_ms);
    call->credential = options->credential ? herald_credential_ref(options->credential) : NULL;
    const struct herald_credential *credential = call->credential ? call->credential : channel->credential;
    call->attempt = (struct herald_attempt){
        .want_timings = options->want_timings,
        .credential = credential,
        .metadata = &call->metadata,
    };
    call->reply = reply;
    if (options->call_id) {
        size_t bytes = strnlen(options->call_id, sizeof(call->call_id) - 1);
        memcpy(call->call_id, options->call_id, bytes);
        call->call_id[bytes] = '\0';
    } else {
        herald_uuid7(call->call_id);
    }
    if (reply) {
        herald_intercept_tell(call);
    }
    code = herald_request_pack(&call->request, method, request, options, credential, call->call_id, reterr);
    if (code != HERALD_OK) {
        herald_pool_end(channel, call, true);
        return code;
    }
    *ret_call = call;
    return HERALD_OK;
}

/* Starts a prepared call. If it ends before anything was posted, returns its error and puts it back into the pool. */
static enum herald_code call_launch(struct herald_call *call, const ProtobufCMessage *request,
                                    herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                    struct herald_error *reterr) {
    struct herald_call *before = ret_call ? *ret_call : NULL;
    struct herald_reply reply;
    herald_reply_init(&reply);
    call->reply = &reply;
    call->done = done;
    call->user = user;
    call->given = request;
    if (ret_call) {
        call->shares++;
        *ret_call = call;
    }
    if (!call_run(call)) {
        return HERALD_OK; /* the call is another thread's now, with a reply of that thread */
    }
    if (ret_call) {
        *ret_call = before;
    }
    enum herald_code code = reply.error.code;
    herald_error_copy(reterr, &reply.error);
    herald_reply_clear(&reply);
    herald_pool_end(call->channel, call, true);
    return code;
}

enum herald_code herald_call_start(struct herald_channel *channel, const struct herald_method_schema *method,
                                   const ProtobufCMessage *request, const struct herald_call_options *options,
                                   herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                   struct herald_error *reterr) {
    struct herald_call *call = NULL;
    enum herald_code code =
        call_prepare(channel, NULL, method, request, options ? options : &default_options, NULL, &call, reterr);
    return code == HERALD_OK ? call_launch(call, request, done, user, ret_call, reterr) : code;
}

enum herald_code herald_call_start_packed(struct herald_channel *channel, const struct herald_method_schema *method,
                                          const ProtobufCMessage *request, const struct herald_call_options *options,
                                          herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                          struct herald_error *reterr) {
    struct herald_call *call = NULL;
    enum herald_code code =
        call_prepare(channel, NULL, method, request, options ? options : &default_options, NULL, &call, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    call->packed = true;
    return call_launch(call, request, done, user, ret_call, reterr);
}

enum herald_code herald_call_own(struct herald_endpoint *endpoint, const struct herald_method_schema *method,
                                 const ProtobufCMessage *request, uint32_t timeout_ms, herald_call_done_fn *done,
                                 void *user) {
    const struct herald_call_options options = {.timeout_ms = timeout_ms};
    struct herald_call *call = NULL;
    enum herald_code code = call_prepare(endpoint->channel, endpoint, method, request, &options, NULL, &call, NULL);
    return code == HERALD_OK ? call_launch(call, request, done, user, NULL, NULL) : code;
}

enum herald_code herald_call(struct herald_channel *channel, const struct herald_method_schema *method,
                             const ProtobufCMessage *request, const struct herald_call_options *options,
                             struct herald_reply *ret_reply) {
    struct herald_call *call = NULL;
    struct herald_error *error = &ret_reply->error;
    herald_reply_init(ret_reply);
    ret_reply->effect = method->effect;
    enum herald_code code =
        call_prepare(channel, NULL, method, request, options ? options : &default_options, ret_reply, &call, error);
    if (code != HERALD_OK) {
        return code;
    }
    call->given = request;
    bool ended = call_run(call);
    while (!ended) {
        int result;
        enum call_stop stop;
        herald_post_wait(call);
        ended = herald_post_complete(call, &result, &stop) && call_go_on(call, result, stop);
    }
    herald_pool_end(channel, call, true);
    return error->code;
}

void herald_call_give_up(struct herald_call *call, bool late) {
    herald_post_stop(call, late ? CALL_LATE : CALL_CANCELLED);
}

void herald_call_cancel(struct herald_call *call) {
    herald_call_give_up(call, false);
}

void herald_call_release(struct herald_call *call) {
    if (!call) {
        return;
    }
    pthread_mutex_lock(&call->mutex);
    bool last = --call->shares == 0;
    pthread_mutex_unlock(&call->mutex);
    if (last) {
        herald_pool_give_back(call->channel, call);
    }
}
