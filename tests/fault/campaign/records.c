/*
 * campaign-records: what Kafka has taken, seen from outside.
 *
 * usage: campaign-records --bootstrap HOST:PORT TOPIC…               each record of the topics, from the beginning
 *        campaign-records --bootstrap HOST:PORT --lag GROUP TOPIC…   how many records the group has not done yet
 *
 * Each record is a JSON line on standard output: topic, partition, offset, key, ce_id, ce_type, SHA-256 of the value and
 * its time; until SIGTERM. The broker may go away and come back meanwhile.
 */
#include <getopt.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define BROKER_MS 10000

static volatile sig_atomic_t is_over;

static void end(int signal) {
    (void)signal;
    is_over = 1;
}

static rd_kafka_t *open_client(const char *bootstrap, const char *group) {
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, text, sizeof(text));
    rd_kafka_conf_set(conf, "group.id", group, text, sizeof(text));
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof(text));
    rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", text, sizeof(text));
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "500", text, sizeof(text));
    rd_kafka_conf_set(conf, "log_level", "0", text, sizeof(text));
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!client) {
        fprintf(stderr, "campaign-records: %s\n", text);
        exit(EX_UNAVAILABLE);
    }
    rd_kafka_poll_set_consumer(client);
    return client;
}

/* All partitions of the topics, from their beginning; free with rd_kafka_topic_partition_list_destroy(). */
static rd_kafka_topic_partition_list_t *partitions_of(rd_kafka_t *client, char **topics, int count) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int i = 0; i < count; i++) {
        const struct rd_kafka_metadata *metadata = NULL;
        rd_kafka_topic_t *topic = rd_kafka_topic_new(client, topics[i], NULL);
        rd_kafka_resp_err_t err = rd_kafka_metadata(client, 0, topic, &metadata, BROKER_MS);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            fprintf(stderr, "campaign-records: %s: %s\n", topics[i], rd_kafka_err2str(err));
            exit(EX_UNAVAILABLE);
        }
        for (int p = 0; metadata->topic_cnt == 1 && p < metadata->topics[0].partition_cnt; p++) {
            rd_kafka_topic_partition_list_add(list, topics[i], metadata->topics[0].partitions[p].id)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
        }
        rd_kafka_metadata_destroy(metadata);
        rd_kafka_topic_destroy(topic);
    }
    return list;
}

/* ---- records ---- */

static json_t *header_of(const rd_kafka_message_t *message, const char *name) {
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t bytes = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &bytes) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return json_string("");
    }
    return json_stringn(value, bytes);
}

static void print_record(const rd_kafka_message_t *message) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char text[2 * SHA256_DIGEST_LENGTH + 1];
    SHA256(message->payload, message->len, digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    json_t *line = json_pack("{s:s, s:i, s:I, s:s%, s:o, s:o, s:s, s:I}", "topic", rd_kafka_topic_name(message->rkt),
                             "partition", (int)message->partition, "offset", (json_int_t)message->offset, "key",
                             message->key ? (const char *)message->key : "", message->key_len, "ce_id",
                             header_of(message, "ce_id"), "ce_type", header_of(message, "ce_type"), "digest", text,
                             "at_ms", (json_int_t)rd_kafka_message_timestamp(message, NULL));
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static void print_records(rd_kafka_t *client, char **topics, int count) {
    rd_kafka_topic_partition_list_t *list = partitions_of(client, topics, count);
    rd_kafka_assign(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    while (!is_over) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 200);
        if (message && !message->err) {
            print_record(message);
        }
        if (message) {
            rd_kafka_message_destroy(message);
        }
    }
}

/* ---- lag ---- */

static int print_lag(rd_kafka_t *client, char **topics, int count) {
    rd_kafka_topic_partition_list_t *list = partitions_of(client, topics, count);
    rd_kafka_resp_err_t err = rd_kafka_committed(client, list, BROKER_MS);
    long long lag = 0;
    for (int i = 0; !err && i < list->cnt; i++) {
        int64_t low = 0, high = 0;
        err = rd_kafka_query_watermark_offsets(client, list->elems[i].topic, list->elems[i].partition, &low, &high,
                                               BROKER_MS);
        lag += high - (list->elems[i].offset >= 0 ? list->elems[i].offset : low);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (err) {
        fprintf(stderr, "campaign-records: %s\n", rd_kafka_err2str(err));
        return EX_UNAVAILABLE;
    }
    printf("%lld\n", lag);
    return 0;
}

int main(int argc, char **argv) {
    static const struct option names[] = {
        {"bootstrap", required_argument, NULL, 'b'}, {"lag", required_argument, NULL, 'l'}, {NULL, 0, NULL, 0}};
    const char *bootstrap = NULL, *group = NULL;
    for (int option = 0; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        bootstrap = option == 'b' ? optarg : bootstrap;
        group = option == 'l' ? optarg : group;
    }
    if (!bootstrap || optind == argc) {
        fputs("usage: campaign-records --bootstrap HOST:PORT [--lag GROUP] TOPIC...\n", stderr);
        return EX_USAGE;
    }
    signal(SIGTERM, end);
    signal(SIGINT, end);
    rd_kafka_t *client = open_client(bootstrap, group ? group : "campaign-records");
    int status = 0;
    if (group) {
        status = print_lag(client, argv + optind, argc - optind);
    } else {
        print_records(client, argv + optind, argc - optind);
    }
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return status;
}
