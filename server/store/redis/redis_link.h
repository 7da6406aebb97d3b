#ifndef HERALD_REDIS_REDIS_LINK_H
#define HERALD_REDIS_REDIS_LINK_H

#include "herald/error.h"
#include "server/store/redis/redis_url.h"

#include <hiredis/async.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One connection to Redis on a loop, made and remade for ever: resolve, connect, AUTH, SELECT, PING, then up; a
 * heartbeat while up. All functions and callbacks: the loop's thread.
 */
struct uv_loop_s;
struct redis_link;

struct redis_link_options {
    struct uv_loop_s *uv;
    const struct redis_url *url; /* copied */
    uint32_t timeout_ms;         /* for connecting with its handshake, and for a heartbeat's answer */
    void (*on_up)(void *user);   /* commands may be sent */
    /** It was lost, or could not be made (told once until it is up again). All its commands have got their callbacks.
     */
    void (*on_down)(void *user, const struct herald_error *error);
    /** Sends the heartbeat, whose callback calls redis_link_heard(). NULL: PING. */
    bool (*send_heartbeat)(void *user, redisAsyncContext *context);
    void (*on_freed)(void *user); /* the memory of a closed link is gone: the last callback. May be NULL */
    void *user;
};

/** Starts connecting. Returns NULL without memory. */
struct redis_link *redis_link_open(const struct redis_link_options *options);
/** Ends it: commands in flight get their callbacks with a NULL reply, on_down is not called. NULL is allowed. */
void redis_link_close(struct redis_link *link);
/** The connection for commands; NULL when it is not up. */
redisAsyncContext *redis_link_context(struct redis_link *link);
/** Whether an attempt is under way whose predecessor did not fail: waiting for it is worth it. */
bool redis_link_is_hopeful(const struct redis_link *link);
/** The heartbeat was answered. */
void redis_link_heard(struct redis_link *link);

#endif
