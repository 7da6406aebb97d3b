#ifndef HERALD_REDIS_REDIS_H
#define HERALD_REDIS_REDIS_H

/*
 * A loop's Redis: a connection for commands and a second one for the subscription. Both reconnect with backoff; with
 * Sentinel they ask for the primary each time. Health is judged by trying the commands (redis_probe.h) each second, and
 * by what fails (the table in redis_fault.c): a Redis that answers and refuses to work is not healthy.
 *
 * The contracts of the commands have this in common:
 *
 * Returns: "REDIS" stands for HERALD_UNAVAILABLE (REDIS_UNAVAILABLE: not connected, timed out, lost, or an error reply,
 *          which is the origin) | HERALD_DEADLINE_EXCEEDED | HERALD_CANCELLED. After a time-out the command may have
 *          run.
 * Context: suspends the task; the loop's thread
 * Returned values live in the running call's arena.
 */

#include "herald/error.h"
#include "server/runtime/loop.h"
#include "server/runtime/task.h"
#include "server/store/redis/redis_probe.h"
#include "server/store/redis/redis_tls.h"

#include <stdint.h>

struct redis;

struct redis_options {
    const char *url; /* redis_url.h has the forms */
    uint32_t timeout_ms;
    struct redis_tls_options tls;                  /* for rediss:// */
    const char *sentinel_user, *sentinel_password; /* of the sentinels; NULL or empty: none */
    const struct redis_needs *needs;               /* what must work for health; static. NULL: everything */
    /** NULL error: healthy. Called for each change, also of the cause. On the loop's thread. */
    void (*on_health)(void *user, const struct herald_error *error);
    void *user;
};

/**
 * Opens both; connecting goes on in the background.
 *
 * Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (REDIS_URL, BAD_CERTIFICATE)
 *          | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 * Context: the loop's thread
 */
enum herald_code redis_open(struct loop *loop, const struct redis_options *options, struct redis **ret_redis,
                            struct herald_error *reterr);
/**
 * Closes both connections: commands and waits in flight end with HERALD_UNAVAILABLE. NULL is allowed. Loop's thread.
 */
void redis_close(struct redis *redis);

/**
 * Reads a key.
 *
 * @ret_value  NUL-terminated; @ret_bytes is without the NUL
 * Returns:    HERALD_OK | HERALD_NOT_FOUND (REDIS_NO_KEY) | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) | REDIS
 */
TASK_FN enum herald_code redis_get(struct redis *redis, const char *key, char **ret_value, size_t *ret_bytes,
                                   struct herald_error *reterr);
/** SET key value EX ttl_s. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) | REDIS */
TASK_FN enum herald_code redis_set(struct redis *redis, const char *key, const char *value, size_t bytes,
                                   uint32_t ttl_s, struct herald_error *reterr);
/** DEL key. Returns: HERALD_OK, also when there is no such key | REDIS */
TASK_FN enum herald_code redis_del(struct redis *redis, const char *key, struct herald_error *reterr);
/**
 * Stores @value under @key for @ttl_s seconds if @version is above the stored value's version, and publishes the
 * version on the channel @key. One Lua script does both.
 *
 * @value   a JSON object whose member "version" holds @version as a decimal string
 * Returns: HERALD_OK: stored, or the stored value is as new | HERALD_INTERNAL (NO_SHA1) | REDIS
 */
TASK_FN enum herald_code redis_set_versioned(struct redis *redis, const char *key, uint64_t version, const char *value,
                                             size_t bytes, uint32_t ttl_s, struct herald_error *reterr);

/**
 * Called on the loop's thread with every message on a channel that matches the pattern. Also called with NULL, NULL
 * whenever the subscription was made or made again: messages before that may have been missed.
 */
typedef void redis_message_fn(void *user, const char *channel, const char *message);
/**
 * Subscribes to a pattern, once for each struct redis; connecting goes on in the background.
 *
 * Returns: HERALD_OK | HERALD_ALREADY_EXISTS (REDIS_SUBSCRIBED) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 * Context: the loop's thread
 */
enum herald_code redis_psubscribe(struct redis *redis, const char *pattern, redis_message_fn *on_message, void *user,
                                  struct herald_error *reterr);

#endif
