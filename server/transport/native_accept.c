/* Accepting, on the first port of a native listener; the connections are spread over all of them. */
#include "server/transport/native_port.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that are accepted before the loop does other work. */
#define ACCEPTED_AT_ONCE 64
/* Pause when there are no descriptors, or no memory, for another connection. */
#define PAUSE_MS 100u

struct native_acceptor {
    uv_poll_t poll; /* first */
    uv_timer_t pause;
    struct native_port *port;
    unsigned open; /* handles that are not closed yet */
};

struct adopt_work {
    struct loop_work work; /* first */
    struct native_port *port;
    int fd;
};

static void on_adopt(struct loop_work *work) {
    struct adopt_work *adopt = (struct adopt_work *)work;
    native_port_adopt(adopt->port, adopt->fd);
    native_port_unshare(adopt->port);
    free(adopt);
}

/* The port with the fewest connections; equal ones take turns. */
static struct native_port *choose_port(struct native_listener *native) {
    unsigned first = native->turn++;
    struct native_port *best = NULL;
    unsigned fewest = 0;
    for (unsigned i = 0; i < native->count; i++) {
        struct native_port *port = native->ports[(first + i) % native->count];
        unsigned count = atomic_load_explicit(&port->connection_count, memory_order_relaxed);
        if (best == NULL || count < fewest) {
            best = port;
            fewest = count;
        }
    }
    return best;
}

/* It is counted at once: a busy loop, which adopts it later, would seem to have few connections and be given all. */
static void hand_to_port(struct native_port *here, struct native_port *port, int fd) {
    struct adopt_work *adopt = port == here ? NULL : malloc(sizeof(*adopt));
    atomic_fetch_add(&(adopt == NULL ? here : port)->connection_count, 1);
    if (adopt == NULL) {
        native_port_adopt(here, fd);
        return;
    }
    *adopt = (struct adopt_work){.work.run = on_adopt, .port = port, .fd = fd};
    native_port_share(port);
    loop_post(port->loop, &adopt->work);
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *pause) {
    struct native_acceptor *acceptor = pause->data;
    (void)uv_poll_start(&acceptor->poll, UV_READABLE, on_acceptable);
}

static void on_acceptable(uv_poll_t *poll, int status, int events) {
    struct native_acceptor *acceptor = (struct native_acceptor *)poll;
    struct native_listener *native = acceptor->port->listener->native;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTED_AT_ONCE; i++) {
        int fd = accept4(native->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            hand_to_port(acceptor->port, choose_port(native), fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            (void)uv_poll_stop(poll);
            (void)uv_timer_start(&acceptor->pause, on_pause_over, PAUSE_MS, 0);
            return;
        }
    }
}

static void on_acceptor_closed(uv_handle_t *handle) {
    struct native_acceptor *acceptor = handle->data;
    struct native_port *port = acceptor->port;
    if (--acceptor->open == 0) {
        free(acceptor);
        native_port_note_closed(port);
    }
}

bool native_accept_begin(struct native_port *port) {
    struct native_acceptor *acceptor = calloc(1, sizeof(*acceptor));
    struct native_listener *native = port->listener->native;
    if (acceptor == NULL || port->is_ending || port->streams == NULL ||
        uv_poll_init(loop_uv(port->loop), &acceptor->poll, native->fd) != 0) {
        free(acceptor);
        return false;
    }
    (void)uv_timer_init(loop_uv(port->loop), &acceptor->pause);
    acceptor->poll.data = acceptor->pause.data = acceptor;
    acceptor->port = port;
    acceptor->open = 2;
    port->acceptor = acceptor;
    port->open++;
    (void)uv_poll_start(&acceptor->poll, UV_READABLE, on_acceptable);
    return true;
}

void native_accept_end(struct native_port *port) {
    struct native_acceptor *acceptor = port->acceptor;
    if (acceptor == NULL) {
        return;
    }
    port->acceptor = NULL;
    uv_close((uv_handle_t *)&acceptor->poll, on_acceptor_closed); /* the socket is not polled from now on */
    uv_close((uv_handle_t *)&acceptor->pause, on_acceptor_closed);
}
