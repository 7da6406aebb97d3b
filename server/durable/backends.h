#ifndef HERALD_DURABLE_BACKENDS_H
#define HERALD_DURABLE_BACKENDS_H

/*
 * The stores of a service, opened from the settings: Postgres, Redis and Kafka. Their health is reported to the RPC
 * server as the components "database", "redis" and "kafka"; "outbox" warns of records that Kafka refuses.
 */

#include "server/durable/outbox_relay.h"
#include "server/durable/reply_pruner.h"
#include "server/rpc/server.h"
#include "server/settings/config_problems.h"
#include "server/settings/settings.h"
#include "server/store/kafka/kafka.h"
#include "server/store/postgres/db.h"
#include "server/store/redis/redis.h"

/** A loop's own connections, the relay of its outbox rows, and the pruner of stored replies and rows. */
struct backends {
    struct db *db;
    struct redis *redis; /* NULL unless asked for */
    struct outbox_relay *outbox;
    struct reply_pruner *pruner; /* NULL on all loops but the first */
    /* To whom the health of these connections is reported: */
    struct rpc_server *server;
    unsigned loop_index;
};

struct backends_options {
    const struct settings *settings;
    struct rpc_server *server;
    struct loop *loop;
    struct kafka_producer *kafka;
    const char *owner;               /* whose outbox rows: "event"; static */
    const struct redis_needs *redis; /* what it needs of Redis; static. NULL: nothing */
    bool with_replies;               /* its methods are ONCE: prune replies older than the setting idempotency.keep_s */
    struct row_life rows;            /* of the service, with a life */
};

/**
 * Opens the stores in place; connecting goes on in the background. @backends must not move, and outlives the loop.
 *
 * Returns:  HERALD_OK | HERALD_INVALID_ARGUMENT (BAD_DSN, REDIS_URL, BAD_CERTIFICATE)
 *           | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, NO_HANDLES, NO_STACK)
 * On error: nothing is open
 * Context:  the loop's thread
 */
enum herald_code backends_open(struct backends *backends, const struct backends_options *options,
                               struct herald_error *reterr);
/** Closes the open stores; a zeroed struct is allowed. Loop's thread. */
void backends_close(struct backends *backends);

/** Checks the settings of the stores, without connecting: server_app.check of the services. */
void backends_check(const struct settings *settings, struct config_problems *problems);

/**
 * Adds a service to the server, with the components that it needs: database, kafka, outbox and, @with_redis, redis.
 *
 * Returns: as rpc_server_add() | as rpc_server_need()
 */
enum herald_code backends_serve(struct rpc_server *server, const struct herald_service_binding *binding,
                                const void *handlers, rpc_self_fn *self, void *owner, bool with_redis,
                                struct herald_error *reterr);

/**
 * Opens the process's producer, which is healthy only while @topic exists.
 *
 * Returns: as kafka_producer_open()
 * Context: any thread
 */
enum herald_code backends_open_kafka(const struct settings *settings, const char *client_id, const char *topic,
                                     struct rpc_server *server, struct kafka_producer **ret_producer,
                                     struct herald_error *reterr);

#endif
