#include "server/store/redis/redis_probe.h"

#include <stddef.h>
#include <string.h>

/* KEYS[1]: key. ARGV: whether to publish. SET with XX does not make a key. */
#define PROBE_SCRIPT                                                                                                   \
    ("redis.call('GET', KEYS[1])\n"                                                                                    \
     "redis.call('SET', KEYS[1], '', 'XX', 'EX', '1')\n"                                                               \
     "if ARGV[1] == '1' then redis.call('PUBLISH', KEYS[1], '') end\n"                                                 \
     "return 1\n")
/* No script has this name: NOSCRIPT is the good answer. */
#define NO_SCRIPT "0000000000000000000000000000000000000000"

#define ARGUMENTS_MOST 7

struct probe_row {
    unsigned use;
    redis_reply_fn *on_reply;
    const char *arguments[ARGUMENTS_MOST]; /* NULL: the key */
    int count;
};

static void answered(struct redis_probe *probe, struct redis_wire *wire, const redisReply *reply, const char *command) {
    if (!reply || wire != probe->wire || probe->waiting == 0) {
        return; /* the connection ended, or another one is probed now */
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        probe->on_error(probe->user, command, reply->str);
    }
    if (wire == probe->wire && --probe->waiting == 0) {
        probe->on_done(probe->user);
    }
}

static void on_probe_ping(struct redis_wire *wire, const redisReply *reply, void *data) {
    answered(data, wire, reply, "PING");
}

static void on_get(struct redis_wire *wire, const redisReply *reply, void *data) {
    answered(data, wire, reply, "GET");
}

static void on_set(struct redis_wire *wire, const redisReply *reply, void *data) {
    answered(data, wire, reply, "SET");
}

static void on_del(struct redis_wire *wire, const redisReply *reply, void *data) {
    answered(data, wire, reply, "DEL");
}

static void on_eval(struct redis_wire *wire, const redisReply *reply, void *data) {
    answered(data, wire, reply, "EVAL (with GET, SET and PUBLISH)");
}

static void on_evalsha(struct redis_wire *wire, const redisReply *reply, void *data) {
    answered(data, wire, reply, "EVALSHA");
}

static const struct probe_row ROWS[] = {
    {REDIS_USES_GET, on_get, {"GET", NULL}, 2},
    {REDIS_USES_SET, on_set, {"SET", NULL, "", "XX", "EX", "1"}, 6},
    {REDIS_USES_DEL, on_del, {"DEL", NULL}, 2},
    {REDIS_USES_SCRIPT, on_eval, {"EVAL", PROBE_SCRIPT, "1", NULL, "0"}, 5},
    {REDIS_USES_SCRIPT, on_evalsha, {"EVALSHA", NO_SCRIPT, "1", NULL}, 4},
};

static bool send_probe_row(struct redis_probe *probe, const struct probe_row *row, bool publish) {
    const char *arguments[ARGUMENTS_MOST];
    for (int i = 0; i < row->count; i++) {
        arguments[i] = row->arguments[i] ? row->arguments[i] : probe->key;
    }
    if (publish && row->on_reply == on_eval) {
        arguments[row->count - 1] = "1";
    }
    probe->waiting++;
    return redis_wire_send(probe->wire, row->on_reply, probe, row->count, arguments, NULL);
}

bool redis_probe_send(struct redis_probe *probe, struct redis_wire *wire, bool publish) {
    static const struct probe_row PING = {0, on_probe_ping, {"PING"}, 1};
    bool sent = true;
    probe->wire = wire;
    probe->waiting = 0;
    for (size_t i = 0; sent && i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        if (probe->uses & ROWS[i].use) {
            sent = send_probe_row(probe, &ROWS[i], publish);
        }
    }
    return sent && probe->uses == 0 ? send_probe_row(probe, &PING, publish) : sent;
}
