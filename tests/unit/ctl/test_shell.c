#include "deploy/ctl/shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_quoted(const char *text, const char *wanted) {
    char *quoted = shell_quote(text);
    assert_string_equal(quoted, wanted);
    free(quoted);
}

static void test_quote_of_safe_words_is_the_word(void **state) {
    (void)state;
    assert_quoted("tcp://127.0.0.1:7101", "tcp://127.0.0.1:7101");
    assert_quoted("a_b-c.d/e@f%g+h=i,j", "a_b-c.d/e@f%g+h=i,j");
}

static void test_quote_of_anything_else_is_in_single_quotes(void **state) {
    (void)state;
    assert_quoted("", "''");
    assert_quoted("a b", "'a b'");
    assert_quoted("it's", "'it'\\''s'");
    assert_quoted("$(rm)", "'$(rm)'");
    assert_quoted("~", "'~'");
    assert_quoted("[::1]", "'[::1]'");
}

/* What a shell makes of the quoted text is the text again. */
static void assert_survives_a_shell(const char *text) {
    char command[1024], read_back[512];
    char *quoted = shell_quote(text);
    snprintf(command, sizeof(command), "printf %%s %s", quoted);
    free(quoted);
    FILE *shell = popen(command, "r");
    assert_non_null(shell);
    size_t length = fread(read_back, 1, sizeof(read_back) - 1, shell);
    read_back[length] = '\0';
    assert_int_equal(pclose(shell), 0);
    assert_string_equal(read_back, text);
}

static void test_quote_read_by_a_shell_is_the_same_text(void **state) {
    (void)state;
    assert_survives_a_shell("Service/Method {\"title\":\"가을 이벤트 '20%' $HOME `id` \\\\ !\",\"n\":1}");
    assert_survives_a_shell("'''");
    assert_survives_a_shell("a\nb\tc; exit 3 #");
    assert_survives_a_shell("*?[x]~&|<>(){}");
}

static const struct shell_tls NO_TLS = {0};

static void test_nngcat_pipe_has_the_files_of_tls(void **state) {
    const struct shell_tls tls = {.ca_file = "/a b/ca.pem", .cert_file = "", .key_file = NULL},
                           mutual = {"/ca.pem", "/own.pem", "/own.key"};
    (void)state;
    char *line = shell_nngcat("x", "tls+tcp://h:1", &tls, 1);
    assert_non_null(strstr(line, "--dial tls+tcp://h:1 --cacert '/a b/ca.pem' --file -"));
    free(line);
    line = shell_nngcat("x", "tls+tcp://h:1", &mutual, 1);
    assert_non_null(strstr(line, " --cacert /ca.pem --cert /own.pem --key /own.key --file -"));
    free(line);
    line = shell_nngcat("x", "tcp://h:1", &mutual, 1);
    assert_null(strstr(line, "--c"));
    free(line);
}

static void test_nngcat_pipe_is_quoted_and_waits_as_long_as_the_call(void **state) {
    (void)state;
    char *line =
        shell_nngcat("herald.rpc.v1.Health/Check {\"service\":\"it's\"}", "tcp://127.0.0.1:7101", &NO_TLS, 2000);
    assert_string_equal(line, "printf %s 'herald.rpc.v1.Health/Check {\"service\":\"it'\\''s\"}' |\n"
                              "    nngcat --req --dial tcp://127.0.0.1:7101 --file - --raw --recv-timeout 3 && echo");
    free(line);
    line = shell_nngcat("x", "ipc:///tmp/a b", &NO_TLS, 1);
    assert_non_null(strstr(line, "--dial 'ipc:///tmp/a b'"));
    assert_non_null(strstr(line, "--recv-timeout 2"));
    free(line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote_of_safe_words_is_the_word),
        cmocka_unit_test(test_quote_of_anything_else_is_in_single_quotes),
        cmocka_unit_test(test_quote_read_by_a_shell_is_the_same_text),
        cmocka_unit_test(test_nngcat_pipe_has_the_files_of_tls),
        cmocka_unit_test(test_nngcat_pipe_is_quoted_and_waits_as_long_as_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
