/*
 * Commands and the subscription of one loop's Redis.
 *
 * A command's state is on the heap, because its reply may come after its waiter has left: the reply's callback then
 * frees it (`abandoned`). While the waiter is there, the callback copies the reply into the waiter's arena: same
 * thread, and the waiter is suspended.
 */
#include "server/store/redis/redis.h"

#include "client/base/ascii.h"
#include "server/runtime/call.h"
#include "server/store/redis/redis_link.h"

#include <hiredis/async.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS_MOST  65536
#define ARGUMENTS_MOST 7

struct redis_command {
    struct redis *redis; /* valid while not abandoned */
    struct completion answered;
    struct arena *arena;
    bool abandoned;
    enum herald_code code; /* HERALD_OK: `type` and its value are set */
    int type;              /* REDIS_REPLY_… */
    long long integer;
    char *text; /* arena */
    size_t text_bytes;
    char error[128]; /* text of an error reply, or why there is no reply */
};

/* A task that waits for the connection. */
struct redis_waiter {
    struct redis_waiter *prev, *next;
    struct completion woken;
    bool closed; /* woken by redis_close(): struct redis may be gone */
};

struct redis_subscription {
    char *pattern;
    redis_message_fn *on_message;
    void *user;
    bool made; /* confirmed on the present connection */
};

struct redis {
    struct redis_options options;
    struct uv_loop_s *uv;
    struct redis_url url;
    struct redis_link *commands, *messages; /* messages: NULL before redis_psubscribe() */
    unsigned links;                         /* links whose memory is not freed yet */
    bool closed;
    unsigned in_flight;
    struct redis_waiter *waiters;
    struct redis_subscription subscription;
};

/*
 * Compares the version as a decimal string, because Lua's numbers are doubles. A value that Herald did not write counts
 * as older. KEYS[1]: key. ARGV: version, value, seconds.
 */
static const char SET_VERSIONED[] = "local function digits(v)\n"
                                    "  if type(v) == 'number' then v = string.format('%.0f', v) end\n"
                                    "  if type(v) ~= 'string' or not v:match('^%d+$') then return '' end\n"
                                    "  return (v:gsub('^0+', ''))\n"
                                    "end\n"
                                    "local old = ''\n"
                                    "local stored = redis.call('GET', KEYS[1])\n"
                                    "if stored then\n"
                                    "  local good, value = pcall(cjson.decode, stored)\n"
                                    "  if good and type(value) == 'table' then old = digits(value['version']) end\n"
                                    "end\n"
                                    "local new = digits(ARGV[1])\n"
                                    "if #new < #old or (#new == #old and new <= old) then return 0 end\n"
                                    "redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])\n"
                                    "redis.call('PUBLISH', KEYS[1], ARGV[1])\n"
                                    "return 1\n";

static enum herald_code redis_unavailable(struct herald_error *reterr, const char *what) {
    return herald_error_set(reterr, HERALD_REASON_REDIS_UNAVAILABLE, "Redis: %s", what);
}

/* --- Commands --- */

static void copy_reply(struct redis_command *command, const redisReply *reply) {
    command->type = reply->type;
    command->integer = reply->integer;
    if (reply->type == REDIS_REPLY_ERROR) {
        command->code = HERALD_UNAVAILABLE;
        snprintf(command->error, sizeof(command->error), "%s", reply->str);
    } else if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS) {
        /* hiredis terminates the text with a NUL; it may hold NULs. */
        command->text = arena_memdup(command->arena, reply->str, (size_t)reply->len + 1);
        command->text_bytes = (size_t)reply->len;
        command->code = command->text ? HERALD_OK : HERALD_RESOURCE_EXHAUSTED;
    } else {
        command->code = HERALD_OK;
    }
}

static void on_reply(redisAsyncContext *context, void *reply, void *data) {
    struct redis_command *command = data;
    if (command->abandoned) {
        free(command);
        return;
    }
    command->redis->in_flight--;
    if (reply) {
        copy_reply(command, reply);
    } else {
        command->code = HERALD_UNAVAILABLE;
        snprintf(command->error, sizeof(command->error), "the connection was lost before the answer (%s)",
                 context->err ? context->errstr : "closed");
    }
    completion_complete(&command->answered);
}

static void link_waiter(struct redis *redis, struct redis_waiter *waiter) {
    waiter->prev = NULL;
    waiter->next = redis->waiters;
    if (waiter->next) {
        waiter->next->prev = waiter;
    }
    redis->waiters = waiter;
}

static void unlink_waiter(struct redis *redis, struct redis_waiter *waiter) {
    *(waiter->prev ? &waiter->prev->next : &redis->waiters) = waiter->next;
    if (waiter->next) {
        waiter->next->prev = waiter->prev;
    }
}

static void wake_waiters(struct redis *redis, bool closed) {
    struct redis_waiter *waiter = redis->waiters;
    redis->waiters = NULL;
    while (waiter) {
        struct redis_waiter *next = waiter->next;
        waiter->closed = closed;
        completion_complete(&waiter->woken);
        waiter = next;
    }
}

/* A wait ended early. The end of the call is passed on; our own time-out becomes REDIS_UNAVAILABLE. */
static enum herald_code ended_early(enum herald_code code, const struct herald_error *error, const char *what,
                                    struct herald_error *reterr) {
    if (code == HERALD_DEADLINE_EXCEEDED && herald_error_is(error, HERALD_REASON_WAIT_TIMEOUT)) {
        return redis_unavailable(reterr, what);
    }
    herald_error_copy(reterr, error);
    return code;
}

/* Waits while the connection is being made, unless the last attempt has failed: then it returns at once. */
static TASK_FN enum herald_code await_connection(struct redis *redis, struct herald_error *reterr) {
    if (redis->closed || redis_link_context(redis->commands) || !redis_link_is_hopeful(redis->commands)) {
        return HERALD_OK;
    }
    struct redis_waiter waiter = {0};
    struct herald_error error = {0};
    completion_init(&waiter.woken);
    waiter.woken.what = "a connection to Redis";
    link_waiter(redis, &waiter);
    enum herald_code code = completion_wait_for(&waiter.woken, redis->options.timeout_ms, &error);
    if (code == HERALD_OK) { /* wake_waiters() has emptied the list */
        return waiter.closed ? redis_unavailable(reterr, "closed") : HERALD_OK;
    }
    unlink_waiter(redis, &waiter);
    return ended_early(code, &error, "no connection in time", reterr);
}

static enum herald_code send_command(struct redis *redis, int count, const char **arguments, const size_t *lengths,
                                     struct redis_command **ret_command, struct herald_error *reterr) {
    redisAsyncContext *context = redis->closed ? NULL : redis_link_context(redis->commands);
    if (!context) {
        return redis_unavailable(reterr, "not connected");
    }
    if (redis->in_flight >= COMMANDS_MOST) {
        return redis_unavailable(reterr, "too many commands are waiting for their answers");
    }
    struct redis_command *command = calloc(1, sizeof(*command));
    if (!command) {
        return redis_unavailable(reterr, "no memory for a command");
    }
    command->redis = redis;
    command->arena = call_arena();
    completion_init(&command->answered);
    command->answered.what = "an answer of Redis";
    if (redisAsyncCommandArgv(context, on_reply, command, count, arguments, lengths) != REDIS_OK) {
        free(command);
        return redis_unavailable(reterr, "the connection is closing");
    }
    redis->in_flight++;
    *ret_command = command;
    return HERALD_OK;
}

static enum herald_code finish_command(struct redis_command *command, struct redis_command *ret_answer,
                                       struct herald_error *reterr) {
    *ret_answer = *command;
    free(command);
    switch (ret_answer->code) {
    case HERALD_OK:
        return HERALD_OK;
    case HERALD_RESOURCE_EXHAUSTED:
        return arena_full(reterr, "Redis' answer of %zu bytes", ret_answer->text_bytes);
    default:
        redis_unavailable(reterr, ret_answer->error);
        if (reterr && ret_answer->type == REDIS_REPLY_ERROR) {
            snprintf(reterr->origin, sizeof(reterr->origin), "%.63s", ret_answer->error);
        }
        return HERALD_UNAVAILABLE;
    }
}

/* Sends a command and waits for its answer. @ret_answer  set for every answer, error replies included */
static TASK_FN enum herald_code run_command(struct redis *redis, int count, const char **arguments,
                                            const size_t *lengths, struct redis_command *ret_answer,
                                            struct herald_error *reterr) {
    struct redis_command *command = NULL;
    struct herald_error error = {0};
    uint32_t timeout_ms = redis->options.timeout_ms;
    *ret_answer = (struct redis_command){.type = REDIS_REPLY_NIL};
    enum herald_code code = call_check(reterr);
    if (code == HERALD_OK) {
        code = send_command(redis, count, arguments, lengths, &command, reterr);
    }
    if (code != HERALD_OK) {
        return code;
    }
    code = completion_wait_for(&command->answered, timeout_ms, &error);
    if (code != HERALD_OK) {
        command->abandoned = true;
        command->redis->in_flight--;
        return ended_early(code, &error, "no answer in time; the command may have run", reterr);
    }
    return finish_command(command, ret_answer, reterr);
}

/* The common case: all arguments are strings but one, which has a length. */
static TASK_FN enum herald_code run_plain_command(struct redis *redis, int count, const char **arguments, int binary,
                                                  size_t binary_bytes, struct redis_command *ret_answer,
                                                  struct herald_error *reterr) {
    size_t lengths[ARGUMENTS_MOST];
    for (int i = 0; i < count; i++) {
        lengths[i] = i == binary ? binary_bytes : strlen(arguments[i]);
    }
    enum herald_code code = await_connection(redis, reterr);
    return code == HERALD_OK ? run_command(redis, count, arguments, lengths, ret_answer, reterr) : code;
}

TASK_FN enum herald_code redis_get(struct redis *redis, const char *key, char **ret_value, size_t *ret_bytes,
                                   struct herald_error *reterr) {
    const char *arguments[] = {"GET", key};
    struct redis_command answer;
    enum herald_code code = run_plain_command(redis, 2, arguments, -1, 0, &answer, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (answer.type == REDIS_REPLY_NIL) {
        return herald_error_set(reterr, HERALD_REASON_REDIS_NO_KEY, "Redis has no key '%s'", key);
    }
    if (answer.type != REDIS_REPLY_STRING) {
        return redis_unavailable(reterr, "GET was answered with something that is no string");
    }
    *ret_value = answer.text;
    *ret_bytes = answer.text_bytes;
    return HERALD_OK;
}

TASK_FN enum herald_code redis_set(struct redis *redis, const char *key, const char *value, size_t bytes,
                                   uint32_t ttl_s, struct herald_error *reterr) {
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%u", ttl_s);
    const char *arguments[] = {"SET", key, value, "EX", seconds};
    struct redis_command answer;
    return run_plain_command(redis, 5, arguments, 2, bytes, &answer, reterr);
}

TASK_FN enum herald_code redis_del(struct redis *redis, const char *key, struct herald_error *reterr) {
    const char *arguments[] = {"DEL", key};
    struct redis_command answer;
    return run_plain_command(redis, 2, arguments, -1, 0, &answer, reterr);
}

/* The script's name in Redis: its SHA-1 in hexadecimal. */
static enum herald_code script_name(char ret_name[41], struct herald_error *reterr) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!EVP_Digest(SET_VERSIONED, sizeof(SET_VERSIONED) - 1, digest, &length, EVP_sha1(), NULL) || length != 20) {
        return herald_error_set(reterr, HERALD_REASON_NO_SHA1, "libcrypto does not compute SHA-1");
    }
    herald_write_hex(digest, length, ret_name);
    return HERALD_OK;
}

TASK_FN enum herald_code redis_set_versioned(struct redis *redis, const char *key, uint64_t version, const char *value,
                                             size_t bytes, uint32_t ttl_s, struct herald_error *reterr) {
    char name[41], version_text[24], seconds[16];
    snprintf(version_text, sizeof(version_text), "%llu", (unsigned long long)version);
    snprintf(seconds, sizeof(seconds), "%u", ttl_s);
    enum herald_code code = script_name(name, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const char *arguments[] = {"EVALSHA", name, "1", key, version_text, value, seconds};
    struct redis_command answer;
    struct herald_error error = {0};
    code = run_plain_command(redis, 7, arguments, 5, bytes, &answer, &error);
    if (code == HERALD_UNAVAILABLE && strncmp(error.origin, "NOSCRIPT", 8) == 0) {
        arguments[0] = "EVAL"; /* this stores the script too */
        arguments[1] = SET_VERSIONED;
        return run_plain_command(redis, 7, arguments, 5, bytes, &answer, reterr);
    }
    if (code != HERALD_OK) {
        herald_error_copy(reterr, &error);
    }
    return code;
}

/* --- Subscription --- */

/* Elements of a push: "psubscribe" pattern count | "pmessage" pattern channel message. */
static void on_push(redisAsyncContext *context, void *data, void *user) {
    const redisReply *reply = data;
    struct redis *redis = user;
    struct redis_subscription *subscription = &redis->subscription;
    (void)context;
    if (!reply || redis->closed || reply->type != REDIS_REPLY_ARRAY || reply->elements < 3 || !reply->element[0]->str) {
        return;
    }
    redis_link_heard(redis->messages);
    const char *kind = reply->element[0]->str;
    if (strcmp(kind, "pmessage") == 0 && reply->elements == 4) {
        subscription->on_message(subscription->user, reply->element[2]->str, reply->element[3]->str);
    } else if (strcmp(kind, "psubscribe") == 0 && !subscription->made) {
        subscription->made = true;
        subscription->on_message(subscription->user, NULL, NULL);
    }
}

/*
 * A heartbeat: repeating the subscription changes nothing, and Redis answers it. (hiredis cannot take PING's answer
 * here.)
 */
static bool send_subscription(void *user, redisAsyncContext *context) {
    struct redis *redis = user;
    return redisAsyncCommand(context, on_push, redis, "PSUBSCRIBE %s", redis->subscription.pattern) == REDIS_OK;
}

static void on_messages_up(void *user) {
    struct redis *redis = user;
    redis->subscription.made = false;
    (void)send_subscription(redis, redis_link_context(redis->messages)); /* on failure the heartbeat repeats it */
}

static void on_messages_down(void *user, const struct herald_error *error) {
    (void)user;
    (void)error; /* the connection for commands reports the health */
}

/* --- Life --- */

static void tell_redis_health(struct redis *redis, const struct herald_error *error) {
    wake_waiters(redis, false);
    if (redis->options.on_health) {
        redis->options.on_health(redis->options.user, error);
    }
}

static void on_commands_up(void *user) {
    tell_redis_health(user, NULL);
}

static void on_commands_down(void *user, const struct herald_error *error) {
    tell_redis_health(user, error);
}

static void on_link_freed(void *user) {
    struct redis *redis = user;
    if (--redis->links == 0) {
        explicit_bzero(&redis->url, sizeof(redis->url));
        free(redis->subscription.pattern);
        free(redis);
    }
}

enum herald_code redis_open(struct loop *loop, const struct redis_options *options, struct redis **ret_redis,
                            struct herald_error *reterr) {
    struct redis_url url;
    enum herald_code code = redis_url_parse(options->url, &url, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    struct redis *redis = calloc(1, sizeof(*redis));
    if (!redis) {
        return herald_error_no_memory(reterr, "Redis");
    }
    redis->options = *options;
    redis->options.url = NULL; /* the string is borrowed and already parsed */
    redis->url = url;
    redis->uv = loop_uv(loop);
    redis->commands = redis_link_open(&(struct redis_link_options){
        .uv = redis->uv,
        .url = &url,
        .timeout_ms = options->timeout_ms,
        .on_up = on_commands_up,
        .on_down = on_commands_down,
        .on_freed = on_link_freed,
        .user = redis,
    });
    if (!redis->commands) {
        free(redis);
        return herald_error_no_memory(reterr, "Redis");
    }
    redis->links = 1;
    *ret_redis = redis;
    return HERALD_OK;
}

enum herald_code redis_psubscribe(struct redis *redis, const char *pattern, redis_message_fn *on_message, void *user,
                                  struct herald_error *reterr) {
    if (redis->messages) {
        return herald_error_set(reterr, HERALD_REASON_REDIS_SUBSCRIBED,
                                "this connection has a subscription already, to '%s'", redis->subscription.pattern);
    }
    char *copy = strdup(pattern);
    struct redis_link *messages = copy ? redis_link_open(&(struct redis_link_options){
                                             .uv = redis->uv,
                                             .url = &redis->url,
                                             .timeout_ms = redis->options.timeout_ms,
                                             .on_up = on_messages_up,
                                             .on_down = on_messages_down,
                                             .send_heartbeat = send_subscription,
                                             .on_freed = on_link_freed,
                                             .user = redis,
                                         })
                                       : NULL;
    if (!messages) {
        free(copy);
        return herald_error_no_memory(reterr, "a subscription");
    }
    redis->subscription = (struct redis_subscription){.pattern = copy, .on_message = on_message, .user = user};
    redis->messages = messages;
    redis->links++;
    return HERALD_OK;
}

void redis_close(struct redis *redis) {
    if (!redis) {
        return;
    }
    redis->closed = true;
    wake_waiters(redis, true);
    struct redis_link *messages = redis->messages;
    redis_link_close(redis->commands);
    redis_link_close(messages);
}
