/* Opens the stores of a service from its settings, and reports their health. */
#include "server/durable/backends.h"

#include "server/durable/durable_log.h"
#include "server/durable/durable_settings.h"
#include "server/store/kafka/kafka_client.h"
#include "server/store/kafka/kafka_settings.h"
#include "server/store/postgres/dsn.h"
#include "server/store/postgres/postgres_settings.h"
#include "server/store/redis/redis_settings.h"

#include <stdio.h>
#include <string.h>

LOG_EVENTS(DURABLE_LOG)

#define PRUNE_INTERVAL_MS 60000

/* Each loop has its own connections. */
static void report_on_loop(const struct backends *backends, const char *component, bool serving, const char *message) {
    rpc_server_set_loop_health(backends->server, component, backends->loop_index, serving, message);
}

static void on_database(void *user, const struct herald_error *error) {
    report_on_loop(user, "database", error == NULL, error ? error->message : NULL);
}

/* It serves, and somebody should look. */
static void on_database_warning(void *user, const char *warning) {
    report_on_loop(user, "database", true, warning);
}

static void on_redis(void *user, const struct herald_error *error) {
    report_on_loop(user, "redis", error == NULL, error ? error->message : NULL);
}

static void on_kafka(void *user, const struct herald_error *error) {
    rpc_server_set_health(user, "kafka", error == NULL, error ? error->message : NULL);
}

static void on_relay_error(void *user, const struct herald_error *error) {
    (void)user;
    log_emit(&LOG_OUTBOX_FAILED, log_error(error), LOG_END);
}

static void on_record_refused(void *user, const struct outbox_row *row, const struct herald_error *error) {
    (void)user;
    log_emit(&LOG_OUTBOX_PARKED, log_str("record", row->id), log_str("topic", row->topic), log_str("key", row->key),
             log_u64("bytes", row->value_bytes), log_error(error), LOG_END);
}

/* It serves, and somebody should raise a limit. */
static void on_records_parked(void *user, const struct outbox_parked *parked) {
    char warning[256] = "";
    if (parked->count > 0) {
        snprintf(warning, sizeof(warning),
                 "%llu records wait that Kafka refuses, the first of %llu bytes for topic '%s': raise "
                 "max.message.bytes of the topic and [kafka] property.message.max.bytes; each is tried every %d to %d "
                 "minutes",
                 (unsigned long long)parked->count, (unsigned long long)parked->bytes, parked->topic,
                 OUTBOX_PARK_S / 60, 2 * OUTBOX_PARK_S / 60);
    }
    rpc_server_set_health(user, "outbox", true, warning);
}

static void on_prune_error(void *user, const struct herald_error *error) {
    (void)user;
    log_emit(&LOG_REPLIES_PRUNE_FAILED, log_error(error), LOG_END);
}

static enum herald_code open_db(struct backends *backends, const struct backends_options *options,
                                struct herald_error *reterr) {
    struct db_options db_options = {
        .dsn = pg_settings(options->settings)->pg_dsn,
        .connections = pg_settings(options->settings)->pg_connections,
        .statement_timeout_ms = pg_settings(options->settings)->pg_statement_timeout_ms,
        .lock_timeout_ms = pg_settings(options->settings)->pg_lock_timeout_ms,
        .transaction_pooling = strcmp(pg_settings(options->settings)->pg_pooling, "transaction") == 0,
        .on_health = on_database,
        .on_warning = on_database_warning,
        .user = backends,
    };
    return db_open(options->loop, &db_options, &backends->db, reterr);
}

static enum herald_code open_redis(struct backends *backends, const struct backends_options *options,
                                   struct herald_error *reterr) {
    struct redis_options redis_options = redis_settings_options(redis_settings(options->settings));
    redis_options.needs = options->redis;
    redis_options.on_health = on_redis;
    redis_options.user = backends;
    return redis_open(options->loop, &redis_options, &backends->redis, reterr);
}

static enum herald_code start_relay(struct backends *backends, const struct backends_options *options,
                                    struct herald_error *reterr) {
    struct outbox_relay_options relay = {
        .owner = options->owner,
        .loop = options->loop,
        .db = backends->db,
        .kafka = options->kafka,
        .redis = backends->redis,
        .poll_ms = outbox_settings(options->settings)->outbox_poll_ms,
        .lease_ms = outbox_settings(options->settings)->outbox_lease_ms,
        .on_error = on_relay_error,
        .on_refused = on_record_refused,
        .on_parked = on_records_parked,
        .user = options->server,
    };
    rpc_server_set_health(options->server, "outbox", true, NULL); /* as long as nothing else is known */
    return outbox_relay_start(&relay, &backends->outbox, reterr);
}

static enum herald_code start_pruner(struct backends *backends, const struct backends_options *options,
                                     struct herald_error *reterr) {
    struct reply_pruner_options pruner = {
        .loop = options->loop,
        .db = backends->db,
        .keep_s = options->with_replies ? idempotency_settings(options->settings)->idempotency_keep_s : 0,
        .rows = options->rows,
        .interval_ms = PRUNE_INTERVAL_MS,
        .on_error = on_prune_error,
    };
    return reply_pruner_start(&pruner, &backends->pruner, reterr);
}

enum herald_code backends_open(struct backends *backends, const struct backends_options *options,
                               struct herald_error *reterr) {
    *backends = (struct backends){.server = options->server, .loop_index = loop_index(options->loop)};
    enum herald_code code = open_db(backends, options, reterr);
    if (code == HERALD_OK && options->redis) {
        code = open_redis(backends, options, reterr);
    }
    if (code == HERALD_OK) {
        code = start_relay(backends, options, reterr);
    }
    if (code == HERALD_OK && backends->loop_index == 0) {
        code = start_pruner(backends, options, reterr);
    }
    if (code != HERALD_OK) {
        backends_close(backends);
    }
    return code;
}

void backends_close(struct backends *backends) {
    outbox_relay_stop(backends->outbox);
    reply_pruner_stop(backends->pruner);
    redis_close(backends->redis);
    db_close(backends->db);
    backends->outbox = NULL;
    backends->pruner = NULL;
    backends->redis = NULL;
    backends->db = NULL; /* the rest is read by reports that are still on their way */
}

enum herald_code backends_serve(struct rpc_server *server, const struct herald_service_binding *binding,
                                const void *handlers, rpc_self_fn *self, void *owner, bool with_redis,
                                struct herald_error *reterr) {
    const char *const needs[] = {"database", "kafka", "outbox", "redis"};
    enum herald_code code = rpc_server_add(server, binding, handlers, self, owner, reterr);
    for (size_t i = 0; code == HERALD_OK && i < (with_redis ? 4u : 3u); i++) {
        code = rpc_server_need(server, binding->schema->full_name, needs[i], reterr);
    }
    return code;
}

void backends_check(const struct settings *settings, struct config_problems *problems) {
    struct herald_error error;
    settings_config_problem(settings, &pg_settings(settings)->pg_dsn,
                            db_dsn_check(pg_settings(settings)->pg_dsn, &error), &error, problems);
}

enum herald_code backends_open_kafka(const struct settings *settings, const char *client_id, const char *topic,
                                     struct rpc_server *server, struct kafka_producer **ret_producer,
                                     struct herald_error *reterr) {
    struct kafka_producer_options options = {
        .bootstrap = kafka_settings(settings)->kafka_bootstrap,
        .client_id = client_id,
        .delivery_timeout_ms = kafka_settings(settings)->kafka_delivery_timeout_ms,
        .topics = {topic},
        .on_health = on_kafka,
        .user = server,
    };
    enum herald_code code = kafka_client_use(kafka_settings(settings)->kafka_property, reterr);
    return code == HERALD_OK ? kafka_producer_open(&options, ret_producer, reterr) : code;
}
