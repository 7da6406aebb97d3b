#ifndef HERALD_DURABLE_BACKENDS_H
#define HERALD_DURABLE_BACKENDS_H

#include "server/durable/outbox_relay.h"
#include "server/durable/reply_pruner.h"
#include "server/rpc/server.h"
#include "server/settings/settings.h"
#include "server/store/kafka/kafka.h"
#include "server/store/postgres/db.h"
#include "server/store/redis/redis.h"

/*
 * What a service keeps its state in, opened by the settings and with its health reported to the RPC server as the
 * components "database", "redis" and "kafka".
 */

/** A loop's own connections, the relay of its outbox rows and the pruner of its stored replies. */
struct backends {
    struct db *db;
    struct redis *redis; /* NULL unless asked for */
    struct outbox_relay *outbox;
    struct reply_pruner *pruner; /* NULL unless asked for, and on loops but the first */
};

struct backends_options {
    const struct settings *settings;
    struct rpc_server *server;
    struct loop *loop;
    struct kafka_producer *kafka;
    const char *owner; /* whose outbox rows: "event"; static */
    bool with_redis;
    bool with_replies; /* its methods are ONCE ones: prune what settings idempotency.keep_s says */
};

/** Opens in place; connecting goes on in the background. On error nothing is open. Loop's thread. */
enum herald_code backends_open(struct backends *backends, const struct backends_options *options,
                               struct herald_error *reterr);
/** Closes what is open, also a zeroed struct. Loop's thread. */
void backends_close(struct backends *backends);

/** Adds a service to the server, with its needs: database and kafka, and redis @with_redis. As rpc_server_add(). */
enum herald_code backends_serve(struct rpc_server *server, const struct herald_service_binding *binding,
                                const void *handlers, rpc_self_fn *self, void *owner, bool with_redis,
                                struct herald_error *reterr);

/** Opens the process's producer, which serves while @topic is there too. Any thread. */
enum herald_code backends_open_kafka(const struct settings *settings, const char *client_id, const char *topic,
                                     struct rpc_server *server, struct kafka_producer **ret_producer,
                                     struct herald_error *reterr);

#endif
