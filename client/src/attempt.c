/*
 * One attempt at a call: attempt.h. The functions run on the thread that drives the call. After an operation is posted
 * they do not touch the call.
 */
#include "client/src/attempt.h"

#include "client/base/minimum.h"
#include "client/src/call_post.h"
#include "client/src/credential.h"
#include "client/src/intercept.h"
#include "client/src/reply.h"
#include "herald/rpc/v1/calls.pb-c.h"
#include "herald/rpc/v1/calls.schema.h"

#include <inttypes.h>
#include <string.h>

/* How long a posted send waits before the call looks again: for another endpoint, where there is a choice. */
#define CHOOSE_AGAIN_MS 50
/* At the only endpoint, how often a signed message is signed again: a restarted server refuses earlier signatures. */
#define SIGN_AGAIN_MS  250
#define NO_ENDPOINT_MS 5
/* Largest attempt number of the schema; later attempts send this one too. */
#define ATTEMPT_NUMBER_MOST 1000
/* Most cancel messages of a channel in flight, and the deadline of each. */
#define CANCELS_MAX 64u
#define CANCEL_MS   2000u

static const char *call_url(const struct herald_call *call) {
    return call->endpoint ? call->endpoint->url : call->channel->url;
}

/* The time now: of a call that has posted nothing and run no other's code yet, when it was started. */
static int64_t attempt_now_ms(const struct herald_call *call) {
    return call->given && call->interceptors_run == 0 ? call->started_ms : herald_now_ms();
}

/* ---- ends ---- */

void herald_attempt_fail_cancelled(struct herald_call *call, enum herald_outcome outcome) {
    call->reply->outcome = outcome;
    herald_error_set(&call->reply->error, HERALD_REASON_CANCELLED, "%s: cancelled %s", call->method->full_name,
                     outcome == HERALD_NOT_SENT ? "before it was sent"
                                                : "after it was sent; it may have been executed");
}

/* @connected  there was a connection, and it did not take the message in time; else there was none */
static void fail_unsent(struct herald_call *call, bool connected) {
    struct herald_error *error = &call->reply->error;
    struct herald_channel *channel = call->channel;
    char why[192] = "";
    struct herald_tls_why tls_why;
    call->reply->outcome = HERALD_NOT_SENT;
    if (connected) {
        herald_error_set(error, HERALD_REASON_NOT_SENT_IN_TIME,
                         "%s: not sent within its deadline of %" PRIu32 " ms: busy connection to %s",
                         call->method->full_name, call->timeout_ms, call_url(call));
        return;
    }
    pthread_mutex_lock(&channel->mutex);
    tls_why = channel->tls_why;
    memcpy(why,
           *channel->tls_error    ? channel->tls_error
           : *channel->name_error ? channel->name_error
                                  : tls_why.what,
           sizeof(why));
    herald_channel_hurry_locked(channel);
    pthread_mutex_unlock(&channel->mutex);
    const char *tls = channel->tls ? ", with a certificate that fits the CA file and the host's name" : "";
    herald_error_set(error, HERALD_REASON_NOT_CONNECTED, "%s: no connection to %s within %" PRIu32 " ms: %s%s%s",
                     call->method->full_name, channel->url,
                     (uint32_t)herald_min_i64(channel->connect_timeout_ms, call->timeout_ms),
                     *why ? why : "is the server running there", *why ? "" : tls, *why ? "" : "?");
    if (*tls_why.cure) {
        herald_error_add_detail(error, "tls", HERALD_REASON_BAD_CERTIFICATE, "%s", tls_why.cure);
    }
}

static void on_cancel_told(void *user, struct herald_reply *reply) {
    struct herald_channel *channel = user;
    herald_reply_clear(reply);
    atomic_fetch_sub(&channel->cancels, 1);
}

/* Sends the server a cancel message for the call, unless CANCELS_MAX are in flight. */
static void tell_cancelled(struct herald_call *call, bool deadline_exceeded) {
    struct herald_channel *channel = call->channel;
    Herald__Rpc__V1__CancelRequest request = HERALD__RPC__V1__CANCEL_REQUEST__INIT;
    if (call->pinned || !herald_endpoint_connected(call->endpoint)) {
        return; /* the server cancels the calls of a lost connection by itself */
    }
    request.ticket = call->attempt.ticket;
    request.deadline_exceeded = deadline_exceeded;
    if (atomic_fetch_add(&channel->cancels, 1) >= CANCELS_MAX ||
        channel->call_own(call->endpoint, herald_rpc_v1_calls_cancel_method, &request.base, CANCEL_MS, on_cancel_told,
                          channel) != HERALD_OK) {
        atomic_fetch_sub(&channel->cancels, 1);
    }
}

/* ---- steps of an attempt ---- */

enum call_event herald_attempt_begin(struct herald_call *call) {
    call->connect_until_ms = (call->given ? call->started_ms : herald_now_ms()) + call->channel->connect_timeout_ms;
    call->attempts++;
    if (herald_intercept_before(call, call->given, &call->reply->error) == HERALD_OK) {
        return CALL_ATTEMPT;
    }
    call->reply->outcome = HERALD_NOT_SENT;
    herald_intercept_after(call);
    call->attempts--;
    return CALL_END;
}

static enum herald_code make_message(struct herald_call *call, int64_t now_ms) {
    struct herald_channel *channel = call->channel;
    struct herald_attempt *attempt = &call->attempt;
    int64_t left_ms = call->deadline_ms - now_ms;
    attempt->number = (uint32_t)herald_min_i64((int64_t)call->attempts - 1, ATTEMPT_NUMBER_MOST);
    attempt->ticket = atomic_fetch_add_explicit(&channel->last_ticket, 1, memory_order_relaxed) + 1;
    attempt->timeout_ms = left_ms > 0 ? (uint32_t)left_ms : 1; /* 0 would be the method's default */
    const struct herald_request_room room = {channel->engine->make_request, call, channel->max_message_bytes};
    return herald_request_make(&call->request, call->method, attempt, &room, &call->reply->error);
}

/* How long a send may wait: until the time for a connection is over, or until it is time to look again. */
static int64_t send_limit_ms(const struct herald_call *call, int64_t now_ms) {
    const struct herald_channel *channel = call->channel;
    int64_t limit_ms = call->deadline_ms - now_ms, look_ms = call->connect_until_ms - now_ms;
    if (look_ms <= 0) {
        look_ms = channel->connect_timeout_ms;
    }
    if (channel->kept) {
        look_ms = herald_min_i64(look_ms, CHOOSE_AGAIN_MS);
    } else if (call->attempt.credential && herald_credential_signs(call->attempt.credential)) {
        look_ms = herald_min_i64(look_ms, SIGN_AGAIN_MS);
    }
    return limit_ms > 0 ? herald_min_i64(limit_ms, look_ms) : 0;
}

/* How long the attempt may wait for its reply. */
static int64_t reply_limit_ms(struct herald_call *call, int64_t now_ms) {
    const struct herald_reply_wait wait = {
        .effect = call->method->effect,
        .waits = call->method->waits,
        .attempts = call->attempts - call->uncounted,
        .cuts = call->cuts,
        .left_ms = call->deadline_ms > now_ms ? call->deadline_ms - now_ms : 0,
    };
    int64_t limit_ms = call->pinned ? wait.left_ms : herald_retry_reply_ms(&call->channel->retry, &wait);
    return limit_ms < wait.left_ms && !herald_pool_has_retry(call->channel, now_ms) ? wait.left_ms : limit_ms;
}

static enum call_event wait_for_endpoint(struct herald_call *call) {
    if (herald_now_ms() >= herald_min_i64(call->connect_until_ms, call->deadline_ms)) {
        fail_unsent(call, false);
        return CALL_FINISH;
    }
    if (herald_post_pause(call, CALL_SEEK, NO_ENDPOINT_MS)) {
        return CALL_POSTED;
    }
    herald_attempt_fail_cancelled(call, HERALD_NOT_SENT);
    return CALL_FINISH;
}

enum call_event herald_attempt_go_on(struct herald_call *call) {
    if (!call->endpoint && !herald_pool_enter(call->channel, call)) {
        return wait_for_endpoint(call);
    }
    int64_t now_ms = attempt_now_ms(call);
    if (make_message(call, now_ms) != HERALD_OK) {
        call->reply->outcome = HERALD_NOT_SENT;
        return CALL_FINISH;
    }
    call->reply_ms = reply_limit_ms(call, now_ms);
    if (herald_post_send(call, send_limit_ms(call, now_ms), now_ms)) {
        return CALL_POSTED;
    }
    call->channel->engine->drop_request(call);
    herald_attempt_fail_cancelled(call, HERALD_NOT_SENT);
    return CALL_FINISH;
}

/* ---- completions ---- */

enum call_event herald_attempt_on_sought(struct herald_call *call, int result, enum call_stop stop) {
    herald_pool_unpause(call->channel, call);
    if (result == 0 && stop == CALL_NOT_STOPPED && !atomic_load(&call->channel->closing)) {
        return CALL_GO_ON;
    }
    herald_attempt_fail_cancelled(call, HERALD_NOT_SENT);
    return CALL_FINISH;
}

/* No connection has taken the message for a while. Leaves the endpoint for another one, where there is a choice. */
static void look_elsewhere(struct herald_call *call, bool connected) {
    if (!call->channel->kept) {
        return;
    }
    /* nng before 1.8 can miss that a connection is lost (close_socket.c), and still counts it. */
    if (connected) {
        herald_pool_report(call->channel, call, NULL);
    }
    call->avoid = call->endpoint;
    herald_pool_leave(call->channel, call);
}

/* Ends the attempt of a cancelled call. Its message may have been taken already: then @result is 0. */
static enum call_event on_send_cancelled(struct herald_call *call, int result, enum call_stop stop) {
    herald_attempt_fail_cancelled(call, result == 0 ? HERALD_MAYBE_EXECUTED : HERALD_NOT_SENT);
    if (result == 0) {
        tell_cancelled(call, stop == CALL_LATE);
    }
    return CALL_FINISH;
}

enum call_event herald_attempt_on_unsent(struct herald_call *call, int result, enum call_stop stop) {
    bool connected = herald_endpoint_connected(call->endpoint);
    if (result != 0) {
        call->channel->engine->drop_request(call);
    }
    if (stop != CALL_NOT_STOPPED || result == NNG_ECANCELED || atomic_load(&call->channel->closing)) {
        return on_send_cancelled(call, result, stop);
    }
    if (result != NNG_ETIMEDOUT) {
        call->reply->outcome = HERALD_NOT_SENT;
        herald_error_set(&call->reply->error, HERALD_REASON_SEND_FAILED, "%s: not sent to %s: %s",
                         call->method->full_name, call_url(call), nng_strerror(result));
        return CALL_FINISH;
    }
    if (herald_call_remaining_ms(call) > 0 && (connected || herald_now_ms() < call->connect_until_ms)) {
        look_elsewhere(call, connected);
        return CALL_GO_ON;
    }
    fail_unsent(call, connected);
    return CALL_FINISH;
}

/* The wait ended without a reply; a reply may still arrive. */
static void fail_unanswered(struct herald_call *call, int result, enum call_stop stop) {
    struct herald_error *error = &call->reply->error;
    call->reply->outcome = HERALD_MAYBE_EXECUTED;
    atomic_store_explicit(&call->channel->unanswered_ms, herald_now_ms(), memory_order_relaxed);
    /* A closing socket closes its connection first, which looks as if the peer had. */
    if (atomic_load(&call->channel->closing)) {
        result = NNG_ECLOSED;
    }
    switch (result) {
    case NNG_ETIMEDOUT:
        if (call->cut && herald_call_remaining_ms(call) > 0) {
            call->cuts++;
            herald_error_set(error, HERALD_REASON_NO_REPLY_IN_TIME,
                             "%s: no reply from %s within %" PRId64 " ms, the time of an attempt",
                             call->method->full_name, call_url(call), call->reply_ms);
            tell_cancelled(call, false);
            break;
        }
        call->cut = false;
        herald_error_set(error, HERALD_REASON_NO_REPLY_IN_TIME,
                         "%s: no reply from %s within its deadline of %" PRIu32 " ms; it may have been executed",
                         call->method->full_name, call_url(call), call->timeout_ms);
        tell_cancelled(call, true);
        break;
    case NNG_ECANCELED:
        herald_attempt_fail_cancelled(call, HERALD_MAYBE_EXECUTED);
        tell_cancelled(call, stop == CALL_LATE);
        break;
    case NNG_ECLOSED:
        herald_attempt_fail_cancelled(call, HERALD_MAYBE_EXECUTED);
        break;
    default:
        herald_error_set(error, HERALD_REASON_CONNECTION_LOST,
                         "%s: the connection to %s was lost before the reply came (%s); it may have been executed",
                         call->method->full_name, call_url(call), nng_strerror(result));
        break;
    }
}

enum call_event herald_attempt_on_received(struct herald_call *call, int result, enum call_stop stop) {
    if (result == 0) {
        const struct herald_received received = call->channel->engine->take(call);
        herald_reply_read(call->reply, call->method, &received, call->packed);
    } else {
        fail_unanswered(call, result, stop);
    }
    return CALL_FINISH;
}
