#ifndef HERALD_REDIS_REDIS_PROBE_H
#define HERALD_REDIS_REDIS_PROBE_H

/*
 * The heartbeat of the connection for commands. It tries each command that its owner uses, in a form that changes
 * nothing, on a key that does not exist: Redis checks permissions, memory, disk and role before it looks at the key. A
 * PING would be answered by a replica, a full one, and one whose ACL allows nothing else.
 */

#include "herald/error.h"
#include "server/store/redis/redis_wire.h"

#include <stdbool.h>
#include <stdint.h>

enum redis_use {
    REDIS_USES_GET = 1,
    REDIS_USES_SET = 2,
    REDIS_USES_DEL = 4,
    REDIS_USES_SCRIPT = 8, /* EVAL and EVALSHA of a script that calls GET, SET and PUBLISH */
};
#define REDIS_USES_ALL (REDIS_USES_GET | REDIS_USES_SET | REDIS_USES_DEL | REDIS_USES_SCRIPT)

/** What a service needs of Redis. */
struct redis_needs {
    const char *key_prefix; /* of all its keys: "job:"; static */
    unsigned uses;          /* of enum redis_use */
};

/** Zeroed: none runs. */
struct redis_probe {
    unsigned uses;   /* of enum redis_use */
    const char *key; /* begins as the owner's keys do */
    /** All commands were answered. Not called if the connection ends before. */
    void (*on_done)(void *user);
    /** A command was refused; before on_done. @reply  the error, whatever it is */
    void (*on_error)(void *user, const char *command, const char *reply);
    void *user;

    struct redis_wire *wire; /* of the running probe */
    unsigned waiting;        /* answers to come; of `wire` */
};

/**
 * Sends the commands.
 *
 * @publish  tries PUBLISH too, to the channel `key`; subscribers get it
 * Returns:  false: no memory
 */
bool redis_probe_send(struct redis_probe *probe, struct redis_wire *wire, bool publish);

#endif
