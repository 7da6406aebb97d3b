/*
 * Native listeners: an address that the server's loops serve themselves. The first loop accepts, and connections are
 * spread over all of them. What belongs to a loop is done there: other threads post it and wait.
 */
#include "client/base/clock.h"
#include "server/transport/backlog.h"
#include "server/transport/native_port.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* How often a thread that waits for a loop looks whether it runs. */
#define LOOK_MS 5u

/* ---- work on a port's loop ---- */

typedef bool port_work_fn(struct native_port *port);

/* What a thread wants done on a port's loop. The one that lets go of it last frees it: the waiter goes away when the loop
 * ends, and the loop may still have the work then. */
struct port_work {
    struct loop_work work; /* first */
    struct native_port *port;
    port_work_fn *run;
    atomic_uint shares;
    bool done, good; /* under the lock of the listener */
};

static void unshare_port_work(struct port_work *work) {
    if (atomic_fetch_sub(&work->shares, 1) == 1) {
        native_port_unshare(work->port);
        free(work);
    }
}

static void on_port_work(struct loop_work *posted) {
    struct port_work *work = (struct port_work *)posted;
    if (!atomic_load(&work->port->has_ended)) {
        struct native_listener *native = work->port->listener->native;
        bool good = work->run(work->port);
        pthread_mutex_lock(&native->lock);
        work->done = true;
        work->good = good;
        pthread_cond_broadcast(&native->changed);
        pthread_mutex_unlock(&native->lock);
    }
    unshare_port_work(work);
}

/* Posts it. Returns: the caller's share of it | NULL: no memory */
static struct port_work *post_to_port(struct native_port *port, port_work_fn *run) {
    struct port_work *work = calloc(1, sizeof(*work));
    if (work != NULL) {
        work->work.run = on_port_work;
        work->port = port;
        work->run = run;
        atomic_init(&work->shares, 2);
        native_port_share(port);
        loop_post(port->loop, &work->work);
    }
    return work;
}

/* Lets the port's loop do it when it comes to it. False: no memory */
static bool leave_to_port(struct native_port *port, port_work_fn *run) {
    struct port_work *work = post_to_port(port, run);
    if (work != NULL) {
        unshare_port_work(work);
    }
    return work != NULL;
}

/* Waits a moment for a change, with the lock held. What was posted to a loop that does not run is run here. */
static void wait_for_port(struct native_port *port) {
    struct native_listener *native = port->listener->native;
    const struct timespec until = herald_timespec_in_ms(LOOK_MS);
    if (pthread_cond_timedwait(&native->changed, &native->lock, &until) != 0) {
        pthread_mutex_unlock(&native->lock);
        (void)loop_run_posted(port->loop);
        pthread_mutex_lock(&native->lock);
    }
}

/* Does it on the port's loop and waits. False: it failed, the port has ended, or there is no memory. */
static bool run_on_port(struct native_port *port, port_work_fn *run) {
    struct native_listener *native = port->listener->native;
    struct port_work *work = post_to_port(port, run);
    if (work == NULL) {
        return false;
    }
    pthread_mutex_lock(&native->lock);
    while (!work->done && !atomic_load(&port->has_ended)) {
        wait_for_port(port);
    }
    bool good = work->done && work->good;
    pthread_mutex_unlock(&native->lock);
    unshare_port_work(work);
    return good;
}

static bool end_accept_here(struct native_port *port) {
    native_accept_end(port);
    return true;
}

static bool hang_up_here(struct native_port *port) {
    native_port_hang_up(port);
    return port->streams != NULL || native_port_begin(port);
}

/* ---- the address ---- */

static const char *address_of(const char *url) {
    const char *scheme_end = strstr(url, "://");
    return scheme_end != NULL ? scheme_end + strlen("://") : url;
}

/* Makes a socket that listens. Returns: the descriptor | the negative of an errno */
static int listen_on(const struct sockaddr *address, socklen_t bytes) {
    int yes = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if ((address->sa_family != AF_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0) ||
        bind(fd, address, bytes) != 0 || listen(fd, LISTENER_BACKLOG) != 0) {
        int failure = errno;
        (void)close(fd);
        return -failure;
    }
    return fd;
}

/* True when nobody listens on a Unix socket that is there: it was left behind. */
static bool is_left_behind(const struct sockaddr_un *address) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool left =
        fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 && errno == ECONNREFUSED;
    if (fd >= 0) {
        (void)close(fd);
    }
    return left;
}

static int listen_ipc(struct native_listener *native, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = listen_on((const struct sockaddr *)&address, sizeof(address));
    if (fd == -EADDRINUSE && is_left_behind(&address)) {
        (void)unlink(path);
        fd = listen_on((const struct sockaddr *)&address, sizeof(address));
    }
    if (fd >= 0) {
        snprintf(native->path, sizeof(native->path), "%s", path);
    }
    return fd;
}

/* Writes the URL with the real port. */
static void note_bound_port(struct listener *listener, const char *url, int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound = {.any.sa_family = AF_UNSPEC};
    socklen_t bytes = sizeof(bound);
    const char *colon = strrchr(url, ':');
    (void)getsockname(fd, &bound.any, &bytes);
    unsigned port = ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
    snprintf(listener->url, sizeof(listener->url), "%.*s:%u", (int)(colon - url), url, port);
}

/* Splits "host:port"; "*" and nothing are any address. False: it is too long, or has no port */
static bool split_address(const char *address, char ret_host[256], const char **ret_port) {
    const char *colon = strrchr(address, ':');
    size_t bytes = colon != NULL ? (size_t)(colon - address) : 256;
    if (bytes >= 256) {
        return false;
    }
    bool in_brackets = bytes > 1 && address[0] == '[' && address[bytes - 1] == ']';
    snprintf(ret_host, 256, "%.*s", (int)(in_brackets ? bytes - 2 : bytes), address + (in_brackets ? 1 : 0));
    *ret_port = colon + 1;
    return true;
}

/* Returns: the descriptor | the negative of an errno | an error of getaddrinfo(), marked by @ret_resolving */
static int listen_tcp(const char *address, bool *ret_resolving) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    const char *port = NULL;
    char host[256];
    if (!split_address(address, host, &port)) {
        return -EINVAL;
    }
    bool any = *host == '\0' || strcmp(host, "*") == 0;
    int failure = getaddrinfo(any ? NULL : host, port, &hints, &found);
    if (failure != 0) {
        *ret_resolving = true;
        return failure;
    }
    int fd = listen_on(found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return fd;
}

static enum herald_code bind_native(struct listener *listener, const char *url, struct herald_error *reterr) {
    struct native_listener *native = listener->native;
    bool resolving = false;
    int fd = native->is_ipc ? listen_ipc(native, address_of(url)) : listen_tcp(address_of(url), &resolving);
    if (resolving) {
        return listener_cannot_listen(listener, url, gai_strerror(fd), reterr);
    }
    if (fd < 0) {
        return fd == -EADDRINUSE ? listener_in_use(listener, url, reterr)
                                 : listener_cannot_listen(listener, url, strerror(-fd), reterr);
    }
    native->fd = fd;
    if (url == listener->url) {
        return HERALD_OK;
    }
    if (native->is_ipc) {
        snprintf(listener->url, sizeof(listener->url), "%s", url);
    } else {
        note_bound_port(listener, url, fd);
    }
    return HERALD_OK;
}

static void unbind_native(struct native_listener *native) {
    if (native->fd >= 0) {
        (void)close(native->fd);
        native->fd = -1;
    }
    if (*native->path) {
        (void)unlink(native->path);
        native->path[0] = '\0';
    }
}

/* ---- life ---- */

static bool make_ports(struct listener *listener, const struct listener_options *options) {
    struct native_listener *native = listener->native;
    for (unsigned i = 0; i < options->loop_count && i < NATIVE_PORTS_MAX; i++) {
        struct native_port *port = native_port_new(listener, options->loops[i], i);
        if (port == NULL) {
            return false;
        }
        native->ports[native->count++] = port;
    }
    return true;
}

/* The loops may not run yet: nothing waits for them. One without memory to begin serves nobody; if that is the first one,
 * the watchdog finds out and opens the listener again. */
static bool begin_ports(struct native_listener *native) {
    for (unsigned i = 0; i < native->count; i++) {
        if (!leave_to_port(native->ports[i], native_port_begin)) {
            return false;
        }
    }
    return leave_to_port(native->ports[0], native_accept_begin);
}

static void init_changed(struct native_listener *native) {
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&native->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static enum herald_code open_native(struct listener *listener, const char *url, const struct listener_options *options,
                                    struct herald_error *reterr) {
    struct native_listener *native = calloc(1, sizeof(*native));
    if (native == NULL) {
        return listener_no_memory(url, reterr);
    }
    pthread_mutex_init(&native->lock, NULL);
    init_changed(native);
    native->fd = -1;
    native->is_ipc = strncmp(url, "ipc://", strlen("ipc://")) == 0;
    listener->native = native;
    if (strncmp(url, "inproc://", strlen("inproc://")) == 0) {
        return listener_cannot_listen(listener, url,
                                      "inproc:// is for sockets of nng; set engine = nng under [rpc], or choose "
                                      "tcp://host:port, tls+tcp://host:port or ipc:///path",
                                      reterr);
    }
    enum herald_code code = bind_native(listener, url, reterr);
    if (code == HERALD_OK && (!make_ports(listener, options) || !begin_ports(native))) {
        code = listener_no_memory(url, reterr);
    }
    return code;
}

static void on_end_posted(struct loop_work *work) {
    struct native_port *port = (struct native_port *)(void *)((char *)work - offsetof(struct native_port, end_work));
    if (!atomic_load(&port->has_ended)) {
        native_port_end(port);
    }
    native_port_unshare(port);
}

static void end_port(struct native_port *port) {
    struct native_listener *native = port->listener->native;
    if (!atomic_load(&port->has_ended)) {
        native_port_share(port);
        port->end_work.run = on_end_posted;
        loop_post(port->loop, &port->end_work);
    }
    pthread_mutex_lock(&native->lock);
    while (!atomic_load(&port->has_ended)) {
        wait_for_port(port);
    }
    pthread_mutex_unlock(&native->lock);
}

static bool close_native(struct listener *listener) {
    struct native_listener *native = listener->native;
    if (native == NULL) {
        return true;
    }
    for (unsigned i = 0; i < native->count; i++) {
        end_port(native->ports[i]);
    }
    unbind_native(native);
    return true;
}

static void free_native(struct listener *listener) {
    struct native_listener *native = listener->native;
    if (native == NULL) {
        return;
    }
    for (unsigned i = 0; i < native->count; i++) {
        native->ports[i]->listener = NULL;
        native_port_unshare(native->ports[i]);
    }
    pthread_cond_destroy(&native->changed);
    pthread_mutex_destroy(&native->lock);
    free(native);
}

static enum herald_code reopen_native(struct listener *listener, struct herald_error *reterr) {
    struct native_listener *native = listener->native;
    (void)run_on_port(native->ports[0], end_accept_here);
    unbind_native(native);
    for (unsigned i = 0; i < native->count; i++) {
        (void)run_on_port(native->ports[i], hang_up_here);
    }
    enum herald_code code = bind_native(listener, listener->url, reterr);
    if (code == HERALD_OK && !run_on_port(native->ports[0], native_accept_begin)) {
        code = listener_no_memory(listener->url, reterr);
    }
    return code;
}

static void sweep_native_later(struct listener *listener) {
    native_port_sweep_later(listener->native->ports[0]);
}

static const char *call_native_listener(struct listener *listener, const struct self_call *call, bool *ret_hung) {
    (void)ret_hung; /* nothing here can */
    return native_self_call(listener->native->ports[0], call);
}

const struct listener_engine listener_engine_native = {
    .exchanges = &exchange_engine_native,
    .open = open_native,
    .close = close_native,
    .sweep_later = sweep_native_later,
    .call_self = call_native_listener,
    .reopen = reopen_native,
    .free = free_native,
};
