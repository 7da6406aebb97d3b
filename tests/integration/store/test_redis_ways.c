/* Ways to a Redis beyond a plain connection: TLS with real certificates, and real sentinels with fail-overs. */
#include "server/store/redis/redis.h"
#include "tests/integration/store/fixture.h"
#include "tests/support/loopback.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIMEOUT_MS 2000

static struct redis *open_redis(const struct redis_options *options, struct health *health) {
    struct redis *redis = NULL;
    struct herald_error error = {0};
    struct redis_options all = *options;
    all.timeout_ms = TIMEOUT_MS;
    all.on_health = health_note;
    all.user = health;
    health_init(health);
    if (redis_open(loop_current(), &all, &redis, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    return redis;
}

static bool works(void *arg) {
    struct redis *redis = arg;
    return redis_set_versioned(redis, "job:1", 1, "{\"version\":\"1\"}", 15, 60, NULL) == HERALD_OK;
}

/* --- TLS --- */

static char folder[64];

static const char *in_folder(const char *name) {
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/herald-redis-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[96];
    (void)state;
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

/* A CA, and a certificate NAME.crt with its key for a subject alternative name: "IP:127.0.0.1". */
static void make_certificate(const char *ca, const char *name, const char *alternative) {
    char command[1200];
    snprintf(
        command, sizeof(command),
        "cd '%s' && exec >>openssl.log 2>&1 && "
        "{ [ -f %s.crt ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj '/CN=test %s' -keyout %s.key -out %s.crt; } && "
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test -keyout %s.key -out %s.csr && "
        "echo 'subjectAltName=%s' >%s.ext && openssl x509 -req -in %s.csr -CA %s.crt -CAkey %s.key "
        "-CAcreateserial -days 2 -extfile %s.ext -out %s.crt",
        folder, ca, ca, ca, ca, name, name, alternative, name, name, ca, ca, name, name);
    assert_int_equal(system(command), 0);
}

static void start_tls(struct own_redis *server, const char *certificate) {
    char port[8], crt[32], key[32];
    own_redis_init(server);
    snprintf(port, sizeof(port), "%u", server->port);
    snprintf(crt, sizeof(crt), "%s.crt", certificate);
    snprintf(key, sizeof(key), "%s.key", certificate);
    own_redis_run(server,
                  (const char *const[]){"--port", "0", "--tls-port", port, "--tls-ca-cert-file", in_folder("ca.crt"),
                                        "--tls-cert-file", in_folder(crt), "--tls-key-file", in_folder(key), NULL});
}

static struct redis_options tls_options(const struct own_redis *server, char url[64]) {
    snprintf(url, 64, "rediss://%s:%u/1", loopback_address(), server->port);
    return (struct redis_options){.url = url,
                                  .tls = {.ca_file = in_folder("ca.crt"),
                                          .cert_file = in_folder("herald.crt"),
                                          .key_file = in_folder("herald.key")}};
}

static void begin_tls(struct own_redis *server) {
    char ip[32];
    snprintf(ip, sizeof(ip), "IP:%s", loopback_address());
    make_certificate("ca", "redis", ip);
    make_certificate("ca", "herald", "DNS:herald");
    make_certificate("ca", "named", "DNS:redis.internal");
    make_certificate("other", "stranger", ip);
    start_tls(server, "redis");
}

static void on_nothing(void *user, const char *channel, const char *message) {
    (void)user;
    (void)channel;
    (void)message;
}

static void tls_body(void *arg) {
    struct own_redis server;
    struct health health;
    char url[64], *value = NULL;
    size_t bytes = 0;
    enum { LARGE = 3 << 20 }; /* many records of TLS */
    (void)arg;
    begin_tls(&server);
    struct redis_options options = tls_options(&server, url);
    struct redis *redis = open_redis(&options, &health);
    assert_int_equal(redis_psubscribe(redis, "job:*", on_nothing, NULL, NULL), HERALD_OK);
    assert_true(eventually(health_is_up, &health));
    char *large = malloc(LARGE);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    assert_int_equal(redis_set(redis, "large", large, LARGE, 60, NULL), HERALD_OK);
    assert_int_equal(redis_get(redis, "large", &value, &bytes, NULL), HERALD_OK);
    assert_int_equal(bytes, LARGE);
    assert_memory_equal(value, large, LARGE);
    free(large);
    redis_close(redis);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_tls_carries_commands_and_large_values(void **state) {
    (void)state;
    run_body(tls_body, NULL);
}

/* One way in which TLS must fail, and what health must say of it. */
static void tls_refusals_body(void *arg) {
    struct own_redis server, named;
    struct health health;
    char url[64];
    (void)arg;
    begin_tls(&server);

    struct redis_options options = tls_options(&server, url);
    options.tls.ca_file = in_folder("other.crt");
    struct redis *redis = open_redis(&options, &health);
    health_assert_names(&health, "not trusted");
    redis_close(redis);

    options = tls_options(&server, url);
    options.tls.cert_file = options.tls.key_file = NULL; /* the server wants one */
    redis = open_redis(&options, &health);
    health_assert_names(&health, "TLS: ");
    assert_int_equal(health.ups, 0);
    redis_close(redis);

    start_tls(&named, "named");
    options = tls_options(&named, url);
    redis = open_redis(&options, &health);
    health_assert_names(&health, "mismatch"); /* of the address */
    assert_int_equal(health.ups, 0);
    redis_close(redis);
    options.tls.server_name = "redis.internal";
    redis = open_redis(&options, &health);
    assert_true(eventually(health_is_up, &health));
    redis_close(redis);

    options = tls_options(&server, url);
    memcpy(url, "redis://", 8);
    memmove(url + 8, url + 9, strlen(url + 9) + 1);
    redis = open_redis(&options, &health); /* plain text to a port of TLS */
    assert_true(eventually(health_is_down, &health));
    assert_int_equal(health.ups, 0);
    redis_close(redis);
    own_redis_signal(&named, SIGKILL);
    own_redis_signal(&server, SIGKILL);
}

static void test_redis_tls_untrusted_is_refused_and_named(void **state) {
    (void)state;
    run_body(tls_refusals_body, NULL);
}

static void bad_files_body(void *arg) {
    struct redis *redis = NULL;
    struct herald_error error = {0};
    struct redis_options options = {.url = "rediss://h", .tls = {.ca_file = "/nonexistent"}};
    (void)arg;
    assert_int_equal(redis_open(loop_current(), &options, &redis, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "BAD_CERTIFICATE");
    assert_non_null(strstr(error.message, "/nonexistent"));
    assert_null(redis);
}

static void test_redis_tls_unreadable_file_is_refused(void **state) {
    (void)state;
    run_body(bad_files_body, NULL);
}

/* --- Sentinel --- */

struct watched {
    struct own_redis nodes[2], sentinels[2];
    char url[160];
};

static void start_sentinel(struct watched *watched, unsigned index) {
    char name[32], text[512];
    struct own_redis *sentinel = &watched->sentinels[index];
    own_redis_init(sentinel);
    snprintf(name, sizeof(name), "sentinel%u.conf", index);
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    snprintf(text, sizeof(text),
             "sentinel monitor main %s %u 1\nsentinel down-after-milliseconds main 1000\n"
             "sentinel failover-timeout main 3000\n",
             loopback_address(), watched->nodes[0].port);
    fputs(text, file);
    fclose(file);
    own_redis_run_file(sentinel, in_folder(name),
                       (const char *const[]){"--sentinel", "--requirepass", "s3ntinel", NULL});
}

static void start_watched(struct watched *watched) {
    char port[8];
    memset(watched, 0, sizeof(*watched));
    own_redis_init(&watched->nodes[0]);
    own_redis_init(&watched->nodes[1]);
    own_redis_start(&watched->nodes[0], NULL);
    snprintf(port, sizeof(port), "%u", watched->nodes[0].port);
    own_redis_run(&watched->nodes[1], (const char *const[]){"--replicaof", loopback_address(), port,
                                                            "--replica-announce-ip", loopback_address(), NULL});
    start_sentinel(watched, 1);
    own_redis_init(&watched->sentinels[0]); /* the first of the URL never runs */
    snprintf(watched->url, sizeof(watched->url), "redis+sentinel://%s:%u,%s:%u/main/0", loopback_address(),
             watched->sentinels[0].port, loopback_address(), watched->sentinels[1].port);
}

/* Whether the sentinel knows a replica that could take over, and the commands can be sent. */
static bool can_fail_over(void *arg) {
    struct watched *watched = arg;
    bool good = false;
    redisContext *context = redisConnect(loopback_address(), (int)watched->sentinels[1].port);
    redisReply *reply = context && !context->err ? redisCommand(context, "AUTH s3ntinel") : NULL;
    freeReplyObject(reply);
    reply = context && !context->err ? redisCommand(context, "SENTINEL replicas main") : NULL;
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1) {
        for (size_t i = 0; i + 1 < reply->element[0]->elements; i += 2) {
            good = good || (strcmp(reply->element[0]->element[i]->str, "master-link-status") == 0 &&
                            strcmp(reply->element[0]->element[i + 1]->str, "ok") == 0);
        }
    }
    freeReplyObject(reply);
    if (context) {
        redisFree(context);
    }
    return good;
}

static long long keys_of(const struct own_redis *node) {
    redisContext *context = redisConnect(loopback_address(), (int)node->port);
    assert_non_null(context);
    redisReply *reply = redisCommand(context, "EXISTS job:1");
    assert_non_null(reply);
    long long count = reply->integer;
    freeReplyObject(reply);
    redisFree(context);
    return count;
}

static void sentinel_body(void *arg) {
    struct watched watched;
    struct health health;
    (void)arg;
    start_watched(&watched);
    struct redis_options options = {.url = watched.url, .sentinel_password = "s3ntinel"};
    struct redis *redis = open_redis(&options, &health);
    assert_int_equal(redis_psubscribe(redis, "job:*", on_nothing, NULL, NULL), HERALD_OK);
    assert_true(eventually(health_is_up, &health));
    assert_true(eventually(can_fail_over, &watched));
    own_redis_signal(&watched.nodes[0], SIGKILL);
    assert_true(eventually(health_is_down, &health));
    assert_true(eventually(health_is_up, &health));
    assert_true(eventually(works, redis));
    assert_int_equal(keys_of(&watched.nodes[1]), 1);
    redis_close(redis);
    own_redis_signal(&watched.sentinels[1], SIGKILL);
    own_redis_signal(&watched.nodes[1], SIGKILL);
}

static void test_redis_sentinel_fail_over_is_followed(void **state) {
    (void)state;
    run_body(sentinel_body, NULL);
}

static void sentinel_refusals_body(void *arg) {
    struct watched watched;
    struct health health;
    char url[160];
    (void)arg;
    start_watched(&watched);
    struct redis_options options = {.url = watched.url, .sentinel_password = "wr0ng"};
    struct redis *redis = open_redis(&options, &health);
    health_assert_names(&health, "Redis Sentinel at ");
    health_assert_names(&health, "WRONGPASS");
    assert_null(strstr(health_last(&health).message, "wr0ng"));
    redis_close(redis);

    snprintf(url, sizeof(url), "redis+sentinel://%s:%u/nobody", loopback_address(), watched.sentinels[1].port);
    options = (struct redis_options){.url = url, .sentinel_password = "s3ntinel"};
    redis = open_redis(&options, &health);
    health_assert_names(&health, "knows no primary 'nobody'");
    redis_close(redis);
    own_redis_signal(&watched.sentinels[1], SIGKILL);
    own_redis_signal(&watched.nodes[0], SIGKILL);
    own_redis_signal(&watched.nodes[1], SIGKILL);
}

static void test_redis_sentinel_refusals_are_named(void **state) {
    (void)state;
    run_body(sentinel_refusals_body, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_tls_carries_commands_and_large_values),
        cmocka_unit_test(test_redis_tls_untrusted_is_refused_and_named),
        cmocka_unit_test(test_redis_tls_unreadable_file_is_refused),
        cmocka_unit_test(test_redis_sentinel_fail_over_is_followed),
        cmocka_unit_test(test_redis_sentinel_refusals_are_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
