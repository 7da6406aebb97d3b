/* Posts the operations of calls. No other file does, and only this one and call.c (for shares) lock a call's mutex. */
#include "client/src/call_post.h"

#include "client/base/minimum.h"

bool herald_post_pause(struct herald_call *call, enum call_event event, uint32_t ms) {
    pthread_mutex_lock(&call->mutex);
    call->given = NULL;
    bool posted = call->stop == CALL_NOT_STOPPED && herald_pool_pause_locked(call->channel, call, ms);
    if (posted) {
        herald_call_state_enter(&call->state, event);
        call->posted = HERALD_PAUSE;
    }
    pthread_mutex_unlock(&call->mutex);
    return posted;
}

static void post_receive_locked(struct herald_call *call, int64_t now_ms) {
    herald_call_state_enter(&call->state, CALL_SENT);
    call->posted = HERALD_RECEIVE;
    call->connection = herald_endpoint_connection(call->endpoint);
    int64_t left_ms = call->deadline_ms > now_ms ? call->deadline_ms - now_ms : 0;
    call->cut = call->reply_ms < left_ms;
    left_ms = herald_min_i64(left_ms, call->reply_ms);
    call->reply_until_ms = now_ms + left_ms;
    call->channel->engine->receive(call, left_ms);
}

bool herald_post_send(struct herald_call *call, int64_t limit_ms, int64_t now_ms) {
    pthread_mutex_lock(&call->mutex);
    call->given = NULL;
    bool posted = call->stop == CALL_NOT_STOPPED;
    if (posted) {
        herald_call_state_enter(&call->state, CALL_SEND);
        call->posted = HERALD_SEND;
        if (call->channel->engine->send(call, limit_ms)) {
            post_receive_locked(call, now_ms);
        }
    }
    pthread_mutex_unlock(&call->mutex);
    return posted;
}

bool herald_post_complete(struct herald_call *call, int *ret_result, enum call_stop *ret_stop) {
    pthread_mutex_lock(&call->mutex);
    int result = call->channel->engine->result(call, call->posted);
    bool sent = call->state == CALL_SENDING && result == 0 && call->stop == CALL_NOT_STOPPED;
    if (sent) {
        post_receive_locked(call, herald_now_ms());
    } else {
        call->posted = HERALD_NO_OPERATION;
        *ret_result = result;
        *ret_stop = call->stop;
    }
    pthread_mutex_unlock(&call->mutex);
    return !sent;
}

void herald_post_wait(const struct herald_call *call) {
    call->channel->engine->wait(call, call->posted);
}

void herald_post_stop(struct herald_call *call, enum call_stop stop) {
    pthread_mutex_lock(&call->mutex);
    call->stop = stop;
    if (call->posted != HERALD_NO_OPERATION) {
        call->channel->engine->cancel(call, call->posted);
    }
    pthread_mutex_unlock(&call->mutex);
}
