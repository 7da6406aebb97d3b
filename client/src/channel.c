/*
 * Opens and closes channels. The state of a channel is in call_pool.h. The pool and the keeper know calls only through
 * the two functions that channel_new() sets.
 */
#include "client/src/channel.h"

#include "client/base/or_default.h"
#include "client/src/call.h"
#include "client/src/call_pool.h"
#include "client/src/credential.h"
#include "client/src/forked.h"
#include "client/src/keeper.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long replies may still arrive when a channel closes. */
#define LATE_REPLY_MS 100

#define DEFAULT_CONNECT_TIMEOUT_MS 2000u
#define DEFAULT_MAX_IN_FLIGHT      16384u
#define DEFAULT_OVERLOAD_PERCENT   110u
#define DEFAULT_HEALTH_CHECK_MS    1000u
#define DEFAULT_RESOLVE_MS         30000u

/* ---- opening ---- */

static void read_channel_options(struct herald_channel *channel, const struct herald_channel_options *options) {
    channel->connect_timeout_ms = herald_or_default(options->connect_timeout_ms, DEFAULT_CONNECT_TIMEOUT_MS);
    channel->max_message_bytes = herald_or_default(options->max_message_bytes, HERALD_DEFAULT_MAX_MESSAGE_BYTES);
    channel->max_in_flight = herald_or_default(options->max_in_flight, DEFAULT_MAX_IN_FLIGHT);
    channel->overload_percent = herald_or_default(options->overload_percent, DEFAULT_OVERLOAD_PERCENT);
    if (channel->overload_percent < 100) {
        channel->overload_percent = 100;
    }
    channel->health_check_ms = herald_or_default(options->health_check_ms, DEFAULT_HEALTH_CHECK_MS);
    channel->resolve_ms = herald_or_default(options->resolve_ms, DEFAULT_RESOLVE_MS);
    channel->resolve = herald_resolver_get();
    channel->retry = herald_retry_policy_filled(options->retry);
    herald_budget_init(&channel->budget, &channel->retry);
    if (options->credential) {
        channel->credential = herald_credential_ref(options->credential);
    }
}

static struct herald_channel *channel_new(const struct herald_engine *engine, const char *url,
                                          const struct herald_channel_options *options) {
    struct herald_channel *channel = calloc(1, sizeof(*channel));
    if (!channel) {
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&channel->mutex, NULL);
    pthread_cond_init(&channel->idle, &attributes);
    pthread_cond_init(&channel->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    channel->taken = 1;
    channel->engine = engine;
    channel->on_completion = herald_call_on_completion;
    channel->call_own = herald_call_own;
    read_channel_options(channel, options);
    channel->interceptor_count = options->interceptor_count;
    channel->interceptors = malloc((options->interceptor_count + 1) * sizeof(*channel->interceptors));
    channel->url = strdup(url);
    if (!channel->url || !channel->interceptors) {
        herald_channel_free(channel);
        return NULL;
    }
    if (options->interceptor_count > 0) {
        memcpy(channel->interceptors, options->interceptors,
               options->interceptor_count * sizeof(*channel->interceptors));
    }
    return channel;
}

/* Takes the TLS options, and loads the files once, because only the opening of the channel can report bad ones. */
static enum herald_code read_tls(struct herald_channel *channel, const struct herald_tls_options *options,
                                 struct herald_error *reterr) {
    const char *host = NULL;
    for (size_t i = 0; i < channel->target_count; i++) {
        if (channel->targets[i].tls) {
            host = channel->targets[i].host;
        }
    }
    if (!host) {
        return HERALD_OK;
    }
    enum herald_code code = herald_tls_new(options, &channel->tls, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    channel->tls_stamp = herald_tls_stamp(channel->tls);
    return channel->engine->check_tls(channel->tls, host, reterr);
}

static enum herald_code open_endpoints(struct herald_channel *channel, struct herald_error *reterr) {
    enum herald_code code = HERALD_OK;
    for (size_t i = 0; i < channel->target_count && code == HERALD_OK; i++) {
        const struct herald_target *target = &channel->targets[i];
        channel->kept = channel->kept || target->named || target->tls || channel->target_count > 1;
        if (target->named) {
            continue;
        }
        struct herald_endpoint *endpoint;
        code = herald_endpoint_new(channel->engine, target, "", target->tls ? channel->tls : NULL,
                                   channel->max_message_bytes, &endpoint, reterr);
        if (code != HERALD_OK) {
            break;
        }
        endpoint->channel = channel;
        channel->endpoints[channel->endpoint_count++] = endpoint;
    }
    return code;
}

/* The steps of opening that can fail, once the channel is allocated. */
static enum herald_code channel_init(struct herald_channel *channel, const struct herald_channel_options *options,
                                     struct herald_error *reterr) {
    enum herald_code code = herald_targets_parse(channel->url, &channel->targets, &channel->target_count, reterr);
    if (code == HERALD_OK) {
        code = read_tls(channel, options->tls, reterr);
    }
    if (code == HERALD_OK) {
        code = open_endpoints(channel, reterr);
    }
    if (code == HERALD_OK && channel->kept) {
        code = herald_keeper_start(channel, reterr);
    }
    return code;
}

enum herald_code herald_channel_open_on(const struct herald_engine *engine, const char *url,
                                        const struct herald_channel_options *options,
                                        struct herald_channel **ret_channel, struct herald_error *reterr) {
    static const struct herald_channel_options default_options;
    if (!options) {
        options = &default_options;
    }
    if (!url) {
        return herald_error_set(reterr, HERALD_REASON_INVALID_URL, "the URL is NULL");
    }
    if (herald_is_forked()) {
        return herald_error_set(reterr, HERALD_REASON_NO_SOCKET, "no channel to %s: %s", url, HERALD_FORKED_TEXT);
    }
    herald_forked_note_use();
    struct herald_channel *channel = channel_new(engine, url, options);
    if (!channel) {
        return herald_error_no_memory(reterr, "a channel to %s", url);
    }
    enum herald_code code = channel_init(channel, options, reterr);
    if (code == HERALD_OK) {
        *ret_channel = channel;
    } else {
        herald_channel_close(channel);
    }
    return code;
}

enum herald_code herald_channel_open(const char *url, const struct herald_channel_options *options,
                                     struct herald_channel **ret_channel, struct herald_error *reterr) {
    return herald_channel_open_on(&herald_engine_nng, url, options, ret_channel, reterr);
}

/* ---- closing ---- */

/* Waits a moment for late replies: one that arrives while its connection is closed makes nng hang (close_socket.c). The
 * reply of a call that has just missed its deadline is often about to arrive. So are those of the channel's own calls.
 * */
static void let_late_replies_come(struct herald_channel *channel) {
    int64_t until_ms = herald_now_ms() + LATE_REPLY_MS;
    int64_t since_ms = herald_now_ms() - atomic_load(&channel->unanswered_ms);
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&channel->mutex);
    int rv = 0;
    while (channel->internal > 0 && rv == 0) {
        rv = pthread_cond_timedwait(&channel->idle, &channel->mutex, &until);
    }
    pthread_mutex_unlock(&channel->mutex);
    if (atomic_load(&channel->unanswered_ms) != 0 && since_ms < LATE_REPLY_MS) {
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
}

/* Closes all endpoints; no call is in flight, and the set of endpoints is final. False: nng did not close a socket. */
static bool close_endpoints(struct herald_channel *channel) {
    bool closed = true;
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        closed = herald_endpoint_close(channel->endpoints[i]) && closed;
    }
    for (struct herald_endpoint *endpoint = channel->retired; endpoint; endpoint = endpoint->next_retired) {
        if (endpoint->open) {
            closed = herald_endpoint_close(endpoint) && closed;
        }
    }
    return closed;
}

void herald_channel_close(struct herald_channel *channel) {
    if (!channel || herald_is_forked()) {
        return; /* the parent's; in a child nothing can be closed */
    }
    pthread_mutex_lock(&channel->mutex);
    channel->closing = true;
    herald_pool_wake_all_locked(channel);
    herald_keeper_stop_locked(channel);
    pthread_mutex_unlock(&channel->mutex);
    if (channel->engine->is_late) {
        let_late_replies_come(channel);
    }
    herald_pool_cancel_all(channel);
    herald_pool_fini(channel);
    bool closed = close_endpoints(channel);
    pthread_mutex_lock(&channel->mutex);
    channel->immortal = channel->immortal || !closed;
    herald_channel_unref_locked(channel);
}

const char *herald_channel_url(const struct herald_channel *channel) {
    return channel->url;
}
