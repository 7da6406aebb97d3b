/* Calls to the programs under test, and looks at what they left in Postgres, Redis, Kafka and at the channels. */
#include "herald/json.h"
#include "herald/uuid.h"
#include "stack_private.h"

#include <curl/curl.h>
#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BECOMES_MS  60000
#define RECORDS_MS  30000
#define PICTURES_MS 120000

static void print_logs(const struct stack *stack) {
    for (int program = 0; program < STACK_PROGRAMS; program++) {
        stack_print_log(stack, (enum stack_program)program);
    }
}

/* ---- calls ---- */

static struct herald_channel *channel_of(struct stack *stack, const char *method) {
    if (strncmp(method, JOBS, strlen(JOBS)) == 0) {
        return stack->channels[STACK_JOB];
    }
    return stack->channels[strncmp(method, DISTRIBUTION, strlen(DISTRIBUTION)) == 0 ? STACK_DISTRIBUTION : STACK_EVENT];
}

static json_t *to_json(const struct herald_message_schema *schema, const ProtobufCMessage *message) {
    char *text = NULL;
    assert_int_equal(herald_json_write(schema, message, NULL, &text, NULL), HERALD_OK);
    json_t *json = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(json);
    return json;
}

/* @request of a method, from a printf format of its JSON; protobuf_c_message_free_unpacked() it. */
static ProtobufCMessage *to_message(const struct herald_method_schema *schema, const char *format, va_list args) {
    char *text = NULL;
    assert_true(vasprintf(&text, format, args) > 0);
    ProtobufCMessage *request = NULL;
    struct herald_error error = {0};
    if (herald_json_read(schema->request, text, strlen(text), NULL, NULL, &request, &error) != HERALD_OK) {
        fail_msg("%s: %s", text, error.message);
    }
    free(text);
    return request;
}

static struct answer call(struct herald_channel *channel, const struct herald_call_options *options, const char *method,
                          const char *format, va_list args) {
    const struct herald_method_schema *schema = herald_schema_find_method(method);
    assert_non_null(schema);
    ProtobufCMessage *request = to_message(schema, format, args);
    struct herald_reply reply = {0};
    struct answer answer = {.code = herald_call(channel, schema, request, options, &reply)};
    answer.outcome = reply.outcome;
    answer.may_repeat = herald_reply_may_repeat(&reply);
    herald_error_copy(&answer.error, &reply.error);
    if (answer.code == HERALD_OK) {
        answer.json = to_json(schema->response, reply.message);
        answer.payload_bytes = reply.payload_bytes;
        answer.payload = malloc(reply.payload_bytes + 1);
        assert_non_null(answer.payload);
        memcpy(answer.payload, reply.payload, reply.payload_bytes);
    }
    herald_reply_clear(&reply);
    protobuf_c_message_free_unpacked(request, NULL);
    return answer;
}

struct answer stack_call(struct stack *stack, const char *method, const char *request, ...) {
    va_list args;
    va_start(args, request);
    struct answer answer = call(channel_of(stack, method), NULL, method, request, args);
    va_end(args);
    return answer;
}

struct answer stack_call_with(struct stack *stack, const struct herald_call_options *options, const char *method,
                              const char *request, ...) {
    va_list args;
    va_start(args, request);
    struct answer answer = call(channel_of(stack, method), options, method, request, args);
    va_end(args);
    return answer;
}

struct answer stack_call_at(struct stack *stack, enum stack_program program, const char *method, const char *request,
                            ...) {
    va_list args;
    va_start(args, request);
    struct answer answer = call(stack->channels[program], NULL, method, request, args);
    va_end(args);
    return answer;
}

struct answer stack_call_ok(struct stack *stack, const char *method, const char *request, ...) {
    va_list args;
    va_start(args, request);
    struct answer answer = call(channel_of(stack, method), NULL, method, request, args);
    va_end(args);
    if (answer.code != HERALD_OK) {
        print_logs(stack);
        fail_msg("%s: %s %s: %s", method, herald_code_name((int)answer.code), answer.error.reason,
                 answer.error.message);
    }
    return answer;
}

struct lone_call {
    struct herald_channel *channel;
    struct herald_call *call;
};

static void on_lone_call_done(void *user, struct herald_reply *reply) {
    (void)user;
    herald_reply_clear(reply);
}

struct lone_call *lone_call_start(struct stack *stack, const struct herald_call_options *options, const char *method,
                                  const char *format, ...) {
    const struct herald_method_schema *schema = herald_schema_find_method(method);
    assert_non_null(schema);
    struct lone_call *call = calloc(1, sizeof(*call));
    assert_non_null(call);
    const char *url = herald_channel_url(channel_of(stack, method));
    assert_int_equal(herald_channel_open(url, NULL, &call->channel, NULL), HERALD_OK);
    va_list args;
    va_start(args, format);
    ProtobufCMessage *request = to_message(schema, format, args);
    va_end(args);
    assert_int_equal(
        herald_call_start(call->channel, schema, request, options, on_lone_call_done, call, &call->call, NULL),
        HERALD_OK);
    protobuf_c_message_free_unpacked(request, NULL);
    return call;
}

void lone_call_cancel(struct lone_call *call) {
    herald_call_cancel(call->call);
}

void lone_call_vanish(struct lone_call *call) {
    herald_channel_close(call->channel);
    herald_call_release(call->call);
    free(call);
}

void answer_clear(struct answer *answer) {
    json_decref(answer->json);
    free(answer->payload);
    *answer = (struct answer){0};
}

const json_t *answer_at(const struct answer *answer, const char *path) {
    const json_t *at = answer->json;
    while (at && *path) {
        size_t length = strcspn(path, ".");
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)length, path);
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(name)) : json_object_get(at, name);
        path += length + (path[length] == '.');
    }
    return at;
}

const char *answer_text(const struct answer *answer, const char *path) {
    const char *text = json_string_value(answer_at(answer, path));
    return text ? text : "";
}

/* ---- Postgres ---- */

static char *sql(struct stack *stack, const char *format, va_list args) {
    char *text = NULL;
    assert_true(vasprintf(&text, format, args) > 0);
    PGresult *result = PQexec(stack->pg, text);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
        fail_msg("%s: %s", text, PQresultErrorMessage(result));
    }
    char *cell = PQntuples(result) > 0 && !PQgetisnull(result, 0, 0) ? strdup(PQgetvalue(result, 0, 0)) : NULL;
    PQclear(result);
    free(text);
    return cell;
}

char *stack_sql(struct stack *stack, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *cell = sql(stack, format, args);
    va_end(args);
    return cell;
}

void stack_sql_is(struct stack *stack, const char *expected, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *cell = sql(stack, format, args);
    va_end(args);
    assert_string_equal(cell ? cell : "(null)", expected);
    free(cell);
}

void stack_sql_becomes(struct stack *stack, const char *expected, const char *format, ...) {
    long long deadline_ms = now_ms() + BECOMES_MS;
    for (;;) {
        va_list args;
        va_start(args, format);
        char *cell = sql(stack, format, args);
        va_end(args);
        bool equal = strcmp(cell ? cell : "(null)", expected) == 0;
        if (!equal && !wait_again(deadline_ms)) {
            print_logs(stack);
            fail_msg("%s: is %s, should become %s", format, cell ? cell : "(null)", expected);
        }
        free(cell);
        if (equal) {
            return;
        }
    }
}

/* ---- HTTP ---- */

struct body {
    char *text;
    size_t bytes;
};

static size_t on_body(char *data, size_t size, size_t count, void *user) {
    struct body *body = user;
    body->text = realloc(body->text, body->bytes + size * count + 1);
    assert_non_null(body->text);
    memcpy(body->text + body->bytes, data, size * count);
    body->bytes += size * count;
    body->text[body->bytes] = '\0';
    return size * count;
}

static long http(const char *method, const char *url, const char *send, struct body *ret_body) {
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    *ret_body = (struct body){.text = calloc(1, 1)};
    struct curl_slist *headers = curl_slist_append(NULL, "content-type: application/json");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret_body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (send) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, send);
    }
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK) {
        fail_msg("%s %s: %s", method, url, curl_easy_strerror(code));
    }
    return status;
}

char *stack_get(const char *url, size_t *ret_bytes) {
    struct body body;
    assert_int_equal(http("GET", url, NULL, &body), 200);
    if (ret_bytes) {
        *ret_bytes = body.bytes;
    }
    return body.text;
}

void stack_channel_behaves(struct stack *stack, const char *channel, const char *behaviour) {
    char url[256];
    snprintf(url, sizeof(url), "http://%s/channels/%s/behaviour", stack->fakes_address, channel);
    struct body body;
    long status = http("PUT", url, behaviour, &body);
    if (status / 100 != 2) {
        fail_msg("PUT %s: %ld %s", url, status, body.text);
    }
    free(body.text);
}

json_t *stack_posts(struct stack *stack, const char *event_id) {
    char url[256];
    snprintf(url, sizeof(url), "http://%s/log", stack->fakes_address);
    char *text = stack_get(url, NULL);
    json_t *posts = json_array();
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        json_t *post = json_loads(line, 0, NULL);
        const char *id = json_string_value(json_object_get(post, "event_id"));
        if (id && strcmp(id, event_id) == 0) {
            json_array_append(posts, post);
        }
        json_decref(post);
    }
    free(text);
    return posts;
}

/* ---- Kafka ---- */

static rd_kafka_t *kafka_client(const struct stack *stack, rd_kafka_type_t type) {
    char error[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", stack_setting(stack, "HERALD_KAFKA_BOOTSTRAP"), error, sizeof(error));
    if (type == RD_KAFKA_CONSUMER) {
        rd_kafka_conf_set(conf, "group.id", "looker", error, sizeof(error));
        rd_kafka_conf_set(conf, "enable.auto.commit", "false", error, sizeof(error));
    }
    rd_kafka_t *client = rd_kafka_new(type, conf, error, sizeof(error));
    if (!client) {
        fail_msg("Kafka: %s", error);
    }
    return client;
}

void stack_make_topics(struct stack *stack) {
    const char *kind = getenv("HERALD_TEST_KAFKA_KIND");
    if (!kind || strcmp(kind, "apache") != 0) {
        return; /* the embedded broker makes topics on first use */
    }
    const char *const names[] = {"HERALD_KAFKA_EVENT_TOPIC", "HERALD_KAFKA_DISTRIBUTION_TOPIC",
                                 "HERALD_KAFKA_IMAGE_JOB_TOPIC", "HERALD_KAFKA_DEAD_LETTER_TOPIC"};
    rd_kafka_t *client = kafka_client(stack, RD_KAFKA_PRODUCER);
    rd_kafka_NewTopic_t *topics[4];
    for (size_t i = 0; i < 4; i++) {
        topics[i] = rd_kafka_NewTopic_new(stack_setting(stack, names[i]), 2, 1, NULL, 0);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, topics, 4, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(topics, 4);
    rd_kafka_destroy(client);
}

static json_t *record_json(const rd_kafka_message_t *message) {
    json_t *headers = json_object();
    rd_kafka_headers_t *list = NULL;
    if (rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *name = NULL;
        const void *value = NULL;
        size_t bytes = 0;
        for (size_t i = 0; rd_kafka_header_get_all(list, i, &name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
            json_object_set_new(headers, name, json_stringn(value, bytes));
        }
    }
    json_t *value = json_loadb(message->payload, message->len, JSON_DECODE_ANY, NULL);
    return json_pack("{s:o, s:o}", "value", value ? value : json_null(), "headers", headers);
}

/* Reads one partition from its beginning to its present end. */
static void read_partition(rd_kafka_t *client, const char *topic, int32_t partition, const char *key, json_t *records) {
    int64_t low = 0, high = 0;
    if (rd_kafka_query_watermark_offsets(client, topic, partition, &low, &high, 5000) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        low == high) {
        return;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = low;
    rd_kafka_assign(client, list);
    for (int64_t next = low; next < high;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 5000);
        if (!message) {
            break;
        }
        if (!message->err) {
            next = message->offset + 1;
            if (message->key_len == strlen(key) && memcmp(message->key, key, message->key_len) == 0) {
                json_array_append_new(records, record_json(message));
            }
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_assign(client, NULL);
    rd_kafka_topic_partition_list_destroy(list);
}

static json_t *read_topic(rd_kafka_t *client, const char *topic, const char *key) {
    json_t *records = json_array();
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    if (rd_kafka_metadata(client, 0, handle, &metadata, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (int i = 0; metadata->topic_cnt == 1 && i < metadata->topics[0].partition_cnt; i++) {
            read_partition(client, topic, metadata->topics[0].partitions[i].id, key, records);
        }
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(handle);
    return records;
}

json_t *stack_records(struct stack *stack, const char *topic_setting, const char *key, size_t least) {
    rd_kafka_t *client = kafka_client(stack, RD_KAFKA_CONSUMER);
    rd_kafka_poll_set_consumer(client);
    long long deadline_ms = now_ms() + RECORDS_MS;
    json_t *records = read_topic(client, stack_setting(stack, topic_setting), key);
    while (json_array_size(records) < least && wait_again(deadline_ms)) {
        json_decref(records);
        records = read_topic(client, stack_setting(stack, topic_setting), key);
    }
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return records;
}

/* The ends of all partitions of a topic. */
static rd_kafka_topic_partition_list_t *ends_of(rd_kafka_t *client, const char *topic) {
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(4);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    assert_int_equal(rd_kafka_metadata(client, 0, handle, &metadata, 20000), RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
        int64_t low = 0, high = 0;
        assert_int_equal(rd_kafka_query_watermark_offsets(client, topic, i, &low, &high, 20000),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
        rd_kafka_topic_partition_list_add(ends, topic, i)->offset = high;
    }
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return ends;
}

/* Joins the group and waits until it has all partitions: the embedded broker takes offsets of members only. */
static void join_group(rd_kafka_t *client, const char *topic, int partitions) {
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    assert_int_equal(rd_kafka_subscribe(client, topics), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(topics);
    long long deadline_ms = now_ms() + RECORDS_MS;
    for (int assigned = 0; assigned < partitions;) {
        rd_kafka_topic_partition_list_t *list = NULL;
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 100);
        if (message) {
            rd_kafka_message_destroy(message);
        }
        assert_int_equal(rd_kafka_assignment(client, &list), RD_KAFKA_RESP_ERR_NO_ERROR);
        assigned = list->cnt;
        rd_kafka_topic_partition_list_destroy(list);
        assert_true(now_ms() < deadline_ms);
    }
}

void stack_lose_jobs(struct stack *stack) {
    char text[256];
    const char *topic = stack_setting(stack, "HERALD_KAFKA_IMAGE_JOB_TOPIC");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", stack_setting(stack, "HERALD_KAFKA_BOOTSTRAP"), text, sizeof(text));
    rd_kafka_conf_set(conf, "group.id", stack_setting(stack, "HERALD_KAFKA_GROUP"), text, sizeof(text));
    rd_kafka_conf_set(conf, "partition.assignment.strategy", "cooperative-sticky", text, sizeof(text));
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof(text));
    rd_kafka_conf_set(conf, "session.timeout.ms", "6000", text, sizeof(text));
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    assert_non_null(client);
    rd_kafka_topic_partition_list_t *ends = ends_of(client, topic);
    join_group(client, topic, ends->cnt);
    assert_int_equal(rd_kafka_commit(client, ends, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(ends);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
}

/* ---- Redis ---- */

static redisReply *redis_command(struct stack *stack, const char *command, const char *key) {
    char host[128] = "";
    int port = 0;
    const char *url = stack_setting(stack, "HERALD_REDIS_URL");
    const char *at = strchr(url, '@');
    assert_true(sscanf(at ? at + 1 : url + strlen("redis://"), "%127[^:]:%d", host, &port) == 2);
    redisContext *context = redisConnect(host, port);
    assert_non_null(context);
    assert_int_equal(context->err, 0);
    if (at) {
        const char *password = strchr(url + strlen("redis://"), ':') + 1;
        freeReplyObject(redisCommand(context, "AUTH %b", password, (size_t)(at - password)));
    }
    redisReply *reply = redisCommand(context, "%s %s", command, key);
    assert_non_null(reply);
    redisFree(context);
    return reply;
}

char *stack_redis_get(struct stack *stack, const char *key) {
    redisReply *reply = redis_command(stack, "GET", key);
    char *value = reply->type == REDIS_REPLY_STRING ? strdup(reply->str) : NULL;
    freeReplyObject(reply);
    return value;
}

long long stack_redis_ttl(struct stack *stack, const char *key) {
    redisReply *reply = redis_command(stack, "TTL", key);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    long long ttl = reply->integer;
    freeReplyObject(reply);
    return ttl;
}

/* ---- drafts ---- */

void fresh_user(char ret_user[64]) {
    char uuid[37];
    herald_uuid7(uuid);
    snprintf(ret_user, 64, "user-%s", uuid);
}

void make_draft(struct stack *stack, const char *user, char ret_id[37]) {
    struct answer answer =
        stack_call_ok(stack, EVENTS "CreateEvent",
                      "{\"userId\":\"%s\",\"title\":\"가을맞이 치킨 반값 이벤트\",\"prize\":\"후라이드 한 마리 무료\","
                      "\"brandColor\":\"#D9480F\",\"storeInfo\":{\"name\":\"행복치킨 연남점\","
                      "\"address\":\"서울 마포구 연남로 12\",\"phone\":\"02-123-4567\"}}",
                      user);
    snprintf(ret_id, 37, "%s", answer_text(&answer, "event.eventDraftId"));
    answer_clear(&answer);
}

/* One look at a job: waits until it is newer than @version, which becomes its version, or for a while. */
static bool has_completed(struct stack *stack, const char *job_id, char version[24]) {
    struct answer answer =
        stack_call_ok(stack, JOBS "WaitJob", "{\"jobId\":\"%s\",\"version\":\"%s\"}", job_id, version);
    snprintf(version, 24, "%s", answer_text(&answer, "job.version"));
    bool completed = strcmp(answer_text(&answer, "job.status"), "COMPLETED") == 0;
    bool failed = strcmp(answer_text(&answer, "job.status"), "FAILED") == 0;
    answer_clear(&answer);
    assert_false(failed);
    return completed;
}

static void wait_completed(struct stack *stack, const char *job_id) {
    char version[24] = "0";
    long long deadline_ms = now_ms() + PICTURES_MS;
    while (!has_completed(stack, job_id, version)) {
        if (now_ms() >= deadline_ms) {
            print_logs(stack);
            fail_msg("job %s has no pictures after %d ms", job_id, PICTURES_MS);
        }
    }
}

void make_ready_draft(struct stack *stack, const char *user, char ret_id[37]) {
    make_draft(stack, user, ret_id);
    struct answer answer =
        stack_call_ok(stack, EVENTS "SelectObjective",
                      "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"objective\":\"SALES\"}", ret_id, user);
    answer_clear(&answer);
    answer = stack_call_ok(stack, EVENTS "SelectRecommendation",
                           "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"recommendation\":{\"recommendationId\":"
                           "\"rec-1\",\"title\":\"반값\",\"summary\":\"이번 주말 치킨이 반값!\"}}",
                           ret_id, user);
    answer_clear(&answer);
    answer = stack_call_ok(stack, EVENTS "RequestImageGeneration", "{\"eventDraftId\":\"%s\",\"userId\":\"%s\"}",
                           ret_id, user);
    char job_id[37];
    snprintf(job_id, sizeof(job_id), "%s", answer_text(&answer, "jobId"));
    answer_clear(&answer);
    wait_completed(stack, job_id);
    answer = stack_call_ok(stack, EVENTS "SelectContent",
                           "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"jobId\":\"%s\",\"style\":\"FANCY\"}", ret_id,
                           user, job_id);
    answer_clear(&answer);
}
