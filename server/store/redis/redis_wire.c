/*
 * Bytes, TLS and RESP of one connection.
 *
 * TLS works on two memory BIOs: what the socket gives goes into one, what the other holds goes to the socket. So no
 * call of libssl ever touches the descriptor, and a write always succeeds once the handshake is over.
 *
 * Callbacks may close the wire. Its memory lives until libuv has closed the poll handle, so after each callback the
 * code looks at `closed` and returns.
 */
#include "server/store/redis/redis_wire.h"

#include "client/base/buffer.h"
#include "server/runtime/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define READ_BYTES      16384
#define KEEP_OUT_BYTES  65536
#define KEEP_ALIVE_S    15
#define KEEP_ALIVE_LOST 3

enum wire_state { WIRE_CONNECTING, WIRE_HANDSHAKE, WIRE_OPEN };

struct pending {
    struct pending *next;
    redis_reply_fn *on_reply;
    void *data;
};

struct redis_wire {
    struct loop_turn turn; /* first; sends the commands of a turn together */
    struct redis_wire_options options;
    enum wire_state state;
    bool closed;
    int fd;
    uv_poll_t poll;
    int watched; /* events that libuv watches */
    SSL *ssl;    /* NULL: plain */
    redisReader *reader;
    struct herald_buffer out; /* bytes for the socket */
    size_t out_sent;
    struct pending *first, **last;
    char why[192];
};

/* --- The end --- */

static void on_wire_closed(uv_handle_t *handle) {
    struct redis_wire *wire = handle->data;
    void (*on_freed)(void *) = wire->options.on_freed;
    void *user = wire->options.user;
    SSL_free(wire->ssl); /* with its BIOs */
    redisReaderFree(wire->reader);
    free(wire->out.bytes);
    free(wire);
    if (on_freed) {
        on_freed(user);
    }
}

static void end_wire(struct redis_wire *wire, bool tell) {
    if (wire->closed) {
        return;
    }
    wire->closed = true;
    loop_turn_cancel(wire->options.loop, &wire->turn);
    uv_close((uv_handle_t *)&wire->poll, on_wire_closed);
    close(wire->fd);
    while (wire->first) {
        struct pending *pending = wire->first;
        wire->first = pending->next;
        pending->on_reply(wire, NULL, pending->data);
        free(pending);
    }
    if (tell) {
        wire->options.on_lost(wire, wire->why, wire->options.user);
    }
}

static void lose_wire(struct redis_wire *wire, const char *why) {
    if (!wire->closed) {
        snprintf(wire->why, sizeof(wire->why), "%s", why);
        end_wire(wire, true);
    }
}

void redis_wire_close(struct redis_wire *wire) {
    end_wire(wire, false);
}

const char *redis_wire_why(const struct redis_wire *wire) {
    return wire->why[0] ? wire->why : "closed";
}

/* --- Writing --- */

static void on_wire_poll(uv_poll_t *poll, int status, int events);

/* Each start of a handle costs libuv two calls of the system. */
static void watch(struct redis_wire *wire) {
    bool writes = wire->state == WIRE_CONNECTING || wire->out_sent < wire->out.count;
    int events = writes ? UV_READABLE | UV_WRITABLE : UV_READABLE;
    if (events != wire->watched && uv_poll_start(&wire->poll, events, on_wire_poll) == 0) {
        wire->watched = events;
    }
}

static bool append_out(struct redis_wire *wire, const void *bytes, size_t count) {
    if (!herald_buffer_reserve(&wire->out, wire->out.count + count)) {
        return false;
    }
    memcpy(wire->out.bytes + wire->out.count, bytes, count);
    wire->out.count += count;
    return true;
}

/* Moves what libssl wants to send into the buffer for the socket. */
static bool take_ciphertext(struct redis_wire *wire) {
    char bytes[4096];
    int count = 0;
    while ((count = BIO_read(SSL_get_wbio(wire->ssl), bytes, sizeof(bytes))) > 0) {
        if (!append_out(wire, bytes, (size_t)count)) {
            return false;
        }
    }
    return true;
}

static void flush_out(struct redis_wire *wire) {
    while (wire->out_sent < wire->out.count) {
        ssize_t sent = send(wire->fd, wire->out.bytes + wire->out_sent, wire->out.count - wire->out_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        }
        if (sent < 0) {
            lose_wire(wire, strerror(errno));
            return;
        }
        wire->out_sent += (size_t)sent;
    }
    wire->out_sent = 0;
    herald_buffer_reset(&wire->out, KEEP_OUT_BYTES);
}

static bool write_plaintext(struct redis_wire *wire, const char *bytes, size_t count) {
    if (!wire->ssl) {
        return append_out(wire, bytes, count);
    }
    for (size_t done = 0; done < count;) {
        size_t wrote = 0;
        if (SSL_write_ex(wire->ssl, bytes + done, count - done, &wrote) != 1) {
            ERR_clear_error();
            return false;
        }
        done += wrote;
    }
    return take_ciphertext(wire);
}

static void on_wire_turn_end(struct loop_turn *turn) {
    struct redis_wire *wire = (struct redis_wire *)turn; /* its first member */
    if (wire->state != WIRE_CONNECTING) {
        flush_out(wire);
    }
    if (!wire->closed) {
        watch(wire);
    }
}

bool redis_wire_send(struct redis_wire *wire, redis_reply_fn *on_reply, void *data, int count, const char **arguments,
                     const size_t *lengths) {
    struct pending *pending = wire->closed ? NULL : malloc(sizeof(*pending));
    char *text = NULL;
    int bytes = pending ? redisFormatCommandArgv(&text, count, arguments, lengths) : -1;
    if (bytes < 0 || !write_plaintext(wire, text, (size_t)bytes)) {
        redisFreeCommand(text);
        free(pending);
        return false;
    }
    redisFreeCommand(text);
    *pending = (struct pending){.on_reply = on_reply, .data = data};
    *wire->last = pending;
    wire->last = &pending->next;
    loop_at_turn_end(wire->options.loop, &wire->turn);
    return true;
}

/* --- Reading --- */

static bool is_push(const struct redis_wire *wire, const redisReply *reply) {
    return wire->options.on_push && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 && reply->element[0]->str &&
           strcmp(reply->element[0]->str, "pmessage") == 0;
}

static void hand_out(struct redis_wire *wire, redisReply *reply) {
    struct pending *pending = wire->first;
    if (is_push(wire, reply)) {
        wire->options.on_push(wire, reply, wire->options.user);
    } else if (pending) {
        wire->first = pending->next;
        if (!wire->first) {
            wire->last = &wire->first;
        }
        pending->on_reply(wire, reply, pending->data);
        free(pending);
    } else { /* nobody asked: "ERR max number of clients reached", a time-out of the server */
        lose_wire(wire, reply->type == REDIS_REPLY_ERROR ? reply->str : "it answered a command that was not sent");
    }
    freeReplyObject(reply);
}

static void hand_out_all(struct redis_wire *wire) {
    void *reply = NULL;
    while (!wire->closed) {
        if (redisReaderGetReply(wire->reader, &reply) != REDIS_OK) {
            lose_wire(wire, wire->reader->errstr);
            return;
        }
        if (!reply) {
            return;
        }
        hand_out(wire, reply);
    }
}

static void feed(struct redis_wire *wire, const char *bytes, size_t count) {
    if (redisReaderFeed(wire->reader, bytes, count) != REDIS_OK) {
        lose_wire(wire, wire->reader->errstr);
    }
}

static void lose_by_tls(struct redis_wire *wire, const char *fallback) {
    char why[176];
    long verdict = SSL_get_verify_result(wire->ssl);
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    if (verdict != X509_V_OK) {
        snprintf(why, sizeof(why), "TLS: its certificate is not trusted: %s", X509_verify_cert_error_string(verdict));
    } else {
        snprintf(why, sizeof(why), "TLS: %s", text ? text : fallback);
    }
    ERR_clear_error();
    lose_wire(wire, why);
}

static void become_open(struct redis_wire *wire) {
    wire->state = WIRE_OPEN;
    wire->options.on_open(wire, wire->options.user);
}

static void shake_hands(struct redis_wire *wire) {
    ERR_clear_error();
    int result = SSL_do_handshake(wire->ssl);
    bool waits = result != 1 && SSL_get_error(wire->ssl, result) == SSL_ERROR_WANT_READ;
    bool taken = take_ciphertext(wire);
    if (result == 1 && taken) {
        become_open(wire);
    } else if (!waits || !taken) {
        flush_out(wire); /* the alert */
        if (!wire->closed) {
            lose_by_tls(wire, "the handshake failed");
        }
    }
}

/* What arrived, decrypted, goes to the reader. */
static void read_plaintext(struct redis_wire *wire) {
    char bytes[READ_BYTES];
    size_t count = 0;
    int result = 1;
    ERR_clear_error();
    while (!wire->closed && (result = SSL_read_ex(wire->ssl, bytes, sizeof(bytes), &count)) == 1) {
        feed(wire, bytes, count);
    }
    if (wire->closed) {
        return;
    }
    int error = SSL_get_error(wire->ssl, result);
    if (!take_ciphertext(wire)) {
        lose_wire(wire, "no memory");
    } else if (error != SSL_ERROR_WANT_READ) {
        hand_out_all(wire); /* replies before the end */
        if (!wire->closed) {
            lose_by_tls(wire, "the server closed the connection");
        }
    }
}

static void take_bytes(struct redis_wire *wire, const char *bytes, size_t count) {
    if (!wire->ssl) {
        feed(wire, bytes, count);
    } else if (BIO_write(SSL_get_rbio(wire->ssl), bytes, (int)count) != (int)count) {
        lose_wire(wire, "no memory");
    } else {
        if (wire->state == WIRE_HANDSHAKE) {
            shake_hands(wire);
        }
        if (!wire->closed && wire->state == WIRE_OPEN) {
            read_plaintext(wire);
        }
    }
    hand_out_all(wire);
}

static void read_socket(struct redis_wire *wire) {
    char bytes[READ_BYTES];
    ssize_t count = recv(wire->fd, bytes, sizeof(bytes), 0);
    if (count > 0) {
        take_bytes(wire, bytes, (size_t)count);
    } else if (count == 0) {
        lose_wire(wire, "the server closed the connection");
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        lose_wire(wire, strerror(errno));
    }
}

/* --- Connecting --- */

static void finish_connect(struct redis_wire *wire) {
    int error = 0;
    socklen_t bytes = sizeof(error);
    if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) {
        error = errno;
    }
    if (error) {
        lose_wire(wire, strerror(error));
    } else if (wire->ssl) {
        wire->state = WIRE_HANDSHAKE;
        shake_hands(wire);
    } else {
        become_open(wire);
    }
}

static void on_wire_poll(uv_poll_t *poll, int status, int events) {
    struct redis_wire *wire = poll->data;
    if (status < 0) {
        wire->watched = 0; /* libuv has stopped */
    }
    if (wire->state == WIRE_CONNECTING) {
        finish_connect(wire);
    } else if (status < 0 || (events & UV_READABLE)) {
        read_socket(wire); /* after an error of libuv: finds the socket's */
    }
    if (!wire->closed) {
        flush_out(wire);
    }
    if (!wire->closed) {
        watch(wire);
    }
}

static bool init_tls(struct redis_wire *wire) {
    const struct redis_wire_options *options = &wire->options;
    unsigned char ip[sizeof(struct in6_addr)];
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    wire->ssl = SSL_new(options->tls);
    if (!in || !out || !wire->ssl) {
        BIO_free(in);
        BIO_free(out);
        return false;
    }
    SSL_set_bio(wire->ssl, in, out);
    SSL_set_connect_state(wire->ssl);
    if (inet_pton(AF_INET, options->server_name, ip) == 1 || inet_pton(AF_INET6, options->server_name, ip) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(wire->ssl), options->server_name) == 1;
    }
    return SSL_set1_host(wire->ssl, options->server_name) == 1 &&
           SSL_set_tlsext_host_name(wire->ssl, options->server_name) == 1;
}

/* A dead peer is found by the heartbeat first; the kernel's keep-alive ends what nobody asks any more. */
static void set_socket_options(int fd) {
    int on = 1, seconds = KEEP_ALIVE_S, lost = KEEP_ALIVE_LOST;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &lost, sizeof(lost));
}

static int begin_connect(const struct addrinfo *address, const char **ret_why) {
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        *ret_why = strerror(errno);
        return -1;
    }
    set_socket_options(fd);
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
        *ret_why = strerror(errno);
        close(fd);
        return -1;
    }
    return fd;
}

/* Frees a wire whose poll handle is not there. */
static void drop_wire(struct redis_wire *wire) {
    close(wire->fd);
    SSL_free(wire->ssl);
    if (wire->reader) {
        redisReaderFree(wire->reader);
    }
    free(wire);
}

struct redis_wire *redis_wire_open(const struct redis_wire_options *options, const char **ret_why) {
    int fd = begin_connect(options->address, ret_why);
    if (fd < 0) {
        return NULL;
    }
    *ret_why = "no memory for a connection";
    struct redis_wire *wire = calloc(1, sizeof(*wire));
    if (!wire) {
        close(fd);
        return NULL;
    }
    wire->options = *options;
    wire->options.address = NULL;
    wire->fd = fd;
    wire->last = &wire->first;
    wire->reader = redisReaderCreate();
    wire->poll.data = wire;
    wire->turn.run = on_wire_turn_end;
    if (!wire->reader || (options->tls && !init_tls(wire)) ||
        uv_poll_init(loop_uv(options->loop), &wire->poll, fd) != 0) {
        drop_wire(wire);
        return NULL;
    }
    wire->options.server_name = NULL; /* libssl has a copy */
    watch(wire);
    return wire;
}
