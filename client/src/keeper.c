/*
 * The keeper: resolves names, checks health, renews TLS. It is the only thread that changes a channel's set of
 * endpoints while the channel is open, so it may read the set without the mutex. Removed endpoints are retired, and
 * closed when their last call has ended. The thread is detached, because a look-up of a name can take long and cannot
 * be cancelled, and the channel's close does not wait for it.
 */
#include "client/src/keeper.h"

#include "client/base/minimum.h"
#include "client/src/retry.h"
#include "herald/rpc/v1/health.pb-c.h"
#include "herald/rpc/v1/health.schema.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* How often TLS files are checked for changes, and how often retired endpoints for the end of their calls. */
#define LOOK_MS        1000
#define REAP_MS        20
#define SETTLE_MS      1000
#define CHECK_LIMIT_MS 2000 /* a health check without an answer after this has failed */
#define FIRST_RETRY_MS 200  /* between look-ups while the channel has no endpoint */
#define WHY_BYTES      sizeof(((struct herald_channel *)NULL)->name_error)

static void add_locked(struct herald_channel *channel, struct herald_endpoint *endpoint) {
    endpoint->channel = channel;
    channel->endpoints[channel->endpoint_count++] = endpoint;
}

static void retire_locked(struct herald_channel *channel, size_t index) {
    struct herald_endpoint *endpoint = channel->endpoints[index];
    channel->endpoints[index] = channel->endpoints[--channel->endpoint_count];
    endpoint->next_retired = channel->retired;
    channel->retired = endpoint;
}

/* Adds an endpoint to the channel. @instead_of  index of the one that it replaces; SIZE_MAX: none */
static void take_up(struct herald_channel *channel, struct herald_endpoint *endpoint, size_t instead_of) {
    pthread_mutex_lock(&channel->mutex);
    if (instead_of < channel->endpoint_count) {
        retire_locked(channel, instead_of);
    }
    add_locked(channel, endpoint);
    pthread_mutex_unlock(&channel->mutex);
}

/* Makes an endpoint. @ret_why  set to an empty text, or to the cause if the result is NULL */
static struct herald_endpoint *make_endpoint(struct herald_channel *channel, const struct herald_target *target,
                                             const char *address, char ret_why[WHY_BYTES]) {
    struct herald_endpoint *endpoint = NULL;
    struct herald_error error;
    error.message[0] = '\0';
    enum herald_code code = herald_endpoint_new(channel->engine, target, address, target->tls ? channel->tls : NULL,
                                                channel->max_message_bytes, &endpoint, &error);
    pthread_mutex_lock(&channel->mutex);
    snprintf(ret_why, WHY_BYTES, "%.*s", (int)WHY_BYTES - 1, error.message);
    pthread_mutex_unlock(&channel->mutex);
    return code == HERALD_OK ? endpoint : NULL;
}

/* ---- names ---- */

static bool is_among_addresses(const struct herald_addresses *addresses, const char *address) {
    for (size_t i = 0; i < addresses->count; i++) {
        if (strcmp(addresses->text[i], address) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_address(const struct herald_channel *channel, const struct herald_target *target, const char *address) {
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        if (channel->endpoints[i]->target == target && strcmp(channel->endpoints[i]->address, address) == 0) {
            return true;
        }
    }
    return false;
}

static size_t count_new(const struct herald_channel *channel, const struct herald_target *target,
                        const struct herald_addresses *addresses) {
    size_t count = 0;
    for (size_t i = 0; i < addresses->count; i++) {
        count += !has_address(channel, target, addresses->text[i]);
    }
    return count;
}

static void retire_others(struct herald_channel *channel, const struct herald_target *target,
                          const struct herald_addresses *addresses) {
    pthread_mutex_lock(&channel->mutex);
    for (size_t i = channel->endpoint_count; i-- > 0;) {
        const struct herald_endpoint *endpoint = channel->endpoints[i];
        if (endpoint->target == target && !is_among_addresses(addresses, endpoint->address)) {
            retire_locked(channel, i);
        }
    }
    pthread_mutex_unlock(&channel->mutex);
}

/* Makes the target's endpoints match the addresses. New ones are added before old ones are retired, if both fit. */
static void apply_addresses(struct herald_channel *channel, const struct herald_target *target,
                            const struct herald_addresses *addresses) {
    if (channel->endpoint_count + count_new(channel, target, addresses) > HERALD_TARGETS_MAX) {
        retire_others(channel, target, addresses);
    }
    for (size_t i = 0; i < addresses->count; i++) {
        if (has_address(channel, target, addresses->text[i]) || channel->endpoint_count == HERALD_TARGETS_MAX) {
            continue;
        }
        struct herald_endpoint *endpoint = make_endpoint(channel, target, addresses->text[i], channel->name_error);
        if (endpoint) {
            take_up(channel, endpoint, SIZE_MAX);
        }
    }
    retire_others(channel, target, addresses);
}

/* Resolves one name. False: the channel is being closed; only its mutex and the keeper's reference may be used. */
static bool look_up_target(struct herald_channel *channel, const struct herald_target *target,
                           enum herald_code *ret_code) {
    struct herald_addresses addresses = {.count = 0};
    struct herald_error error;
    error.message[0] = '\0';
    pthread_mutex_lock(&channel->mutex);
    channel->resolving = true;
    pthread_cond_broadcast(&channel->idle);
    pthread_mutex_unlock(&channel->mutex);
    *ret_code = channel->resolve(target->host, target->family, &addresses, &error);
    pthread_mutex_lock(&channel->mutex);
    bool closing = channel->closing;
    channel->resolving = false;
    snprintf(channel->name_error, sizeof(channel->name_error), "%.190s", *ret_code == HERALD_OK ? "" : error.message);
    pthread_mutex_unlock(&channel->mutex);
    if (!closing && *ret_code == HERALD_OK) {
        apply_addresses(channel, target, &addresses);
    }
    return !closing;
}

static bool look_up_all(struct herald_channel *channel) {
    uint32_t again_ms = channel->resolve_ms;
    for (size_t i = 0; i < channel->target_count; i++) {
        enum herald_code code;
        if (!channel->targets[i].named) {
            continue;
        }
        if (!look_up_target(channel, &channel->targets[i], &code)) {
            return false;
        }
        if (code != HERALD_OK && again_ms > FIRST_RETRY_MS) {
            again_ms = channel->endpoint_count == 0 ? FIRST_RETRY_MS : HERALD_HURRIED_MS;
        }
    }
    pthread_mutex_lock(&channel->mutex);
    channel->resolved_ms = herald_now_ms();
    channel->resolve_due_ms = channel->resolved_ms + again_ms;
    pthread_mutex_unlock(&channel->mutex);
    return true;
}

/* ---- TLS files ---- */

/* Replaces each endpoint when the TLS files have changed. Calls in flight end on the old one. */
static void renew_tls(struct herald_channel *channel) {
    uint64_t stamp = channel->tls ? herald_tls_stamp(channel->tls) : 0;
    if (!channel->tls || stamp == channel->tls_stamp) {
        return;
    }
    for (size_t i = channel->endpoint_count; i-- > 0;) {
        const struct herald_endpoint *old = channel->endpoints[i];
        if (!old->target->tls) {
            continue;
        }
        struct herald_endpoint *endpoint = make_endpoint(channel, old->target, old->address, channel->tls_error);
        if (!endpoint) {
            return; /* the files may be half written: the old endpoints stay until the next try */
        }
        take_up(channel, endpoint, i);
    }
    channel->tls_stamp = stamp;
}

/* nng does not tell why a connection is not made; after this long without one the keeper looks into it. */
#define LOOK_INTO_AFTER_MS 300
#define LOOK_INTO_AGAIN_MS 5000

static struct herald_endpoint *find_unconnected_tls(const struct herald_channel *channel) {
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        if (channel->endpoints[i]->target->tls && !herald_endpoint_connected(channel->endpoints[i])) {
            return channel->endpoints[i];
        }
    }
    return NULL;
}

/* Whether a TLS connection has been missing for long enough, and was not looked into just now. */
static bool is_look_due(struct herald_channel *channel, const struct herald_endpoint *missing) {
    int64_t now_ms = herald_now_ms();
    pthread_mutex_lock(&channel->mutex);
    if (!missing) {
        channel->tls_look_ms = 0;
        memset(&channel->tls_why, 0, sizeof(channel->tls_why));
    } else if (channel->tls_look_ms == 0) {
        channel->tls_look_ms = now_ms + LOOK_INTO_AFTER_MS;
    }
    bool due = missing && now_ms >= channel->tls_look_ms && !channel->closing;
    if (due) {
        channel->tls_look_ms = now_ms + LOOK_INTO_AGAIN_MS;
        channel->resolving = true; /* close() does not wait for it */
        pthread_cond_broadcast(&channel->idle);
    }
    pthread_mutex_unlock(&channel->mutex);
    return due;
}

/* False: the channel is being closed, as in look_up_target(). */
static bool look_into_tls(struct herald_channel *channel) {
    const struct herald_endpoint *missing = channel->tls ? find_unconnected_tls(channel) : NULL;
    if (!channel->tls || !is_look_due(channel, missing)) {
        return true;
    }
    const struct herald_target *target = missing->target;
    const struct herald_tls_options options = herald_tls_options_of(channel->tls);
    struct herald_tls_why why;
    char address[256];
    snprintf(address, sizeof(address), "%s", *missing->address ? missing->address : target->host);
    herald_tls_look_into(&options, target->host, address, target->port, &why);
    pthread_mutex_lock(&channel->mutex);
    bool closing = channel->closing;
    channel->resolving = false;
    channel->tls_why = why;
    pthread_mutex_unlock(&channel->mutex);
    return !closing;
}

/* ---- names in certificates ---- */

/* How soon the keeper notices a connection that waits to be taken, at first and after a while without one. */
#define NAMES_SOON_MS  5
#define NAMES_LATER_MS 50
#define NAMES_WHILE_MS 2000
/* A certificate that was good is looked at again with a later connection. */
#define NAMES_AGAIN_MS 5000

/* An endpoint to whose certificate the keeper has to look now; NULL: none. */
static struct herald_endpoint *find_unlooked(const struct herald_channel *channel) {
    int64_t now_ms = herald_now_ms();
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        struct herald_endpoint *endpoint = channel->endpoints[i];
        bool first = endpoint->looked_ms == 0;
        if (endpoint->target->tls && atomic_load(&endpoint->look_wanted) &&
            (first || now_ms - endpoint->looked_ms >= NAMES_AGAIN_MS)) {
            return endpoint;
        }
    }
    return NULL;
}

/* How soon to look for connections that wait until their server's certificate was looked at for the first time; LOOK_MS:
 * there are none. */
static int64_t names_wait_ms_locked(const struct herald_channel *channel, int64_t now_ms) {
    int64_t wait_ms = LOOK_MS;
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        const struct herald_endpoint *endpoint = channel->endpoints[i];
        if (atomic_load(&endpoint->names) == HERALD_NAMES_NOT_KNOWN) {
            bool fresh = now_ms - endpoint->made_ms < NAMES_WHILE_MS;
            wait_ms = herald_min_i64(wait_ms, fresh ? NAMES_SOON_MS : NAMES_LATER_MS);
        }
    }
    return wait_ms;
}

/* A server that showed its certificate to nng and shows none here is taken: nng has verified all but where its name stands. */
static bool look_at_names(struct herald_channel *channel) {
    struct herald_endpoint *endpoint = find_unlooked(channel);
    if (!endpoint || atomic_load(&herald_tls_engine_checks_names)) {
        return true;
    }
    const struct herald_target *target = endpoint->target;
    const struct herald_tls_options options = herald_tls_options_of(channel->tls);
    char address[256];
    snprintf(address, sizeof(address), "%s", *endpoint->address ? endpoint->address : target->host);
    pthread_mutex_lock(&channel->mutex);
    channel->resolving = !channel->closing; /* close() does not wait for it */
    bool closing = channel->closing;
    pthread_cond_broadcast(&channel->idle);
    pthread_mutex_unlock(&channel->mutex);
    if (closing) {
        return false;
    }
    atomic_store(&endpoint->look_wanted, false);
    enum herald_tls_names names = herald_tls_look_at_names(&options, target->host, address, target->port);
    pthread_mutex_lock(&channel->mutex);
    closing = channel->closing;
    channel->resolving = false;
    endpoint->looked_ms = herald_now_ms();
    pthread_mutex_unlock(&channel->mutex);
    if (!closing) {
        herald_endpoint_note_names(endpoint, names != HERALD_TLS_NAMES_NONE);
    }
    return !closing;
}

/* ---- health ---- */

static bool is_serving(const struct herald_reply *reply) {
    return ((const Herald__Rpc__V1__HealthCheckResponse *)(const void *)reply->message)->status !=
           HERALD__RPC__V1__SERVING_STATUS__NOT_SERVING;
}

static bool is_well(const struct herald_reply *reply, const struct herald_attempt_end *end) {
    switch (end->code) {
    case HERALD_OK:
        return is_serving(reply);
    case HERALD_UNIMPLEMENTED: /* it answers, though it does not report its health */
    case HERALD_UNAUTHENTICATED:
    case HERALD_PERMISSION_DENIED:
        return true;
    case HERALD_UNAVAILABLE:
        return herald_retry_is_signed_early(end); /* it has just started */
    case HERALD_RESOURCE_EXHAUSTED:
        return !herald_retry_is_turned_away(end);
    default:
        return false;
    }
}

static void on_checked(void *user, struct herald_reply *reply) {
    struct herald_endpoint *endpoint = user;
    struct herald_channel *channel = endpoint->channel;
    const struct herald_attempt_end end = herald_attempt_end_of(reply->outcome, &reply->error);
    bool well = is_well(reply, &end);
    bool draining = herald_retry_is_draining(&end);
    herald_reply_clear(reply);
    pthread_mutex_lock(&channel->mutex);
    endpoint->checking = false;
    endpoint->sick = !well;
    if (draining) {
        herald_endpoint_note_draining(endpoint, endpoint->check_connection);
    } else if (well) {
        atomic_store(&endpoint->draining, false);
    }
    pthread_mutex_unlock(&channel->mutex);
}

static void check_endpoint(struct herald_endpoint *endpoint, int64_t now_ms) {
    struct herald_channel *channel = endpoint->channel;
    bool connected = herald_endpoint_connected(endpoint);
    pthread_mutex_lock(&channel->mutex);
    if (!connected) {
        endpoint->sick = false; /* a new connection may lead to a healthy process */
    }
    bool due = connected && !endpoint->checking && now_ms >= endpoint->check_due_ms;
    if (due) {
        endpoint->checking = true;
        endpoint->check_connection = herald_endpoint_connection(endpoint);
        endpoint->check_due_ms = now_ms + channel->health_check_ms;
    }
    pthread_mutex_unlock(&channel->mutex);
    static const Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    if (!due || channel->call_own(endpoint, herald_rpc_v1_health_check_method, &request.base, CHECK_LIMIT_MS,
                                  on_checked, endpoint) == HERALD_OK) {
        return;
    }
    pthread_mutex_lock(&channel->mutex);
    endpoint->checking = false;
    pthread_mutex_unlock(&channel->mutex);
}

static void check_all(struct herald_channel *channel) {
    int64_t now_ms = herald_now_ms();
    if (channel->endpoint_count < 2 || channel->health_check_ms == UINT32_MAX) {
        return;
    }
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        check_endpoint(channel->endpoints[i], now_ms);
    }
}

/* ---- the thread ---- */

/* After a call's end nng's thread for time-outs may still use its context: see herald_pool_cancel_all(). */
static bool has_settled(struct herald_endpoint *endpoint, int64_t now_ms) {
    if (endpoint->in_flight > 0) {
        return false;
    }
    if (endpoint->idle_since_ms == 0) {
        endpoint->idle_since_ms = now_ms;
    }
    return now_ms - endpoint->idle_since_ms >= SETTLE_MS;
}

/* Closes one retired endpoint without calls. False: there is none. @ret_waiting  whether others are still open */
static bool reap_one(struct herald_channel *channel, bool *ret_waiting) {
    struct herald_endpoint *found = NULL;
    pthread_mutex_lock(&channel->mutex);
    *ret_waiting = false;
    for (struct herald_endpoint *at = channel->retired; at && !channel->closing; at = at->next_retired) {
        if (at->open && has_settled(at, herald_now_ms())) {
            found = at;
        } else if (at->open) {
            *ret_waiting = true;
        }
    }
    if (found) {
        found->open = false;
    }
    pthread_mutex_unlock(&channel->mutex);
    if (!found) {
        return false;
    }
    bool closed = herald_endpoint_close(found);
    pthread_mutex_lock(&channel->mutex);
    channel->immortal = channel->immortal || !closed;
    pthread_mutex_unlock(&channel->mutex);
    return true;
}

static bool has_names(const struct herald_channel *channel) {
    for (size_t i = 0; i < channel->target_count; i++) {
        if (channel->targets[i].named) {
            return true;
        }
    }
    return false;
}

/* One round of the keeper. False: the channel is being closed. */
static bool keep(struct herald_channel *channel, bool *ret_waiting) {
    pthread_mutex_lock(&channel->mutex);
    bool due = herald_now_ms() >= channel->resolve_due_ms && !channel->closing;
    pthread_mutex_unlock(&channel->mutex);
    if (due && has_names(channel) && !look_up_all(channel)) {
        return false;
    }
    renew_tls(channel);
    if (!look_at_names(channel) || !look_into_tls(channel)) {
        return false;
    }
    check_all(channel);
    while (reap_one(channel, ret_waiting))
        ;
    return true;
}

static void wait_locked(struct herald_channel *channel, bool waiting) {
    int64_t now_ms = herald_now_ms(), until_ms = now_ms + (waiting ? REAP_MS : LOOK_MS);
    if (channel->health_check_ms < LOOK_MS && now_ms + channel->health_check_ms < until_ms) {
        until_ms = now_ms + channel->health_check_ms;
    }
    if (channel->resolve_due_ms > now_ms && channel->resolve_due_ms < until_ms) {
        until_ms = channel->resolve_due_ms;
    }
    if (channel->tls_look_ms > now_ms && channel->tls_look_ms < until_ms) {
        until_ms = channel->tls_look_ms;
    }
    until_ms = herald_min_i64(until_ms, now_ms + names_wait_ms_locked(channel, now_ms));
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    if (!channel->closing) {
        pthread_cond_timedwait(&channel->wake, &channel->mutex, &until);
    }
}

static void *keeper_run(void *user) {
    struct herald_channel *channel = user;
    bool waiting = false;
    pthread_mutex_lock(&channel->mutex);
    while (!channel->closing) {
        pthread_mutex_unlock(&channel->mutex);
        keep(channel, &waiting);
        pthread_mutex_lock(&channel->mutex);
        wait_locked(channel, waiting);
    }
    channel->keeper_runs = false;
    pthread_cond_broadcast(&channel->idle);
    herald_channel_unref_locked(channel);
    return NULL;
}

enum herald_code herald_keeper_start(struct herald_channel *channel, struct herald_error *reterr) {
    pthread_t thread;
    pthread_mutex_lock(&channel->mutex);
    int rv = pthread_create(&thread, NULL, keeper_run, channel);
    if (rv == 0) {
        pthread_detach(thread);
        channel->keeper_runs = true;
        channel->taken++;
    }
    pthread_mutex_unlock(&channel->mutex);
    if (rv == 0) {
        return HERALD_OK;
    }
    return herald_error_set(reterr, HERALD_REASON_NO_THREAD, "no thread for the channel to %s: %s", channel->url,
                            strerror(rv));
}

void herald_keeper_stop_locked(struct herald_channel *channel) {
    pthread_cond_broadcast(&channel->wake);
    while (channel->keeper_runs && !channel->resolving) {
        pthread_cond_wait(&channel->idle, &channel->mutex);
    }
}
