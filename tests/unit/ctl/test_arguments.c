#include "deploy/ctl/arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 16

/* Parses a line whose words are separated by '|'. Strings in the result live until the next call. */
static bool parse(const char *line, struct ctl_arguments *ret_arguments, char *ret_problem) {
    static char copy[512];
    char *argv[WORDS_MAX + 2] = {(char *)"heraldctl"};
    int argc = 1;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok(copy, "|"); word != NULL; word = strtok(NULL, "|")) {
        argv[argc++] = word;
    }
    return ctl_arguments_parse(argc, argv, ret_arguments, ret_problem, 256);
}

static void assert_refused(const char *line, const char *wanted) {
    struct ctl_arguments arguments = {.timeout_ms = 77};
    char problem[256] = "";
    assert_false(parse(line, &arguments, problem));
    assert_string_equal(problem, wanted);
    assert_int_equal(arguments.timeout_ms, 77); /* untouched */
}

static struct ctl_arguments assert_parsed(const char *line) {
    struct ctl_arguments arguments;
    char problem[256] = "";
    if (!parse(line, &arguments, problem)) {
        fail_msg("%s: %s", line, problem);
    }
    return arguments;
}

static void test_parse_options_before_and_after_the_command_are_taken(void **state) {
    (void)state;
    struct ctl_arguments arguments =
        assert_parsed("-o|json|--config=h.ini|call|-v|PublishEvent|-d|{}|--timeout|1500|--idempotency-key|k1");
    assert_string_equal(arguments.command->name, "call");
    assert_int_equal(arguments.format, CTL_JSON);
    assert_string_equal(arguments.config, "h.ini");
    assert_string_equal(arguments.operands[0], "PublishEvent");
    assert_int_equal(arguments.operand_count, 1);
    assert_string_equal(arguments.data, "{}");
    assert_int_equal(arguments.timeout_ms, 1500);
    assert_string_equal(arguments.idempotency_key, "k1");
    assert_true(arguments.verbose);
    assert_false(arguments.print_nngcat);
}

static void test_parse_defaults_are_empty(void **state) {
    (void)state;
    struct ctl_arguments arguments = assert_parsed("ls");
    assert_int_equal(arguments.format, CTL_TABLE);
    assert_null(arguments.url);
    assert_null(arguments.data);
    assert_int_equal(arguments.timeout_ms, 0);
    assert_int_equal(arguments.operand_count, 0);
}

static void test_parse_print_nngcat_before_call_is_taken_and_refused_elsewhere(void **state) {
    (void)state;
    assert_true(assert_parsed("--print-nngcat|call|GetEvent").print_nngcat);
    assert_true(assert_parsed("call|--print-nngcat|GetEvent").print_nngcat);
    assert_refused("--print-nngcat|health", "option --print-nngcat goes with call only; see heraldctl health --help");
}

static void test_parse_data_that_begins_with_a_dash_is_a_value(void **state) {
    (void)state;
    assert_string_equal(assert_parsed("call|GetEvent|-d|-").data, "-");
}

static void test_parse_operands_after_two_dashes_are_operands(void **state) {
    (void)state;
    struct ctl_arguments arguments = assert_parsed("watch|--|publish|-e|--user");
    assert_int_equal(arguments.operand_count, 3);
    assert_string_equal(arguments.operands[1], "-e");
    assert_string_equal(arguments.operands[2], "--user");
}

static void test_parse_a_wrong_line_names_what_is_wrong(void **state) {
    (void)state;
    assert_refused("", "no command given; see heraldctl --help");
    assert_refused("fly", "unknown command \"fly\"; see heraldctl --help");
    assert_refused("chanels", "unknown command \"chanels\" (did you mean channels?); see heraldctl --help");
    assert_refused("--colour|ls", "unknown option --colour; see heraldctl --help");
    assert_refused("ls|--data|{}", "unknown option --data; see heraldctl ls --help");
    assert_refused("ls|-d|{}", "unknown option -d; see heraldctl ls --help");
    assert_refused("ls|--offline=yes", "option --offline takes no value; see heraldctl ls --help");
    assert_refused("call|-vx|GetEvent", "unknown option -x; see heraldctl call --help");
    assert_refused("ls|extra", "unexpected operand \"extra\"; see heraldctl ls --help");
    assert_refused("call", "call needs METHOD; see heraldctl call --help");
    assert_refused("call|GetEvent|-d", "option -d needs a value; see heraldctl call --help");
    assert_refused("call|GetEvent|--data", "option --data needs a value; see heraldctl call --help");
    assert_refused("-o|xml|ls", "option --output must be table or json, not \"xml\"; see heraldctl --help");
    assert_refused(
        "call|GetEvent|--server|contents",
        "option --server must be event, job, distribution or content, not \"contents\"; see heraldctl call --help");
}

static void test_parse_a_timeout_out_of_range_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"0", "-1", "600001", "1s", "", " 5", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *argv[] = {(char *)"heraldctl", (char *)"health", (char *)"--timeout", (char *)bad[i], NULL};
        struct ctl_arguments arguments;
        char problem[256];
        assert_false(ctl_arguments_parse(4, argv, &arguments, problem, sizeof(problem)));
        assert_non_null(strstr(problem, "option --timeout must be milliseconds, 1..600000, not"));
    }
    assert_int_equal(assert_parsed("health|-t|600000").timeout_ms, 600000);
}

static void test_parse_two_of_what_there_can_be_one_of_are_refused(void **state) {
    (void)state;
    assert_refused("call|GetJob|-d|{}|--data|[]",
                   "option --data must be given once, not \"[]\"; see heraldctl call --help");
    assert_refused("call|GetJob|-u|tcp://h:1|--server|job",
                   "--url and --server exclude each other; see heraldctl call --help");
    assert_refused("top|--server|job|--url|tcp://h:1",
                   "--url and --server exclude each other; see heraldctl top --help");
}

static void test_parse_two_dashes_before_the_command_end_only_the_options_before_it(void **state) {
    (void)state;
    struct ctl_arguments arguments = assert_parsed("-o|json|--|call|ListEvents|-v|--data|{}");
    assert_string_equal(arguments.command->name, "call");
    assert_int_equal(arguments.operand_count, 1);
    assert_string_equal(arguments.operands[0], "ListEvents");
    assert_true(arguments.verbose);
    assert_string_equal(arguments.data, "{}");
    assert_string_equal(assert_parsed("--|call|--|-v").operands[0], "-v");
    assert_refused("--|--help", "unknown command \"--help\"; see heraldctl --help");
    assert_refused("--|call", "call needs METHOD; see heraldctl call --help");
}

static void test_parse_an_idempotency_key_that_no_server_takes_is_refused(void **state) {
    (void)state;
    static char longest[130];
    memset(longest, 'k', 129);
    const char *bad[] = {"", "a b", "\xed\x82\xa4", "a\n", longest};
    char problem[512];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *argv[] = {(char *)"heraldctl", (char *)"call", (char *)"GetJob", (char *)"-k", (char *)bad[i], NULL};
        struct ctl_arguments arguments;
        assert_false(ctl_arguments_parse(5, argv, &arguments, problem, sizeof(problem)));
        assert_non_null(strstr(problem, "option --idempotency-key must be 1 to 128 characters of printable ASCII"));
    }
    longest[128] = '\0';
    char *argv[] = {(char *)"heraldctl", (char *)"call", (char *)"GetJob", (char *)"-k", longest, NULL};
    struct ctl_arguments arguments;
    assert_true(ctl_arguments_parse(5, argv, &arguments, problem, sizeof(problem)));
    assert_ptr_equal(arguments.idempotency_key, longest);
}

static void test_parse_options_of_measurements_are_taken(void **state) {
    (void)state;
    struct ctl_arguments arguments = assert_parsed(
        "bench|GetJob|--rate|1500.5|--duration|2m|-n|1000|--connections|8|--warm-up|0s|-y|--concurrency|16");
    assert_true(arguments.rate > 1500.4 && arguments.rate < 1500.6);
    assert_int_equal(arguments.duration_ms, 120000);
    assert_int_equal(arguments.count, 1000);
    assert_int_equal(arguments.connections, 8);
    assert_true(arguments.warm_up_given);
    assert_int_equal(arguments.warm_up_ms, 0);
    assert_true(arguments.yes);
    assert_int_equal(arguments.concurrency, 16);
    assert_int_equal(assert_parsed("top|--interval|250ms").interval_ms, 250);
    assert_int_equal(assert_parsed("top|--interval|1.5").interval_ms, 1500);
    assert_true(assert_parsed("top|--once").once);
}

static void test_parse_measurements_out_of_range_are_refused(void **state) {
    (void)state;
    assert_refused("top|--interval|10ms", "option --interval must be a time of 50ms or more, such as 1s, not \"10ms\"; "
                                          "see heraldctl top --help");
    assert_refused("bench|GetJob|--duration|-1s", "option --duration must be a time such as 500ms, 10s or 2m, up to 24 "
                                                  "hours, not \"-1s\"; see heraldctl bench --help");
    static const char *const bad[] = {
        "--duration|0s", "--duration|5h",   "--duration|s",        "--duration|25000m", "--rate|0", "--rate|fast",
        "--rate|1e7",    "--concurrency|0", "--concurrency|65537", "--connections|257", "-n|0",     "-n|4294967296"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char line[64], problem[256];
        struct ctl_arguments arguments;
        snprintf(line, sizeof(line), "bench|GetJob|%s", bad[i]);
        if (parse(line, &arguments, problem)) {
            fail_msg("%s was taken", line);
        }
    }
}

static void test_parse_help_needs_no_operands(void **state) {
    (void)state;
    assert_true(assert_parsed("call|--help").help);
    assert_null(assert_parsed("--help").command);
    assert_true(assert_parsed("--version").version);
}

static void test_help_of_all_names_commands_and_exit_statuses(void **state) {
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    ctl_arguments_help(NULL, out);
    fclose(out);
    for (size_t i = 0; i < ctl_command_count; i++) {
        assert_non_null(strstr(text, ctl_commands[i].name));
    }
    for (int status = 0; status <= 6; status++) {
        char line[24];
        snprintf(line, sizeof(line), "\n  %d  ", status);
        assert_non_null(strstr(text, line));
    }
    free(text);
}

static void test_help_of_each_command_lists_its_options(void **state) {
    (void)state;
    for (size_t i = 0; i < ctl_command_count; i++) {
        char *text = NULL;
        size_t length = 0;
        FILE *out = open_memstream(&text, &length);
        ctl_arguments_help(&ctl_commands[i], out);
        fclose(out);
        assert_non_null(strstr(text, "Usage: heraldctl "));
        assert_non_null(strstr(text, "--output table|json"));
        assert_int_equal(strstr(text, "--data") != NULL, strchr(ctl_commands[i].options, 'd') != NULL);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_options_before_and_after_the_command_are_taken),
        cmocka_unit_test(test_parse_defaults_are_empty),
        cmocka_unit_test(test_parse_print_nngcat_before_call_is_taken_and_refused_elsewhere),
        cmocka_unit_test(test_parse_data_that_begins_with_a_dash_is_a_value),
        cmocka_unit_test(test_parse_operands_after_two_dashes_are_operands),
        cmocka_unit_test(test_parse_a_wrong_line_names_what_is_wrong),
        cmocka_unit_test(test_parse_a_timeout_out_of_range_is_refused),
        cmocka_unit_test(test_parse_two_of_what_there_can_be_one_of_are_refused),
        cmocka_unit_test(test_parse_two_dashes_before_the_command_end_only_the_options_before_it),
        cmocka_unit_test(test_parse_an_idempotency_key_that_no_server_takes_is_refused),
        cmocka_unit_test(test_parse_options_of_measurements_are_taken),
        cmocka_unit_test(test_parse_measurements_out_of_range_are_refused),
        cmocka_unit_test(test_parse_help_needs_no_operands),
        cmocka_unit_test(test_help_of_all_names_commands_and_exit_statuses),
        cmocka_unit_test(test_help_of_each_command_lists_its_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
