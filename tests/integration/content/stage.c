#include "stage.h"

#include "herald/uuid.h"

#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FLUSH_MS 20000
#define READ_MS  30000

static void set(char **setting, const char *prefix) {
    char id[37];
    herald_uuid7(id);
    free(*setting);
    assert_true(asprintf(setting, "%s%s", prefix, id) > 0);
}

static void on_health(void *user, const char *component, const struct herald_error *error) {
    struct stage *stage = user;
    if (strcmp(component, CONTENT_DEAD_LETTERS) == 0) {
        pthread_mutex_lock(&stage->health_lock);
        snprintf(stage->dead_letters_why, sizeof(stage->dead_letters_why), "%s", error != NULL ? error->message : "");
        pthread_mutex_unlock(&stage->health_lock);
    }
}

static void open_producer(struct stage *stage) {
    struct kafka_producer_options options = {
        .bootstrap = stage->settings.kafka_bootstrap, .client_id = "test", .delivery_timeout_ms = 2000};
    assert_int_equal(kafka_producer_open(&options, &stage->dead_letters, NULL), HERALD_OK);
}

void stage_init(struct stage *stage) {
    const char *bootstrap = getenv("HERALD_KAFKA_BOOTSTRAP");
    if (bootstrap == NULL || bootstrap[0] == '\0') {
        fail_msg("HERALD_KAFKA_BOOTSTRAP is not set: run this test with tests/support/with-services -- ctest …");
    }
    memset(stage, 0, sizeof(*stage));
    strcpy(stage->folder, "/tmp/herald-stage-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    stage->health = (struct content_health){.report = on_health, .user = stage};
    pthread_mutex_init(&stage->health_lock, NULL);
    fake_jobs_init(&stage->jobs);
    fake_jobs_listen(&stage->jobs);
    assert_int_equal(settings_load(&stage->settings, NULL, NULL), HERALD_OK);
    set(&stage->settings.kafka_image_job_topic, "test-image-job-");
    set(&stage->settings.kafka_dead_letter_topic, "test-dead-letter-");
    set(&stage->settings.kafka_group, "test-group-");
    free(stage->settings.kafka_bootstrap);
    stage->settings.kafka_bootstrap = strdup(bootstrap);
    free(stage->settings.content_dir);
    stage->settings.content_dir = strdup(stage->folder);
    open_producer(stage);
}

void stage_fini(struct stage *stage) {
    char command[128];
    kafka_producer_close(stage->dead_letters, FLUSH_MS);
    settings_fini(&stage->settings);
    fake_jobs_fini(&stage->jobs);
    pthread_mutex_destroy(&stage->health_lock);
    if (stage->mock != NULL) {
        rd_kafka_destroy(stage->mock);
    }
    snprintf(command, sizeof(command), "rm -rf '%s'", stage->folder);
    assert_int_equal(system(command), 0);
}

/* --- the worker, on a loop of its own ---------------------------------------------------------------------------- */

struct order {
    struct loop_work work; /* first */
    struct stage *stage;
    enum herald_code code;
};

static void start_on_loop(struct loop_work *work) {
    struct order *order = (struct order *)work;
    struct stage *stage = order->stage;
    struct worker_options options = {.settings = &stage->settings,
                                     .content_url = "http://127.0.0.1:7104",
                                     .jobs = stage->jobs.channel,
                                     .dead_letters = stage->dead_letters,
                                     .health = &stage->health};
    order->code = worker_start(&options, stage->loop, &stage->worker, NULL);
}

static void stop_on_loop(struct loop_work *work) {
    struct order *order = (struct order *)work;
    worker_stop(order->stage->worker);
    loop_stop(order->stage->loop);
}

static void *run_loop(void *arg) {
    struct order *start = arg;
    loop_post(start->stage->loop, &start->work);
    loop_run(start->stage->loop);
    assert_int_equal(start->code, HERALD_OK);
    free(start);
    return NULL;
}

void stage_start_worker(struct stage *stage) {
    struct order *start = calloc(1, sizeof(*start));
    start->work.run = start_on_loop;
    start->stage = stage;
    assert_int_equal(loop_new(0, &stage->loop, NULL), HERALD_OK);
    assert_int_equal(pthread_create(&stage->thread, NULL, run_loop, start), 0);
}

void stage_wait_idle(struct stage *stage) {
    const struct timespec pause = {.tv_nsec = 5000000};
    struct worker_view view;
    for (int i = 0; i < 6000; i++) {
        worker_look(stage->worker, &view);
        if (view.consumer.in_flight == 0) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("the worker is not idle after 30 s");
}

void stage_wait_opened_anew(struct stage *stage) {
    const struct timespec pause = {.tv_nsec = 20000000};
    struct worker_view view;
    for (int waited_ms = 0; waited_ms < READ_MS; waited_ms += 20) {
        worker_look(stage->worker, &view);
        if (view.consumer.reopened > 0) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("the consumer was not opened anew in 30 s");
}

void stage_stop_worker(struct stage *stage) {
    struct order stop = {.work = {.run = stop_on_loop}, .stage = stage};
    loop_post(stage->loop, &stop.work);
    pthread_join(stage->thread, NULL);
    worker_free(stage->worker);
    loop_free(stage->loop);
    stage->worker = NULL;
}

/* --- Kafka from outside ------------------------------------------------------------------------------------------ */

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *user) {
    (void)client;
    (void)user;
    *(rd_kafka_resp_err_t *)message->_private = message->err;
}

static rd_kafka_t *client_new(rd_kafka_type_t type, const char *bootstrap) {
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, text, sizeof(text)), RD_KAFKA_CONF_OK);
    if (type == RD_KAFKA_CONSUMER) {
        assert_int_equal(rd_kafka_conf_set(conf, "group.id", "test-reader", text, sizeof(text)), RD_KAFKA_CONF_OK);
    } else {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    }
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof(text));
    assert_non_null(client);
    return client;
}

void stage_use_mock(struct stage *stage) {
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof(text)), RD_KAFKA_CONF_OK);
    stage->mock = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(stage->mock);
    kafka_producer_close(stage->dead_letters, FLUSH_MS);
    free(stage->settings.kafka_bootstrap);
    stage->settings.kafka_bootstrap =
        strdup(rd_kafka_mock_cluster_bootstraps(rd_kafka_handle_mock_cluster(stage->mock)));
    open_producer(stage);
}

void stage_lack_dead_letter_topic(struct stage *stage, bool lacks) {
    rd_kafka_mock_topic_set_error(rd_kafka_handle_mock_cluster(stage->mock), stage->settings.kafka_dead_letter_topic,
                                  lacks ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : RD_KAFKA_RESP_ERR_NO_ERROR);
}

bool stage_wait_dead_letters(struct stage *stage, bool serving) {
    const struct timespec pause = {.tv_nsec = 20000000};
    bool serves = !serving;
    for (int waited_ms = 0; serves != serving && waited_ms < 60000; waited_ms += 20) {
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&stage->health_lock);
        serves = stage->dead_letters_why[0] == '\0';
        pthread_mutex_unlock(&stage->health_lock);
    }
    return serves == serving;
}

void stage_produce(struct stage *stage, const char *key, const char *type, const char *content_type,
                   const char *value) {
    rd_kafka_t *client = client_new(RD_KAFKA_PRODUCER, stage->settings.kafka_bootstrap);
    rd_kafka_resp_err_t delivered = RD_KAFKA_RESP_ERR__WAIT_CACHE;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
    rd_kafka_header_add(headers, "ce_id", -1, key, -1);
    if (type != NULL) {
        rd_kafka_header_add(headers, "ce_type", -1, type, -1);
    }
    if (content_type != NULL) {
        rd_kafka_header_add(headers, "content-type", -1, content_type, -1);
    }
    union {
        const char *in;
        char *out;
    } lent = {.in = value};
    assert_int_equal(rd_kafka_producev(client, RD_KAFKA_V_TOPIC(stage->settings.kafka_image_job_topic),
                                       RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE(lent.out, strlen(value)),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
                                       RD_KAFKA_V_OPAQUE(&delivered), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(client, FLUSH_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(delivered, RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(client);
}

static rd_kafka_resp_err_t delete_topic(rd_kafka_t *client, const char *name, rd_kafka_queue_t *queue) {
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    size_t count = 0;
    rd_kafka_DeleteTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, READ_MS);
    assert_non_null(event);
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    assert_int_equal(count, 1);
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[0]);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(topic);
    return err;
}

static rd_kafka_resp_err_t create_topic(rd_kafka_t *client, const char *name, rd_kafka_queue_t *queue) {
    char text[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, 4, 1, text, sizeof(text));
    size_t count = 0;
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, READ_MS);
    assert_non_null(event);
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    assert_int_equal(count, 1);
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[0]);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(topic);
    return err;
}

void stage_make_topic_anew(struct stage *stage) {
    const struct timespec pause = {.tv_nsec = 100000000};
    const char *name = stage->settings.kafka_image_job_topic;
    rd_kafka_t *client = client_new(RD_KAFKA_PRODUCER, stage->settings.kafka_bootstrap);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    assert_int_equal(delete_topic(client, name, queue), RD_KAFKA_RESP_ERR_NO_ERROR);
    int waited_ms = 0;
    while (create_topic(client, name, queue) != RD_KAFKA_RESP_ERR_NO_ERROR) { /* until the old one is gone */
        nanosleep(&pause, NULL);
        waited_ms += 100;
        assert_true(waited_ms < READ_MS);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
}

void stage_produce_copy(struct stage *stage, const char *job_id) {
    char value[512];
    snprintf(value, sizeof(value),
             "{\"jobId\":\"%s\",\"eventDraftId\":\"%s\",\"title\":\"반값 행사\",\"prize\":\"빵\","
             "\"storeInfo\":{\"name\":\"달콤한 하루\"}}",
             job_id, job_id);
    stage_produce(stage, job_id, "herald.job.v1.ImageJob", "application/json", value);
}

void stage_produce_job(struct stage *stage, char ret_job_id[37]) {
    herald_uuid7(ret_job_id);
    stage_produce_copy(stage, ret_job_id);
}

static void copy_text(char *to, size_t room, const void *from, size_t bytes) {
    assert_true(bytes < room);
    if (bytes > 0) {
        memcpy(to, from, bytes);
    }
    to[bytes] = '\0';
}

static void copy_header(const rd_kafka_message_t *message, const char *name, char *to, size_t room) {
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t bytes = 0;
    to[0] = '\0';
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        copy_text(to, room, value, bytes);
    }
}

static void copy_letter(const rd_kafka_message_t *message, struct dead_letter *letter) {
    copy_text(letter->key, sizeof(letter->key), message->key, message->key_len);
    copy_text(letter->value, sizeof(letter->value), message->payload, message->len);
    copy_header(message, "ce_reason", letter->reason, sizeof(letter->reason));
    copy_header(message, "ce_id", letter->id, sizeof(letter->id));
    copy_header(message, "ce_type", letter->type, sizeof(letter->type));
}

unsigned stage_read_dead_letters(struct stage *stage, struct dead_letter *letters, unsigned count) {
    enum { PARTITIONS_MAX = 16 };
    rd_kafka_t *client = client_new(RD_KAFKA_CONSUMER, stage->settings.kafka_bootstrap);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS_MAX);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, stage->settings.kafka_dead_letter_topic, NULL);
    /* A real broker makes the topic when the first letter comes. */
    for (int waited_ms = 0; list->cnt == 0 && waited_ms < READ_MS; waited_ms += 100) {
        const struct rd_kafka_metadata *metadata = NULL;
        assert_int_equal(rd_kafka_metadata(client, 0, topic, &metadata, READ_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
        for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
            rd_kafka_topic_partition_list_add(list, stage->settings.kafka_dead_letter_topic, i)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
        }
        rd_kafka_metadata_destroy(metadata);
        if (list->cnt == 0) {
            rd_kafka_poll(client, 100);
        }
    }
    assert_int_equal(rd_kafka_assign(client, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    unsigned got = 0;
    for (int waited_ms = 0; got < count && waited_ms < READ_MS; waited_ms += 100) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 100);
        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            copy_letter(message, &letters[got++]);
        }
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
    rd_kafka_topic_destroy(topic);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return got;
}
