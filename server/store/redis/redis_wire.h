#ifndef HERALD_REDIS_REDIS_WIRE_H
#define HERALD_REDIS_REDIS_WIRE_H

/*
 * One TCP connection to a Redis or a Sentinel, with or without TLS: commands out, replies in, in order. hiredis writes
 * the commands and reads the replies; the socket, TLS and the queue of waiting commands are ours, because hiredis 0.14
 * has no TLS. All functions and callbacks: the loop's thread.
 */

#include <hiredis/hiredis.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct loop;
struct redis_wire;

/**
 * The reply to a command. NULL: the connection ended before it came. @reply is freed after the callback, which may
 * close the wire.
 */
typedef void redis_reply_fn(struct redis_wire *wire, const redisReply *reply, void *data);

struct redis_wire_options {
    struct loop *loop;
    const struct addrinfo *address; /* used during redis_wire_open() only */
    SSL_CTX *tls;                   /* NULL: plain text. Shared */
    const char *server_name;        /* with TLS: the name or address that the certificate must have */
    void (*on_open)(struct redis_wire *wire, void *user); /* commands may be sent */
    /** The connection ended, or was not made. All commands have had their callbacks; the wire frees itself. */
    void (*on_lost)(struct redis_wire *wire, const char *why, void *user);
    redis_reply_fn *on_push;      /* published messages; NULL: none are expected */
    void (*on_freed)(void *user); /* the last callback, also after redis_wire_close() */
    void *user;
};

/**
 * Begins to connect.
 *
 * @ret_why  set only on failure: why; static
 * Returns:  NULL: no memory, no descriptor, or refused at once; no callback comes then
 */
struct redis_wire *redis_wire_open(const struct redis_wire_options *options, const char **ret_why);
/**
 * Sends a command when the turn of the loop ends. @reply may be called before the connection is closed only.
 *
 * @lengths  NULL: all arguments are NUL-terminated
 * Returns:  false: no memory; the callback is not called
 */
bool redis_wire_send(struct redis_wire *wire, redis_reply_fn *on_reply, void *data, int count, const char **arguments,
                     const size_t *lengths);
/** Closes: all commands get their callbacks with NULL; on_lost is not called. The wire frees itself. */
void redis_wire_close(struct redis_wire *wire);
/** Why the connection ended, for the callbacks of its commands; "closed" before that. */
const char *redis_wire_why(const struct redis_wire *wire);

#endif
