#include "client/src/call.h"

#include "client/base/random.h"
#include "client/src/credential.h"
#include "client/src/intercept.h"
#include "client/src/reply.h"
#include "herald/rpc/v1/calls.pb-c.h"
#include "herald/rpc/v1/calls.schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * A call is driven by the completions of its aios, one at a time: in nng's thread for a started call, in
 * the caller's for a blocking one; call_step() is the same for both. Functions that return bool say whether the call
 * has ended; if it has not, something is posted, and the call may be ended by another thread before the function
 * returns, so that it must not be touched any more.
 */

/* Where there is a choice, a send that waits for a connection is looked at again so often, and a call without any
 * endpoint too. */
#define CHOOSE_AGAIN_MS 50
/* Where there is none it is signed anew so often: a server that has just started wants a young signature. */
#define SIGN_AGAIN_MS  250
#define NO_ENDPOINT_MS 5
/* While its only servers drain, an attempt is held back for so long at most. */
#define HOLD_BACK_MS 1000
/* So often a call goes on at once at another server, when they all drain. */
#define AT_ONCE_MOST 4u
/* The schema's: what comes after is not counted on the wire. */
#define ATTEMPT_NUMBER_MOST 1000
#define CANCELS_MAX         64u
#define CANCEL_MS           2000u

static const struct herald_call_options default_options;

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t call_remaining_ms(const struct herald_call *call) {
    int64_t remaining = call->deadline_ms - herald_now_ms();
    return remaining > 0 ? remaining : 0;
}

static const char *call_url(const struct herald_call *call) {
    return call->endpoint ? call->endpoint->url : call->channel->url;
}

/* ---- ends ---- */

static void fail_cancelled(struct herald_call *call, enum herald_outcome outcome) {
    call->reply->outcome = outcome;
    herald_error_set(&call->reply->error, HERALD_REASON_CANCELLED, "%s: cancelled %s", call->method->full_name,
                     outcome == HERALD_NOT_SENT ? "before it was sent"
                                                : "after it was sent; it may have been executed");
}

/* No connection, or one that takes nothing more, for all the time there was. */
static void fail_unsent(struct herald_call *call, bool connected) {
    struct herald_error *error = &call->reply->error;
    struct herald_channel *channel = call->channel;
    char why[192] = "";
    call->reply->outcome = HERALD_NOT_SENT;
    if (connected) {
        herald_error_set(error, HERALD_REASON_NOT_SENT_IN_TIME,
                         "%s: not sent within its deadline of %" PRIu32 " ms: busy connection to %s",
                         call->method->full_name, call->timeout_ms, call_url(call));
        return;
    }
    pthread_mutex_lock(&channel->mutex);
    memcpy(why, *channel->tls_error ? channel->tls_error : channel->name_error, sizeof(why));
    herald_channel_hurry_locked(channel);
    pthread_mutex_unlock(&channel->mutex);
    const char *tls = channel->tls ? ", with a certificate that fits the CA file and the host's name" : "";
    herald_error_set(error, HERALD_REASON_NOT_CONNECTED, "%s: no connection to %s within %" PRIu32 " ms: %s%s%s",
                     call->method->full_name, channel->url,
                     (uint32_t)least(channel->connect_timeout_ms, call->timeout_ms),
                     *why ? why : "is the server running there", *why ? "" : tls, *why ? "" : "?");
}

static void on_cancel_told(void *user, struct herald_reply *reply) {
    struct herald_channel *channel = user;
    herald_reply_clear(reply);
    atomic_fetch_sub(&channel->cancels, 1);
}

/* Tells the server that nobody waits for the call's reply any more, if there is room for one more such message. */
static void tell_cancelled(struct herald_call *call, bool deadline_exceeded) {
    struct herald_channel *channel = call->channel;
    Herald__Rpc__V1__CancelRequest request = HERALD__RPC__V1__CANCEL_REQUEST__INIT;
    if (call->pinned || !herald_endpoint_connected(call->endpoint)) {
        return; /* a server that lost the connection knows */
    }
    request.ticket = call->ticket;
    request.deadline_exceeded = deadline_exceeded;
    if (atomic_fetch_add(&channel->cancels, 1) >= CANCELS_MAX ||
        herald_call_own(call->endpoint, herald_rpc_v1_calls_cancel_method, &request.base, CANCEL_MS, on_cancel_told,
                        channel) != HERALD_OK) {
        atomic_fetch_sub(&channel->cancels, 1);
    }
}

/* The wait for the reply has ended, and with it the attempt. */
static void on_received(struct herald_call *call, int result) {
    struct herald_error *error = &call->reply->error;
    if (result == 0) {
        nng_msg *msg = nng_aio_get_msg(call->receiver);
        nng_aio_set_msg(call->receiver, NULL);
        herald_reply_read(call->reply, call->method, msg);
        call->good = error->code != HERALD_UNAVAILABLE && !herald_retry_is_turned_away(error);
        if (call->held_back && !herald_retry_is_draining(error)) {
            atomic_store(&call->endpoint->draining, false); /* it does not, or not any more */
        }
        return;
    }
    call->reply->outcome = HERALD_MAYBE_EXECUTED;
    atomic_store_explicit(&call->channel->unanswered_ms, herald_now_ms(), memory_order_relaxed);
    /* A closing socket closes its connection first, which looks like the peer's doing. */
    if (atomic_load(&call->channel->closing)) {
        result = NNG_ECLOSED;
    }
    switch (result) {
    case NNG_ETIMEDOUT:
        herald_error_set(error, HERALD_REASON_NO_REPLY_IN_TIME,
                         "%s: no reply from %s within its deadline of %" PRIu32 " ms; it may have been executed",
                         call->method->full_name, call_url(call), call->timeout_ms);
        tell_cancelled(call, true);
        break;
    case NNG_ECANCELED:
        fail_cancelled(call, HERALD_MAYBE_EXECUTED);
        tell_cancelled(call, call->late);
        break;
    case NNG_ECLOSED:
        fail_cancelled(call, HERALD_MAYBE_EXECUTED);
        break;
    default:
        herald_error_set(error, HERALD_REASON_CONNECTION_LOST,
                         "%s: the connection to %s was lost before the reply came (%s); it may have been executed",
                         call->method->full_name, call_url(call), nng_strerror(result));
        break;
    }
}

/* ---- attempts ---- */

static bool call_go(struct herald_call *call, const ProtobufCMessage *request);
static bool call_settle(struct herald_call *call);

/* Sleeps, unless the call is cancelled. */
static bool call_pause(struct herald_call *call, uint32_t ms) {
    pthread_mutex_lock(&call->mutex);
    bool paused = !call->cancelled;
    if (paused) {
        call->phase = CALL_PAUSING;
        paused = herald_pool_pause_locked(call->channel, call, ms);
        if (!paused) {
            call->phase = CALL_IDLE;
        }
    }
    pthread_mutex_unlock(&call->mutex);
    return paused;
}

/* A server that is being restarted has not tried the call, nor is it overloaded: for as long as a connection may take,
 * what it refuses counts neither as an attempt nor towards the budget. */
static bool is_uncounted(struct herald_call *call) {
    const struct herald_channel *channel = call->channel;
    if (channel->retry.max_attempts == 1 || !herald_retry_is_restarting(&call->reply->error)) {
        return false;
    }
    int64_t now_ms = herald_now_ms();
    if (call->restart_until_ms == 0) {
        call->restart_until_ms = now_ms + channel->connect_timeout_ms;
    }
    return now_ms < call->restart_until_ms;
}

/* Another server takes at once what this one, which is about to end or has no room for the connection, did not. */
static bool is_for_another(const struct herald_error *error) {
    return herald_retry_is_draining(error) || herald_retry_is_turned_away(error);
}

/* Sleeps till resume_ms, and looks meanwhile whether a server is ready: the less often, the more refused already. */
static bool call_pause_until_ready(struct herald_call *call) {
    int64_t left_ms = call->resume_ms - herald_now_ms();
    int64_t look_ms = CHOOSE_AGAIN_MS * (int64_t)(call->uncounted > 1 ? call->uncounted : 1);
    return call_pause(call, (uint32_t)least(left_ms > 0 ? left_ms : 0, look_ms));
}

/* No server was ready in the time that there was. */
static bool end_drained(struct herald_call *call) {
    struct herald_reply *reply = call->reply;
    reply->outcome = reply->attempts > 0 ? HERALD_EXECUTED : HERALD_NOT_SENT;
    herald_error_set(&reply->error, HERALD_REASON_DRAINING,
                     "%s: %s is about to end, and no server was ready within %" PRIu32 " ms", call->method->full_name,
                     call->channel->url, call->timeout_ms);
    return call_settle(call);
}

/* Whether the attempt that has ended is to be repeated, and after how long. */
static bool wants_retry(struct herald_call *call, uint32_t *ret_wait_ms) {
    struct herald_channel *channel = call->channel;
    const struct herald_reply *reply = call->reply;
    if (call->pinned || reply->attempts == 0 ||
        !herald_retry_allowed(call->method->effect, reply->outcome, &reply->error)) {
        return false;
    }
    bool uncounted = is_uncounted(call);
    call->uncounted += uncounted;
    if (!uncounted && reply->attempts - call->uncounted >= channel->retry.max_attempts) {
        return false;
    }
    *ret_wait_ms = herald_retry_wait_ms(&channel->retry, reply->attempts, reply->error.retry_after_ms, herald_random());
    if (is_for_another(&reply->error) && call->uncounted <= AT_ONCE_MOST &&
        herald_pool_has_ready(channel, call->endpoint)) {
        *ret_wait_ms = 0;
        return !atomic_load(&channel->closing);
    }
    int64_t remaining_ms = call_remaining_ms(call);
    if (*ret_wait_ms >= remaining_ms) {
        if (!uncounted || !herald_retry_is_draining(&reply->error) || remaining_ms == 0) {
            return false;
        }
        *ret_wait_ms = (uint32_t)remaining_ms; /* a server may be ready before */
    }
    /* A server that dies takes all its calls at once, which is no overload either: each goes on elsewhere, once. */
    bool lost = reply->outcome == HERALD_MAYBE_EXECUTED && reply->attempts - call->uncounted == 1;
    if (uncounted || (lost && herald_pool_has_connected(channel, call->endpoint))) {
        return !atomic_load(&channel->closing);
    }
    return herald_pool_admit_retry(channel);
}

/* Forgets the attempt's result, but not what it may have done. */
static void forget_attempt(struct herald_call *call) {
    struct herald_reply *reply = call->reply;
    if (reply->outcome == HERALD_EXECUTED) {
        call->earlier_code = reply->error.code;
        memcpy(call->earlier_reason, reply->error.reason, sizeof(call->earlier_reason));
    }
    call->begun = call->begun || reply->outcome == HERALD_MAYBE_EXECUTED ||
                  (reply->outcome == HERALD_EXECUTED && !herald_retry_is_refusal(&reply->error));
    /* One that is being restarted is known for it, and may be back before another one is. */
    call->avoid = herald_retry_is_restarting(&reply->error) ? NULL : call->endpoint;
    call->held_back = herald_retry_is_draining(&reply->error); /* the pause that follows does for the next attempt */
    char call_id[sizeof(reply->call_id)];
    memcpy(call_id, reply->call_id, sizeof(call_id));
    uint32_t attempts = reply->attempts;
    herald_reply_clear(reply);
    herald_reply_init(reply);
    memcpy(reply->call_id, call_id, sizeof(call_id));
    reply->attempts = attempts;
    herald_pool_leave(call->channel, call);
}

/* An end that was found here says too what a server answered before: that may be why. */
static void tell_earlier(struct herald_call *call) {
    struct herald_error *error = &call->reply->error;
    size_t used = strlen(error->message);
    if (call->reply->outcome != HERALD_EXECUTED) {
        snprintf(error->message + used, sizeof(error->message) - used, "; an attempt before was answered %s (%s)",
                 herald_code_name((int)call->earlier_code), call->earlier_reason);
    }
}

/* The key by which a repeat of the call is known. */
static void tell_key(struct herald_call *call) {
    const struct herald_request *packed = &call->request;
    if (packed->key_bytes == 0 || packed->key_bytes > HERALD_IDEMPOTENCY_KEY_MAX) {
        return;
    }
    memcpy(call->reply->idempotency_key, packed->common.bytes + packed->key_at, packed->key_bytes);
    call->reply->idempotency_key[packed->key_bytes] = '\0';
}

/* The call ends with what is in the reply; its outcome is never less than what may have happened. */
static bool call_settle(struct herald_call *call) {
    struct herald_reply *reply = call->reply;
    if (call->begun && (reply->outcome != HERALD_EXECUTED || herald_retry_is_refusal(&reply->error))) {
        reply->outcome = HERALD_MAYBE_EXECUTED;
    }
    if (call->earlier_code != HERALD_OK && reply->error.code != HERALD_OK) {
        tell_earlier(call);
    }
    tell_key(call);
    return true;
}

/* The attempt's result is in the reply: the call ends with it, or another attempt begins. */
static bool call_end_attempt(struct herald_call *call) {
    struct herald_reply *reply = call->reply;
    if (call->endpoint) {
        reply->url = call->endpoint->url;
    }
    herald_intercept_after(call);
    call->attempting = false;
    if ((reply->error.code == HERALD_UNAVAILABLE && !herald_retry_is_signed_early(&reply->error)) ||
        herald_retry_is_turned_away(&reply->error)) {
        herald_pool_report(call->channel, call, &reply->error);
    }
    uint32_t wait_ms = 0;
    if (reply->error.code != HERALD_OK && wants_retry(call, &wait_ms)) {
        call->resume_ms = herald_retry_is_draining(&reply->error) ? herald_now_ms() + wait_ms : 0;
        forget_attempt(call);
        if (wait_ms == 0) {
            return call_go(call, NULL);
        }
        if (call->resume_ms > 0 ? call_pause_until_ready(call) : call_pause(call, wait_ms)) {
            return false;
        }
        fail_cancelled(call, HERALD_NOT_SENT);
    }
    return call_settle(call);
}

static bool call_fail(struct herald_call *call, enum herald_outcome outcome) {
    call->reply->outcome = outcome;
    return call_end_attempt(call);
}

static enum herald_code make_message(struct herald_call *call, nng_msg **ret_msg) {
    struct herald_channel *channel = call->channel;
    int64_t remaining_ms = call->fresh ? call->timeout_ms : call_remaining_ms(call);
    call->fresh = false;
    call->ticket = atomic_fetch_add_explicit(&channel->last_ticket, 1, memory_order_relaxed) + 1;
    const struct herald_attempt attempt = {
        .number = (uint32_t)least(call->reply->attempts - 1, ATTEMPT_NUMBER_MOST),
        .ticket = call->ticket,
        .want_timings = call->want_timings,
        .timeout_ms = remaining_ms > 0 ? (uint32_t)remaining_ms : 1, /* 0 would be the method's default */
        .credential = channel->credential,
        .metadata = &call->metadata,
    };
    return herald_request_make(&call->request, call->method, &attempt, channel->max_message_bytes, ret_msg,
                               &call->reply->error);
}

/*
 * Posts the send. nng keeps the message until there is a connection with room for it; it is tried for as long as a
 * connection may take, then looked at again: see on_unsent(). False: the call is cancelled.
 */
static bool post_send(struct herald_call *call, nng_msg *msg) {
    int64_t now_ms = herald_now_ms();
    int64_t limit_ms = call->deadline_ms - now_ms, look_ms = call->connect_until_ms - now_ms;
    if (look_ms <= 0) {
        look_ms = call->channel->connect_timeout_ms;
    }
    if (call->channel->kept) {
        look_ms = least(look_ms, CHOOSE_AGAIN_MS);
    } else if (call->channel->credential && herald_credential_signs(call->channel->credential)) {
        look_ms = least(look_ms, SIGN_AGAIN_MS);
    }
    limit_ms = limit_ms > 0 ? least(limit_ms, look_ms) : 0;
    pthread_mutex_lock(&call->mutex);
    bool posted = !call->cancelled;
    if (posted) {
        call->phase = CALL_SENDING;
        nng_aio_set_msg(call->sender, msg);
        nng_aio_set_timeout(call->sender, (nng_duration)limit_ms);
        nng_ctx_send(call->context, call->sender);
    }
    pthread_mutex_unlock(&call->mutex);
    return posted;
}

/* An attempt without an endpoint waits for one. */
static bool wait_for_endpoint(struct herald_call *call) {
    if (herald_now_ms() < least(call->connect_until_ms, call->deadline_ms)) {
        if (call_pause(call, NO_ENDPOINT_MS)) {
            return false;
        }
        fail_cancelled(call, HERALD_NOT_SENT);
    } else {
        fail_unsent(call, false);
    }
    return call_end_attempt(call);
}

/* An interceptor would not have the attempt. */
static bool call_refused(struct herald_call *call) {
    call->reply->outcome = HERALD_NOT_SENT;
    herald_intercept_after(call);
    call->reply->attempts--; /* it was not made */
    return call_settle(call);
}

/* A server that is known to drain would refuse, and what is sent when it closes its connections would be lost: who may
 * repeat a call waits a while for another server, or the next process. */
static bool must_hold_back(const struct herald_call *call) {
    const struct herald_endpoint *endpoint = call->endpoint;
    return atomic_load_explicit(&endpoint->draining, memory_order_relaxed) && herald_endpoint_connected(endpoint) &&
           !call->held_back && !call->pinned && call->channel->retry.max_attempts > 1;
}

static bool hold_back(struct herald_call *call) {
    call->held_back = true;
    call->fresh = false; /* its time runs */
    call->resume_ms = herald_now_ms() + least(HOLD_BACK_MS, call_remaining_ms(call));
    herald_pool_leave(call->channel, call);
    if (call_pause_until_ready(call)) {
        return false;
    }
    fail_cancelled(call, HERALD_NOT_SENT);
    return call_end_attempt(call);
}

/*
 * Goes on with an attempt, or begins one: chooses an endpoint if there is none, makes the message, posts it.
 *
 * @request  the caller's message while it is certain to be there, else NULL
 */
static bool call_go(struct herald_call *call, const ProtobufCMessage *request) {
    bool begins = !call->attempting;
    call->resume_ms = 0;
    bool placed = call->endpoint || herald_pool_enter(call->channel, call);
    if (begins && placed && must_hold_back(call)) {
        return hold_back(call);
    }
    if (begins) {
        call->attempting = true;
        call->good = false;
        call->connect_until_ms = (call->fresh ? call->started_ms : herald_now_ms()) + call->channel->connect_timeout_ms;
        call->reply->attempts++;
    }
    if (begins && herald_intercept_before(call, request, &call->reply->error) != HERALD_OK) {
        return call_refused(call);
    }
    if (!placed) {
        return wait_for_endpoint(call);
    }
    nng_msg *msg;
    if (make_message(call, &msg) != HERALD_OK) {
        return call_fail(call, HERALD_NOT_SENT);
    }
    if (post_send(call, msg)) {
        return false;
    }
    nng_msg_free(msg);
    fail_cancelled(call, HERALD_NOT_SENT);
    return call_end_attempt(call);
}

/* ---- completions ---- */

/* The send was not taken in a while: another endpoint may do better, where there is a choice. */
static void look_elsewhere(struct herald_call *call, bool connected) {
    if (!call->channel->kept) {
        return;
    }
    /* nng before 1.8 can miss that a connection is lost (close_socket.c), and goes on showing it. */
    if (connected) {
        herald_pool_report(call->channel, call, NULL);
    }
    call->avoid = call->endpoint;
    herald_pool_leave(call->channel, call);
}

/* A send that has failed; or one that has not and whose call is cancelled. */
static bool on_unsent(struct herald_call *call, int result, bool cancelled) {
    bool connected = herald_endpoint_connected(call->endpoint);
    if (result != 0) {
        nng_msg_free(nng_aio_get_msg(call->sender));
        nng_aio_set_msg(call->sender, NULL);
    }
    if (cancelled || result == NNG_ECANCELED || atomic_load(&call->channel->closing)) {
        fail_cancelled(call, result == 0 ? HERALD_MAYBE_EXECUTED : HERALD_NOT_SENT);
        if (result == 0) {
            tell_cancelled(call, call->late);
        }
        return call_end_attempt(call);
    }
    if (result == NNG_ETIMEDOUT) {
        if (call_remaining_ms(call) > 0 && (connected || herald_now_ms() < call->connect_until_ms)) {
            look_elsewhere(call, connected);
            return call_go(call, NULL);
        }
        fail_unsent(call, connected);
        return call_end_attempt(call);
    }
    herald_error_set(&call->reply->error, HERALD_REASON_SEND_FAILED, "%s: not sent to %s: %s", call->method->full_name,
                     call_url(call), nng_strerror(result));
    return call_fail(call, HERALD_NOT_SENT);
}

static bool on_paused(struct herald_call *call, int result, bool cancelled) {
    herald_pool_unpause(call->channel, call);
    if (result == 0 && !cancelled && !atomic_load(&call->channel->closing)) {
        bool ready = call->resume_ms > 0 && herald_pool_has_ready(call->channel, NULL);
        if (call->resume_ms > 0 && !ready && call_remaining_ms(call) == 0) {
            return end_drained(call);
        }
        if (ready || herald_now_ms() >= call->resume_ms) {
            return call_go(call, NULL);
        }
        if (call_pause_until_ready(call)) {
            return false;
        }
    }
    fail_cancelled(call, HERALD_NOT_SENT);
    return call_end_attempt(call);
}

/* The aio at which something is posted. */
static nng_aio *posted_aio(const struct herald_call *call) {
    return call->phase == CALL_PAUSING ? call->timer : call->phase == CALL_SENDING ? call->sender : call->receiver;
}

/* Takes a completion of one of the call's aios. */
static bool call_step(struct herald_call *call) {
    pthread_mutex_lock(&call->mutex);
    int result = nng_aio_result(posted_aio(call));
    enum call_phase phase = call->phase;
    bool cancelled = call->cancelled;
    if (phase == CALL_SENDING && result == 0 && !cancelled) {
        call->phase = CALL_WAITING;
        call->connection = herald_endpoint_connection(call->endpoint);
        nng_aio_set_timeout(call->receiver, (nng_duration)call_remaining_ms(call));
        nng_ctx_recv(call->context, call->receiver);
        pthread_mutex_unlock(&call->mutex);
        return false;
    }
    call->phase = CALL_IDLE;
    pthread_mutex_unlock(&call->mutex);
    if (phase == CALL_PAUSING) {
        return on_paused(call, result, cancelled);
    }
    if (phase == CALL_SENDING) {
        return on_unsent(call, result, cancelled);
    }
    on_received(call, result);
    return call_end_attempt(call);
}

/* Marks the callback as run; whoever comes second, this or the handle's release, gives the call back. */
static void call_returned(struct herald_call *call) {
    struct herald_channel *channel = call->channel;
    pthread_mutex_lock(&call->mutex);
    call->returned = true;
    bool held = call->held;
    if (held) {
        herald_pool_end(channel, call, false);
    }
    pthread_mutex_unlock(&call->mutex);
    if (!held) {
        herald_pool_end(channel, call, true);
    }
}

void herald_call_on_aio(void *user) {
    struct herald_call *call = user;
    if (!call_step(call)) {
        return;
    }
    call->done(call->user, call->reply);
    call_returned(call);
}

/* ---- the API ---- */

/* Takes a call and fills it; what its attempts have in common is packed. Nothing is taken on failure. */
static enum herald_code call_prepare(struct herald_channel *channel, struct herald_endpoint *pinned,
                                     const struct herald_method_schema *method, const ProtobufCMessage *request,
                                     const struct herald_call_options *options, struct herald_reply *reply,
                                     struct herald_call **ret_call, struct herald_error *reterr) {
    struct herald_call *call;
    int64_t now_ms = herald_now_ms();
    enum herald_code code = herald_pool_take(channel, reply != NULL, pinned, now_ms, &call, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    call->method = method;
    call->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : method->deadline_ms;
    if (call->timeout_ms > INT32_MAX) {
        call->timeout_ms = INT32_MAX; /* nng's longest */
    }
    call->started_ms = now_ms;
    call->deadline_ms = now_ms + call->timeout_ms;
    call->want_timings = options->want_timings;
    call->reply = reply ? reply : &call->own_reply;
    call->phase = CALL_IDLE;
    call->cancelled = call->late = call->held = call->returned = false;
    call->fresh = true;
    call->earlier_code = HERALD_OK;
    call->uncounted = 0;
    call->restart_until_ms = 0;
    call->held_back = false;
    call->attempting = call->begun = call->good = false;
    herald_reply_init(call->reply);
    if (options->call_id) {
        snprintf(call->reply->call_id, sizeof(call->reply->call_id), "%s", options->call_id);
    } else {
        herald_uuid7(call->reply->call_id);
    }
    code = herald_request_pack(&call->request, method, request, options, channel->credential, call->reply->call_id,
                               reterr);
    if (code != HERALD_OK) {
        herald_pool_end(channel, call, true);
        return code;
    }
    *ret_call = call;
    return HERALD_OK;
}

/* Starts a prepared call; one that ends before anything was posted is given back with its error. */
static enum herald_code call_launch(struct herald_call *call, const ProtobufCMessage *request,
                                    herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                    struct herald_error *reterr) {
    struct herald_call *before = ret_call ? *ret_call : NULL;
    call->done = done;
    call->user = user;
    if (ret_call) {
        call->held = true;
        *ret_call = call;
    }
    if (!call_go(call, request)) {
        return HERALD_OK;
    }
    if (ret_call) {
        *ret_call = before;
    }
    enum herald_code code = call->own_reply.error.code;
    herald_error_copy(reterr, &call->own_reply.error);
    herald_reply_clear(&call->own_reply);
    herald_pool_end(call->channel, call, true);
    return code;
}

enum herald_code herald_call_start(struct herald_channel *channel, const struct herald_method_schema *method,
                                   const ProtobufCMessage *request, const struct herald_call_options *options,
                                   herald_call_done_fn *done, void *user, struct herald_call **ret_call,
                                   struct herald_error *reterr) {
    struct herald_call *call;
    enum herald_code code =
        call_prepare(channel, NULL, method, request, options ? options : &default_options, NULL, &call, reterr);
    return code == HERALD_OK ? call_launch(call, request, done, user, ret_call, reterr) : code;
}

enum herald_code herald_call_own(struct herald_endpoint *endpoint, const struct herald_method_schema *method,
                                 const ProtobufCMessage *request, uint32_t timeout_ms, herald_call_done_fn *done,
                                 void *user) {
    const struct herald_call_options options = {.timeout_ms = timeout_ms};
    struct herald_call *call;
    enum herald_code code = call_prepare(endpoint->channel, endpoint, method, request, &options, NULL, &call, NULL);
    return code == HERALD_OK ? call_launch(call, request, done, user, NULL, NULL) : code;
}

enum herald_code herald_call(struct herald_channel *channel, const struct herald_method_schema *method,
                             const ProtobufCMessage *request, const struct herald_call_options *options,
                             struct herald_reply *ret_reply) {
    struct herald_call *call;
    struct herald_error *error = &ret_reply->error;
    herald_reply_init(ret_reply);
    enum herald_code code =
        call_prepare(channel, NULL, method, request, options ? options : &default_options, ret_reply, &call, error);
    if (code != HERALD_OK) {
        return code;
    }
    bool ended = call_go(call, request);
    while (!ended) {
        nng_aio_wait(posted_aio(call));
        ended = call_step(call);
    }
    herald_pool_end(channel, call, true);
    return error->code;
}

void herald_call_give_up(struct herald_call *call, bool late) {
    pthread_mutex_lock(&call->mutex);
    call->cancelled = true;
    call->late = late;
    if (call->phase != CALL_IDLE) {
        nng_aio_cancel(posted_aio(call));
    }
    pthread_mutex_unlock(&call->mutex);
}

void herald_call_cancel(struct herald_call *call) {
    herald_call_give_up(call, false);
}

void herald_call_release(struct herald_call *call) {
    if (!call) {
        return;
    }
    pthread_mutex_lock(&call->mutex);
    call->held = false;
    bool returned = call->returned;
    pthread_mutex_unlock(&call->mutex);
    if (returned) {
        herald_pool_give_back(call->channel, call);
    }
}
