/* A loop's share of the address: accepting, and the end. */
#include "server/gateway/connection_private.h"
#include "server/gateway/gateway_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* How often the lists of the stages are looked at. */
#define TICK_MS 250u

/* ---- accepting ---- */

/* The connection that has been silent the longest; of @address, or of any if that is NULL. NULL: none is silent. */
static struct connection *find_silent(struct http_port *port, const struct address *address) {
    static const enum stage SILENT[] = {STAGE_IDLE, STAGE_HEAD};
    for (size_t i = 0; i < 2; i++) {
        struct connection *connection = port->stages[SILENT[i]].first;
        while (connection != NULL && address != NULL && connection->address != address) {
            connection = connection->next;
        }
        if (connection != NULL) {
            return connection;
        }
    }
    return NULL;
}

/* Makes room for a new connection, which is in no list yet. Returns: false: there is none. */
static bool make_way(const struct connection *fresh) {
    struct http_port *port = fresh->port;
    struct http_server *server = port->server;
    uint32_t share = server->options.max_connections_per_address;
    bool over_share = share > 0 && !address_is_trusted(fresh->address) && address_count(fresh->address) > share;
    if (!over_share && atomic_load(&server->connections) <= server->options.max_connections) {
        return true;
    }
    struct connection *silent = find_silent(port, over_share ? fresh->address : NULL);
    if (silent != NULL) {
        connection_close(silent);
    }
    return silent != NULL;
}

static bool know_peer(struct connection *connection) {
    struct sockaddr_storage peer;
    int bytes = (int)sizeof(peer);
    if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&peer, &bytes) != 0) {
        return false;
    }
    connection->address =
        addresses_enter(connection->port->server->addresses, (const struct sockaddr *)(const void *)&peer);
    return connection->address != NULL;
}

static void on_accept(uv_stream_t *listener, int status) {
    struct http_port *port = (struct http_port *)listener;
    struct connection *connection = status == 0 ? calloc(1, sizeof(*connection)) : NULL;
    if (connection == NULL) {
        port->accept_waits = status == 0; /* libuv reports no further one until this one is accepted */
        return;
    }
    connection->port = port;
    (void)uv_tcp_init(listener->loop, &connection->tcp);
    port->handles++;
    atomic_fetch_add(&port->server->connections, 1);
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0 || !know_peer(connection)) {
        connection_enter(connection, STAGE_HEAD);
        connection_close(connection);
        return;
    }
    bool room = make_way(connection);
    connection_enter(connection, STAGE_HEAD);
    if (!room) {
        log_emit(&LOG_GATEWAY_FULL, log_u64("connections", atomic_load(&port->server->connections)), LOG_END);
        connection_refuse(connection);
        return;
    }
    (void)uv_tcp_nodelay(&connection->tcp, 1);
    connection_read(connection);
}

/* ---- the port of a loop ---- */

void http_port_handle_closed(struct http_port *port) {
    if (--port->handles > 0) {
        return;
    }
    while (port->spare_count > 0) {
        free(port->spare[--port->spare_count]);
    }
    free(port);
}

static void on_port_handle_closed(uv_handle_t *handle) {
    http_port_handle_closed(handle->data);
}

static void on_port_tick(uv_timer_t *tick) {
    struct http_port *port = tick->data;
    connections_expire(port);
    if (port->accept_waits && !port->is_draining) {
        port->accept_waits = false;
        on_accept((uv_stream_t *)&port->listener, 0);
    }
}

static enum herald_code listen_here(struct http_port *port, struct herald_error *reterr) {
    int fd = fcntl(port->server->fd, F_DUPFD_CLOEXEC, 0);
    int failure = fd < 0 ? -errno : uv_tcp_open(&port->listener, fd);
    if (failure == 0) {
        failure = uv_listen((uv_stream_t *)&port->listener, HTTP_BACKLOG, on_accept);
    }
    return failure == 0 ? HERALD_OK
                        : herald_error_set(reterr, HERALD_REASON_CANNOT_LISTEN, "cannot listen on %s: %s",
                                           port->server->url, uv_strerror(failure));
}

enum herald_code http_port_open(struct http_server *server, struct loop *loop, struct http_port **ret_port,
                                struct herald_error *reterr) {
    struct http_port *port = calloc(1, sizeof(*port));
    if (port == NULL) {
        return herald_error_no_memory(reterr, "a port for HTTP");
    }
    port->server = server;
    port->loop = loop;
    port->handles = 2;
    (void)uv_tcp_init(loop_uv(loop), &port->listener);
    (void)uv_timer_init(loop_uv(loop), &port->tick);
    port->listener.data = port->tick.data = port;
    (void)uv_timer_start(&port->tick, on_port_tick, TICK_MS, TICK_MS);
    enum herald_code code = listen_here(port, reterr);
    if (code != HERALD_OK) {
        http_port_close(port);
        return code;
    }
    *ret_port = port;
    return HERALD_OK;
}

static void close_listener(struct http_port *port) {
    if (!uv_is_closing((uv_handle_t *)&port->listener)) {
        uv_close((uv_handle_t *)&port->listener, on_port_handle_closed);
    }
}

/* Connections that have not sent a byte yet. */
static void close_unused(struct http_port *port) {
    struct connection *next;
    for (struct connection *connection = port->stages[STAGE_HEAD].first; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->in.count == 0) {
            connection_close(connection);
        }
    }
}

/* A stream has no end of its own. Its peer comes back, to another gateway, and says what it has seen. */
static void close_streams(struct http_port *port) {
    static const enum stage STREAMING[] = {STAGE_BUSY, STAGE_SENDING};
    for (size_t i = 0; i < sizeof(STREAMING) / sizeof(STREAMING[0]); i++) {
        struct connection *next;
        for (struct connection *connection = port->stages[STREAMING[i]].first; connection != NULL; connection = next) {
            next = connection->next;
            if (connection->is_stream) {
                connection_close(connection);
            }
        }
    }
}

void http_port_drain(struct http_port *port) {
    struct connection *connection;
    port->is_draining = true;
    close_listener(port);
    while ((connection = port->stages[STAGE_IDLE].first) != NULL) {
        connection_close(connection);
    }
    close_unused(port);
    close_streams(port);
}

void http_port_close(struct http_port *port) {
    static const enum stage OPEN[] = {STAGE_HEAD, STAGE_IDLE, STAGE_BODY, STAGE_BUSY, STAGE_SENDING, STAGE_LINGER};
    struct connection *connection;
    if (port == NULL || port->is_closing) {
        return;
    }
    port->is_draining = port->is_closing = true;
    for (size_t i = 0; i < sizeof(OPEN) / sizeof(OPEN[0]); i++) {
        while ((connection = port->stages[OPEN[i]].first) != NULL) {
            connection_close(connection);
        }
    }
    close_listener(port);
    uv_close((uv_handle_t *)&port->tick, on_port_handle_closed);
}

struct loop *http_port_loop(const struct http_port *port) {
    return port->loop;
}

bool http_port_is_draining(const struct http_port *port) {
    return port->is_draining;
}
