#ifndef HERALD_REDIS_REDIS_LINK_H
#define HERALD_REDIS_REDIS_LINK_H

/*
 * One connection to Redis on a loop, made and remade until it is closed: resolve, connect, AUTH, SELECT, PING, then up;
 * a heartbeat while up. With Sentinel each attempt asks the sentinels first, one after the other, for the primary, and
 * makes sure of its role. All functions and callbacks: the loop's thread.
 */

#include "herald/error.h"
#include "server/store/redis/redis_url.h"
#include "server/store/redis/redis_wire.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct redis_link;

struct redis_link_options {
    struct loop *loop;
    const struct redis_url *url; /* copied */
    uint32_t timeout_ms;         /* for connecting with its handshake, and for a heartbeat's answer */
    SSL_CTX *tls;                /* for a URL with TLS. Shared */
    const char *server_name;     /* with TLS: of the certificate; NULL or empty: the host. Must outlive the link */
    const char *sentinel_user, *sentinel_password; /* NULL or empty: none. Must outlive the link */
    void (*on_up)(void *user);                     /* commands may be sent; the heartbeat follows at once */
    /**
     * The connection was lost or could not be made, or the cause has changed. All its commands have had their
     * callbacks.
     */
    void (*on_down)(void *user, const struct herald_error *error);
    /** Sends the heartbeat, whose callback calls redis_link_heard(). Returns: false: no memory. */
    bool (*send_heartbeat)(void *user, struct redis_wire *wire);
    redis_reply_fn *on_push;      /* with `user`; NULL: no messages come */
    void (*on_freed)(void *user); /* the memory of a closed link is freed: the last callback. May be NULL */
    void *user;
};

/** Starts connecting. Returns: NULL: no memory. */
struct redis_link *redis_link_open(const struct redis_link_options *options);
/**
 * Closes the link: commands in flight get their callbacks with a NULL reply; on_down is not called. NULL is allowed.
 */
void redis_link_close(struct redis_link *link);
/** The connection for commands; NULL when it is not up. */
struct redis_wire *redis_link_wire(struct redis_link *link);
/** Whether an attempt is in progress and the one before did not fail: waiting for it makes sense. */
bool redis_link_is_hopeful(const struct redis_link *link);
/** Says that the heartbeat was answered. */
void redis_link_heard(struct redis_link *link);
/**
 * Gives up a connection that is up: another one may be better. Its commands get their callbacks with a NULL reply. Tries
 * follow with backoff until a heartbeat is answered.
 *
 * @why  for on_down
 */
void redis_link_retire(struct redis_link *link, const char *why);
/** "host:port" of the Redis that is or was connected, or tried, for messages. */
void redis_link_place(const struct redis_link *link, char *ret_text, size_t bytes);

#endif
