/* Postgres, Redis and Kafka absent at start: the server says so, and recovers by itself when they come. */
#include "forwarder.h"
#include "herald/rpc/v1/health.client.h"
#include "stack.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The way from the programs to each service, shut at first. */
static struct forwarder *ways[3];
static struct stack *stack;

static void copy_option(const PQconninfoOption *options, const char *keyword, char *ret_text, size_t bytes) {
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        if (strcmp(option->keyword, keyword) == 0 && option->val) {
            snprintf(ret_text, bytes, "%s", option->val);
        }
    }
}

static int forward_postgres(void) {
    char host[256] = "127.0.0.1", port[16] = "5432";
    PQconninfoOption *options = PQconninfoParse(stack_setting(stack, "HERALD_PG_DSN"), NULL);
    assert_non_null(options);
    copy_option(options, "host", host, sizeof(host));
    copy_option(options, "port", port, sizeof(port));
    PQconninfoFree(options);
    ways[0] = forwarder_new(host, atoi(port));
    return forwarder_port(ways[0]);
}

static int forward_url(size_t way, const char *address) {
    char host[256];
    int port = 0;
    assert_int_equal(sscanf(address, "%255[^:]:%d", host, &port), 2);
    ways[way] = forwarder_new(host, port);
    return forwarder_port(ways[way]);
}

/* The event server again, with all its services behind shut ways. */
static void run_event_behind_ways(void) {
    stack_kill(stack, STACK_EVENT, SIGTERM);
    const char *redis = strrchr(stack_setting(stack, "HERALD_REDIS_URL"), '@');
    redis = redis ? redis + 1 : stack_setting(stack, "HERALD_REDIS_URL") + strlen("redis://");
    int redis_port = forward_url(1, redis);
    int kafka_port = forward_url(2, stack_setting(stack, "HERALD_KAFKA_BOOTSTRAP"));
    int postgres_port = forward_postgres();
    stack_set(stack, "HERALD_PG_DSN=%s host='127.0.0.1' port='%d'", stack_setting(stack, "HERALD_PG_DSN"),
              postgres_port);
    stack_set(stack, "HERALD_REDIS_URL=redis://127.0.0.1:%d", redis_port);
    stack_set(stack, "HERALD_KAFKA_BOOTSTRAP=127.0.0.1:%d", kafka_port);
    stack_run(stack, STACK_EVENT);
}

static int start(void **state) {
    (void)state;
    stack = stack_start(NULL);
    run_event_behind_ways();
    return 0;
}

static int stop(void **state) {
    (void)state;
    stack_stop(stack);
    for (size_t i = 0; i < 3; i++) {
        forwarder_free(ways[i]);
    }
    return 0;
}

/* Whether the event server says that a component is serving; its message into @ret_message. */
static bool component_serving(const char *name, char ret_message[512]) {
    Herald__Rpc__V1__HealthCheckRequest request = HERALD__RPC__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = "herald.event.v1.EventService";
    const Herald__Rpc__V1__HealthCheckResponse *response = NULL;
    struct herald_reply reply = {0};
    bool serving = false;
    if (herald_rpc_v1_health_check(stack_channel(stack, STACK_EVENT), &request, NULL, &reply, &response) == HERALD_OK) {
        const Herald__Rpc__V1__ServiceHealth *service = response->services[0];
        for (size_t i = 0; i < service->n_components; i++) {
            if (strcmp(service->components[i]->name, name) == 0) {
                serving = service->components[i]->status == HERALD__RPC__V1__SERVING_STATUS__SERVING;
                snprintf(ret_message, 512, "%s", service->components[i]->message);
            }
        }
    }
    herald_reply_clear(&reply);
    return serving;
}

static void wait_component(const char *name, bool serving) {
    char message[512] = "";
    long long deadline_ms = now_ms() + 30000;
    while (component_serving(name, message) != serving) {
        if (!wait_again(deadline_ms)) {
            fail_msg("%s does not become %s: %s", name, serving ? "SERVING" : "NOT_SERVING", message);
        }
    }
    if (!serving) {
        assert_true(strlen(message) > 0);
    }
}

static void test_all_absent_server_says_so_and_answers(void **state) {
    (void)state;
    stack_wait_answering(stack, STACK_EVENT);
    wait_component("database", false);
    wait_component("redis", false);
    wait_component("kafka", false);
    struct answer answer =
        stack_call(stack, EVENTS "CreateEvent", "{\"userId\":\"u\",\"title\":\"t\",\"storeInfo\":{\"name\":\"s\"}}");
    assert_int_equal(answer.code, HERALD_UNAVAILABLE);
    assert_string_equal(answer.error.reason, "DATABASE_UNAVAILABLE");
}

static void test_database_comes_and_drafting_works_without_redis_and_kafka(void **state) {
    (void)state;
    forwarder_open(ways[0]);
    wait_component("database", true);
    char user[64], id[37];
    fresh_user(user);
    make_draft(stack, user, id);
    struct answer answer =
        stack_call_ok(stack, EVENTS "SelectObjective",
                      "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"objective\":\"SALES\"}", id, user);
    answer_clear(&answer);
    answer = stack_call_ok(stack, EVENTS "GetPurpose", "{\"userId\":\"%s\"}", user);
    assert_string_equal(answer_text(&answer, "objective"), "SALES");
    answer_clear(&answer);
}

static void test_kafka_absent_publish_succeeds_and_its_record_follows(void **state) {
    (void)state;
    char user[64], id[37];
    fresh_user(user);
    make_ready_draft(stack, user, id);
    struct answer answer = stack_call_ok(
        stack, EVENTS "PublishEvent",
        "{\"eventDraftId\":\"%s\",\"userId\":\"%s\",\"selectedChannels\":" WEBHOOK_CHANNELS "}", id, user);
    assert_string_equal(answer_text(&answer, "status"), "ACTIVE");
    answer_clear(&answer);
    stack_sql_is(stack, "1", "SELECT count(*) FROM outbox WHERE key = '%s' AND owner = 'event' AND sent_at IS NULL",
                 id);
    forwarder_open(ways[2]);
    wait_component("kafka", true);
    json_t *records = stack_records(stack, "HERALD_KAFKA_EVENT_TOPIC", id, 1);
    assert_int_equal(json_array_size(records), 1);
    json_decref(records);
    stack_sql_becomes(stack, "0",
                      "SELECT count(*) FROM outbox WHERE key = '%s' AND owner = 'event' AND sent_at IS NULL", id);
}

static void test_redis_comes_and_goes(void **state) {
    (void)state;
    forwarder_open(ways[1]);
    wait_component("redis", true);
    forwarder_shut(ways[1]);
    wait_component("redis", false);
    forwarder_open(ways[1]);
    wait_component("redis", true);
}

static void test_database_goes_and_comes_back(void **state) {
    (void)state;
    forwarder_shut(ways[0]);
    wait_component("database", false);
    /* not a READ, which the client would repeat until its deadline */
    struct answer answer =
        stack_call(stack, EVENTS "CreateEvent", "{\"userId\":\"u\",\"title\":\"t\",\"storeInfo\":{\"name\":\"s\"}}");
    assert_int_equal(answer.code, HERALD_UNAVAILABLE);
    assert_string_equal(answer.error.reason, "DATABASE_UNAVAILABLE");
    forwarder_open(ways[0]);
    wait_component("database", true);
    answer = stack_call_ok(stack, EVENTS "ListEvents", "{\"userId\":\"u\"}");
    answer_clear(&answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_absent_server_says_so_and_answers),
        cmocka_unit_test(test_database_comes_and_drafting_works_without_redis_and_kafka),
        cmocka_unit_test(test_kafka_absent_publish_succeeds_and_its_record_follows),
        cmocka_unit_test(test_redis_comes_and_goes),
        cmocka_unit_test(test_database_goes_and_comes_back),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
