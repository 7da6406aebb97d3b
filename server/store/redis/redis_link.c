/*
 * One connection to Redis: the adapter of hiredis to libuv, and the states of the link.
 *
 * hiredis' own libuv adapter ignores errors of libuv, so it may never report a refused connection; and it has no
 * timers. This one passes errors on and owns one timer, whose meaning is the link's state:
 *
 *   RESOLVING, CONNECTING, GREETING   the limit of the attempt
 *   UP                                the next heartbeat; if the last one is unanswered, the connection is dropped
 *   WAITING                           the next attempt
 *
 * Memory: the link counts its users: its owner, its timer, a name look-up in flight, each socket. A socket belongs to
 * one hiredis context and lives until its poll handle is closed. hiredis frees a context at once, or, inside one of its
 * callbacks, when that returns. `link->socket` is cleared first, so later events find no context.
 */
#include "server/store/redis/redis_link.h"

#include "client/base/backoff.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum link_state { LINK_WAITING, LINK_RESOLVING, LINK_CONNECTING, LINK_GREETING, LINK_UP, LINK_CLOSED };

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000
#define IP_TEXT_MAX    64

struct redis_socket {
    struct redis_link *link;
    redisAsyncContext *context; /* NULL once hiredis has freed it */
    uv_poll_t poll;
    int events;
};

struct redis_link {
    struct redis_link_options options;
    struct redis_url url;
    enum link_state state;
    unsigned users;
    struct redis_socket *socket; /* of the present connection */
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    struct addrinfo *addresses, *next_address; /* of the present look-up */
    struct herald_backoff backoff;             /* between failed attempts; the first attempt has none */
    bool failing;                              /* the last attempt failed */
    bool told_down;                            /* on_down was the last report */
    bool heartbeat_unanswered;
};

static void begin_attempt(struct redis_link *link);

static void unref(struct redis_link *link) {
    if (--link->users > 0) {
        return;
    }
    void (*on_freed)(void *) = link->options.on_freed;
    void *user = link->options.user;
    if (link->addresses) {
        uv_freeaddrinfo(link->addresses);
    }
    explicit_bzero(&link->url, sizeof(link->url));
    free(link);
    if (on_freed) {
        on_freed(user);
    }
}

/* --- What hiredis asks of an event loop --- */

static void on_redis_poll(uv_poll_t *poll, int status, int events) {
    struct redis_socket *socket = poll->data;
    if (status < 0) {
        /* Makes hiredis read the socket's error and fail. */
        events = UV_READABLE | UV_WRITABLE;
    }
    if (socket->context && (events & UV_READABLE)) {
        redisAsyncHandleRead(socket->context);
    }
    if (socket->context && (events & UV_WRITABLE)) {
        redisAsyncHandleWrite(socket->context);
    }
}

static void watch_redis_socket(struct redis_socket *socket, int events) {
    socket->events = events;
    if (events) {
        uv_poll_start(&socket->poll, events, on_redis_poll);
    } else {
        uv_poll_stop(&socket->poll);
    }
}

static void add_read(void *data) {
    struct redis_socket *socket = data;
    watch_redis_socket(socket, socket->events | UV_READABLE);
}

static void del_read(void *data) {
    struct redis_socket *socket = data;
    watch_redis_socket(socket, socket->events & ~UV_READABLE);
}

static void add_write(void *data) {
    struct redis_socket *socket = data;
    watch_redis_socket(socket, socket->events | UV_WRITABLE);
}

static void del_write(void *data) {
    struct redis_socket *socket = data;
    watch_redis_socket(socket, socket->events & ~UV_WRITABLE);
}

static void on_socket_closed(uv_handle_t *handle) {
    struct redis_socket *socket = handle->data;
    struct redis_link *link = socket->link;
    free(socket);
    unref(link);
}

static void lose(struct redis_link *link, const char *why);

/* hiredis frees the context; the descriptor is closed right after this. */
static void on_context_gone(void *data) {
    struct redis_socket *socket = data;
    struct redis_link *link = socket->link;
    char why[160];
    snprintf(why, sizeof(why), "%s", socket->context->err ? socket->context->errstr : "connection closed");
    socket->context = NULL;
    uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
    if (link->socket == socket) {
        link->socket = NULL;
        lose(link, why);
    }
}

/* --- States --- */

static void on_link_timer(uv_timer_t *timer);

static void arm_link(struct redis_link *link, enum link_state state, uint32_t ms) {
    link->state = state;
    uv_timer_start(&link->timer, on_link_timer, ms, 0);
}

static void tell_down(struct redis_link *link, const char *why) {
    if (link->told_down) {
        return;
    }
    link->told_down = true;
    struct herald_error error = {0};
    herald_error_set(&error, HERALD_REASON_REDIS_UNAVAILABLE, "Redis at %s port %s: %s", link->url.host, link->url.port,
                     why);
    link->options.on_down(link->options.user, &error);
}

/* The connection or the attempt is over and all of it is released. */
static void lose(struct redis_link *link, const char *why) {
    enum link_state was = link->state;
    if (was == LINK_CLOSED) {
        return;
    }
    if (was == LINK_CONNECTING && link->next_address) {
        begin_attempt(link);
        return;
    }
    if (was == LINK_UP) {
        herald_backoff_succeeded(&link->backoff);
        arm_link(link, LINK_WAITING, 0);
    } else {
        link->failing = true;
        arm_link(link, LINK_WAITING, herald_backoff_failed(&link->backoff));
    }
    tell_down(link, why);
}

/* Drops the present connection. The socket is detached first: hiredis may postpone freeing the context. */
static void drop_connection(struct redis_link *link, const char *why) {
    struct redis_socket *socket = link->socket;
    link->socket = NULL;
    if (socket && socket->context) {
        redisAsyncFree(socket->context);
    }
    lose(link, why);
}

static void on_pong(redisAsyncContext *context, void *reply, void *data) {
    struct redis_link *link = data;
    (void)context;
    if (reply) {
        redis_link_heard(link);
    }
}

void redis_link_heard(struct redis_link *link) {
    link->heartbeat_unanswered = false;
}

static void beat(struct redis_link *link) {
    if (link->heartbeat_unanswered) {
        drop_connection(link, "no answer to a heartbeat");
        return;
    }
    redisAsyncContext *context = link->socket->context;
    link->heartbeat_unanswered = true;
    bool sent = link->options.send_heartbeat ? link->options.send_heartbeat(link->options.user, context)
                                             : redisAsyncCommand(context, on_pong, link, "PING") == REDIS_OK;
    if (sent) {
        arm_link(link, LINK_UP, link->options.timeout_ms);
    } else {
        drop_connection(link, "a heartbeat cannot be sent");
    }
}

static void go_up(struct redis_link *link) {
    link->failing = link->told_down = false;
    link->heartbeat_unanswered = false;
    arm_link(link, LINK_UP, link->options.timeout_ms);
    link->options.on_up(link->options.user);
}

/* AUTH, SELECT and PING are sent together. An error reply to one ends the attempt; the last answer opens the link. */
static void check_greeting(redisAsyncContext *context, const redisReply *reply, void *data, const char *command) {
    struct redis_link *link = data;
    if (!reply || !link->socket || link->socket->context != context || link->state != LINK_GREETING) {
        return; /* lost or dropped: reported elsewhere */
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        char why[160];
        snprintf(why, sizeof(why), "%s was refused: %s", command, reply->str);
        drop_connection(link, why);
    } else if (strcmp(command, "PING") == 0) {
        go_up(link);
    }
}

static void on_auth(redisAsyncContext *context, void *reply, void *data) {
    check_greeting(context, reply, data, "AUTH");
}

static void on_select(redisAsyncContext *context, void *reply, void *data) {
    check_greeting(context, reply, data, "SELECT");
}

static void on_ping(redisAsyncContext *context, void *reply, void *data) {
    check_greeting(context, reply, data, "PING");
}

static void greet(struct redis_link *link, redisAsyncContext *context) {
    const struct redis_url *url = &link->url;
    int status = REDIS_OK;
    link->state = LINK_GREETING; /* the attempt's time limit keeps running */
    redisEnableKeepAlive(&context->c);
    if (url->user[0]) {
        status |= redisAsyncCommand(context, on_auth, link, "AUTH %s %s", url->user, url->password);
    } else if (url->password[0]) {
        status |= redisAsyncCommand(context, on_auth, link, "AUTH %s", url->password);
    }
    if (url->database) {
        status |= redisAsyncCommand(context, on_select, link, "SELECT %u", url->database);
    }
    status |= redisAsyncCommand(context, on_ping, link, "PING");
    (void)status; /* no memory; hiredis uses the context after this callback, so the timer drops the connection */
}

static void on_connect(const redisAsyncContext *context, int status) {
    struct redis_socket *socket = context->data;
    struct redis_link *link = socket->link;
    if (status == REDIS_OK && link->socket == socket) {
        greet(link, socket->context);
    } /* else hiredis frees the context: on_context_gone() */
}

static bool attach_context(struct redis_link *link, redisAsyncContext *context) {
    struct redis_socket *socket = calloc(1, sizeof(*socket));
    if (!socket || uv_poll_init(link->options.uv, &socket->poll, context->c.fd) != 0) {
        free(socket);
        return false;
    }
    socket->link = link;
    socket->context = context;
    socket->poll.data = socket;
    context->data = context->ev.data = socket;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = on_context_gone;
    link->users++;
    link->socket = socket;
    return true;
}

static void connect_to(struct redis_link *link, const char *ip) {
    redisAsyncContext *context = redisAsyncConnect(ip, atoi(link->url.port));
    if (!context || context->err || !attach_context(link, context)) {
        char why[160];
        snprintf(why, sizeof(why), "%s", context && context->err ? context->errstr : "no memory for a connection");
        if (context) {
            redisAsyncFree(context);
        }
        lose(link, why);
        return;
    }
    redisAsyncSetConnectCallback(context, on_connect);
}

/* Tries the next address of the look-up. */
static void begin_attempt(struct redis_link *link) {
    struct addrinfo *address = link->next_address;
    char ip[IP_TEXT_MAX];
    link->next_address = address->ai_next;
    arm_link(link, LINK_CONNECTING, link->options.timeout_ms);
    if (getnameinfo(address->ai_addr, address->ai_addrlen, ip, sizeof(ip), NULL, 0, NI_NUMERICHOST) != 0) {
        lose(link, "the address cannot be written as text");
        return;
    }
    connect_to(link, ip);
}

static void on_resolved(uv_getaddrinfo_t *lookup, int status, struct addrinfo *addresses) {
    struct redis_link *link = lookup->data;
    if (link->state != LINK_RESOLVING) {
        uv_freeaddrinfo(addresses);
    } else if (status != 0 || !addresses) {
        uv_freeaddrinfo(addresses);
        lose(link, status ? uv_strerror(status) : "the host has no address");
    } else {
        if (link->addresses) {
            uv_freeaddrinfo(link->addresses);
        }
        link->addresses = link->next_address = addresses;
        begin_attempt(link);
    }
    unref(link);
}

/* On libuv's thread pool: a look-up may block, and hiredis' own would block the loop. */
static void resolve(struct redis_link *link) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    arm_link(link, LINK_RESOLVING, link->options.timeout_ms);
    link->lookup.data = link;
    int status = uv_getaddrinfo(link->options.uv, &link->lookup, on_resolved, link->url.host, link->url.port, &hints);
    if (status == 0) {
        link->users++;
    } else {
        lose(link, uv_strerror(status));
    }
}

static void on_link_timer(uv_timer_t *timer) {
    struct redis_link *link = timer->data;
    switch (link->state) {
    case LINK_WAITING:
        resolve(link);
        break;
    case LINK_RESOLVING:
        /* The look-up cannot be cancelled; it ends by itself. */
        link->failing = true;
        tell_down(link, "the host's name is not resolved in time");
        break;
    case LINK_CONNECTING:
    case LINK_GREETING:
        drop_connection(link, link->state == LINK_CONNECTING ? "no connection in time" : "no answer in time");
        break;
    case LINK_UP:
        beat(link);
        break;
    case LINK_CLOSED:
        break;
    }
}

static void on_link_timer_closed(uv_handle_t *handle) {
    unref(handle->data);
}

struct redis_link *redis_link_open(const struct redis_link_options *options) {
    struct redis_link *link = calloc(1, sizeof(*link));
    if (!link) {
        return NULL;
    }
    link->options = *options;
    link->url = *options->url;
    link->backoff = (struct herald_backoff){.min_ms = BACKOFF_MIN_MS, .max_ms = BACKOFF_MAX_MS};
    link->users = 2; /* owner and timer */
    uv_timer_init(options->uv, &link->timer);
    link->timer.data = link;
    arm_link(link, LINK_WAITING, 0);
    return link;
}

void redis_link_close(struct redis_link *link) {
    if (!link) {
        return;
    }
    link->state = LINK_CLOSED;
    struct redis_socket *socket = link->socket;
    link->socket = NULL;
    if (socket && socket->context) {
        redisAsyncFree(socket->context);
    }
    uv_close((uv_handle_t *)&link->timer, on_link_timer_closed);
    unref(link);
}

redisAsyncContext *redis_link_context(struct redis_link *link) {
    return link->state == LINK_UP && link->socket ? link->socket->context : NULL;
}

bool redis_link_is_hopeful(const struct redis_link *link) {
    return link->state != LINK_UP && link->state != LINK_CLOSED && !link->failing;
}
