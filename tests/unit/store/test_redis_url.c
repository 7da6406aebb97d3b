#include "server/store/redis/redis_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_url(const char *text, const char *host, const char *port, unsigned database, const char *user,
                       const char *password) {
    struct redis_url url = {0};
    struct herald_error error = {0};
    enum herald_code code = redis_url_parse(text, &url, &error);
    if (code != HERALD_OK) {
        fail_msg("%s: %s", text, error.message);
    }
    assert_int_equal(url.host_count, 1);
    assert_false(url.tls);
    assert_string_equal(url.primary, "");
    assert_string_equal(url.hosts[0].host, host);
    assert_string_equal(url.hosts[0].port, port);
    assert_int_equal(url.database, database);
    assert_string_equal(url.user, user);
    assert_string_equal(url.password, password);
}

static void test_redis_url_parse_good_forms_are_read(void **state) {
    (void)state;
    assert_url("redis://localhost", "localhost", "6379", 0, "", "");
    assert_url("redis://127.0.0.1:7/3", "127.0.0.1", "7", 3, "", "");
    assert_url("redis://127.0.0.1:65535/", "127.0.0.1", "65535", 0, "", "");
    assert_url("redis://:secret@redis.internal:6380/15", "redis.internal", "6380", 15, "", "secret");
    assert_url("redis://herald:p%40ss%2Fw%3ard@h/1", "h", "6379", 1, "herald", "p@ss/w:rd");
    assert_url("redis://:with@sign@h", "h", "6379", 0, "", "with@sign");
    assert_url("redis://[::1]:6379/0", "::1", "6379", 0, "", "");
    assert_url("redis://[fe80::1]", "fe80::1", "6379", 0, "", "");
}

static void test_redis_url_parse_rediss_is_tls(void **state) {
    (void)state;
    struct redis_url url;
    assert_int_equal(redis_url_parse("rediss://herald:p@redis.internal/2", &url, NULL), HERALD_OK);
    assert_true(url.tls);
    assert_string_equal(url.hosts[0].host, "redis.internal");
    assert_string_equal(url.hosts[0].port, "6379");
    assert_int_equal(url.database, 2);
}

static void test_redis_url_parse_sentinels_are_read(void **state) {
    (void)state;
    struct redis_url url;
    assert_int_equal(redis_url_parse("rediss+sentinel://u:p@s1,s2:7,[::1]:8/my%20primary/3", &url, NULL), HERALD_OK);
    assert_true(url.tls);
    assert_int_equal(url.host_count, 3);
    assert_string_equal(url.hosts[0].host, "s1");
    assert_string_equal(url.hosts[0].port, "26379");
    assert_string_equal(url.hosts[1].host, "s2");
    assert_string_equal(url.hosts[1].port, "7");
    assert_string_equal(url.hosts[2].host, "::1");
    assert_string_equal(url.hosts[2].port, "8");
    assert_string_equal(url.primary, "my primary");
    assert_int_equal(url.database, 3);
    assert_string_equal(url.user, "u");
    assert_int_equal(redis_url_parse("redis+sentinel://s1/mymaster", &url, NULL), HERALD_OK);
    assert_false(url.tls);
    assert_int_equal(url.database, 0);
}

static void test_redis_url_parse_two_hosts_say_what_to_do(void **state) {
    (void)state;
    struct redis_url url;
    struct herald_error error = {0};
    assert_int_equal(redis_url_parse("redis://a:1,b:2/0", &url, &error), HERALD_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "redis+sentinel://"));
}

static void test_redis_url_parse_bad_forms_are_refused(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "",
        "127.0.0.1:6379",
        "http://127.0.0.1",
        "redis://a:1,b:2/0",
        "redis://a,b",
        "rediss://a,b",
        "redis+sentinel://s1",
        "redis+sentinel://s1/",
        "redis+sentinel://s1//0",
        "redis+sentinel://s1,/m",
        "redis+sentinel://,s1/m",
        "redis+sentinel:///m",
        "redis+sentinel://s1/m/x",
        "redis+sentinel://s1/m%00",
        "redis+sentinel://1,2,3,4,5,6,7,8,9/m",
        "redisss://h",
        "redis://",
        "redis://:6379",
        "redis:///0",
        "redis://h:",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:12x",
        "redis://h:-1",
        "redis://h/db",
        "redis://h/65536",
        "redis://h/1/2",
        "redis://h?db=1",
        "redis://h/0?x",
        "redis://h/0#f",
        "redis://secret@h",
        "redis://user:@h",
        "redis://:a%2@h",
        "redis://:a%zz@h",
        "redis://:a%00@h",
        "redis://[::1",
        "redis://[]:1",
        "redis://[::1]x",
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct redis_url url = {.database = 77};
        struct herald_error error = {0};
        if (redis_url_parse(BAD[i], &url, &error) != HERALD_INVALID_ARGUMENT) {
            fail_msg("'%s' was taken", BAD[i]);
        }
        assert_string_equal(error.reason, "REDIS_URL");
        assert_int_equal(url.database, 77);
    }
}

static void test_redis_url_parse_too_long_part_is_refused(void **state) {
    (void)state;
    char text[700] = "redis://";
    memset(text + 8, 'h', 300);
    struct redis_url url;
    assert_int_equal(redis_url_parse(text, &url, NULL), HERALD_INVALID_ARGUMENT);
    memcpy(text, "redis://:", 9);
    memset(text + 9, 'p', 300);
    memcpy(text + 309, "@h", 3);
    assert_int_equal(redis_url_parse(text, &url, NULL), HERALD_INVALID_ARGUMENT);
}

static void test_redis_url_parse_error_does_not_show_the_password(void **state) {
    (void)state;
    struct redis_url url;
    struct herald_error error = {0};
    assert_int_equal(redis_url_parse("redis://:hunter2@h:x", &url, &error), HERALD_INVALID_ARGUMENT);
    assert_null(strstr(error.message, "hunter2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_url_parse_good_forms_are_read),
        cmocka_unit_test(test_redis_url_parse_rediss_is_tls),
        cmocka_unit_test(test_redis_url_parse_sentinels_are_read),
        cmocka_unit_test(test_redis_url_parse_two_hosts_say_what_to_do),
        cmocka_unit_test(test_redis_url_parse_bad_forms_are_refused),
        cmocka_unit_test(test_redis_url_parse_too_long_part_is_refused),
        cmocka_unit_test(test_redis_url_parse_error_does_not_show_the_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
