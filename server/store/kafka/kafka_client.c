/* What the producer and the consumer share: common settings of librdkafka, and the meaning of its errors. */
#include "server/store/kafka/kafka_client.h"

#include "server/settings/settings_map.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Of kafka_client_use(); NULL: none. Written before the first client is opened. */
static char *used_properties;

/* What Herald relies on: a property must not change it. */
static const struct {
    const char *name, *why;
} DECIDED[] = {
    {"bootstrap.servers", "set [kafka] bootstrap instead"},
    {"metadata.broker.list", "set [kafka] bootstrap instead"},
    {"client.id", "each of Herald's clients has its own"},
    {"group.id", "set [kafka] group instead"},
    {"group.instance.id", "each worker would need its own, and they share the settings"},
    {"acks", "must stay all: an acknowledged record is never lost"},
    {"request.required.acks", "must stay all: an acknowledged record is never lost"},
    {"enable.idempotence", "must stay true: a retry neither doubles nor reorders records"},
    {"transactional.id", "Herald's producers have no transactions"},
    {"delivery.timeout.ms", "set [kafka] delivery_timeout_ms instead"},
    {"message.timeout.ms", "set [kafka] delivery_timeout_ms instead"},
    {"partitioner", "must stay Java's default: all producers put a key in the same partition"},
    {"enable.auto.commit", "must stay false: an offset is committed after the work"},
    {"auto.commit.enable", "must stay false: an offset is committed after the work"},
    {"enable.auto.offset.store", "must stay false: an offset is stored after the work"},
    {"auto.offset.reset", "must stay earliest: no job is skipped"},
    {"partition.assignment.strategy", "must stay cooperative-sticky: members of one group must agree"},
    {"plugin.library.paths", "Herald loads no code that a setting names"},
    {"test.mock.num.brokers", "is for tests of librdkafka"},
};

/* Properties that name a file or folder. librdkafka opens them only with TLS or Kerberos, and says less of them. */
static const char *const FILES[] = {
    "ssl.ca.location",  "ssl.certificate.location", "ssl.key.location",     "ssl.keystore.location",
    "ssl.crl.location", "ssl.engine.location",      "sasl.kerberos.keytab",
};

/* Whether clients with these properties log in with SASL. */
static bool speaks_sasl(const char *properties) {
    struct settings_map_entry entry;
    bool sasl = false;
    while (settings_map_next(&properties, &entry)) {
        sasl = sasl || strncasecmp(entry.name, "sasl", 4) == 0 ||
               (entry.value_bytes >= 4 && strncasecmp(entry.value, "sasl", 4) == 0);
    }
    return sasl;
}

/*
 * librdkafka begins with Cyrus SASL, which loads all its plugins, one of them with Berkeley DB: half a megabyte. Only
 * Kerberos needs one. Without a login they are therefore looked for where there are none. The function is that of
 * sasl/sasl.h, which comes in another package than librdkafka; NULL: this librdkafka has no Cyrus SASL.
 */
static void spare_plugins(const char *properties) {
    static char nowhere[] = "/dev/null";
    union {
        void *symbol;
        int (*set_path)(int type, char *path);
    } sasl = {.symbol = dlsym(RTLD_DEFAULT, "sasl_set_path")};
    if (sasl.symbol && !speaks_sasl(properties)) {
        (void)sasl.set_path(0 /* SASL_PATH_TYPE_PLUGIN */, nowhere);
    }
}

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

static enum herald_code bad_property(struct herald_error *reterr, const char *what) {
    return herald_error_set(reterr, HERALD_REASON_KAFKA_SETTING, "%s", what);
}

/* "probe": librdkafka looks for the system's CAs. */
static bool is_file_property(const char *name, const char *value) {
    bool is_file = false;
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        is_file = is_file || strcmp(name, FILES[i]) == 0;
    }
    return is_file && *value && !(strcmp(name, "ssl.ca.location") == 0 && strcmp(value, "probe") == 0);
}

enum herald_code kafka_property_check(const char *name, const char *value, struct herald_error *reterr) {
    char text[256] = "";
    for (size_t i = 0; i < sizeof(DECIDED) / sizeof(DECIDED[0]); i++) {
        if (strcmp(name, DECIDED[i].name) == 0) {
            return bad_property(reterr, DECIDED[i].why);
        }
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, text, sizeof(text));
    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_UNKNOWN) {
        return bad_property(reterr, "librdkafka has no such property");
    }
    if (result != RD_KAFKA_CONF_OK) {
        return bad_property(reterr, settings_map_is_secret(name) ? "librdkafka refuses the value" : text);
    }
    if (is_file_property(name, value) && access(value, R_OK) != 0) {
        return herald_error_set(reterr, HERALD_REASON_KAFKA_SETTING,
                                "%s cannot be read: %s; correct the path, or who may read it", value, strerror(errno));
    }
    return HERALD_OK;
}

static enum herald_code set_properties(rd_kafka_conf_t *conf, const char *properties, struct herald_error *reterr) {
    struct settings_map_entry entry;
    const char *at = properties;
    enum herald_code code = HERALD_OK;
    while (code == HERALD_OK && settings_map_next(&at, &entry)) {
        char *value = strndup(entry.value, entry.value_bytes);
        if (!value) {
            return herald_error_no_memory(reterr, "a property of Kafka");
        }
        char text[256] = "";
        if (rd_kafka_conf_set(conf, entry.name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
            code = herald_error_set(reterr, HERALD_REASON_KAFKA_SETTING, "[kafka] property.%s: %s", entry.name,
                                    settings_map_is_secret(entry.name) ? "librdkafka refuses the value" : text);
        }
        explicit_bzero(value, entry.value_bytes);
        free(value);
    }
    return code;
}

enum herald_code kafka_properties_check(const char *properties, struct herald_error *reterr) {
    char text[256] = "";
    spare_plugins(properties);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, drop_log);
    const struct kafka_setting idempotent[] = {{"enable.idempotence", "true"}};
    enum herald_code code = set_all(conf, idempotent, 1, reterr);
    if (code == HERALD_OK) {
        code = set_properties(conf, properties, reterr);
    }
    rd_kafka_t *client = code == HERALD_OK ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text)) : NULL;
    if (client) {
        rd_kafka_destroy(client);
        return HERALD_OK;
    }
    rd_kafka_conf_destroy(conf);
    return code == HERALD_OK ? bad_property(reterr, text) : code;
}

enum herald_code kafka_client_use(const char *properties, struct herald_error *reterr) {
    char *copy = properties && *properties ? strdup(properties) : NULL;
    if (!copy && properties && *properties) {
        return herald_error_no_memory(reterr, "the properties of Kafka");
    }
    free(used_properties);
    used_properties = copy;
    spare_plugins(copy);
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
    if (code == HERALD_OK) {
        code = set_properties(conf, used_properties, reterr);
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
