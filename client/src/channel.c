#include "client/src/channel.h"

#include "client/src/close_socket.h"

#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LATE_REPLY_MS 100

#define DEFAULT_CONNECT_TIMEOUT_MS 2000u
#define DEFAULT_MAX_IN_FLIGHT      4096u
/* A lost connection is tried again at once, then less and less often. */
#define RECONNECT_MIN_MS 10
#define RECONNECT_MAX_MS 1000
/* nng counts its own header, the request id, towards the size of a message. */
#define NNG_HEADER_BYTES 16u

int64_t herald_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void call_free(struct herald_call *call) {
    if (!call)
        return;
    nng_aio_free(call->aio); /* waits until its callback has returned */
    pthread_mutex_destroy(&call->mutex);
    free(call);
}

static struct herald_call *call_new(struct herald_channel *channel, bool blocking) {
    struct herald_call *call = calloc(1, sizeof(*call));
    if (!call)
        return NULL;
    call->channel = channel;
    call->blocking = blocking;
    /* A blocking call's aio has no callback, which spares it a change of threads. */
    if (nng_aio_alloc(&call->aio, blocking ? NULL : herald_call_on_aio, call) != 0) {
        free(call);
        return NULL;
    }
    pthread_mutex_init(&call->mutex, NULL);
    if (nng_ctx_open(&call->context, channel->socket) != 0) {
        call_free(call);
        return NULL;
    }
    return call;
}

static void channel_free(struct herald_channel *channel) {
    pthread_cond_destroy(&channel->idle);
    pthread_mutex_destroy(&channel->mutex);
    free(channel->url);
    free(channel);
}

static enum herald_code admit_locked(struct herald_channel *channel, bool blocking, struct herald_call **ret_call,
                                     struct herald_error *reterr) {
    if (channel->closing)
        return herald_error_set(reterr, HERALD_CANCELLED, "CHANNEL_CLOSED", "the channel to %s is being closed",
                                channel->url);
    if (channel->in_flight >= channel->max_in_flight)
        return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "TOO_MANY_CALLS",
                                "%u calls are in flight to %s, its channel's limit", channel->in_flight, channel->url);
    channel->in_flight++;
    channel->taken++;
    *ret_call = channel->free_calls[blocking];
    if (*ret_call)
        channel->free_calls[blocking] = (*ret_call)->next_free;
    return HERALD_OK;
}

static void pool_call_locked(struct herald_channel *channel, struct herald_call *call) {
    call->next_free = channel->free_calls[call->blocking];
    channel->free_calls[call->blocking] = call;
    channel->taken--;
}

static void leave_locked(struct herald_channel *channel) {
    if (--channel->in_flight == 0 && channel->closing)
        pthread_cond_signal(&channel->idle);
}

enum herald_code herald_channel_take_call(struct herald_channel *channel, bool blocking, struct herald_call **ret_call,
                                          struct herald_error *reterr) {
    struct herald_call *call = NULL;
    pthread_mutex_lock(&channel->mutex);
    enum herald_code code = admit_locked(channel, blocking, &call, reterr);
    pthread_mutex_unlock(&channel->mutex);
    if (code != HERALD_OK)
        return code;
    if (!call)
        call = call_new(channel, blocking);
    if (!call) {
        herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY", "no memory for a call to %s",
                         channel->url);
        pthread_mutex_lock(&channel->mutex);
        channel->taken--;
        leave_locked(channel);
        pthread_mutex_unlock(&channel->mutex);
        return HERALD_RESOURCE_EXHAUSTED;
    }
    *ret_call = call;
    return HERALD_OK;
}

void herald_channel_end_call(struct herald_channel *channel, struct herald_call *call) {
    pthread_mutex_lock(&channel->mutex);
    if (call)
        pool_call_locked(channel, call); /* while it counts as in flight the channel cannot have been closed */
    leave_locked(channel);
    pthread_mutex_unlock(&channel->mutex);
}

void herald_channel_return_call(struct herald_channel *channel, struct herald_call *call) {
    pthread_mutex_lock(&channel->mutex);
    bool closed = channel->closed;
    if (!closed)
        pool_call_locked(channel, call);
    bool last = closed && --channel->taken == 0;
    pthread_mutex_unlock(&channel->mutex);
    if (closed)
        call_free(call);
    if (last)
        channel_free(channel);
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *user) {
    struct herald_channel *channel = user;
    (void)pipe;
    atomic_fetch_add_explicit(&channel->pipe_count, event == NNG_PIPE_EV_ADD_PRE ? 1 : -1, memory_order_relaxed);
}

/* All options are set before the dialer starts: contexts and connections copy them when they are made. */
static int configure_socket(struct herald_channel *channel) {
    nng_socket socket = channel->socket;
    int rv = nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (rv == 0)
        rv = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, channel->max_message_bytes + NNG_HEADER_BYTES);
    if (rv == 0)
        rv = nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
    if (rv == 0)
        rv = nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    if (rv == 0)
        rv = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_PRE, on_pipe, channel);
    if (rv == 0)
        rv = nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, on_pipe, channel);
    return rv;
}

static int start_dialer(struct herald_channel *channel) {
    nng_dialer dialer;
    int rv = nng_dialer_create(&dialer, channel->socket, channel->url);
    if (rv == 0 && strncmp(channel->url, "tcp", 3) == 0)
        rv = nng_dialer_set_bool(dialer, NNG_OPT_TCP_NODELAY, true);
    if (rv == 0)
        rv = nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
    return rv;
}

/* What a URL must look like beyond what nng checks when it makes a dialer: nng would find the rest out by trying. */
static bool is_callable_url(const char *url) {
    if (strncmp(url, "ipc://", 6) == 0)
        return url[6] != '\0';
    if (strncmp(url, "inproc://", 9) == 0)
        return url[9] != '\0';
    const char *port = strrchr(url, ':');
    if (strncmp(url, "tcp", 3) != 0 || !strstr(url, "://") || port[1] == '/')
        return false;
    size_t digits = strspn(port + 1, "0123456789");
    long number = strtol(port + 1, NULL, 10);
    return digits >= 1 && digits <= 5 && port[1 + digits] == '\0' && number >= 1 && number <= 65535;
}

static enum herald_code open_socket(struct herald_channel *channel, struct herald_error *reterr) {
    if (!is_callable_url(channel->url))
        return herald_error_set(reterr, HERALD_INVALID_ARGUMENT, "INVALID_URL",
                                "\"%s\" is no URL to call: use tcp://HOST:PORT, ipc:///PATH or inproc://NAME",
                                channel->url);
    int rv = nng_req0_open(&channel->socket);
    if (rv != 0)
        return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "NO_SOCKET", "no socket for %s: %s", channel->url,
                                nng_strerror(rv));
    rv = configure_socket(channel);
    if (rv == 0)
        rv = start_dialer(channel);
    if (rv == 0)
        return HERALD_OK;
    nng_close(channel->socket);
    if (rv == NNG_ENOMEM)
        return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY", "no memory for %s", channel->url);
    return herald_error_set(reterr, HERALD_INVALID_ARGUMENT, "INVALID_URL",
                            "\"%s\" is no URL to call (%s): use tcp://HOST:PORT, ipc:///PATH or inproc://NAME",
                            channel->url, nng_strerror(rv));
}

static uint32_t or_default(uint32_t value, uint32_t fallback) {
    return value > 0 ? value : fallback;
}

static struct herald_channel *channel_new(const char *url, const struct herald_channel_options *options) {
    struct herald_channel *channel = calloc(1, sizeof(*channel));
    if (!channel)
        return NULL;
    channel->url = strdup(url);
    if (!channel->url) {
        free(channel);
        return NULL;
    }
    channel->connect_timeout_ms = or_default(options->connect_timeout_ms, DEFAULT_CONNECT_TIMEOUT_MS);
    channel->max_message_bytes = or_default(options->max_message_bytes, HERALD_DEFAULT_MAX_MESSAGE_BYTES);
    channel->max_in_flight = or_default(options->max_in_flight, DEFAULT_MAX_IN_FLIGHT);
    channel->taken = 1;
    pthread_mutex_init(&channel->mutex, NULL);
    pthread_cond_init(&channel->idle, NULL);
    return channel;
}

enum herald_code herald_channel_open(const char *url, const struct herald_channel_options *options,
                                     struct herald_channel **ret_channel, struct herald_error *reterr) {
    static const struct herald_channel_options default_options;
    if (!url)
        return herald_error_set(reterr, HERALD_INVALID_ARGUMENT, "INVALID_URL", "the URL is NULL");
    struct herald_channel *channel = channel_new(url, options ? options : &default_options);
    if (!channel)
        return herald_error_set(reterr, HERALD_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY", "no memory for a channel to %s",
                                url);
    enum herald_code code = open_socket(channel, reterr);
    if (code != HERALD_OK) {
        channel_free(channel);
        return code;
    }
    *ret_channel = channel;
    return HERALD_OK;
}

static void free_pool(struct herald_channel *channel) {
    for (int blocking = 0; blocking < 2; blocking++) {
        while (channel->free_calls[blocking]) {
            struct herald_call *call = channel->free_calls[blocking];
            channel->free_calls[blocking] = call->next_free;
            call_free(call);
        }
    }
}

/* The reply of a call that has just run out of time is often on its way, and one that comes in while its connection is
 * closed is what makes nng hang (close_socket.c): it gets a moment to come before. */
static void let_late_replies_come(const struct herald_channel *channel) {
    int64_t since_ms = herald_now_ms() - atomic_load(&channel->unanswered_ms);
    const struct timespec moment = {.tv_nsec = LATE_REPLY_MS * 1000000};
    if (atomic_load(&channel->unanswered_ms) != 0 && since_ms < LATE_REPLY_MS)
        nanosleep(&moment, NULL);
}

void herald_channel_close(struct herald_channel *channel) {
    if (!channel)
        return;
    pthread_mutex_lock(&channel->mutex);
    channel->closing = true;
    pthread_mutex_unlock(&channel->mutex);
    let_late_replies_come(channel);
    /* Ends every operation on the socket's contexts, and the contexts too: calls take it as their cancellation. */
    bool socket_closed = herald_close_socket(channel->socket);
    pthread_mutex_lock(&channel->mutex);
    while (channel->in_flight > 0)
        pthread_cond_wait(&channel->idle, &channel->mutex);
    channel->closed = true;
    pthread_mutex_unlock(&channel->mutex);
    free_pool(channel);
    pthread_mutex_lock(&channel->mutex);
    /* A socket that was given up may still report the end of its connection to the channel. */
    bool last = socket_closed && --channel->taken == 0;
    pthread_mutex_unlock(&channel->mutex);
    if (last)
        channel_free(channel);
}

const char *herald_channel_url(const struct herald_channel *channel) {
    return channel->url;
}
