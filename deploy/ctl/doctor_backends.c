/* Checks of heraldctl doctor: Postgres and Kafka. */
#include "deploy/ctl/doctor.h"
#include "server/store/kafka/kafka_client.h"
#include "server/store/postgres/migrate.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                                  settings->kafka_image_job_topic, settings->kafka_dead_letter_topic};
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

/* The client's own error says more than that a question timed out: a refused password, an untrusted certificate. */
static void keep_error(rd_kafka_t *kafka, int err, const char *text, void *opaque) {
    (void)kafka;
    if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        herald_error_set(opaque, HERALD_REASON_KAFKA_UNAVAILABLE, "%s", text);
    }
}

void doctor_kafka(const struct settings *settings, struct finding *ret_finding) {
    char problem[256] = "out of memory";
    rd_kafka_conf_t *conf = NULL;
    struct herald_error refused = {0};
    enum herald_code code = kafka_client_use(settings->kafka_property, &refused);
    if (code == HERALD_OK) {
        code = kafka_client_conf(settings->kafka_bootstrap, "heraldctl", NULL, 0, &conf, &refused);
    }
    if (code != HERALD_OK) {
        kafka_wrong(settings, ret_finding, refused.message);
        return;
    }
    rd_kafka_conf_set_error_cb(conf, keep_error);
    rd_kafka_conf_set_opaque(conf, &refused);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, problem, sizeof(problem));
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
        rd_kafka_poll(kafka, 0);
        kafka_wrong(settings, ret_finding, refused.message[0] ? refused.message : rd_kafka_err2str(error));
    }
    rd_kafka_destroy(kafka);
}
