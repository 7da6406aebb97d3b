/* Creates topics on a Kafka broker, and waits until each has a leader. All waits end after PATIENCE_S. */
#include "deploy/kafka/create_topics.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOPICS_MAX     64
#define PATIENCE_S     60
#define REQUEST_MS     1000
#define RESULT_MS      10000
#define RETRY_DELAY_NS 100000000L

/* As many replicas as the broker's settings say. */
#define DEFAULT_REPLICATION (-1)

struct creation {
    rd_kafka_t *client;
    const char *bootstrap;
    char *names; /* the text that the topics point into */
    char *topics[TOPICS_MAX];
    size_t topic_count;
    int partitions;
    int broker_count; /* that must serve before topics are made: as many as the bootstrap names */
    pid_t while_pid;
    time_t give_up_at; /* monotonic seconds */
};

static time_t now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void pause_before_retry(void) {
    nanosleep(&(struct timespec){.tv_nsec = RETRY_DELAY_NS}, NULL);
}

/* Ignores the client's log: refused connections are expected while the broker starts, and the end is reported. */
static void on_topics_log(const rd_kafka_t *client, int level, const char *facility, const char *text) {
    (void)client;
    (void)level;
    (void)facility;
    (void)text;
}

static bool may_create(const struct creation *creation) {
    if (creation->while_pid && kill(creation->while_pid, 0) != 0 && errno == ESRCH) {
        fprintf(stderr, "herald-kafka: process %ld, which was to be the broker at %s, has ended\n",
                (long)creation->while_pid, creation->bootstrap);
        return false;
    }
    if (now_s() > creation->give_up_at) {
        fprintf(stderr, "herald-kafka: not every broker serves at %s within %d s\n", creation->bootstrap, PATIENCE_S);
        return false;
    }
    return true;
}

static bool wait_for_brokers(const struct creation *creation) {
    while (may_create(creation)) {
        const struct rd_kafka_metadata *metadata = NULL;
        rd_kafka_resp_err_t err = rd_kafka_metadata(creation->client, 0, NULL, &metadata, REQUEST_MS);
        bool serves = !err && metadata->broker_cnt >= creation->broker_count;
        if (!err) {
            rd_kafka_metadata_destroy(metadata);
        }
        if (serves) {
            return true;
        }
        pause_before_retry();
    }
    return false;
}

static bool check_results(rd_kafka_event_t *event) {
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[i]);
        if (err && err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            fprintf(stderr, "herald-kafka: cannot make the topic '%s': %s\n", rd_kafka_topic_result_name(results[i]),
                    rd_kafka_topic_result_error_string(results[i]));
            return false;
        }
    }
    return true;
}

static bool request_topics(const struct creation *creation) {
    rd_kafka_NewTopic_t *topics[TOPICS_MAX];
    char text[256];
    for (size_t i = 0; i < creation->topic_count; i++) {
        topics[i] =
            rd_kafka_NewTopic_new(creation->topics[i], creation->partitions, DEFAULT_REPLICATION, text, sizeof(text));
        if (!topics[i]) {
            fprintf(stderr, "herald-kafka: topic '%s': %s\n", creation->topics[i], text);
            rd_kafka_NewTopic_destroy_array(topics, i);
            return false;
        }
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(creation->client);
    rd_kafka_CreateTopics(creation->client, topics, creation->topic_count, NULL, queue);
    rd_kafka_NewTopic_destroy_array(topics, creation->topic_count);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, RESULT_MS);
    bool created = false;
    if (!event || rd_kafka_event_error(event)) {
        fprintf(stderr, "herald-kafka: cannot make topics: %s\n",
                event ? rd_kafka_event_error_string(event) : "no answer from the broker");
    } else {
        created = check_results(event);
    }
    if (event) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    return created;
}

static bool has_leaders(const struct creation *creation, const char *name) {
    rd_kafka_topic_t *topic = rd_kafka_topic_new(creation->client, name, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    if (!topic || rd_kafka_metadata(creation->client, 0, topic, &metadata, REQUEST_MS) != 0) {
        if (topic) {
            rd_kafka_topic_destroy(topic);
        }
        return false;
    }
    bool all = metadata->topic_cnt == 1 && !metadata->topics[0].err && metadata->topics[0].partition_cnt > 0;
    for (int i = 0; all && i < metadata->topics[0].partition_cnt; i++) {
        all = metadata->topics[0].partitions[i].leader >= 0;
    }
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return all;
}

static bool wait_for_leaders(const struct creation *creation) {
    for (size_t i = 0; i < creation->topic_count;) {
        if (has_leaders(creation, creation->topics[i])) {
            i++;
        } else if (may_create(creation)) {
            pause_before_retry();
        } else {
            return false;
        }
    }
    return true;
}

static bool split_topics(struct creation *creation) {
    char *rest = NULL;
    for (char *name = strtok_r(creation->names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        if (creation->topic_count == TOPICS_MAX) {
            fprintf(stderr, "herald-kafka: more than %d topics\n", TOPICS_MAX);
            return false;
        }
        creation->topics[creation->topic_count++] = name;
    }
    if (creation->topic_count == 0) {
        fputs("herald-kafka: --topics names no topic\n", stderr);
    }
    return creation->topic_count > 0;
}

static rd_kafka_t *open_client(const char *bootstrap) {
    char text[256] = "no memory";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, on_topics_log);
    rd_kafka_t *client = NULL;
    if (rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, text, sizeof(text)) == RD_KAFKA_CONF_OK &&
        rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "500", text, sizeof(text)) == RD_KAFKA_CONF_OK &&
        rd_kafka_conf_set(conf, "allow.auto.create.topics", "false", text, sizeof(text)) == RD_KAFKA_CONF_OK) {
        client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    }
    if (!client) {
        rd_kafka_conf_destroy(conf);
        fprintf(stderr, "herald-kafka: --create-at '%s': %s\n", bootstrap, text);
    }
    return client;
}

static int count_hosts(const char *bootstrap) {
    int count = 1;
    for (const char *comma = strchr(bootstrap, ','); comma; comma = strchr(comma + 1, ',')) {
        count++;
    }
    return count;
}

bool create_topics_at(const char *bootstrap, const char *topics, int partitions, pid_t while_pid) {
    struct creation creation = {
        .bootstrap = bootstrap,
        .names = strdup(topics),
        .partitions = partitions,
        .broker_count = count_hosts(bootstrap),
        .while_pid = while_pid,
        .give_up_at = now_s() + PATIENCE_S,
    };
    bool done = false;
    if (creation.names && split_topics(&creation)) {
        creation.client = open_client(bootstrap);
    }
    if (creation.client) {
        done = wait_for_brokers(&creation) && request_topics(&creation) && wait_for_leaders(&creation);
        rd_kafka_destroy(creation.client);
    }
    free(creation.names);
    return done;
}
