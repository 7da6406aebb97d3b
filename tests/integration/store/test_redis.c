#include "herald/uuid.h"
#include "server/store/redis/redis.h"
#include "tests/integration/store/fixture.h"
#include "tests/support/loopback.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASTY_MS   400
#define PATIENT_MS 20000

static struct redis *open_with(const char *url, uint32_t timeout_ms, struct health *health) {
    struct redis *redis = NULL;
    struct herald_error error = {0};
    enum herald_code code =
        redis_open(loop_current(),
                   &(struct redis_options){
                       .url = url, .timeout_ms = timeout_ms, .on_health = health ? health_note : NULL, .user = health},
                   &redis, &error);
    if (code != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    return redis;
}

static struct redis *open_at(const char *url, struct health *health) {
    return open_with(url, PATIENT_MS, health);
}

/* Gives a silent server up soon. */
static struct redis *open_hasty(const char *url, struct health *health) {
    return open_with(url, HASTY_MS, health);
}

static void new_key(char key[64]) {
    char id[37];
    herald_uuid7(id);
    snprintf(key, 64, "test:%s", id);
}

static void set_versioned(struct redis *redis, const char *key, uint64_t version) {
    char value[96];
    struct herald_error error = {0};
    int bytes = snprintf(value, sizeof(value), "{\"version\":\"%llu\",\"a\":[1]}", (unsigned long long)version);
    if (redis_set_versioned(redis, key, version, value, (size_t)bytes, 60, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
}

static void assert_version(struct redis *redis, const char *key, uint64_t version) {
    char expected[64], *value = NULL;
    size_t bytes = 0;
    snprintf(expected, sizeof(expected), "\"version\":\"%llu\"", (unsigned long long)version);
    assert_int_equal(redis_get(redis, key, &value, &bytes, NULL), HERALD_OK);
    if (!strstr(value, expected)) {
        fail_msg("%s holds %s, not version %llu", key, value, (unsigned long long)version);
    }
}

/* A blocking connection beside the one under test. */
static long long ask_integer(const char *host_url, const char *format, const char *key) {
    unsigned port = 0;
    assert_int_equal(sscanf(host_url, "redis://127.0.0.1:%u", &port), 1);
    redisContext *context = redisConnect("127.0.0.1", (int)port);
    assert_non_null(context);
    redisReply *reply = redisCommand(context, format, key);
    assert_non_null(reply);
    long long number = reply->integer;
    freeReplyObject(reply);
    redisFree(context);
    return number;
}

/* --- Commands --- */

static void set_get_del_body(void *arg) {
    const char *url = arg;
    struct redis *redis = open_at(url, NULL);
    char key[64], *value = NULL;
    size_t bytes = 0;
    new_key(key);
    struct herald_error error = {0};
    assert_int_equal(redis_get(redis, key, &value, &bytes, &error), HERALD_NOT_FOUND);
    assert_string_equal(error.reason, "REDIS_NO_KEY");
    assert_null(value);
    assert_int_equal(redis_set(redis, key, "a\0b", 3, 100, NULL), HERALD_OK);
    assert_int_equal(redis_get(redis, key, &value, &bytes, NULL), HERALD_OK);
    assert_int_equal(bytes, 3);
    assert_memory_equal(value, "a\0b", 4);
    long long ttl_s = ask_integer(url, "TTL %s", key);
    assert_in_range(ttl_s, 90, 100);
    assert_int_equal(redis_del(redis, key, NULL), HERALD_OK);
    assert_int_equal(redis_del(redis, key, NULL), HERALD_OK);
    assert_int_equal(redis_get(redis, key, &value, &bytes, NULL), HERALD_NOT_FOUND);
    redis_close(redis);
}

static void test_redis_set_get_del_hold_bytes_and_ttl(void **state) {
    (void)state;
    run_body(set_get_del_body, (void *)need_env("HERALD_REDIS_URL"));
}

static void error_reply_body(void *arg) {
    const char *url = arg;
    struct redis *redis = open_at(url, NULL);
    char key[64], *value = NULL;
    size_t bytes = 0;
    new_key(key);
    ask_integer(url, "LPUSH %s x", key);
    struct herald_error error = {0};
    assert_int_equal(redis_get(redis, key, &value, &bytes, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "REDIS_UNAVAILABLE");
    assert_int_equal(strncmp(error.origin, "WRONGTYPE", 9), 0);
    assert_int_equal(redis_del(redis, key, NULL), HERALD_OK);
    redis_close(redis);
}

static void test_redis_get_error_reply_is_in_origin(void **state) {
    (void)state;
    run_body(error_reply_body, (void *)need_env("HERALD_REDIS_URL"));
}

static void versioned_body(void *arg) {
    const char *url = arg;
    struct redis *redis = open_at(url, NULL);
    char key[64];
    new_key(key);
    set_versioned(redis, key, 2);
    set_versioned(redis, key, 1);
    assert_version(redis, key, 2);
    set_versioned(redis, key, 10); /* as numbers, not as text */
    assert_version(redis, key, 10);
    set_versioned(redis, key, 9);
    assert_version(redis, key, 10);
    set_versioned(redis, key, UINT64_C(9007199254740993)); /* not exact in a double */
    set_versioned(redis, key, UINT64_C(9007199254740992));
    assert_version(redis, key, UINT64_C(9007199254740993));
    set_versioned(redis, key, UINT64_MAX);
    assert_version(redis, key, UINT64_MAX);
    long long ttl_s = ask_integer(url, "TTL %s", key);
    assert_in_range(ttl_s, 50, 60);
    /* What is not ours counts as older. */
    assert_int_equal(redis_set(redis, key, "not json", 8, 60, NULL), HERALD_OK);
    set_versioned(redis, key, 1);
    assert_version(redis, key, 1);
    ask_integer(url, "SCRIPT FLUSH", NULL);
    set_versioned(redis, key, 5);
    assert_version(redis, key, 5);
    redis_close(redis);
}

static void test_redis_set_versioned_stores_only_what_is_newer(void **state) {
    (void)state;
    run_body(versioned_body, (void *)need_env("HERALD_REDIS_URL"));
}

struct setter {
    struct redis *redis;
    const char *key;
    uint64_t version;
};

static void set_one(void *arg) {
    const struct setter *setter = arg;
    set_versioned(setter->redis, setter->key, setter->version);
}

static void race_body(void *arg) {
    enum { SETTERS = 200 };
    struct redis *connections[2] = {open_at(arg, NULL), open_at(arg, NULL)};
    static struct setter setters[SETTERS];
    char key[64];
    new_key(key);
    srand(7);
    struct task_group group;
    task_group_init(&group);
    uint64_t highest = 0;
    for (int i = 0; i < SETTERS; i++) {
        uint64_t version = (uint64_t)rand() % 1000 + 1;
        highest = version > highest ? version : highest;
        setters[i] = (struct setter){connections[i % 2], key, version};
        assert_int_equal(task_group_spawn(&group, "setter", set_one, &setters[i], NULL), HERALD_OK);
    }
    task_group_join(&group);
    assert_version(connections[0], key, highest);
    redis_close(connections[0]);
    redis_close(connections[1]);
}

static void test_redis_set_versioned_race_keeps_the_highest(void **state) {
    (void)state;
    run_body(race_body, (void *)need_env("HERALD_REDIS_URL"));
}

static void test_redis_open_bad_url_is_refused(void **state) {
    (void)state;
    struct redis *redis = NULL;
    assert_int_equal(redis_open(NULL, &(struct redis_options){.url = "localhost:6379"}, &redis, NULL),
                     HERALD_INVALID_ARGUMENT);
    assert_null(redis);
}

static void host_name_body(void *arg) {
    unsigned port = 0;
    char url[64], *value = NULL;
    size_t bytes = 0;
    assert_int_equal(sscanf(arg, "redis://127.0.0.1:%u", &port), 1);
    snprintf(url, sizeof(url), "redis://localhost:%u/3", port);
    struct redis *redis = open_at(url, NULL);
    assert_int_equal(redis_get(redis, "test:none", &value, &bytes, NULL), HERALD_NOT_FOUND);
    redis_close(redis);
}

static void test_redis_host_name_tries_every_address(void **state) {
    (void)state;
    run_body(host_name_body, (void *)need_env("HERALD_REDIS_URL"));
}

/* --- Faults --- */

static bool get_is(struct redis *redis, enum herald_code expected) {
    char *value = NULL;
    size_t bytes = 0;
    return redis_get(redis, "test:none", &value, &bytes, NULL) == expected;
}

static void late_start_body(void *arg) {
    struct own_redis server;
    struct health health;
    struct herald_error error = {0};
    char *value = NULL;
    size_t bytes = 0;
    (void)arg;
    own_redis_init(&server);
    health_init(&health);
    struct redis *redis = open_at(server.url, &health);
    uint64_t start_us = clock_now_us();
    assert_int_equal(redis_get(redis, "k", &value, &bytes, &error), HERALD_UNAVAILABLE);
    assert_string_equal(error.reason, "REDIS_UNAVAILABLE");
    assert_true(clock_now_us() - start_us < PATIENT_MS * 1000u); /* a refusal does not keep callers waiting */
    assert_true(eventually(health_is_down, &health));
    assert_string_equal(health_last(&health).reason, "REDIS_UNAVAILABLE");
    own_redis_start(&server, NULL);
    assert_true(eventually(health_is_up, &health));
    assert_true(get_is(redis, HERALD_NOT_FOUND));
    redis_close(redis);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_refused_at_start_comes_up_later(void **state) {
    (void)state;
    run_body(late_start_body, NULL);
}

struct getter {
    struct redis *redis;
    enum herald_code code;
    struct herald_error error;
    bool ended;
};

static void get_one(void *arg) {
    struct getter *getter = arg;
    char *value = NULL;
    size_t bytes = 0;
    getter->code = redis_get(getter->redis, "k", &value, &bytes, &getter->error);
    getter->ended = true;
}

static void killed_body(void *arg) {
    struct own_redis server;
    struct health health;
    struct task_group group;
    (void)arg;
    own_redis_init(&server);
    own_redis_start(&server, NULL);
    health_init(&health);
    struct redis *redis = open_at(server.url, &health);
    assert_true(eventually(health_is_up, &health));
    own_redis_signal(&server, SIGSTOP);
    struct getter getter = {.redis = redis};
    task_group_init(&group);
    assert_int_equal(task_group_spawn(&group, "getter", get_one, &getter, NULL), HERALD_OK);
    task_yield();
    assert_false(getter.ended);
    own_redis_signal(&server, SIGKILL);
    task_group_join(&group);
    assert_int_equal(getter.code, HERALD_UNAVAILABLE);
    assert_string_equal(getter.error.reason, "REDIS_UNAVAILABLE");
    assert_non_null(strstr(getter.error.message, "lost"));
    assert_true(eventually(health_is_down, &health));
    own_redis_start(&server, NULL);
    assert_true(eventually(health_is_up, &health));
    assert_true(get_is(redis, HERALD_NOT_FOUND));
    redis_close(redis);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_killed_mid_command_reports_and_reconnects(void **state) {
    (void)state;
    run_body(killed_body, NULL);
}

static void hung_body(void *arg) {
    struct own_redis server;
    struct health health;
    struct getter getter = {0};
    (void)arg;
    own_redis_init(&server);
    own_redis_start(&server, NULL);
    health_init(&health);
    getter.redis = open_hasty(server.url, &health);
    assert_true(eventually(health_is_up, &health));
    own_redis_signal(&server, SIGSTOP);
    get_one(&getter);
    assert_int_equal(getter.code, HERALD_UNAVAILABLE);
    assert_true(eventually(health_is_down, &health)); /* the heartbeat gives it up */
    own_redis_signal(&server, SIGCONT);
    assert_true(eventually(health_is_up, &health));
    assert_true(get_is(getter.redis, HERALD_NOT_FOUND));
    redis_close(getter.redis);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_hung_server_times_out_and_recovers(void **state) {
    (void)state;
    run_body(hung_body, NULL);
}

static void get_with_deadline(void *arg) {
    struct getter *getter = arg;
    struct call *call = call_current();
    call->deadline_us = clock_now_us() + 50000;
    get_one(getter);
}

struct deadline_test {
    struct own_redis server;
    struct health health;
    struct call short_call;
    struct getter getter;
};

static bool getter_ended(void *arg) {
    return ((struct getter *)arg)->ended;
}

static void deadline_body(void *arg) {
    struct deadline_test *test = arg;
    own_redis_init(&test->server);
    own_redis_start(&test->server, NULL);
    health_init(&test->health);
    struct redis *redis = test->getter.redis = open_hasty(test->server.url, &test->health);
    assert_true(eventually(health_is_up, &test->health));
    own_redis_signal(&test->server, SIGSTOP);
    call_init(&test->short_call, "short", NULL, 0, 0);
    assert_int_equal(task_spawn(loop_current(), &test->short_call, "short", get_with_deadline, &test->getter, NULL),
                     HERALD_OK);
    assert_true(eventually(getter_ended, &test->getter));
    assert_int_equal(test->getter.code, HERALD_DEADLINE_EXCEEDED);
    own_redis_signal(&test->server, SIGCONT);
    /* The late answer belongs to nobody; the next command gets its own. */
    assert_int_equal(redis_set(redis, "k", "v", 1, 10, NULL), HERALD_OK);
    test->getter.ended = false;
    get_one(&test->getter);
    assert_int_equal(test->getter.code, HERALD_OK);
    redis_close(redis);
    own_redis_signal(&test->server, SIGKILL);
}

static void test_redis_get_deadline_abandons_the_command(void **state) {
    (void)state;
    struct deadline_test test = {0};
    run_body(deadline_body, &test);
    call_fini(&test.short_call);
}

static void close_body(void *arg) {
    struct own_redis server;
    struct health health;
    struct task_group group;
    (void)arg;
    own_redis_init(&server);
    own_redis_start(&server, NULL);
    health_init(&health);
    struct getter answered = {.redis = open_hasty(server.url, &health)},
                  unconnected = {.redis = open_hasty(server.url, NULL)};
    assert_true(eventually(health_is_up, &health));
    own_redis_signal(&server, SIGSTOP);
    task_group_init(&group);
    assert_int_equal(task_group_spawn(&group, "getter", get_one, &answered, NULL), HERALD_OK);
    assert_int_equal(task_group_spawn(&group, "getter", get_one, &unconnected, NULL), HERALD_OK);
    task_yield();
    redis_close(answered.redis);
    redis_close(unconnected.redis);
    task_group_join(&group);
    assert_int_equal(answered.code, HERALD_UNAVAILABLE);
    assert_int_equal(unconnected.code, HERALD_UNAVAILABLE);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_close_ends_waiting_commands(void **state) {
    (void)state;
    run_body(close_body, NULL);
}

static void password_body(void *arg) {
    struct own_redis server;
    struct health health, good_health;
    char url[128];
    (void)arg;
    own_redis_init(&server);
    own_redis_start(&server, "s3cret/pass");
    health_init(&good_health);
    snprintf(url, sizeof(url), "redis://:s3cret%%2Fpass@%s:%u/2", loopback_address(), server.port);
    struct redis *good = open_at(url, &good_health);
    assert_true(eventually(health_is_up, &good_health));
    assert_true(get_is(good, HERALD_NOT_FOUND));
    health_init(&health);
    snprintf(url, sizeof(url), "redis://:wr0ng@%s:%u/2", loopback_address(), server.port);
    struct redis *bad = open_at(url, &health);
    assert_true(eventually(health_is_down, &health));
    struct herald_error error = health_last(&health);
    assert_non_null(strstr(error.message, "AUTH was refused"));
    assert_null(strstr(error.message, "wr0ng"));
    assert_int_equal(health.ups, 0);
    redis_close(good);
    redis_close(bad);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_password_is_sent_and_a_wrong_one_is_told(void **state) {
    (void)state;
    run_body(password_body, NULL);
}

/* --- Subscription --- */

struct inbox {
    unsigned made, messages;
    char channel[64], message[64];
};

static void on_message(void *user, const char *channel, const char *message) {
    struct inbox *inbox = user;
    if (!channel) {
        inbox->made++;
        return;
    }
    inbox->messages++;
    snprintf(inbox->channel, sizeof(inbox->channel), "%s", channel);
    snprintf(inbox->message, sizeof(inbox->message), "%s", message);
}

static bool inbox_made_once(void *arg) {
    return ((struct inbox *)arg)->made == 1;
}

static bool inbox_made_twice(void *arg) {
    return ((struct inbox *)arg)->made == 2;
}

static bool inbox_has_message(void *arg) {
    return ((struct inbox *)arg)->messages > 0;
}

static void subscribe_body(void *arg) {
    struct own_redis server;
    struct health health;
    struct inbox inbox = {0};
    struct herald_error error = {0};
    (void)arg;
    own_redis_init(&server);
    own_redis_start(&server, NULL);
    health_init(&health);
    struct redis *redis = open_hasty(server.url, &health);
    assert_true(eventually(health_is_up, &health));
    assert_int_equal(redis_psubscribe(redis, "job:*", on_message, &inbox, NULL), HERALD_OK);
    assert_int_equal(redis_psubscribe(redis, "other:*", on_message, &inbox, &error), HERALD_ALREADY_EXISTS);
    assert_true(eventually(inbox_made_once, &inbox));
    set_versioned(redis, "job:1", 7);
    assert_true(eventually(inbox_has_message, &inbox));
    assert_string_equal(inbox.channel, "job:1");
    assert_string_equal(inbox.message, "7");
    set_versioned(redis, "job:1", 7); /* not newer: nothing is published */
    set_versioned(redis, "other:1", 1);
    assert_int_equal(task_sleep(3 * HASTY_MS, NULL), HERALD_OK); /* heartbeats, which are no second subscription */
    assert_int_equal(inbox.made, 1);
    assert_int_equal(inbox.messages, 1);

    own_redis_signal(&server, SIGKILL);
    assert_true(eventually(health_is_down, &health));
    own_redis_start(&server, NULL);
    assert_true(eventually(inbox_made_twice, &inbox));
    assert_true(eventually(health_is_up, &health));
    inbox.messages = 0;
    set_versioned(redis, "job:2", 1);
    assert_true(eventually(inbox_has_message, &inbox));
    assert_string_equal(inbox.channel, "job:2");
    redis_close(redis);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_psubscribe_is_made_again_after_a_loss(void **state) {
    (void)state;
    run_body(subscribe_body, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_set_get_del_hold_bytes_and_ttl),
        cmocka_unit_test(test_redis_get_error_reply_is_in_origin),
        cmocka_unit_test(test_redis_set_versioned_stores_only_what_is_newer),
        cmocka_unit_test(test_redis_set_versioned_race_keeps_the_highest),
        cmocka_unit_test(test_redis_open_bad_url_is_refused),
        cmocka_unit_test(test_redis_host_name_tries_every_address),
        cmocka_unit_test(test_redis_refused_at_start_comes_up_later),
        cmocka_unit_test(test_redis_killed_mid_command_reports_and_reconnects),
        cmocka_unit_test(test_redis_hung_server_times_out_and_recovers),
        cmocka_unit_test(test_redis_get_deadline_abandons_the_command),
        cmocka_unit_test(test_redis_close_ends_waiting_commands),
        cmocka_unit_test(test_redis_password_is_sent_and_a_wrong_one_is_told),
        cmocka_unit_test(test_redis_psubscribe_is_made_again_after_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
