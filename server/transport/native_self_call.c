/*
 * A native listener's call of itself: a REQ stream on the loop of its first port. The thread that calls waits, and may
 * have gone when the loop comes to it.
 */
#include "client/base/clock.h"
#include "server/native/native_tls.h"
#include "server/transport/native_port.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Pause between attempts to connect. */
#define REDIAL_MS 500u
/* Turns of the loop within which a listener that is well answers, with TLS too. A loop that has not made so many in time is
 * busy: that proves nothing, and to open the listener again would only cut off its clients. */
#define TURNS_ENOUGH 24u
/* The number of the request, and its bytes in front of it. */
#define ID       "\x80\0\0\x01"
#define ID_BYTES 4u

struct native_self_call {
    struct loop_work begin; /* first */
    struct loop_work end;
    struct loop_work turn; /* posted again each turn, TURNS_ENOUGH times */
    atomic_uint turns;
    struct native_port *port;
    const struct self_call *call; /* the caller's: see given_up */
    const char *url;              /* the listener's */
    size_t max_reply_bytes;
    uint32_t timeout_ms;
    void *tls; /* of the stream that is to be made */
    struct native_stream *stream;
    atomic_uint shares; /* of the caller, of begin, end and turn, of the stream */
    /* Under the lock of the listener: */
    bool given_up; /* the caller has gone, and with it `call` */
    bool done;
    const char *why; /* NULL: a reply came */
};

static void unshare_call(struct native_self_call *self) {
    if (atomic_fetch_sub(&self->shares, 1) == 1) {
        native_port_unshare(self->port);
        free(self);
    }
}

/* ---- on the loop ---- */

static void note_result(struct native_self_call *self, const char *why) {
    struct native_listener *native = self->port->listener->native;
    pthread_mutex_lock(&native->lock);
    if (!self->done) {
        self->done = true;
        self->why = why;
        pthread_cond_broadcast(&native->changed);
    }
    pthread_mutex_unlock(&native->lock);
}

/* The caller waits under this lock for as long as the request is used. */
static void on_self_open(void *user) {
    struct native_self_call *self = user;
    struct native_listener *native = self->port->listener->native;
    pthread_mutex_lock(&native->lock);
    if (!self->given_up) {
        const struct native_part parts[] = {{ID, ID_BYTES}, {self->call->request, self->call->request_bytes}};
        (void)native_stream_send(self->stream, parts, 2);
    }
    pthread_mutex_unlock(&native->lock);
}

static bool on_self_message(void *user, uint8_t *data, size_t bytes) {
    struct native_self_call *self = user;
    if (bytes >= ID_BYTES && memcmp(data, ID, ID_BYTES) == 0) {
        note_result(self, NULL);
    }
    native_stream_close(self->stream);
    return true;
}

static void on_self_end(void *user, enum native_end why) {
    struct native_self_call *self = user;
    self->stream = NULL;
    note_result(self, native_end_text(why));
    native_port_note_closed(self->port);
    unshare_call(self);
}

static const struct native_stream_ops self_ops = {
    .on_open = on_self_open, .on_message = on_self_message, .on_end = on_self_end};

static void dial_self(struct native_self_call *self) {
    struct native_port *port = self->port;
    const struct native_stream_options options = {
        .protocol = NATIVE_REQ,
        .max_message_bytes = self->max_reply_bytes,
        .greeting_ms = self->timeout_ms,
        .ops = &self_ops,
        .user = self,
        .secure_ops = self->tls != NULL ? &native_tls_ops : NULL,
        .secure = self->tls,
    };
    self->tls = NULL;
    self->stream = native_stream_dial(port->streams, self->url, &options);
    if (self->stream == NULL) {
        note_result(self, native_end_text(NATIVE_END_MEMORY));
        return;
    }
    atomic_fetch_add(&self->shares, 1);
    port->open++;
}

static void on_self_begin(struct loop_work *work) {
    struct native_self_call *self = (struct native_self_call *)work;
    struct native_port *port = self->port;
    if (!atomic_load(&port->has_ended)) {
        struct native_listener *native = port->listener->native;
        pthread_mutex_lock(&native->lock);
        bool given_up = self->given_up;
        pthread_mutex_unlock(&native->lock);
        if (!given_up && (port->is_ending || port->streams == NULL)) {
            note_result(self, "the listener has ended");
        } else if (!given_up) {
            dial_self(self);
        }
    }
    if (self->tls != NULL) {
        native_tls_ops.free(self->tls);
    }
    unshare_call(self);
}

static void on_self_turn(struct loop_work *work) {
    struct native_self_call *self =
        (struct native_self_call *)(void *)((char *)work - offsetof(struct native_self_call, turn));
    if (atomic_fetch_add(&self->turns, 1) + 1 < TURNS_ENOUGH && !atomic_load(&self->port->has_ended)) {
        loop_post(self->port->loop, &self->turn);
    } else {
        unshare_call(self);
    }
}

static void on_self_given_up(struct loop_work *work) {
    struct native_self_call *self =
        (struct native_self_call *)(void *)((char *)work - offsetof(struct native_self_call, end));
    if (self->stream != NULL) {
        native_stream_close(self->stream);
    }
    unshare_call(self);
}

/* ---- the caller ---- */

/* TLS with the listener's own certificate, which nobody verifies. NULL: no memory */
static void *dial_tls(struct tls_identity *identity) {
    static const struct native_tls_guard GUARD = {.may_go_on = NULL};
    SSL_CTX *context = tls_identity_self_context(identity);
    SSL *ssl = context != NULL ? SSL_new(context) : NULL;
    SSL_CTX_free(context); /* the SSL has a reference of its own */
    if (ssl == NULL) {
        ERR_clear_error();
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return native_tls_new(ssl, &GUARD);
}

static struct native_self_call *new_self_call(struct native_port *port, const struct self_call *call) {
    struct native_self_call *self = calloc(1, sizeof(*self));
    void *tls = self != NULL && call->tls != NULL ? dial_tls(call->tls) : NULL;
    if (self == NULL || (call->tls != NULL && tls == NULL)) {
        free(self);
        return NULL;
    }
    self->begin.run = on_self_begin;
    self->end.run = on_self_given_up;
    self->turn.run = on_self_turn;
    self->port = port;
    self->call = call;
    self->url = call->url;
    self->max_reply_bytes = call->max_reply_bytes;
    self->timeout_ms = call->timeout_ms;
    self->tls = tls;
    atomic_init(&self->shares, 4);
    native_port_share(port);
    return self;
}

/* Connects once. Returns: as native_self_call() */
static const char *call_once(struct native_port *port, const struct self_call *call, const struct timespec *until) {
    struct native_listener *native = port->listener->native;
    struct native_self_call *self = new_self_call(port, call);
    int failure = 0;
    if (self == NULL) {
        return native_end_text(NATIVE_END_MEMORY);
    }
    loop_post(port->loop, &self->begin);
    loop_post(port->loop, &self->turn);
    pthread_mutex_lock(&native->lock);
    while (!self->done && !atomic_load(&port->has_ended) && failure == 0) {
        failure = pthread_cond_timedwait(&native->changed, &native->lock, until);
    }
    bool is_busy = !self->done && atomic_load(&self->turns) < TURNS_ENOUGH;
    const char *why = self->done ? self->why : is_busy ? NULL : "no reply in time";
    self->given_up = true;
    pthread_mutex_unlock(&native->lock);
    loop_post(port->loop, &self->end);
    unshare_call(self);
    return why;
}

const char *native_self_call(struct native_port *port, const struct self_call *call) {
    const uint64_t until_us = herald_monotonic_us() + (uint64_t)call->timeout_ms * 1000u;
    const struct timespec until = herald_timespec_of_us(until_us), pause = {.tv_nsec = REDIAL_MS * 1000000L};
    const char *why = call_once(port, call, &until);
    while (why != NULL && !atomic_load(&port->has_ended) && herald_monotonic_us() + REDIAL_MS * 1000u < until_us) {
        (void)nanosleep(&pause, NULL);
        why = call_once(port, call, &until);
    }
    return atomic_load(&port->has_ended) ? NULL : why; /* the server ends: nothing is to be watched any more */
}
