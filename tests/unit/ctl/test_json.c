/* heraldctl json: whole command lines, with standard input from memory. */
#include "deploy/ctl/ctl.h"
#include "tests/unit/ctl/run_ctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Runs a command line with @input for standard input. */
#define RUN_WITH(input, bytes, ...)                                                                                    \
    run_with(input, bytes, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static int run_with(const char *input, size_t bytes, size_t count, const char **words) {
    const char *argv[16] = {"heraldctl", "json"};
    FILE *old_input = stdin, *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(input, 1, bytes, file), bytes);
    rewind(file);
    memcpy(argv + 2, words, count * sizeof(*words));
    stdin = file; /* glibc lets it be set */
    int status = run_ctl((int)count + 2, argv);
    stdin = old_input;
    fclose(file);
    return status;
}

static const char metadata_json[] = "{\"key\":\"trace\",\"value\":\"AAEC\"}";
static const char metadata_bytes[] = "\x0a\x05trace\x12\x03\x00\x01\x02";
#define METADATA_BYTES (sizeof(metadata_bytes) - 1)

static void test_json_converts_bytes_to_json(void **state) {
    (void)state;
    assert_int_equal(RUN_WITH(metadata_bytes, METADATA_BYTES, "--type", "Metadata", "--to-json"), CTL_OK);
    assert_string_equal(said, "{\"key\":\"trace\",\"value\":\"AAEC\"}\n");
    assert_string_equal(complained, "");
    assert_int_equal(RUN_WITH(metadata_bytes, METADATA_BYTES, "--type=herald.rpc.v1.Metadata", "--to-json", "--indent"),
                     CTL_OK);
    assert_string_equal(said, "{\n  \"key\": \"trace\",\n  \"value\": \"AAEC\"\n}\n");
}

static void test_json_converts_json_to_raw_bytes(void **state) {
    (void)state;
    memset(said, 'x', 64);
    assert_int_equal(RUN_WITH(metadata_json, strlen(metadata_json), "--type", "Metadata", "--to-binary"), CTL_OK);
    assert_memory_equal(said, metadata_bytes, METADATA_BYTES + 1);
}

static void test_json_knows_timestamps_and_envelopes(void **state) {
    (void)state;
    static const char time[] = "\"1970-01-01T00:00:01.5Z\"";
    assert_int_equal(RUN_WITH(time, strlen(time), "--type", "google.protobuf.Timestamp", "--to-binary"), CTL_OK);
    assert_string_equal(said, "\x08\x01\x10\x80\xca\xb5\xee\x01");
    assert_int_equal(RUN_WITH("", 0, "--type", "herald.rpc.v1.Request", "--to-json"), CTL_OK);
    assert_string_equal(said, "{}\n");
    assert_int_equal(RUN_WITH("", 0, "--type", "rpc.v1.Response", "--to-json"), CTL_OK);
}

static void test_json_bad_input_exits_2_and_names_the_field(void **state) {
    (void)state;
    static const char wrong[] = "{\"metadata\":[{},{\"kee\":1}]}";
    assert_int_equal(RUN_WITH(wrong, strlen(wrong), "--type", "rpc.v1.Request", "--to-binary"), CTL_USAGE);
    assert_non_null(strstr(complained, "metadata[1].kee"));
    assert_non_null(strstr(complained, "did you mean \"key\"?"));
    assert_string_equal(said, "");
    assert_int_equal(RUN_WITH("{", 1, "--type", "rpc.v1.Request", "--to-binary"), CTL_USAGE);
    assert_non_null(strstr(complained, "line 1, column 2"));
    assert_int_equal(RUN_WITH("\x0a\x01\xff", 3, "--type", "rpc.v1.Request", "--to-json"), CTL_USAGE);
    assert_non_null(strstr(complained, "MALFORMED_PAYLOAD"));
    assert_non_null(strstr(complained, "method"));
    assert_string_equal(said, "");
}

static void test_json_ignores_unknown_names_when_told(void **state) {
    (void)state;
    static const char json[] = "{\"nope\":[{}],\"key\":\"k\"}";
    assert_int_equal(RUN_WITH(json, strlen(json), "--type", "Metadata", "--to-binary", "--ignore-unknown"), CTL_OK);
    assert_string_equal(said, "\x0a\x01k");
}

static void test_json_checks_the_rules_when_told(void **state) {
    (void)state;
    static const char json[] = "{\"key\":\"Upper\"}";
    assert_int_equal(RUN_WITH(json, strlen(json), "--type", "Metadata", "--to-binary"), CTL_OK);
    assert_int_equal(RUN_WITH(json, strlen(json), "--type", "Metadata", "--to-binary", "--validate"), CTL_USAGE);
    assert_non_null(strstr(complained, "key: INVALID_FORMAT: must match"));
    assert_string_equal(said, "");
}

static void test_json_wrong_usage_exits_2(void **state) {
    (void)state;
    assert_int_equal(RUN_WITH("", 0, "--to-json"), CTL_USAGE);
    assert_non_null(strstr(complained, "json needs --type"));
    assert_int_equal(RUN_WITH("", 0, "--type", "Metadata"), CTL_USAGE);
    assert_non_null(strstr(complained, "either --to-json or --to-binary"));
    assert_int_equal(RUN_WITH("", 0, "--type", "Metadata", "--to-json", "--to-binary"), CTL_USAGE);
    assert_int_equal(RUN_WITH("", 0, "--type", "Metadata", "--to-json", "--stream", "--indent"), CTL_USAGE);
    assert_non_null(strstr(complained, "--indent does not go with --stream"));
    assert_int_equal(RUN_WITH("", 0, "--type", "Metadat", "--to-json"), CTL_USAGE);
    assert_non_null(strstr(complained, "no message is called \"Metadat\"; near it: herald.rpc.v1.Metadata"));
    assert_int_equal(RUN_WITH("", 0, "--type", "PublishEvent", "--to-json"), CTL_USAGE);
    assert_non_null(strstr(complained, "herald.event.v1.PublishEventRequest"));
}

static void test_json_stream_of_lines_becomes_delimited_bytes_and_back(void **state) {
    (void)state;
    static const char lines[] = "{\"key\":\"a\"}\n{}\n{\"key\":\"b\"}";
    static const char bytes[] = "\x03\x0a\x01\x61\x00\x03\x0a\x01\x62";
    assert_int_equal(RUN_WITH(lines, strlen(lines), "--type", "Metadata", "--to-binary", "--stream"), CTL_OK);
    assert_memory_equal(said, bytes, sizeof(bytes));
    assert_int_equal(RUN_WITH(bytes, sizeof(bytes) - 1, "--type", "Metadata", "--to-json", "--stream"), CTL_OK);
    assert_string_equal(said, "{\"key\":\"a\"}\n{}\n{\"key\":\"b\"}\n");
    assert_int_equal(RUN_WITH("", 0, "--type", "Metadata", "--to-json", "--stream"), CTL_OK);
    assert_string_equal(said, "");
}

static void test_json_stream_names_the_message_that_is_wrong(void **state) {
    (void)state;
    static const char lines[] = "{\"key\":\"a\"}\n{\"kez\":\"b\"}\n{}\n";
    assert_int_equal(RUN_WITH(lines, strlen(lines), "--type", "Metadata", "--to-binary", "--stream"), CTL_USAGE);
    assert_non_null(strstr(complained, "message 2: INVALID_ARGUMENT"));
    assert_string_equal(said, "\x03\x0a\x01\x61");
    assert_int_equal(RUN_WITH("\x00\x05\x0a", 3, "--type", "Metadata", "--to-json", "--stream"), CTL_USAGE);
    assert_non_null(strstr(complained, "message 2: INVALID_ARGUMENT (CUT_OFF)"));
    assert_int_equal(RUN_WITH("\x80", 1, "--type", "Metadata", "--to-json", "--stream"), CTL_USAGE);
    assert_non_null(strstr(complained, "CUT_OFF"));
    assert_int_equal(RUN_WITH("\xff\xff\xff\xff\x7f", 5, "--type", "Metadata", "--to-json", "--stream"), CTL_USAGE);
    assert_non_null(strstr(complained, "TOO_LONG"));
    assert_int_equal(RUN_WITH("\xff\xff\xff\xff\xff\xff", 6, "--type", "Metadata", "--to-json", "--stream"), CTL_USAGE);
    assert_non_null(strstr(complained, "TOO_LONG"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_converts_bytes_to_json),
        cmocka_unit_test(test_json_converts_json_to_raw_bytes),
        cmocka_unit_test(test_json_knows_timestamps_and_envelopes),
        cmocka_unit_test(test_json_bad_input_exits_2_and_names_the_field),
        cmocka_unit_test(test_json_ignores_unknown_names_when_told),
        cmocka_unit_test(test_json_checks_the_rules_when_told),
        cmocka_unit_test(test_json_wrong_usage_exits_2),
        cmocka_unit_test(test_json_stream_of_lines_becomes_delimited_bytes_and_back),
        cmocka_unit_test(test_json_stream_names_the_message_that_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
