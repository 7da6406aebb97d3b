/* Checks of heraldctl doctor: Postgres, Redis and Kafka. */
#include "deploy/ctl/doctor.h"
#include "deploy/ctl/url.h"
#include "server/store/postgres/migrate.h"

#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define WAIT_MS 3000

void doctor_postgres(const struct settings *settings, struct finding *ret_finding) {
    struct herald_error error;
    unsigned version = 0, wanted = 0;
    if (db_migrate_check(settings->pg_dsn, &version, &wanted, &error) != HERALD_OK) {
        finding_wrong(ret_finding, "%s", error.message);
        finding_remedy(ret_finding, "start Postgres and create the database, or set [pg] dsn (HERALD_PG_DSN)");
    } else if (version < wanted) {
        finding_wrong(ret_finding, "the schema is at version %u, this build wants %u", version, wanted);
        finding_remedy(ret_finding, "heraldctl migrate");
    } else if (version > wanted) {
        finding_wrong(ret_finding, "the schema is at version %u, newer than this build's %u", version, wanted);
        finding_remedy(ret_finding, "install the newer build");
    } else {
        struct db_look look;
        if (db_look(settings->pg_dsn, &look, &error) != HERALD_OK) {
            finding_wrong(ret_finding, "schema at version %u, and: %s", version, error.message);
            finding_remedy(ret_finding, "make room, or make the server writable; Herald goes on by itself");
        } else if (look.warning[0]) {
            finding_warning(ret_finding, "schema at version %u, and %s", version, look.warning);
        } else {
            finding_good(ret_finding, "schema at version %u%s", version,
                         look.standbys > 0 ? ", commits wait for a standby" : "");
        }
    }
}

static void redis_wrong(struct finding *finding, const struct url_parts *url, const char *what) {
    finding_wrong(finding, "%s:%s: %s", url->host, url->port, what);
    finding_remedy(finding, "start Redis there, or set [redis] url (HERALD_REDIS_URL)");
}

static void redis_ask(redisContext *redis, const struct url_parts *url, struct finding *finding) {
    redisReply *reply = NULL;
    if (url->password[0] != '\0') {
        reply = redisCommand(redis, "AUTH %s", url->password);
        if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
            redis_wrong(finding, url, reply != NULL ? reply->str : redis->errstr);
            finding_remedy(finding, "correct the password in [redis] url (HERALD_REDIS_URL)");
            freeReplyObject(reply);
            return;
        }
        freeReplyObject(reply);
    }
    reply = redisCommand(redis, "PING");
    if (reply == NULL) {
        redis_wrong(finding, url, redis->errstr);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        redis_wrong(finding, url, reply->str);
    } else {
        finding_good(finding, "%s:%s answers", url->host, url->port);
    }
    freeReplyObject(reply);
}

void doctor_redis(const struct settings *settings, struct finding *ret_finding) {
    struct url_parts url;
    struct timeval wait = {.tv_sec = WAIT_MS / 1000};
    if (!url_split(settings->redis_url, &url) || strcmp(url.scheme, "redis") != 0) {
        finding_wrong(ret_finding, "[redis] url is not redis://[:password@]host:port/db");
        finding_remedy(ret_finding, "correct it (HERALD_REDIS_URL)");
        return;
    }
    if (url.port[0] == '\0') {
        snprintf(url.port, sizeof(url.port), "6379");
    }
    redisContext *redis = redisConnectWithTimeout(url.host, atoi(url.port), wait);
    if (redis == NULL || redis->err != 0) {
        redis_wrong(ret_finding, &url, redis != NULL ? redis->errstr : "out of memory");
    } else {
        redisSetTimeout(redis, wait);
        redis_ask(redis, &url, ret_finding);
    }
    if (redis != NULL) {
        redisFree(redis);
    }
}

static void no_log(const rd_kafka_t *kafka, int level, const char *facility, const char *line) {
    (void)kafka, (void)level, (void)facility, (void)line;
}

static bool has_topic(const struct rd_kafka_metadata *metadata, const char *name) {
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, name) == 0 && metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return true;
        }
    }
    return false;
}

static void check_topics(const struct settings *settings, const struct rd_kafka_metadata *metadata,
                         struct finding *finding) {
    const char *const wanted[] = {settings->kafka_event_topic, settings->kafka_distribution_topic,
                                  settings->kafka_image_job_topic};
    char missing[400] = "";
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        size_t length = strlen(missing);
        if (!has_topic(metadata, wanted[i])) {
            snprintf(missing + length, sizeof(missing) - length, "%s%s", length > 0 ? ", " : "", wanted[i]);
        }
    }
    if (missing[0] == '\0') {
        finding_good(finding, "%s: %d broker%s, all topics there", settings->kafka_bootstrap, metadata->broker_cnt,
                     metadata->broker_cnt == 1 ? "" : "s");
        return;
    }
    finding_wrong(finding, "%s: topics missing: %s", settings->kafka_bootstrap, missing);
    finding_remedy(finding,
                   "create them (kafka-topics.sh --bootstrap-server %s --create --topic NAME --partitions 3), "
                   "or let the brokers do it on first use",
                   settings->kafka_bootstrap);
}

static void kafka_wrong(const struct settings *settings, struct finding *finding, const char *what) {
    finding_wrong(finding, "%s: %s", settings->kafka_bootstrap, what);
    finding_remedy(finding, "start Kafka there, or set [kafka] bootstrap (HERALD_KAFKA_BOOTSTRAP)");
}

void doctor_kafka(const struct settings *settings, struct finding *ret_finding) {
    char problem[256] = "out of memory";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, no_log);
    rd_kafka_t *kafka = NULL;
    if (rd_kafka_conf_set(conf, "bootstrap.servers", settings->kafka_bootstrap, problem, sizeof(problem)) ==
        RD_KAFKA_CONF_OK) {
        kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, problem, sizeof(problem));
    }
    if (kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        kafka_wrong(settings, ret_finding, problem);
        return;
    }
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t error = rd_kafka_metadata(kafka, 1, NULL, &metadata, WAIT_MS);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        check_topics(settings, metadata, ret_finding);
        rd_kafka_metadata_destroy(metadata);
    } else {
        kafka_wrong(settings, ret_finding, rd_kafka_err2str(error));
    }
    rd_kafka_destroy(kafka);
}
