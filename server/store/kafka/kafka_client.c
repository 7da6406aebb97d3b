/* What the producer and the consumer share: common settings of librdkafka, and the meaning of its errors. */
#include "server/store/kafka/kafka_client.h"

#include <stdio.h>

static void drop_log(const rd_kafka_t *client, int level, const char *facility, const char *text) {
    (void)client;
    (void)level;
    (void)facility;
    (void)text;
}

static enum herald_code set_all(rd_kafka_conf_t *conf, const struct kafka_setting *settings, size_t count,
                                struct herald_error *reterr) {
    for (size_t i = 0; i < count; i++) {
        char text[256] = "";
        if (rd_kafka_conf_set(conf, settings[i].name, settings[i].value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
            return herald_error_set(reterr, HERALD_REASON_KAFKA_SETTING, "Kafka client: %s: %s", settings[i].name,
                                    text);
        }
    }
    return HERALD_OK;
}

enum herald_code kafka_client_conf(const char *bootstrap, const char *client_id, const struct kafka_setting *settings,
                                   size_t count, rd_kafka_conf_t **ret_conf, struct herald_error *reterr) {
    const struct kafka_setting common[] = {
        {"bootstrap.servers", bootstrap},
        {"client.id", client_id},
        {"socket.keepalive.enable", "true"},
        {"socket.timeout.ms", "10000"},
        {"socket.connection.setup.timeout.ms", "5000"},
        {"reconnect.backoff.ms", "100"},
        {"reconnect.backoff.max.ms", "1000"},
        /* A topic that is created later is seen within seconds, not minutes. */
        {"topic.metadata.refresh.interval.ms", "5000"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum herald_code code = set_all(conf, common, sizeof(common) / sizeof(common[0]), reterr);
    if (code == HERALD_OK) {
        code = set_all(conf, settings, count, reterr);
    }
    if (code != HERALD_OK) {
        rd_kafka_conf_destroy(conf);
        return code;
    }
    rd_kafka_conf_set_log_cb(conf, drop_log);
    *ret_conf = conf;
    return HERALD_OK;
}

static enum herald_code with_origin(enum herald_code code, rd_kafka_resp_err_t err, struct herald_error *reterr) {
    if (reterr) {
        snprintf(reterr->origin, sizeof(reterr->origin), "%s", rd_kafka_err2name(err));
    }
    return code;
}

enum herald_code kafka_delivery_result(rd_kafka_resp_err_t err, rd_kafka_msg_status_t status, const char *topic,
                                       struct herald_error *reterr) {
    enum herald_code code;
    switch (err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return HERALD_OK;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
        code = herald_error_set(reterr, HERALD_REASON_KAFKA_RECORD_REFUSED,
                                "Kafka refuses the record for topic '%s': %s", topic, rd_kafka_err2str(err));
        break;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        code = herald_error_set(reterr, HERALD_REASON_KAFKA_QUEUE_FULL,
                                "the queue of records to Kafka is full; topic '%s'", topic);
        break;
    default:
        if (status == RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
            code = herald_error_set(reterr, HERALD_REASON_KAFKA_UNAVAILABLE,
                                    "Kafka did not take the record for topic '%s': %s", topic, rd_kafka_err2str(err));
        } else {
            code = herald_error_set(reterr, HERALD_REASON_KAFKA_OUTCOME_UNKNOWN,
                                    "Kafka did not acknowledge the record for topic '%s', which may be there: %s",
                                    topic, rd_kafka_err2str(err));
        }
    }
    return with_origin(code, err, reterr);
}
