#ifndef HERALD_GATEWAY_CONNECTION_PRIVATE_H
#define HERALD_GATEWAY_CONNECTION_PRIVATE_H

/* Shared by http_server.c (the address), http_port.c (a loop's share of it) and connection.c. */
#include "client/base/buffer.h"
#include "server/gateway/addresses.h"
#include "server/gateway/connection.h"

#include <stdatomic.h>
#include <time.h>
#include <uv.h>

#define HTTP_BACKLOG  4096
#define SCRATCH_BYTES 65536u
/* Requests that a port keeps for reuse. */
#define SPARE_MAX 256u

enum stage { STAGE_HEAD, STAGE_IDLE, STAGE_BODY, STAGE_BUSY, STAGE_SENDING, STAGE_LINGER, STAGE_CLOSING, STAGE_COUNT };

struct connection {
    uv_tcp_t tcp; /* first */
    struct http_port *port;
    struct address *address;
    struct connection *previous, *next; /* in the list of its stage */
    enum stage stage;
    uint64_t since_ms; /* in that stage */
    struct herald_buffer in;
    size_t scanned;          /* of `in`, without the end of a head */
    struct request *request; /* BODY, BUSY, SENDING: the one that is read or answered; NULL: none */
    struct herald_buffer body;
    struct http_chunks chunks;
    uint64_t gone_ms;    /* when the peer ended its side while a request was BUSY; 0: it has not */
    unsigned writes;     /* under way */
    bool is_stream;      /* the answer is one */
    bool ends;           /* closes when the answer is sent */
    bool lingers;        /* what still comes is dropped: the request was refused */
    bool reading_paused; /* `in` is full */
};

struct stage_list {
    struct connection *first, *last;
};

struct http_server {
    struct http_server_options options;
    struct addresses *addresses;
    int fd;
    char url[320];
    bool on_loopback;
    atomic_uint connections, requests;
};

struct http_port {
    uv_tcp_t listener; /* first */
    uv_timer_t tick;
    struct http_server *server;
    struct loop *loop;
    struct stage_list stages[STAGE_COUNT];
    struct request *spare[SPARE_MAX];
    unsigned spare_count;
    unsigned handles; /* that are not closed yet */
    bool is_draining;
    bool accept_waits; /* a connection was not accepted for want of memory */
    bool is_closing;
    time_t date_s;
    char date[64]; /* "date: …\r\n" of that second */
    char scratch[SCRATCH_BYTES];
};

/* connection.c */
/** Puts a connection into the list of a stage; it is in none. */
void connection_enter(struct connection *connection, enum stage stage);
/** Closes it; its request, if any, is cancelled. Repeating it does nothing. */
void connection_close(struct connection *connection);
/** Answers 503 in a few bytes, whatever was asked for, and closes. */
void connection_refuse(struct connection *connection);
/** Begins to read requests. */
void connection_read(struct connection *connection);
/** Acts on the connections whose time in a stage is over. */
void connections_expire(struct http_port *port);

/* http_port.c */
/** A handle of the port, or a connection, is closed; the last one frees the port. */
void http_port_handle_closed(struct http_port *port);

#endif
