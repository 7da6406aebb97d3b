/* heraldctl token, and what the others do with one. */
#include "deploy/ctl/ctl.h"
#include "server/auth/token.h"
#include "tests/unit/auth/auth_fixture.h"
#include "tests/unit/ctl/run_ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define METHOD  "herald.event.v1.EventService/GetEvent"
#define CALLERS "[caller operator]\nkey.o = " KEY_A "\nmethods = *\nact_for = any\n"

/* What the token that was said grants. */
static struct token_grant granted(const char *key_id, const char *method) {
    static struct callers *callers;
    char text[512];
    struct token_grant grant;
    struct herald_error error;
    callers_unref(callers);
    snprintf(text, sizeof(text), "[caller operator]\nkey.%s = " KEY_A "\nmethods = *\n", key_id);
    callers = good_callers(text);
    said[strcspn(said, "\n")] = '\0';
    if (token_check(callers, said, method, "herald", time(NULL), &grant, &error) != HERALD_OK) {
        fail_msg("%s: %s", said, error.message);
    }
    return grant;
}

static void test_token_of_callers_file_is_good(void **state) {
    (void)state;
    const char *path = write_file("token-callers.ini", CALLERS);
    assert_int_equal(RUN("token", "--caller", "operator", "--user", "u-1", "--callers-file", path), CTL_OK);
    struct token_grant grant = granted("o", METHOD);
    assert_string_equal(grant.user, "u-1");
    assert_true(grant.method_allowed);
}

static void test_token_of_key_file_is_good_and_narrow(void **state) {
    (void)state;
    const char *path = write_file("key", KEY_A "\n");
    assert_int_equal(RUN("token", "--caller", "operator", "--key-id", "k", "--key-file", path, "--ttl", "30s",
                         "--method", METHOD, "--method", "herald.job.v1.JobService/*"),
                     CTL_OK);
    char token[TOKEN_MAX_CHARS + 2];
    strcpy(token, said);
    assert_true(granted("k", METHOD).method_allowed);
    strcpy(said, token);
    assert_true(granted("k", "herald.job.v1.JobService/GetJob").method_allowed);
    strcpy(said, token);
    assert_false(granted("k", "herald.event.v1.EventService/PublishEvent").method_allowed);
}

static void test_token_wrong_use_exits_2_and_shows_no_key(void **state) {
    (void)state;
    const char *path = write_file("token-callers.ini", CALLERS);
    assert_int_equal(RUN("token", "--callers-file", path), CTL_USAGE);
    assert_non_null(strstr(complained, "--caller NAME"));
    assert_int_equal(RUN("token", "--caller", "nobody", "--callers-file", path), CTL_USAGE);
    assert_non_null(strstr(complained, "has no [caller nobody]"));
    assert_int_equal(RUN("token", "--caller", "operator"), CTL_USAGE);
    assert_non_null(strstr(complained, "no key to sign with"));
    assert_int_equal(RUN("token", "--caller", "operator", "--callers-file", path, "--ttl", "2h"), CTL_USAGE);
    assert_int_equal(RUN("token", "--caller", "operator", "--key-id", "k"), CTL_USAGE);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(RUN("token", "--caller", "operator", "--callers-file", path), CTL_USAGE);
    assert_non_null(strstr(complained, "chmod 600"));
    assert_null(strstr(complained, KEY_A));
}

static void test_token_takes_short_names_of_methods_and_refuses_unknown_ones(void **state) {
    (void)state;
    const char *path = write_file("token-callers.ini", CALLERS);
    char token[TOKEN_MAX_CHARS + 2];
    assert_int_equal(RUN("token", "--caller", "operator", "--callers-file", path, "--method", "GetEvent", "--method",
                         "JobService/*"),
                     CTL_OK);
    strcpy(token, said);
    assert_true(granted("o", METHOD).method_allowed);
    strcpy(said, token);
    assert_true(granted("o", "herald.job.v1.JobService/GetJob").method_allowed);
    strcpy(said, token);
    assert_false(granted("o", "herald.event.v1.EventService/ListEvents").method_allowed);
    static const char *const bad[] = {"GetEvnt", "NoService/*", "/*", "", "Service/*"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(RUN("token", "--caller", "operator", "--callers-file", path, "--method", bad[i]), CTL_USAGE);
        assert_string_equal(said, "");
        assert_non_null(strstr(complained, "there is no "));
    }
    assert_int_equal(RUN("token", "--caller", "operator", "--callers-file", path, "--method", "*"), CTL_OK);
    assert_true(granted("o", METHOD).method_allowed);
}

static void test_token_goes_into_the_nngcat_pipe(void **state) {
    (void)state;
    assert_int_equal(RUN("call", "GetEvent", "--token", "a.b.c", "--print-nngcat", "-d", "{\"userId\":\"u\"}"), CTL_OK);
    assert_non_null(strstr(said, "bearer a.b.c " METHOD " {"));
    assert_int_equal(RUN("call", "PublishEvent", "--token", "a.b.c", "--print-nngcat"), CTL_OK);
    assert_non_null(strstr(said, "\"auth\":{\"bearer\":\"a.b.c\"}"));
    const char *path = write_file("token", "d.e.f\n");
    assert_int_equal(RUN("call", "GetEvent", "--token-file", path, "--print-nngcat"), CTL_OK);
    assert_non_null(strstr(said, "bearer d.e.f " METHOD));
    setenv("HERALD_TOKEN", "g.h.i", 1);
    assert_int_equal(RUN("call", "GetEvent", "--print-nngcat"), CTL_OK);
    assert_non_null(strstr(said, "bearer g.h.i " METHOD));
    unsetenv("HERALD_TOKEN");
    assert_int_equal(RUN("call", "GetEvent", "--print-nngcat"), CTL_OK);
    assert_null(strstr(said, "bearer"));
    assert_int_equal(RUN("call", "GetEvent", "--token-file", "/no/such/file"), CTL_USAGE);
}

static void test_nngcat_pipe_without_the_key_that_is_set_says_so(void **state) {
    (void)state;
    setenv("HERALD_AUTH_KEY_ID", "k", 1);
    setenv("HERALD_AUTH_KEY_FILE", write_file("key", KEY_A "\n"), 1);
    assert_int_equal(RUN("call", "GetEvent", "--print-nngcat"), CTL_OK);
    assert_non_null(strstr(said, "nngcat --req"));
    assert_non_null(strstr(complained, "the printed command carries no signature"));
    assert_non_null(strstr(complained, "heraldctl token"));
    assert_int_equal(RUN("call", "GetEvent", "--print-nngcat", "--token", "a.b.c"), CTL_OK);
    assert_string_equal(complained, "");
    unsetenv("HERALD_AUTH_KEY_ID");
    unsetenv("HERALD_AUTH_KEY_FILE");
    assert_int_equal(RUN("call", "GetEvent", "--print-nngcat"), CTL_OK);
    assert_string_equal(complained, "");
}

static void test_half_a_key_in_the_settings_exits_2(void **state) {
    (void)state;
    setenv("HERALD_AUTH_KEY_ID", "k", 1);
    assert_int_equal(RUN("health"), CTL_USAGE);
    assert_non_null(strstr(complained, "[auth] key_id is set and key_file is not"));
    unsetenv("HERALD_AUTH_KEY_ID");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_of_callers_file_is_good),
        cmocka_unit_test(test_token_of_key_file_is_good_and_narrow),
        cmocka_unit_test(test_token_wrong_use_exits_2_and_shows_no_key),
        cmocka_unit_test(test_token_takes_short_names_of_methods_and_refuses_unknown_ones),
        cmocka_unit_test(test_token_goes_into_the_nngcat_pipe),
        cmocka_unit_test(test_nngcat_pipe_without_the_key_that_is_set_says_so),
        cmocka_unit_test(test_half_a_key_in_the_settings_exits_2),
    };
    int failed = cmocka_run_group_tests_name("ctl.token", tests, NULL, NULL);
    remove_files();
    return failed;
}
