#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/rpc/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Probes as an operator types them: with nngcat, the tool that comes with nng. */

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture_init(fixture);
    fixture_listen(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    fixture_stop(*state);
    free(*state);
    return 0;
}

/* What nngcat prints with these arguments. @before  a pipe into it, or nothing */
static void run_nngcat(const struct fixture *fixture, const char *before, const char *arguments, char *ret_output,
                       size_t room) {
    char command[1024];
    snprintf(command, sizeof(command), "%s nngcat --req --dial %s --recv-timeout 10 %s 2>&1", before, fixture->url,
             arguments);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    size_t used = fread(ret_output, 1, room - 1, output);
    ret_output[used] = '\0';
    int status = pclose(output);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("%s failed (is nng-utils installed?): %s", command, ret_output);
    }
}

static void assert_piped(void **state, const char *before, const char *arguments, const char *start, const char *part) {
    char output[32768];
    run_nngcat(*state, before, arguments, output, sizeof(output));
    if (strncmp(output, start, strlen(start)) != 0 || !strstr(output, part)) {
        fail_msg("nngcat %s printed %s, which does not start with %s and hold %s", arguments, output, start, part);
    }
}

static void assert_answer(void **state, const char *arguments, const char *start, const char *part) {
    assert_piped(state, "", arguments, start, part);
}

static void test_nngcat_ascii_health_is_readable(void **state) {
    assert_answer(state, "--ascii --data 'herald.rpc.v1.Health/Check'", "{\"status\":\"SERVING\"",
                  "\"service\":\"herald.job.v1.JobService\"");
}

static void test_nngcat_ascii_help_lists_methods(void **state) {
    assert_answer(state, "--ascii --data help", "{\"server\":\"test-server\"", "herald.job.v1.JobService/GetJob");
}

static void test_nngcat_describe_shows_schema(void **state) {
    assert_answer(state, "--ascii --data 'describe GetJobRequest'", "{\"name\":\"herald.job.v1.GetJobRequest\"",
                  "job_id");
}

static void test_nngcat_call_with_json_is_answered(void **state) {
    assert_answer(state, "--ascii --data 'herald.job.v1.JobService/GetJob {\"jobId\":\"" TEST_JOB_ID "\"}'",
                  "{\"job\":{\"jobId\":\"" TEST_JOB_ID "\"", "\"status\":\"RUNNING\"");
}

static void test_nngcat_error_is_readable(void **state) {
    assert_answer(state, "--ascii --data 'herald.job.v1.JobService/GetJob {\"jobId\":\"x\"}'", "{\"error\":{",
                  "\"code\":\"INVALID_ARGUMENT\"");
}

static void test_nngcat_other_text_is_told_what_to_send(void **state) {
    assert_answer(state, "--ascii --data 'Hello?'", "{\"error\":{", "neither an envelope nor a probe");
}

static void test_nngcat_piped_text_with_newline_is_answered(void **state) {
    assert_piped(state, "echo herald.rpc.v1.Health/Check |", "--raw --file=-", "{\"status\":\"SERVING\"", "services");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_nngcat_ascii_health_is_readable),
        TEST(test_nngcat_ascii_help_lists_methods),
        TEST(test_nngcat_describe_shows_schema),
        TEST(test_nngcat_call_with_json_is_answered),
        TEST(test_nngcat_error_is_readable),
        TEST(test_nngcat_other_text_is_told_what_to_send),
        TEST(test_nngcat_piped_text_with_newline_is_answered),
    };
    return cmocka_run_group_tests_name("rpc.nngcat", tests, NULL, NULL);
}
