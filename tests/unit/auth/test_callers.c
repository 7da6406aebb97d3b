#include "tests/unit/auth/auth_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CANARY "Q0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZ" /* base64 of 24 bytes: too short a key */

static const char GOOD[] = "# who may call\n"
                           "[caller event]\n"
                           "key.e-1 = " KEY_A "\n"
                           "key.e-2 = " KEY_B "\n"
                           "methods = herald.job.v1.JobService/*\n"
                           "methods = herald.distribution.v1.DistributionService/Distribute\n"
                           "act_for = any\n"
                           "\n"
                           "[caller shop]\n"
                           "key.s-1 = " KEY_C "\n"
                           "methods = *\n"
                           "act_for = u-1, u-2\n"
                           "[caller probe]\n"
                           "key.p-1 = QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n"
                           "methods = herald.job.v1.JobService/GetJob\n";

static void test_callers_good_file_is_read(void **state) {
    (void)state;
    struct callers *callers = good_callers(GOOD);
    const struct caller_key *key = callers_find_key(callers, "e-2");
    const char *id = NULL;
    assert_non_null(key);
    assert_string_equal(caller_name(key->caller), "event");
    assert_int_equal(key->key.count, 32);
    assert_int_equal(key->key.bytes[31], 'B');
    assert_ptr_equal(callers_find(callers, "event"), key->caller);
    assert_int_equal(caller_first_key(key->caller, &id)->key.bytes[0], 'A');
    assert_string_equal(id, "e-1");
    assert_null(callers_find_key(callers, "e-3"));
    assert_null(callers_find(callers, "nobody"));
    callers_unref(callers);
}

static void test_callers_methods_and_users_are_matched(void **state) {
    (void)state;
    struct callers *callers = good_callers(GOOD);
    const struct caller *event = callers_find(callers, "event"), *shop = callers_find(callers, "shop"),
                        *probe = callers_find(callers, "probe");
    assert_true(caller_may_call(event, "herald.job.v1.JobService/GetJob"));
    assert_false(caller_may_call(event, "herald.job.v1.JobServiceX/GetJob"));
    assert_true(caller_may_call(event, "herald.distribution.v1.DistributionService/Distribute"));
    assert_false(caller_may_call(event, "herald.distribution.v1.DistributionService/GetDistribution"));
    assert_true(caller_may_call(shop, "herald.event.v1.EventService/PublishEvent"));
    assert_false(caller_may_call(probe, "herald.job.v1.JobService/GetJobs"));
    assert_true(caller_may_act_for(event, "anybody"));
    assert_true(caller_may_act_for(shop, "u-1"));
    assert_true(caller_may_act_for(shop, "u-2"));
    assert_false(caller_may_act_for(shop, "u-3"));
    assert_false(caller_may_act_for(probe, "u-1"));
    callers_unref(callers);
}

static void test_callers_class_is_client_unless_said(void **state) {
    (void)state;
    struct callers *callers = good_callers("[caller a]\nkey.a = " KEY_A "\nmethods = *\n"
                                           "[caller b]\nkey.b = " KEY_B "\nmethods = *\nclass = server\n"
                                           "[caller c]\nclass = operator\nkey.c = " KEY_C "\nmethods = *\n"
                                           "[caller d]\nkey.d = " KEY_D "\nmethods = *\nclass = client\n");
    assert_int_equal(caller_class_of(callers_find(callers, "a")), CALLER_CLASS_CLIENT);
    assert_int_equal(caller_class_of(callers_find(callers, "b")), CALLER_CLASS_SERVER);
    assert_int_equal(caller_class_of(callers_find(callers, "c")), CALLER_CLASS_OPERATOR);
    assert_int_equal(caller_class_of(callers_find(callers, "d")), CALLER_CLASS_CLIENT);
    callers_unref(callers);
}

/* A file, and what its one problem must say. */
struct bad_file {
    const char *text, *reason, *part;
};

static void assert_bad(const struct bad_file *bad) {
    struct callers *callers = (struct callers *)-1;
    struct herald_error error;
    assert_int_equal(callers_load(write_file("callers.ini", bad->text), &callers, &error), HERALD_INVALID_ARGUMENT);
    assert_ptr_equal(callers, (struct callers *)-1);
    assert_string_equal(error.reason, "BAD_CALLERS");
    for (uint32_t i = 0; i < error.detail_count; i++) {
        if (strcmp(error.details[i].reason, bad->reason) == 0 && strstr(error.details[i].message, bad->part)) {
            return;
        }
    }
    fail_msg("no %s with \"%s\"; the first: %s %s", bad->reason, bad->part, error.details[0].reason,
             error.details[0].message);
}

static void test_callers_bad_files_name_line_and_key(void **state) {
    static const struct bad_file BAD[] = {
        {"[caller a]\nmethods = *\n", "NO_KEY", "callers.ini:1: "},
        {"[caller a]\nkey.k = " KEY_A "\n", "NO_METHODS", "callers.ini:1: "},
        {"[caller a]\nkey.k = " CANARY "\nmethods = *\n", "BAD_KEY", "callers.ini:2: key.k is shorter than 32 bytes"},
        {"[caller a]\nkey.k = ###\nmethods = *\n", "BAD_KEY", "callers.ini:2: key.k is"},
        {"[caller a]\nkey. = " KEY_A "\n", "BAD_KEY_ID", "callers.ini:2: "},
        {"[caller a]\nkey.a/b = " KEY_A "\n", "BAD_KEY_ID", "callers.ini:2: "},
        {"[caller a]\nkey.k = " KEY_A "\nmethods = *\n[caller b]\nkey.k = " KEY_B "\nmethods = *\n", "DUPLICATE_KEY",
         "callers.ini:5: key.k is a key of caller a already"},
        {"[caller a]\nmethods = herald.job.v1.JobService/GetJbo\n", "UNKNOWN_METHOD",
         "callers.ini:2: methods: no method is called herald.job.v1.JobService/GetJbo"},
        {"[caller a]\nmethods = herald.jobs.v1.JobService/*\n", "UNKNOWN_METHOD", "callers.ini:2: "},
        {"[caller a]\nmethods = *, ,\n", "BAD_VALUE", "callers.ini:2: methods"},
        {"[caller a]\nact_for = u 1\n", "BAD_VALUE", "callers.ini:2: act_for"},
        {"[caller a]\nact_for = any\nact_for = none\n", "DUPLICATE_KEY",
         "callers.ini:3: act_for was set before, in line 2"},
        {"[caller a]\nmethod = *\n", "UNKNOWN_KEY", "callers.ini:2: \"method\" is unknown"},
        {"[caller a]\nclass = servers\n", "BAD_VALUE", "callers.ini:2: class: write client, operator or server"},
        {"[caller a]\nclass = server\nclass = server\n", "DUPLICATE_KEY",
         "callers.ini:3: class was set before, in line 2"},
        {"[callers a]\n", "BAD_SECTION", "callers.ini:1: write [caller NAME]"},
        {"[caller ]\n", "BAD_SECTION", "callers.ini:1: "},
        {"[caller a b]\n", "BAD_SECTION", "callers.ini:1: "},
        {"[caller a]\n[caller a]\n", "DUPLICATE_CALLER", "callers.ini:2: caller a was there before, in line 1"},
        {"methods = *\n", "NO_SECTION", "callers.ini:1: "},
        {"[caller a\n", "SYNTAX", "callers.ini:1: "},
        {"[caller a]\nnonsense\n", "SYNTAX", "callers.ini:2: "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++) {
        assert_bad(&BAD[i]);
    }
}

static void test_callers_all_problems_are_told_and_no_key_is_shown(void **state) {
    struct callers *callers = NULL;
    struct herald_error error;
    (void)state;
    const char *path = write_file("callers.ini", "[caller a]\nkey.k = " CANARY "\nmethod = " CANARY "\n" CANARY "\n");
    assert_int_equal(callers_load(path, &callers, &error), HERALD_INVALID_ARGUMENT);
    assert_int_equal(error.detail_count, 3);
    assert_null(strstr(error.message, CANARY));
    for (uint32_t i = 0; i < error.detail_count; i++) {
        assert_null(strstr(error.details[i].message, "Q0FOQVJZ"));
    }
}

static void test_callers_file_that_others_may_read_is_refused(void **state) {
    static const mode_t MODES[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644};
    (void)state;
    for (size_t i = 0; i < sizeof(MODES) / sizeof(*MODES); i++) {
        struct callers *callers = NULL;
        struct herald_error error;
        const char *path = write_file("callers.ini", GOOD);
        assert_int_equal(chmod(path, MODES[i]), 0);
        assert_int_equal(callers_load(path, &callers, &error), HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "READABLE_BY_OTHERS");
        assert_non_null(strstr(error.message, "chmod 600"));
    }
}

static void test_callers_missing_file_is_named(void **state) {
    struct callers *callers = NULL;
    struct herald_error error;
    (void)state;
    assert_int_equal(callers_load("/no/such/callers.ini", &callers, &error), HERALD_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "/no/such/callers.ini"));
}

static void test_key_file_is_read_and_bad_ones_are_refused(void **state) {
    struct auth_key key;
    struct herald_error error;
    (void)state;
    assert_int_equal(auth_key_file_read(write_file("key", KEY_A "\n"), &key, &error), HERALD_OK);
    assert_int_equal(key.count, 32);
    assert_int_equal(key.bytes[0], 'A');
    assert_int_equal(auth_key_file_read(write_file("key", CANARY "\n"), &key, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "BAD_KEY");
    assert_null(strstr(error.message, CANARY));
    assert_int_equal(auth_key_file_read(write_file("key", ""), &key, &error), HERALD_INVALID_ARGUMENT);
    const char *path = write_file("key", KEY_A);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(auth_key_file_read(path, &key, &error), HERALD_INVALID_ARGUMENT);
    assert_string_equal(error.reason, "READABLE_BY_OTHERS");
}

static void test_callers_example_is_good(void **state) {
    char text[8192];
    (void)state;
    FILE *file = fopen(HERALD_SOURCE_DIR "/deploy/callers.ini.example", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    struct callers *callers = good_callers(text);
    assert_non_null(callers_find(callers, "herald-event"));
    callers_unref(callers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_callers_good_file_is_read),
        cmocka_unit_test(test_callers_methods_and_users_are_matched),
        cmocka_unit_test(test_callers_class_is_client_unless_said),
        cmocka_unit_test(test_callers_bad_files_name_line_and_key),
        cmocka_unit_test(test_callers_all_problems_are_told_and_no_key_is_shown),
        cmocka_unit_test(test_callers_file_that_others_may_read_is_refused),
        cmocka_unit_test(test_callers_missing_file_is_named),
        cmocka_unit_test(test_callers_example_is_good),
        cmocka_unit_test(test_key_file_is_read_and_bad_ones_are_refused),
    };
    int failed = cmocka_run_group_tests_name("auth.callers", tests, NULL, NULL);
    remove_files();
    return failed;
}
