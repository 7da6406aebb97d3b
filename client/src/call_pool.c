/*
 * The pool of a channel's calls, and the choice of their endpoints. A call keeps the engine's part from use to use, and
 * holds a place at its endpoint for each attempt.
 */
#include "client/src/call_pool.h"

#include "client/base/clock.h"
#include "client/base/minimum.h"
#include "client/base/random.h"
#include "client/src/credential.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often calls that still run are cancelled again while the channel closes. */
#define END_ROUND_MS 2
/* A call that ended this near to its deadline rests before its reuse, because nng's time-out may still fire. */
#define NEAR_DEADLINE_MS 5
#define REST_MS          1000
/* Largest buffer that a pooled call keeps; how much of larger ones, for requests, a channel's calls keep together. */
#define KEPT_BYTES       16384u
#define KEPT_LARGE_BYTES (1024u * 1024u)

int64_t herald_now_ms(void) {
    return (int64_t)(herald_monotonic_us() / 1000u);
}

int64_t herald_call_remaining_ms(const struct herald_call *call) {
    int64_t left_ms = call->deadline_ms - herald_now_ms();
    return left_ms > 0 ? left_ms : 0;
}

/* ---- calls ---- */

/* Frees the request's buffer if it is large and the channel's calls keep enough. One that is taken anew for each call
 * costs it page faults. */
static void keep_request(struct herald_call *call) {
    struct herald_buffer *buffer = &call->request.common;
    atomic_size_t *kept_bytes = &call->channel->kept_bytes;
    size_t counted = call->kept_bytes, large = buffer->capacity > KEPT_BYTES ? buffer->capacity : 0;
    call->kept_bytes = large;
    if (atomic_fetch_add(kept_bytes, large - counted) - counted + large > KEPT_LARGE_BYTES) {
        herald_buffer_reset(buffer, KEPT_BYTES);
        atomic_fetch_sub(kept_bytes, large);
        call->kept_bytes = 0;
    }
}

static void call_free(struct herald_call *call) {
    if (!call) {
        return;
    }
    call->channel->engine->unmake(call);
    atomic_fetch_sub(&call->channel->kept_bytes, call->kept_bytes);
    herald_buffer_reset(&call->request.common, 0);
    herald_buffer_reset(&call->metadata, 0);
    pthread_mutex_destroy(&call->mutex);
    free(call);
}

static struct herald_call *call_new(struct herald_channel *channel, enum call_kind kind) {
    struct herald_call *call = calloc(1, sizeof(*call));
    if (!call) {
        return NULL;
    }
    call->channel = channel;
    call->kind = kind;
    call->state = CALL_FREE;
    if (!channel->engine->make(call)) {
        free(call);
        return NULL;
    }
    pthread_mutex_init(&call->mutex, NULL);
    return call;
}

void herald_channel_free(struct herald_channel *channel) {
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        herald_endpoint_free(channel->endpoints[i]);
    }
    while (channel->retired) {
        struct herald_endpoint *endpoint = channel->retired;
        channel->retired = endpoint->next_retired;
        herald_endpoint_free(endpoint);
    }
    while (channel->throttles) {
        struct herald_method_throttle *throttle = channel->throttles;
        channel->throttles = throttle->next;
        free(throttle);
    }
    herald_targets_free(channel->targets, channel->target_count);
    herald_tls_free(channel->tls);
    herald_credential_unref(channel->credential);
    free(channel->interceptors);
    pthread_cond_destroy(&channel->wake);
    pthread_cond_destroy(&channel->idle);
    pthread_mutex_destroy(&channel->mutex);
    free(channel->url);
    free(channel);
}

/* ---- overload ---- */

static struct herald_throttle *find_throttle_locked(const struct herald_channel *channel,
                                                    const struct herald_method_schema *method) {
    struct herald_method_throttle *one = channel->throttles;
    while (one && one->method != method) {
        one = one->next;
    }
    return one ? &one->throttle : NULL;
}

/* NULL: no memory, and the method's calls are not throttled yet. */
static struct herald_throttle *add_throttle_locked(struct herald_channel *channel,
                                                   const struct herald_method_schema *method) {
    struct herald_method_throttle *added = calloc(1, sizeof(*added));
    if (!added) {
        return NULL;
    }
    added->method = method;
    added->next = channel->throttles;
    channel->throttles = added;
    return &added->throttle;
}

/* Counts how an attempt of a caller's call was answered. A method that waits is left out: its calls are few, and one that
 * is taken counts much later than one that is refused. */
static void note_load_locked(struct herald_channel *channel, const struct herald_call *call) {
    const struct herald_attempt_end *end = &call->end;
    if (call->pinned || call->method->waits || !herald_retry_is_answered(end)) {
        return;
    }
    struct herald_throttle *throttle = find_throttle_locked(channel, call->method);
    bool refused = herald_retry_is_overload(end);
    if (!throttle && refused) {
        throttle = add_throttle_locked(channel, call->method);
    }
    if (throttle && refused) {
        herald_throttle_refused(throttle, herald_now_ms(), end->reason, end->retry_after_ms);
    } else if (throttle) {
        herald_throttle_taken(throttle, herald_now_ms());
    }
}

static enum herald_code admit_load_locked(struct herald_channel *channel, const struct herald_method_schema *method,
                                          int64_t now_ms, struct herald_error *reterr) {
    struct herald_throttle *throttle = find_throttle_locked(channel, method);
    if (!throttle || herald_throttle_admit(throttle, channel->overload_percent, now_ms, herald_random())) {
        return HERALD_OK;
    }
    (void)herald_error_set_code(reterr, HERALD_RESOURCE_EXHAUSTED, herald_reason_name(throttle->reason),
                                "%s refuses most calls of %s just now, so this one was not sent; try again later",
                                channel->url, method->full_name);
    if (reterr) {
        reterr->retry_after_ms = throttle->retry_after_ms;
    }
    return HERALD_RESOURCE_EXHAUSTED;
}

/* ---- endpoints of calls ---- */

static bool is_out(const struct herald_endpoint *endpoint, int64_t now_ms) {
    return endpoint->sick || now_ms < endpoint->outlier.out_until_ms;
}

static struct herald_endpoint *choose_locked(struct herald_channel *channel, const struct herald_endpoint *avoid) {
    if (channel->endpoint_count <= 1) {
        return channel->endpoint_count == 1 ? channel->endpoints[0] : NULL;
    }
    struct herald_candidate candidates[HERALD_TARGETS_MAX];
    int64_t now_ms = herald_now_ms();
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        const struct herald_endpoint *endpoint = channel->endpoints[i];
        candidates[i] = (struct herald_candidate){
            .in_flight = endpoint->in_flight,
            .connected = herald_endpoint_connected(endpoint),
            .out = is_out(endpoint, now_ms),
            .leaving = atomic_load_explicit(&endpoint->draining, memory_order_relaxed),
            .avoid = endpoint == avoid,
        };
    }
    return channel->endpoints[herald_balance_choose(candidates, channel->endpoint_count, channel->turn++)];
}

/* Gives the call an endpoint and a free place there. False: none is free, and make_place() must make one. */
static bool enter_locked(struct herald_call *call, struct herald_endpoint *endpoint) {
    call->endpoint = endpoint;
    endpoint->in_flight++;
    return endpoint->engine->enter_locked(call);
}

static void leave_locked(struct herald_call *call) {
    struct herald_endpoint *endpoint = call->endpoint;
    if (!endpoint) {
        return;
    }
    endpoint->in_flight--;
    note_load_locked(endpoint->channel, call);
    if (herald_retry_is_served(&call->end)) {
        herald_outlier_succeeded(&endpoint->outlier);
    }
    endpoint->engine->leave_locked(call);
    call->endpoint = NULL;
}

/* Makes a place at the call's endpoint. False: no memory, and the call has no endpoint any more. */
static bool make_place(struct herald_channel *channel, struct herald_call *call) {
    if (channel->engine->enter(call)) {
        return true;
    }
    pthread_mutex_lock(&channel->mutex);
    call->endpoint->in_flight--;
    call->endpoint = NULL;
    pthread_mutex_unlock(&channel->mutex);
    return false;
}

bool herald_pool_enter(struct herald_channel *channel, struct herald_call *call) {
    pthread_mutex_lock(&channel->mutex);
    struct herald_endpoint *endpoint = call->pinned ? call->pinned : choose_locked(channel, call->avoid);
    bool ready = endpoint && enter_locked(call, endpoint);
    pthread_mutex_unlock(&channel->mutex);
    return ready || (endpoint && make_place(channel, call));
}

void herald_pool_leave(struct herald_channel *channel, struct herald_call *call) {
    pthread_mutex_lock(&channel->mutex);
    leave_locked(call);
    pthread_mutex_unlock(&channel->mutex);
}

void herald_channel_hurry_locked(struct herald_channel *channel) {
    int64_t soon_ms = channel->resolved_ms + HERALD_HURRIED_MS;
    if (channel->resolve_due_ms <= soon_ms) {
        return;
    }
    channel->resolve_due_ms = soon_ms;
    pthread_cond_signal(&channel->wake);
}

static bool is_candidate(const struct herald_endpoint *endpoint, const struct herald_endpoint *but) {
    return endpoint != but && !atomic_load(&endpoint->draining);
}

/* How many other endpoints are neither draining nor out. */
static size_t count_others_locked(const struct herald_channel *channel, const struct herald_endpoint *but) {
    int64_t now_ms = herald_now_ms();
    size_t others = 0;
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        const struct herald_endpoint *endpoint = channel->endpoints[i];
        others += is_candidate(endpoint, but) && !is_out(endpoint, now_ms);
    }
    return others;
}

void herald_pool_report(struct herald_channel *channel, const struct herald_call *call,
                        const struct herald_attempt_end *end) {
    struct herald_endpoint *endpoint = call->endpoint;
    bool draining = end && herald_retry_is_draining(end);
    if (endpoint && draining) {
        herald_endpoint_note_draining(endpoint, call->connection);
    }
    if (!channel->kept || !endpoint) {
        return;
    }
    pthread_mutex_lock(&channel->mutex);
    if (end && herald_retry_is_turned_away(end)) {
        herald_outlier_turned_away(&endpoint->outlier, herald_now_ms(), end->retry_after_ms);
    } else if (!draining) {
        herald_outlier_failed(&endpoint->outlier, count_others_locked(channel, endpoint), herald_now_ms(),
                              herald_random());
    }
    herald_channel_hurry_locked(channel);
    pthread_mutex_unlock(&channel->mutex);
}

void herald_pool_look(struct herald_channel *channel, const struct herald_endpoint *but, bool *ret_ready,
                      bool *ret_connected) {
    int64_t now_ms = herald_now_ms();
    *ret_ready = *ret_connected = false;
    pthread_mutex_lock(&channel->mutex);
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        const struct herald_endpoint *endpoint = channel->endpoints[i];
        if (is_candidate(endpoint, but) && herald_endpoint_connected(endpoint)) {
            *ret_connected = true;
            *ret_ready = *ret_ready || !is_out(endpoint, now_ms);
        }
    }
    pthread_mutex_unlock(&channel->mutex);
}

bool herald_pool_has_retry(struct herald_channel *channel, int64_t now_ms) {
    pthread_mutex_lock(&channel->mutex);
    bool has = herald_budget_has(&channel->budget, now_ms);
    pthread_mutex_unlock(&channel->mutex);
    return has;
}

bool herald_pool_admit_retry(struct herald_channel *channel) {
    pthread_mutex_lock(&channel->mutex);
    bool admitted = !channel->closing && herald_budget_withdraw(&channel->budget, herald_now_ms());
    pthread_mutex_unlock(&channel->mutex);
    return admitted;
}

/* ---- the pool ---- */

static enum herald_code admit_locked(struct herald_channel *channel, bool internal,
                                     const struct herald_method_schema *method, int64_t now_ms,
                                     struct herald_error *reterr) {
    if (channel->closing) {
        return herald_error_set(reterr, HERALD_REASON_CHANNEL_CLOSED, "the channel to %s is being closed",
                                channel->url);
    }
    uint32_t calls = channel->in_flight - channel->internal;
    if (!internal && calls >= channel->max_in_flight) {
        return herald_error_set(reterr, HERALD_REASON_TOO_MANY_CALLS,
                                "%u calls are in flight to %s, its channel's limit", calls, channel->url);
    }
    enum herald_code code = internal ? HERALD_OK : admit_load_locked(channel, method, now_ms, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    channel->in_flight++;
    channel->internal += internal;
    channel->taken++;
    if (!internal) {
        herald_budget_deposit(&channel->budget, now_ms);
    }
    return HERALD_OK;
}

static void list_locked(struct herald_channel *channel, struct herald_call *call) {
    call->out_previous = NULL;
    call->out_next = channel->out;
    if (channel->out) {
        channel->out->out_previous = call;
    }
    channel->out = call;
}

static void unlist_locked(struct herald_channel *channel, struct herald_call *call) {
    if (call->out_previous) {
        call->out_previous->out_next = call->out_next;
    } else {
        channel->out = call->out_next;
    }
    if (call->out_next) {
        call->out_next->out_previous = call->out_previous;
    }
}

static void push_free_locked(struct herald_channel *channel, struct herald_call *call) {
    call->next_free = channel->free_calls[call->kind];
    channel->free_calls[call->kind] = call;
}

/* nng 1.5's thread for time-outs may be late, and then ends the aio's next operation. So a call that ended near its
 * deadline is not reused at once. */
static bool must_rest(const struct herald_call *call, int64_t now_ms) {
    return now_ms + NEAR_DEADLINE_MS >= herald_min_i64(call->deadline_ms, call->reply_until_ms);
}

static void rest_locked(struct herald_channel *channel, struct herald_call *call, int64_t now_ms) {
    call->rested_ms = now_ms + REST_MS;
    call->next_free = NULL;
    if (channel->resting[call->kind]) {
        channel->resting_last[call->kind]->next_free = call;
    } else {
        channel->resting[call->kind] = call;
    }
    channel->resting_last[call->kind] = call;
}

/* Moves one call whose rest is over to the free ones. */
static void wake_rested_locked(struct herald_channel *channel, enum call_kind kind, int64_t now_ms) {
    struct herald_call *call = channel->resting[kind];
    if (!call || now_ms < call->rested_ms) {
        return;
    }
    channel->resting[kind] = call->next_free;
    push_free_locked(channel, call);
}

static void pool_call_locked(struct herald_channel *channel, struct herald_call *call) {
    bool is_late = channel->engine->is_late;
    int64_t now_ms = is_late ? herald_now_ms() : 0;
    herald_call_state_enter(&call->state, CALL_GIVE_BACK);
    unlist_locked(channel, call);
    if (is_late && must_rest(call, now_ms)) {
        rest_locked(channel, call, now_ms);
    } else {
        push_free_locked(channel, call);
    }
    channel->taken--;
}

static void end_locked(struct herald_channel *channel, bool internal) {
    channel->internal -= internal;
    channel->in_flight--;
    if (channel->closing) {
        pthread_cond_broadcast(&channel->idle);
    }
}

/* Undoes an admission, because there is no memory for the call. */
static enum herald_code turn_away(struct herald_channel *channel, bool internal, struct herald_error *reterr) {
    pthread_mutex_lock(&channel->mutex);
    channel->taken--;
    end_locked(channel, internal);
    pthread_mutex_unlock(&channel->mutex);
    return herald_error_no_memory(reterr, "a call to %s", channel->url);
}

enum herald_code herald_pool_take(struct herald_channel *channel, enum call_kind kind, struct herald_endpoint *pinned,
                                  const struct herald_method_schema *method, int64_t now_ms,
                                  struct herald_call **ret_call, struct herald_error *reterr) {
    struct herald_call *call = NULL;
    bool ready = true, listed = false;
    pthread_mutex_lock(&channel->mutex);
    enum herald_code code = admit_locked(channel, pinned != NULL, method, now_ms, reterr);
    wake_rested_locked(channel, kind, now_ms);
    if (code == HERALD_OK && channel->free_calls[kind]) {
        call = channel->free_calls[kind];
        channel->free_calls[kind] = call->next_free;
        struct herald_endpoint *endpoint = pinned ? pinned : choose_locked(channel, NULL);
        ready = !endpoint || enter_locked(call, endpoint);
        listed = ready;
        if (listed) {
            list_locked(channel, call);
        }
    }
    pthread_mutex_unlock(&channel->mutex);
    if (code != HERALD_OK) {
        return code;
    }
    if (!call) {
        call = call_new(channel, kind);
        if (!call) {
            return turn_away(channel, pinned != NULL, reterr);
        }
        call->pinned = pinned;
        ready = herald_pool_enter(channel, call) || channel->kept;
    } else if (!ready) {
        ready = make_place(channel, call);
    }
    call->pinned = pinned;
    call->avoid = NULL;
    if (ready) {
        herald_call_state_enter(&call->state, CALL_TAKE);
        if (!listed) {
            pthread_mutex_lock(&channel->mutex);
            list_locked(channel, call);
            pthread_mutex_unlock(&channel->mutex);
        }
        *ret_call = call;
        return HERALD_OK;
    }
    call_free(call);
    return turn_away(channel, pinned != NULL, reterr);
}

bool herald_pool_pause_locked(struct herald_channel *channel, struct herald_call *call, uint32_t ms) {
    if (!channel->engine->prepare_pause(call)) {
        return false;
    }
    pthread_mutex_lock(&channel->mutex);
    bool closing = channel->closing;
    if (!closing) {
        call->pause_previous = NULL;
        call->pause_next = channel->pausing;
        if (channel->pausing) {
            channel->pausing->pause_previous = call;
        }
        channel->pausing = call;
        /* With the mutex held: herald_pool_wake_all_locked() must be able to cancel every sleep in the list. */
        channel->engine->pause(call, ms);
    }
    pthread_mutex_unlock(&channel->mutex);
    return !closing;
}

void herald_pool_unpause(struct herald_channel *channel, struct herald_call *call) {
    pthread_mutex_lock(&channel->mutex);
    if (call->pause_previous) {
        call->pause_previous->pause_next = call->pause_next;
    } else {
        channel->pausing = call->pause_next;
    }
    if (call->pause_next) {
        call->pause_next->pause_previous = call->pause_previous;
    }
    pthread_mutex_unlock(&channel->mutex);
}

void herald_pool_end(struct herald_channel *channel, struct herald_call *call, bool pool) {
    keep_request(call);
    herald_buffer_reset(&call->metadata, KEPT_BYTES);
    herald_credential_unref(call->credential);
    call->credential = NULL;
    pthread_mutex_lock(&channel->mutex);
    leave_locked(call);
    bool internal = call->pinned != NULL;
    if (pool) {
        pool_call_locked(channel, call); /* first: while it counts as in flight, the channel cannot be freed */
    }
    end_locked(channel, internal);
    pthread_mutex_unlock(&channel->mutex);
}

void herald_channel_unref_locked(struct herald_channel *channel) {
    bool last = --channel->taken == 0 && !channel->immortal;
    pthread_mutex_unlock(&channel->mutex);
    if (last) {
        herald_channel_free(channel);
    }
}

void herald_pool_give_back(struct herald_channel *channel, struct herald_call *call) {
    pthread_mutex_lock(&channel->mutex);
    if (!channel->closing) {
        pool_call_locked(channel, call);
        pthread_mutex_unlock(&channel->mutex);
        return;
    }
    channel->engine->unmake(call); /* before it leaves the list: endpoints are closed when no operation is left in it */
    unlist_locked(channel, call);
    pthread_mutex_unlock(&channel->mutex);
    call_free(call);
    pthread_mutex_lock(&channel->mutex);
    herald_channel_unref_locked(channel);
}

/* ---- closing ---- */

void herald_pool_wake_all_locked(struct herald_channel *channel) {
    for (struct herald_call *call = channel->pausing; call; call = call->pause_next) {
        channel->engine->cancel(call, HERALD_PAUSE);
    }
}

/*
 * Calls must end while their endpoints exist. nng 1.5's thread for time-outs may use a call's context even after the call
 * has ended or the socket is closed. A call that is just being posted escapes one round, so there are several.
 */
void herald_pool_cancel_all(struct herald_channel *channel) {
    const struct herald_engine *engine = channel->engine;
    pthread_mutex_lock(&channel->mutex);
    while (channel->in_flight > 0) {
        struct timespec soon;
        clock_gettime(CLOCK_MONOTONIC, &soon);
        soon.tv_nsec += END_ROUND_MS * 1000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        for (struct herald_call *call = channel->out; call; call = call->out_next) {
            engine->cancel(call, HERALD_SEND);
            engine->cancel(call, HERALD_RECEIVE);
        }
        if (engine->turn) {
            pthread_mutex_unlock(&channel->mutex);
            engine->turn(engine);
            pthread_mutex_lock(&channel->mutex);
        }
        if (channel->in_flight > 0) {
            pthread_cond_timedwait(&channel->idle, &channel->mutex, &soon);
        }
    }
    pthread_mutex_unlock(&channel->mutex);
}

static void free_calls(struct herald_call **calls) {
    while (*calls) {
        struct herald_call *call = *calls;
        *calls = call->next_free;
        call_free(call);
    }
}

static void free_pool(struct herald_channel *channel) {
    for (int kind = 0; kind < CALL_KINDS; kind++) {
        free_calls(&channel->free_calls[kind]);
        free_calls(&channel->resting[kind]);
    }
}

/* Frees the operations of ended calls whose handles are still held. */
static void free_operations(struct herald_channel *channel) {
    pthread_mutex_lock(&channel->mutex);
    for (struct herald_call *call = channel->out; call; call = call->out_next) {
        channel->engine->unmake(call);
    }
    pthread_mutex_unlock(&channel->mutex);
}

void herald_pool_fini(struct herald_channel *channel) {
    free_pool(channel);
    free_operations(channel);
}
