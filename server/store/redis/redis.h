#ifndef HERALD_REDIS_REDIS_H
#define HERALD_REDIS_REDIS_H

#include "herald/error.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"

#include <stdint.h>

/*
 * A loop's Redis connection (hiredis async) and a second one for subscriptions; both reconnect with backoff.
 *
 * Results of all functions, besides their own: HERALD_UNAVAILABLE (reason "REDIS_UNAVAILABLE": not connected, timed
 * out, lost, or an error reply, which is in origin), HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED. After a time-out the
 * command may have run. What they return lives in the running call's arena.
 */
struct redis;

struct redis_options {
    const char *url; /* redis://[:password@]host:port/db */
    uint32_t timeout_ms;
    void (*on_health)(void *user, const struct herald_error *error); /* NULL error: it serves. On the loop's thread */
    void *user;
};

/** Opens; connecting goes on in the background. Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (bad URL). Loop's thread.
 */
enum herald_code redis_open(struct loop *loop, const struct redis_options *options, struct redis **ret_redis,
                            struct herald_error *reterr);
void redis_close(struct redis *redis);

/** Returns also HERALD_NOT_FOUND. @ret_value  NUL-terminated; @ret_bytes without the NUL. */
TASK_FN enum herald_code redis_get(struct redis *redis, const char *key, char **ret_value, size_t *ret_bytes,
                                   struct herald_error *reterr);
/** SET key value EX ttl_s. */
TASK_FN enum herald_code redis_set(struct redis *redis, const char *key, const char *value, size_t bytes,
                                   uint32_t ttl_s, struct herald_error *reterr);
TASK_FN enum herald_code redis_del(struct redis *redis, const char *key, struct herald_error *reterr);
/**
 * Stores @value under @key for @ttl_s seconds if @version is above the version stored beside it, and publishes the
 * version on the channel @key; one Lua script. The value must be a JSON object with a member "version" holding it as
 * a decimal string. Returns: HERALD_OK (stored or already as new)
 */
TASK_FN enum herald_code redis_set_versioned(struct redis *redis, const char *key, uint64_t version, const char *value,
                                             size_t bytes, uint32_t ttl_s, struct herald_error *reterr);

/** Calls back on the loop's thread with every message published on channels matching @pattern, and with NULL/NULL when
 * the subscription was (re)made, so that what was missed can be read. One subscription a connection. */
typedef void redis_message_fn(void *user, const char *channel, const char *message);
enum herald_code redis_psubscribe(struct redis *redis, const char *pattern, redis_message_fn *on_message, void *user,
                                  struct herald_error *reterr);

#endif
