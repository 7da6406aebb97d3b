/*
 * Commands, the subscription and the health of one loop's Redis.
 *
 * Healthy means: the connection for commands is up and its last probe found no fault, and the subscription, if there is
 * one, is not known to be broken. A command that meets a fault of the table (redis_fault.c) says so at once; a probe
 * without one ends it.
 *
 * A command's state is on the heap, because its reply may come after its waiter has left: the reply's callback then
 * frees it (`abandoned`). While the waiter is there, the callback copies the reply into the waiter's arena: same
 * thread, and the waiter is suspended.
 */
#include "server/store/redis/redis.h"

#include "client/base/ascii.h"
#include "server/runtime/call.h"
#include "server/store/redis/redis_fault.h"
#include "server/store/redis/redis_link.h"

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
    const char *verb; /* "GET"; static */
    struct arena *arena;
    bool abandoned;
    enum herald_code code; /* HERALD_OK: `type` and its value are set */
    int type;              /* REDIS_REPLY_… */
    long long integer;
    char *text; /* arena */
    size_t text_bytes;
    char error[192]; /* text of an error reply, or why there is no reply */
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

/* What the links need of the options; copies. */
struct redis_logins {
    char *server_name, *sentinel_user, *sentinel_password;
};

struct redis {
    struct redis_options options;
    struct loop *loop;
    struct redis_url url;
    struct redis_link *commands, *messages; /* messages: NULL before redis_psubscribe() */
    unsigned links;                         /* links whose memory is not freed yet */
    bool closed;
    unsigned in_flight;
    struct redis_waiter *waiters;
    struct redis_subscription subscription;
    SSL_CTX *tls; /* NULL: plain */
    struct redis_logins logins;
    char script_name[41]; /* "": not known yet */

    struct redis_probe probe;
    bool probed;                                         /* on this connection, without a fault */
    bool fault_found;                                    /* by the probe that runs */
    struct herald_error down, fault, subscription_fault; /* OK: none */
    bool told, told_healthy;
    char told_message[sizeof(((struct herald_error *)0)->message)];
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

/* --- Health --- */

static void judge_redis(struct redis *redis) {
    const struct herald_error *const errors[] = {&redis->down, &redis->fault, &redis->subscription_fault};
    const struct herald_error *error = NULL;
    for (size_t i = 0; !error && i < sizeof(errors) / sizeof(errors[0]); i++) {
        error = errors[i]->code != HERALD_OK ? errors[i] : NULL;
    }
    bool known = error || redis->probed;
    if (!known || (redis->told && redis->told_healthy == !error &&
                   (!error || strcmp(redis->told_message, error->message) == 0))) {
        return;
    }
    redis->told = true;
    redis->told_healthy = !error;
    snprintf(redis->told_message, sizeof(redis->told_message), "%s", error ? error->message : "");
    if (redis->options.on_health) {
        redis->options.on_health(redis->options.user, error);
    }
}

static void set_fault(struct herald_error *to, const struct redis_link *link, const char *what) {
    char place[180];
    redis_link_place(link, place, sizeof(place));
    herald_error_set(to, HERALD_REASON_REDIS_UNAVAILABLE, "Redis at %s: %s", place, what);
}

/* A command was answered with an error. Gives the connection up if another may be better. */
static void note_reply(struct redis *redis, const char *verb, const char *reply) {
    const struct redis_fault *fault = redis_fault_find(reply);
    char what[320];
    if (!fault || redis->closed) {
        return;
    }
    snprintf(what, sizeof(what), "%s is refused: %.200s; %s", verb, reply, fault->cure);
    if (!redis->fault_found) { /* the first is the plainest: a script fails by what GET and SET have said before */
        redis->fault_found = true;
        redis->probed = false;
        set_fault(&redis->fault, redis->commands, what);
        judge_redis(redis);
    }
    if (fault->retire) {
        redis->probe.wire = NULL;
        redis_link_retire(redis->commands, what);
        if (redis->messages) {
            redis_link_retire(redis->messages, what);
        }
    }
}

static void on_probe_error(void *user, const char *command, const char *reply) {
    note_reply(user, command, reply);
}

static void on_probe_done(void *user) {
    struct redis *redis = user;
    redis_link_heard(redis->commands);
    redis->down.code = HERALD_OK;
    if (!redis->fault_found) {
        redis->probed = true;
        redis->fault.code = HERALD_OK;
    }
    judge_redis(redis);
}

/* PUBLISH disturbs subscribers: tried on a new connection, and until a fault is over. */
static bool send_probe(void *user, struct redis_wire *wire) {
    struct redis *redis = user;
    redis->fault_found = false;
    return redis_probe_send(&redis->probe, wire, !redis->probed);
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

static void on_reply(struct redis_wire *wire, const redisReply *reply, void *data) {
    struct redis_command *command = data;
    if (command->abandoned) {
        free(command);
        return;
    }
    command->redis->in_flight--;
    if (reply) {
        copy_reply(command, reply);
        if (reply->type == REDIS_REPLY_ERROR) {
            note_reply(command->redis, command->verb, reply->str);
        }
    } else {
        command->code = HERALD_UNAVAILABLE;
        snprintf(command->error, sizeof(command->error), "the connection was lost before the answer (%.140s)",
                 redis_wire_why(wire));
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
    if (redis->closed || redis_link_wire(redis->commands) || !redis_link_is_hopeful(redis->commands)) {
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
    struct redis_wire *wire = redis->closed ? NULL : redis_link_wire(redis->commands);
    if (!wire) {
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
    command->verb = arguments[0];
    if (!redis_wire_send(wire, on_reply, command, count, arguments, lengths)) {
        free(command);
        return redis_unavailable(reterr, "no memory to send a command");
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

/* Finds the script's name in Redis, once: its SHA-1 in hexadecimal. */
static enum herald_code need_script_name(struct redis *redis, struct herald_error *reterr) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (redis->script_name[0] != '\0') {
        return HERALD_OK;
    }
    if (!EVP_Digest(SET_VERSIONED, sizeof(SET_VERSIONED) - 1, digest, &length, EVP_sha1(), NULL) || length != 20) {
        return herald_error_set(reterr, HERALD_REASON_NO_SHA1, "libcrypto does not compute SHA-1");
    }
    herald_write_hex(digest, length, redis->script_name);
    return HERALD_OK;
}

TASK_FN enum herald_code redis_set_versioned(struct redis *redis, const char *key, uint64_t version, const char *value,
                                             size_t bytes, uint32_t ttl_s, struct herald_error *reterr) {
    char version_text[24], seconds[16];
    snprintf(version_text, sizeof(version_text), "%llu", (unsigned long long)version);
    snprintf(seconds, sizeof(seconds), "%u", ttl_s);
    enum herald_code code = need_script_name(redis, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    const char *arguments[] = {"EVALSHA", redis->script_name, "1", key, version_text, value, seconds};
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

/* Elements of a message: "pmessage" pattern channel message. */
static void on_published(struct redis_wire *wire, const redisReply *reply, void *user) {
    struct redis *redis = user;
    struct redis_subscription *subscription = &redis->subscription;
    (void)wire;
    if (redis->closed || reply->elements != 4 || !reply->element[2]->str || !reply->element[3]->str) {
        return;
    }
    if (strcmp(reply->element[2]->str, redis->probe.key) != 0) { /* else a probe of somebody's */
        subscription->on_message(subscription->user, reply->element[2]->str, reply->element[3]->str);
    }
}

static void on_subscribed(struct redis_wire *wire, const redisReply *reply, void *user) {
    struct redis *redis = user;
    if (!reply || redis->closed || wire != redis_link_wire(redis->messages)) {
        return;
    }
    const struct redis_fault *fault = reply->type == REDIS_REPLY_ERROR ? redis_fault_find(reply->str) : NULL;
    if (reply->type != REDIS_REPLY_ERROR) {
        redis->subscription_fault.code = HERALD_OK;
    } else {
        char what[320];
        snprintf(what, sizeof(what), "PSUBSCRIBE is refused: %.200s%s%s", reply->str, fault ? "; " : "",
                 fault ? fault->cure : "");
        set_fault(&redis->subscription_fault, redis->messages, what);
    }
    redis_link_heard(redis->messages);
    judge_redis(redis);
    if (fault && fault->retire) {
        redis_link_retire(redis->messages, redis->subscription_fault.message);
    } else if (reply->type != REDIS_REPLY_ERROR && !redis->subscription.made) {
        redis->subscription.made = true;
        redis->subscription.on_message(redis->subscription.user, NULL, NULL);
    }
}

/* A heartbeat: repeating the subscription changes nothing, and Redis answers it. */
static bool send_subscription(void *user, struct redis_wire *wire) {
    struct redis *redis = user;
    const char *arguments[] = {"PSUBSCRIBE", redis->subscription.pattern};
    return redis_wire_send(wire, on_subscribed, redis, 2, arguments, NULL);
}

static void on_messages_up(void *user) {
    struct redis *redis = user;
    redis->subscription.made = false;
}

static void on_messages_down(void *user, const struct herald_error *error) {
    struct redis *redis = user;
    herald_error_copy(&redis->subscription_fault, error);
    judge_redis(redis);
}

/* --- Life --- */

static void on_commands_up(void *user) {
    struct redis *redis = user;
    redis->probed = false;
    wake_waiters(redis, false);
}

static void on_commands_down(void *user, const struct herald_error *error) {
    struct redis *redis = user;
    redis->probed = false;
    redis->probe.wire = NULL;
    herald_error_copy(&redis->down, error);
    wake_waiters(redis, false);
    judge_redis(redis);
}

static char *copy_login(const char *text) {
    return strdup(text ? text : "");
}

static bool redis_logins_copy(struct redis_logins *logins, const struct redis_options *options) {
    logins->server_name = copy_login(options->tls.server_name);
    logins->sentinel_user = copy_login(options->sentinel_user);
    logins->sentinel_password = copy_login(options->sentinel_password);
    return logins->server_name && logins->sentinel_user && logins->sentinel_password;
}

static void redis_logins_clear(struct redis_logins *logins) {
    if (logins->sentinel_password) {
        explicit_bzero(logins->sentinel_password, strlen(logins->sentinel_password));
    }
    free(logins->server_name);
    free(logins->sentinel_user);
    free(logins->sentinel_password);
}

static void free_redis(struct redis *redis) {
    SSL_CTX_free(redis->tls);
    redis_logins_clear(&redis->logins);
    explicit_bzero(&redis->url, sizeof(redis->url));
    free(redis->subscription.pattern);
    free(redis);
}

static void on_link_freed(void *user) {
    struct redis *redis = user;
    if (--redis->links == 0) {
        free_redis(redis);
    }
}

/* What both links have in common. */
static struct redis_link_options link_options(struct redis *redis) {
    return (struct redis_link_options){
        .loop = redis->loop,
        .url = &redis->url,
        .timeout_ms = redis->options.timeout_ms,
        .tls = redis->tls,
        .server_name = redis->logins.server_name,
        .sentinel_user = redis->logins.sentinel_user,
        .sentinel_password = redis->logins.sentinel_password,
        .on_freed = on_link_freed,
        .user = redis,
    };
}

static struct redis_link *open_commands(struct redis *redis) {
    struct redis_link_options options = link_options(redis);
    options.on_up = on_commands_up;
    options.on_down = on_commands_down;
    options.send_heartbeat = send_probe;
    return redis_link_open(&options);
}

static struct redis_link *open_messages(struct redis *redis) {
    struct redis_link_options options = link_options(redis);
    options.on_up = on_messages_up;
    options.on_down = on_messages_down;
    options.send_heartbeat = send_subscription;
    options.on_push = on_published;
    return redis_link_open(&options);
}

static void fill_redis(struct redis *redis, struct loop *loop, const struct redis_options *options) {
    redis->options = *options;
    redis->options.url = NULL; /* the strings are borrowed; read or copied */
    redis->options.tls = (struct redis_tls_options){0};
    redis->loop = loop;
    redis->probe = (struct redis_probe){
        .uses = options->needs ? options->needs->uses : REDIS_USES_ALL,
        .key = options->needs ? options->needs->key_prefix : "herald:probe",
        .on_done = on_probe_done,
        .on_error = on_probe_error,
        .user = redis,
    };
}

enum herald_code redis_open(struct loop *loop, const struct redis_options *options, struct redis **ret_redis,
                            struct herald_error *reterr) {
    struct redis *redis = calloc(1, sizeof(*redis));
    if (!redis) {
        return herald_error_no_memory(reterr, "Redis");
    }
    enum herald_code code = redis_url_parse(options->url, &redis->url, reterr);
    if (code == HERALD_OK && redis->url.tls) {
        code = redis_tls_context(&options->tls, &redis->tls, reterr);
    }
    if (code == HERALD_OK && !redis_logins_copy(&redis->logins, options)) {
        code = herald_error_no_memory(reterr, "Redis");
    }
    if (code != HERALD_OK) {
        free_redis(redis);
        return code;
    }
    fill_redis(redis, loop, options);
    redis->commands = open_commands(redis);
    if (!redis->commands) {
        free_redis(redis);
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
    redis->subscription =
        (struct redis_subscription){.pattern = strdup(pattern), .on_message = on_message, .user = user};
    struct redis_link *messages = redis->subscription.pattern ? open_messages(redis) : NULL;
    if (!messages) {
        free(redis->subscription.pattern);
        redis->subscription = (struct redis_subscription){0};
        return herald_error_no_memory(reterr, "a subscription");
    }
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
