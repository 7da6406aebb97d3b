/* Posts the operations of calls. No other file does, and only this one and call.c (for shares) lock a call's mutex. */
#include "client/src/call_post.h"

#include "client/base/minimum.h"

bool herald_post_pause(struct herald_call *call, enum call_event event, uint32_t ms) {
    pthread_mutex_lock(&call->mutex);
    call->given = NULL;
    bool posted = call->stop == CALL_NOT_STOPPED && herald_pool_pause_locked(call->channel, call, ms);
    if (posted) {
        herald_call_state_enter(&call->state, event);
        call->posted = call->timer;
    }
    pthread_mutex_unlock(&call->mutex);
    return posted;
}

bool herald_post_send(struct herald_call *call, nng_msg *msg, int64_t limit_ms) {
    pthread_mutex_lock(&call->mutex);
    call->given = NULL;
    bool posted = call->stop == CALL_NOT_STOPPED;
    if (posted) {
        herald_call_state_enter(&call->state, CALL_SEND);
        call->posted = call->sender;
        nng_aio_set_msg(call->sender, msg);
        nng_aio_set_timeout(call->sender, (nng_duration)limit_ms);
        nng_ctx_send(call->context, call->sender);
    }
    pthread_mutex_unlock(&call->mutex);
    return posted;
}

static void post_receive_locked(struct herald_call *call) {
    herald_call_state_enter(&call->state, CALL_SENT);
    call->posted = call->receiver;
    call->connection = herald_endpoint_connection(call->endpoint);
    int64_t left_ms = herald_call_remaining_ms(call);
    call->cut = call->reply_ms < left_ms;
    left_ms = herald_min_i64(left_ms, call->reply_ms);
    call->reply_until_ms = herald_now_ms() + left_ms;
    nng_aio_set_timeout(call->receiver, (nng_duration)left_ms);
    nng_ctx_recv(call->context, call->receiver);
}

bool herald_post_complete(struct herald_call *call, int *ret_result, enum call_stop *ret_stop) {
    pthread_mutex_lock(&call->mutex);
    int result = nng_aio_result(call->posted);
    bool sent = call->state == CALL_SENDING && result == 0 && call->stop == CALL_NOT_STOPPED;
    if (sent) {
        post_receive_locked(call);
    } else {
        call->posted = NULL;
        *ret_result = result;
        *ret_stop = call->stop;
    }
    pthread_mutex_unlock(&call->mutex);
    return !sent;
}

void herald_post_wait(const struct herald_call *call) {
    nng_aio_wait(call->posted);
}

void herald_post_stop(struct herald_call *call, enum call_stop stop) {
    pthread_mutex_lock(&call->mutex);
    call->stop = stop;
    if (call->posted) {
        nng_aio_cancel(call->posted);
    }
    pthread_mutex_unlock(&call->mutex);
}
