#include "tests/unit/transport/contract.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct socket_state {
    bool req, limited, resend_off;
    unsigned dialers;
};

/* Of one aio. */
struct aio_state {
    nng_aio *aio; /* key */
    void (*callback)(void *);
    void *arg;
    bool sending; /* a request, not yet completed */
    UT_hash_handle hh;
};

/* Of a context: whose send is under way. */
struct context_state {
    uint32_t id; /* key */
    bool req;
    nng_aio *sender;
    UT_hash_handle hh;
};

struct notification {
    nng_pipe_cb callback;
    void *arg;
    struct notification *next;
};

#define SOCKETS_MAX 4096

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the rest */
static struct socket_state sockets[SOCKETS_MAX];
static struct aio_state *aios;
static struct context_state *contexts;
static struct notification *notifications;
static struct contract_seen seen;
static unsigned violations;

static _Thread_local unsigned callback_depth;
static _Thread_local bool receive_posted; /* by the callback that runs */

static void lock(void) {
    pthread_mutex_lock(&mutex);
}

static void unlock(void) {
    pthread_mutex_unlock(&mutex);
}

static void violated_locked(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void violated_locked(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "contract: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    violations++;
}

static void forbid_in_callback(const char *function) {
    if (callback_depth == 0) {
        return;
    }
    lock();
    violated_locked("%s() is called on a thread of nng", function);
    unlock();
}

static bool blocks(int flags) {
    return ((unsigned)flags & (unsigned)NNG_FLAG_NONBLOCK) == 0;
}

static struct socket_state *state_of(nng_socket socket) {
    return &sockets[(unsigned)nng_socket_id(socket) % SOCKETS_MAX];
}

void contract_reset(void) {
    lock();
    violations = 0;
    memset(&seen, 0, sizeof(seen));
    unlock();
}

unsigned contract_violations(void) {
    lock();
    unsigned count = violations;
    unlock();
    return count;
}

struct contract_seen contract_seen(void) {
    lock();
    struct contract_seen copy = seen;
    unlock();
    return copy;
}

/* ---- what is looked at: __wrap_F() is called for F(), __real_F() is nng's ---- */

#define WRAP(result, function, ...)                                                                                    \
    result __real_##function(__VA_ARGS__);                                                                             \
    result __wrap_##function(__VA_ARGS__);                                                                             \
    result __wrap_##function(__VA_ARGS__)

static void note_socket(nng_socket socket, bool req) {
    lock();
    *state_of(socket) = (struct socket_state){.req = req};
    req ? seen.req_sockets++ : seen.rep_sockets++;
    unlock();
}

WRAP(int, nng_req0_open, nng_socket *socket) {
    int rv = __real_nng_req0_open(socket);
    if (rv == 0) {
        note_socket(*socket, true);
    }
    return rv;
}

WRAP(int, nng_rep0_open, nng_socket *socket) {
    int rv = __real_nng_rep0_open(socket);
    if (rv == 0) {
        note_socket(*socket, false);
    }
    return rv;
}

WRAP(int, nng_socket_set_size, nng_socket socket, const char *option, size_t value) {
    lock();
    if (strcmp(option, NNG_OPT_RECVMAXSZ) == 0 && value > 0) {
        state_of(socket)->limited = true;
    }
    unlock();
    return __real_nng_socket_set_size(socket, option, value);
}

WRAP(int, nng_socket_set_ms, nng_socket socket, const char *option, nng_duration value) {
    lock();
    if (strcmp(option, NNG_OPT_REQ_RESENDTIME) == 0 && value == NNG_DURATION_INFINITE) {
        state_of(socket)->resend_off = true;
    }
    unlock();
    return __real_nng_socket_set_ms(socket, option, value);
}

static void check_endpoint(nng_socket socket, bool dialer, const char *url) {
    lock();
    struct socket_state *state = state_of(socket);
    dialer ? seen.dialers++ : seen.listeners++;
    if (!state->limited) {
        violated_locked("RECVMAXSZ is not set before the endpoint %s: a peer may claim any length", url);
    }
    if (state->req && !state->resend_off) {
        violated_locked("re-sending is on at the endpoint %s: a request may be executed twice", url);
    }
    if (state->req && dialer && ++state->dialers > 1) {
        violated_locked("a second dialer, %s, on one REQ socket: nng would choose between servers", url);
    }
    unlock();
}

WRAP(int, nng_dialer_create, nng_dialer *dialer, nng_socket socket, const char *url) {
    check_endpoint(socket, true, url);
    return __real_nng_dialer_create(dialer, socket, url);
}

WRAP(int, nng_dial, nng_socket socket, const char *url, nng_dialer *dialer, int flags) {
    check_endpoint(socket, true, url);
    if (blocks(flags)) {
        forbid_in_callback("nng_dial");
    }
    return __real_nng_dial(socket, url, dialer, flags);
}

WRAP(int, nng_listener_create, nng_listener *listener, nng_socket socket, const char *url) {
    check_endpoint(socket, false, url);
    return __real_nng_listener_create(listener, socket, url);
}

WRAP(int, nng_listen, nng_socket socket, const char *url, nng_listener *listener, int flags) {
    check_endpoint(socket, false, url);
    return __real_nng_listen(socket, url, listener, flags);
}

/* ---- contexts ---- */

WRAP(int, nng_ctx_open, nng_ctx *context, nng_socket socket) {
    int rv = __real_nng_ctx_open(context, socket);
    if (rv != 0) {
        return rv;
    }
    lock();
    struct socket_state *state = state_of(socket);
    uint32_t id = (uint32_t)nng_ctx_id(*context);
    struct context_state *noted;
    HASH_FIND(hh, contexts, &id, sizeof(id), noted);
    if (!noted) {
        noted = calloc(1, sizeof(*noted));
        noted->id = id;
        HASH_ADD(hh, contexts, id, sizeof(id), noted);
    }
    noted->req = state->req;
    noted->sender = NULL;
    seen.contexts++;
    if (state->req && !state->resend_off) {
        violated_locked("a context is opened while re-sending is on: it copies that");
    }
    unlock();
    return 0;
}

static struct aio_state *find_aio_locked(nng_aio *aio) {
    struct aio_state *state;
    HASH_FIND_PTR(aios, &aio, state);
    return state;
}

static void set_sending(nng_aio *aio, bool sending) {
    lock();
    struct aio_state *state = find_aio_locked(aio);
    if (state) {
        state->sending = sending;
    }
    unlock();
}

static struct context_state *find_context_locked(nng_ctx context) {
    uint32_t id = (uint32_t)nng_ctx_id(context);
    struct context_state *state;
    HASH_FIND(hh, contexts, &id, sizeof(id), state);
    return state;
}

WRAP(void, nng_ctx_send, nng_ctx context, nng_aio *aio) {
    lock();
    struct context_state *state = find_context_locked(context);
    struct aio_state *noted = find_aio_locked(aio);
    if (state && state->req && noted) {
        state->sender = aio;
        noted->sending = true;
        seen.sends++;
    }
    unlock();
    __real_nng_ctx_send(context, aio);
}

WRAP(void, nng_ctx_recv, nng_ctx context, nng_aio *aio) {
    lock();
    struct context_state *state = find_context_locked(context);
    struct aio_state *sender = state && state->req ? find_aio_locked(state->sender) : NULL;
    if (state && state->req) {
        receive_posted = true;
        seen.receives++;
    }
    if (sender && sender->sending) {
        violated_locked("a receive is posted before its send has completed: nng 1.5 crashes when it times out");
    }
    unlock();
    __real_nng_ctx_recv(context, aio);
}

/* ---- callbacks ---- */

/* True if it was the send of a request. */
static bool end_sending(struct aio_state *state) {
    lock();
    bool sending = state->sending;
    state->sending = false;
    seen.callbacks++;
    unlock();
    return sending;
}

static void on_aio(void *user) {
    struct aio_state *state = user;
    bool sent = end_sending(state) && nng_aio_result(state->aio) == 0;
    receive_posted = false;
    callback_depth++;
    state->callback(state->arg);
    callback_depth--;
    if (sent && !receive_posted) {
        lock();
        violated_locked("no receive is posted when the send has completed: a reply may be lost with its connection");
        unlock();
    }
}

WRAP(int, nng_aio_alloc, nng_aio **aio, void (*callback)(void *), void *arg) {
    struct aio_state *state = calloc(1, sizeof(*state));
    state->callback = callback;
    state->arg = arg;
    int rv = __real_nng_aio_alloc(&state->aio, callback ? on_aio : NULL, state);
    if (rv != 0) {
        free(state);
        return rv;
    }
    lock();
    HASH_ADD_PTR(aios, aio, state);
    unlock();
    *aio = state->aio;
    return 0;
}

WRAP(void, nng_aio_free, nng_aio *aio) {
    if (!aio) {
        return;
    }
    forbid_in_callback("nng_aio_free");
    __real_nng_aio_free(aio); /* waits for the callback */
    lock();
    struct aio_state *state = find_aio_locked(aio);
    if (state) {
        HASH_DEL(aios, state);
    }
    unlock();
    free(state);
}

WRAP(void, nng_aio_wait, nng_aio *aio) {
    forbid_in_callback("nng_aio_wait");
    __real_nng_aio_wait(aio);
    set_sending(aio, false);
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *user) {
    struct notification *notification = user;
    callback_depth++;
    notification->callback(pipe, event, notification->arg);
    callback_depth--;
}

WRAP(int, nng_pipe_notify, nng_socket socket, nng_pipe_ev event, nng_pipe_cb callback, void *arg) {
    struct notification *notification = calloc(1, sizeof(*notification));
    *notification = (struct notification){.callback = callback, .arg = arg};
    lock();
    notification->next = notifications; /* kept: a pipe may tell its end late */
    notifications = notification;
    unlock();
    return __real_nng_pipe_notify(socket, event, on_pipe, notification);
}

/* ---- what blocks ---- */

WRAP(int, nng_close, nng_socket socket) {
    forbid_in_callback("nng_close");
    return __real_nng_close(socket);
}

WRAP(void, nng_aio_stop, nng_aio *aio) {
    forbid_in_callback("nng_aio_stop");
    __real_nng_aio_stop(aio);
}

WRAP(int, nng_listener_close, nng_listener listener) {
    forbid_in_callback("nng_listener_close");
    return __real_nng_listener_close(listener);
}

WRAP(int, nng_sendmsg, nng_socket socket, nng_msg *msg, int flags) {
    if (blocks(flags)) {
        forbid_in_callback("nng_sendmsg");
    }
    return __real_nng_sendmsg(socket, msg, flags);
}

WRAP(int, nng_recvmsg, nng_socket socket, nng_msg **msg, int flags) {
    if (blocks(flags)) {
        forbid_in_callback("nng_recvmsg");
    }
    return __real_nng_recvmsg(socket, msg, flags);
}
