#ifndef HERALD_REDIS_REDIS_LINK_H
#define HERALD_REDIS_REDIS_LINK_H

/*
 * One connection to Redis on a loop, made and remade until it is closed: resolve, connect, AUTH, SELECT, PING, then up;
 * a heartbeat while up. All functions and callbacks: the loop's thread.
 */

#include "herald/error.h"
#include "server/store/redis/redis_url.h"

#include <hiredis/async.h>
#include <stdbool.h>
#include <stdint.h>

struct uv_loop_s;
struct redis_link;

struct redis_link_options {
    struct uv_loop_s *uv;
    const struct redis_url *url; /* copied */
    uint32_t timeout_ms;         /* for connecting with its handshake, and for a heartbeat's answer */
    void (*on_up)(void *user);   /* commands may be sent */
    /**
     * The connection was lost or could not be made; reported once until it is up again. All its commands have had their
     * callbacks.
     */
    void (*on_down)(void *user, const struct herald_error *error);
    /** Sends the heartbeat, whose callback calls redis_link_heard(). NULL: PING. */
    bool (*send_heartbeat)(void *user, redisAsyncContext *context);
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
redisAsyncContext *redis_link_context(struct redis_link *link);
/** Whether an attempt is in progress and the one before did not fail: waiting for it makes sense. */
bool redis_link_is_hopeful(const struct redis_link *link);
/** Says that the heartbeat was answered. */
void redis_link_heard(struct redis_link *link);

#endif
