/*
 * A Redis that is neither up nor down: it answers and refuses to work, or its path carries nothing. Each fault is
 * named by health while it lasts, and Herald goes on by itself when it is over. All with real servers.
 */
#include "server/store/redis/redis.h"
#include "tests/integration/store/fixture.h"
#include "tests/support/frozen_path.h"
#include "tests/support/loopback.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 500

static struct redis *open_redis(const char *url, struct health *health) {
    struct redis *redis = NULL;
    struct herald_error error = {0};
    struct redis_options options = {.url = url, .timeout_ms = TIMEOUT_MS, .on_health = health_note, .user = health};
    health_init(health);
    if (redis_open(loop_current(), &options, &redis, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    return redis;
}

/* Says a command, "CONFIG SET maxmemory 1", over a plain connection of its own; it must be answered without an error. */
static void say(const struct own_redis *server, const char *command) {
    redisContext *context = redisConnect(loopback_address(), (int)server->port);
    assert_non_null(context);
    redisReply *reply = redisCommand(context, command);
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
        fail_msg("%s: %s", command, reply ? reply->str : context->errstr);
    }
    freeReplyObject(reply);
    redisFree(context);
}

static bool works(void *arg) {
    struct redis *redis = arg;
    return redis_set(redis, "k", "v", 1, 60, NULL) == HERALD_OK && redis_del(redis, "k", NULL) == HERALD_OK &&
           redis_set_versioned(redis, "job:1", 1, "{\"version\":\"1\"}", 15, 60, NULL) == HERALD_OK;
}

/* --- Error replies --- */

/* A fault that a command makes and another one ends, on a server that runs. */
struct fault {
    const char *begin, *end, *named;
};

static const struct fault FAULTS[] = {
    {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"},
    {"CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS"},
    {"REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY"},
    {"ACL SETUSER herald -del", "ACL SETUSER herald +del", "'del'"},
    {"ACL SETUSER herald -set", "ACL SETUSER herald +set", "'set'"},
    {"ACL SETUSER herald -get", "ACL SETUSER herald +get", "'get'"},
    {"ACL SETUSER herald -eval", "ACL SETUSER herald +eval", "'eval'"},
    {"ACL SETUSER herald -evalsha", "ACL SETUSER herald +evalsha", "'evalsha'"},
    {"ACL SETUSER herald resetkeys", "ACL SETUSER herald ~*", "keys"},
    {"ACL SETUSER herald off", "ACL SETUSER herald on", "WRONGPASS"},
};

static void begin_user(struct own_redis *server, char url[128]) {
    own_redis_init(server);
    own_redis_start(server, NULL);
    snprintf(url, 128, "redis://herald:p%%40ss@%s:%u/1", loopback_address(), server->port);
}

static void on_nothing(void *user, const char *channel, const char *message) {
    (void)user;
    (void)channel;
    (void)message;
}

static void fault_body(void *arg) {
    const struct fault *fault = arg;
    struct own_redis server;
    struct health health, root_health;
    char url[128];
    begin_user(&server, url);
    struct redis *root = open_redis(server.url, &root_health);
    assert_true(eventually(health_is_up, &root_health));
    say(&server, "ACL SETUSER herald on >p@ss ~* &* +@all");
    struct redis *redis = open_redis(url, &health);
    assert_int_equal(redis_psubscribe(redis, "job:*", on_nothing, NULL, NULL), HERALD_OK);
    assert_true(eventually(health_is_up, &health));
    assert_true(works(redis));
    say(&server, fault->begin);
    if (strstr(fault->begin, " off")) {
        say(&server, "CLIENT KILL USER herald");
    }
    health_assert_names(&health, fault->named);
    assert_null(strstr(health_last(&health).message, "p@ss"));
    say(&server, fault->end);
    assert_true(eventually(health_is_up, &health));
    assert_true(eventually(works, redis));
    redis_close(redis);
    redis_close(root);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_refused_commands_are_named_and_heal(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(FAULTS) / sizeof(FAULTS[0]); i++) {
        run_body(fault_body, (void *)&FAULTS[i]);
    }
}

/* A command of somebody's meets the fault before the next probe does: health says so at once. */
static void at_once_body(void *arg) {
    struct own_redis server;
    struct health health;
    (void)arg;
    own_redis_init(&server);
    own_redis_start(&server, NULL);
    struct redis *redis = open_redis(server.url, &health);
    assert_true(eventually(health_is_up, &health));
    say(&server, "CONFIG SET maxmemory 1");
    assert_int_equal(redis_set(redis, "k", "v", 1, 60, NULL), HERALD_UNAVAILABLE);
    assert_true(health_is_down(&health));
    redis_close(redis);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_failed_command_tells_health_at_once(void **state) {
    (void)state;
    run_body(at_once_body, NULL);
}

/* What a service does not use may be refused. */
static void narrow_user_body(void *arg) {
    struct own_redis server;
    struct health health;
    char url[128];
    struct redis *redis = NULL;
    (void)arg;
    begin_user(&server, url);
    struct health root_health;
    struct redis *root = open_redis(server.url, &root_health);
    assert_true(eventually(health_is_up, &root_health));
    say(&server, "ACL SETUSER herald on >p@ss ~purpose:* -@all +get +set +del +select");
    health_init(&health);
    static const struct redis_needs needs = {.key_prefix = "purpose:",
                                             .uses = REDIS_USES_GET | REDIS_USES_SET | REDIS_USES_DEL};
    struct redis_options options = {
        .url = url, .timeout_ms = TIMEOUT_MS, .needs = &needs, .on_health = health_note, .user = &health};
    assert_int_equal(redis_open(loop_current(), &options, &redis, NULL), HERALD_OK);
    assert_true(eventually(health_is_up, &health));
    assert_int_equal(redis_set(redis, "purpose:1", "v", 1, 60, NULL), HERALD_OK);
    assert_int_equal(health.downs, 0);
    redis_close(redis);
    redis_close(root);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_user_needs_only_what_is_used(void **state) {
    (void)state;
    run_body(narrow_user_body, NULL);
}

static void subscription_refused_body(void *arg) {
    struct own_redis server;
    struct health health;
    char url[128];
    (void)arg;
    begin_user(&server, url);
    struct health root_health;
    struct redis *root = open_redis(server.url, &root_health);
    assert_true(eventually(health_is_up, &root_health));
    say(&server, "ACL SETUSER herald on >p@ss ~* &* +@all -psubscribe");
    struct redis *redis = open_redis(url, &health);
    assert_int_equal(redis_psubscribe(redis, "job:*", on_nothing, NULL, NULL), HERALD_OK);
    health_assert_names(&health, "PSUBSCRIBE is refused: NOPERM");
    say(&server, "ACL SETUSER herald +psubscribe");
    assert_true(eventually(health_is_up, &health));
    say(&server, "ACL SETUSER herald -publish");
    say(&server, "CLIENT KILL USER herald"); /* PUBLISH is tried on new connections */
    health_assert_names(&health, "PUBLISH");
    say(&server, "ACL SETUSER herald +publish");
    assert_true(eventually(health_is_up, &health));
    redis_close(redis);
    redis_close(root);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_refused_subscription_is_named_and_heals(void **state) {
    (void)state;
    run_body(subscription_refused_body, NULL);
}

/* --- Disk, loading, cluster --- */

static void make_folder(char folder[64]) {
    snprintf(folder, 64, "/tmp/herald-redis-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static void disk_body(void *arg) {
    struct own_redis server;
    struct health health;
    char folder[64];
    (void)arg;
    make_folder(folder);
    own_redis_init(&server);
    own_redis_run(&server, (const char *const[]){"--dir", folder, "--save", "3600 1000000",
                                                 "--enable-protected-configs", "yes", NULL});
    struct redis *redis = open_redis(server.url, &health);
    assert_true(eventually(health_is_up, &health));
    assert_int_equal(rmdir(folder), 0); /* saving fails from now on */
    say(&server, "BGSAVE");
    health_assert_names(&health, "MISCONF");
    say(&server, "CONFIG SET dir /tmp");
    say(&server, "CONFIG SET dbfilename herald-test-faults.rdb");
    say(&server, "BGSAVE");
    assert_true(eventually(health_is_up, &health));
    assert_true(works(redis));
    redis_close(redis);
    own_redis_signal(&server, SIGKILL);
    (void)unlink("/tmp/herald-test-faults.rdb");
}

static void test_redis_that_cannot_save_is_named_and_heals(void **state) {
    (void)state;
    run_body(disk_body, NULL);
}

static void loading_body(void *arg) {
    struct own_redis server;
    struct health health;
    char folder[64], file[96];
    (void)arg;
    make_folder(folder);
    own_redis_init(&server);
    own_redis_run(&server, (const char *const[]){"--dir", folder, "--enable-debug-command", "yes", NULL});
    struct redis *redis = open_redis(server.url, &health);
    assert_true(eventually(health_is_up, &health));
    say(&server, "DEBUG POPULATE 20000");
    say(&server, "SAVE");
    own_redis_signal(&server, SIGKILL);
    assert_true(eventually(health_is_down, &health));
    own_redis_run(&server, (const char *const[]){"--dir", folder, "--key-load-delay", "200",
                                                 "--loading-process-events-interval-bytes", "1024", NULL});
    health_assert_names(&health, "LOADING");
    assert_true(eventually(health_is_up, &health));
    redis_close(redis);
    own_redis_signal(&server, SIGKILL);
    snprintf(file, sizeof(file), "%s/dump.rdb", folder);
    (void)unlink(file);
    (void)rmdir(folder);
}

static void test_redis_that_loads_is_named_and_comes_up(void **state) {
    (void)state;
    run_body(loading_body, NULL);
}

static void cluster_body(void *arg) {
    struct own_redis server;
    struct health health;
    char folder[64], file[96];
    (void)arg;
    make_folder(folder);
    own_redis_init(&server);
    own_redis_run(&server,
                  (const char *const[]){"--dir", folder, "--cluster-enabled", "yes", "--cluster-port", "0", NULL});
    struct redis *redis = open_redis(server.url, &health);
    health_assert_names(&health, "CLUSTERDOWN");
    say(&server, "CLUSTER ADDSLOTSRANGE 0 16383");
    assert_true(eventually(health_is_up, &health));
    redis_close(redis);
    own_redis_signal(&server, SIGKILL);
    snprintf(file, sizeof(file), "%s/nodes.conf", folder);
    (void)unlink(file);
    (void)rmdir(folder);
}

static void test_redis_cluster_without_slots_is_named_and_heals(void **state) {
    (void)state;
    run_body(cluster_body, NULL);
}

/* --- A path that carries nothing --- */

struct since {
    struct health *health;
    unsigned downs; /* that were told before */
};

static unsigned count_downs(struct health *health) {
    (void)pthread_mutex_lock(&health->lock);
    unsigned downs = health->downs;
    (void)pthread_mutex_unlock(&health->lock);
    return downs;
}

/* Health may be bad for a moment only: the next connection is made at once. */
static bool has_been_down(void *arg) {
    const struct since *since = arg;
    return count_downs(since->health) > since->downs;
}

static void frozen_body(void *arg) {
    struct own_redis server;
    struct health health;
    char url[64];
    (void)arg;
    own_redis_init(&server);
    own_redis_start(&server, NULL);
    unsigned port = loopback_port();
    struct frozen_path *path = frozen_path_open(port, server.port);
    snprintf(url, sizeof(url), "redis://%s:%u/0", loopback_address(), port);
    struct redis *redis = open_redis(url, &health);
    assert_int_equal(redis_psubscribe(redis, "job:*", on_nothing, NULL, NULL), HERALD_OK);
    assert_true(eventually(health_is_up, &health));
    struct since since = {&health, count_downs(&health)};
    /* What is open carries nothing any more; new connections work. */
    uint64_t frozen_us = clock_now_us();
    frozen_path_freeze(path, false);
    assert_true(eventually(has_been_down, &since));
    assert_true(eventually(health_is_up, &health));
    assert_in_range(clock_now_us() - frozen_us, 1, UINT64_C(20000000));
    assert_true(eventually(works, redis));
    /* New ones carry nothing either. */
    frozen_path_freeze(path, true);
    health_assert_names(&health, "in time");
    frozen_path_thaw(path);
    assert_true(eventually(health_is_up, &health));
    assert_true(eventually(works, redis));
    redis_close(redis);
    frozen_path_close(path);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_silent_path_is_given_up_and_made_anew(void **state) {
    (void)state;
    run_body(frozen_body, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_refused_commands_are_named_and_heal),
        cmocka_unit_test(test_redis_failed_command_tells_health_at_once),
        cmocka_unit_test(test_redis_user_needs_only_what_is_used),
        cmocka_unit_test(test_redis_refused_subscription_is_named_and_heals),
        cmocka_unit_test(test_redis_that_cannot_save_is_named_and_heals),
        cmocka_unit_test(test_redis_that_loads_is_named_and_comes_up),
        cmocka_unit_test(test_redis_cluster_without_slots_is_named_and_heals),
        cmocka_unit_test(test_redis_silent_path_is_given_up_and_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
