#include "server/runtime/log.h"
#include "tests/unit/runtime/run.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEST_LOG(X)                                                                                                    \
    X(LOG_TEST_HAPPENED, LOG_INFO, "test.happened", "Something happened.")                                             \
    X(LOG_TEST_DETAIL, LOG_DEBUG, "test.detail", "Something small happened.")                                          \
    X(LOG_TEST_BROKE, LOG_ERROR, "test.broke", "Something broke.")
LOG_EVENTS_DECLARE(TEST_LOG)
LOG_EVENTS(TEST_LOG)

/* ---- standard error, caught in a file ---- */

struct capture {
    FILE *file;
    int saved;
    char text[65536];
};

static void capture_begin(struct capture *capture) {
    (void)fflush(stderr);
    capture->file = tmpfile();
    assert_non_null(capture->file);
    capture->saved = dup(STDERR_FILENO);
    assert_true(dup2(fileno(capture->file), STDERR_FILENO) >= 0);
}

static const char *capture_end(struct capture *capture) {
    assert_true(dup2(capture->saved, STDERR_FILENO) >= 0);
    (void)close(capture->saved);
    rewind(capture->file);
    size_t length = fread(capture->text, 1, sizeof(capture->text) - 1, capture->file);
    capture->text[length] = '\0';
    (void)fclose(capture->file);
    return capture->text;
}

/* The caught line, which must be the only one. */
static json_t *capture_json(struct capture *capture) {
    const char *text = capture_end(capture);
    size_t length = strlen(text);
    assert_true(length > 0 && strchr(text, '\n') == text + length - 1);
    json_error_t error;
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (line == NULL) {
        fail_msg("%s in: %s", error.text, text);
    }
    return line;
}

static void assert_member(const json_t *object, const char *name, const char *expected) {
    const json_t *member = json_object_get(object, name);
    assert_true(json_is_string(member));
    assert_string_equal(json_string_value(member), expected);
}

static void test_log_json_line_has_head_and_fields(void **state) {
    (void)state;
    struct capture capture;
    log_init("herald-test", LOG_INFO, LOG_FORMAT_JSON);
    capture_begin(&capture);
    log_emit(&LOG_TEST_HAPPENED, log_str("event_id", "e-1"), log_u64("count", INT64_MAX), log_i64("delta", INT64_MIN),
             log_str("nothing", NULL), LOG_END);
    json_t *line = capture_json(&capture);
    assert_member(line, "level", "info");
    assert_member(line, "server", "herald-test");
    assert_member(line, "event", "test.happened");
    assert_member(line, "event_id", "e-1");
    assert_null(json_object_get(line, "meaning"));
    assert_null(json_object_get(line, "call_id"));
    assert_true(json_is_null(json_object_get(line, "nothing")));
    assert_int_equal(json_integer_value(json_object_get(line, "delta")), INT64_MIN);
    assert_non_null(strstr(capture.text, "\"count\":9223372036854775807"));
    const char *ts = json_string_value(json_object_get(line, "ts"));
    unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0;
    assert_int_equal(strlen(ts), 24);
    assert_int_equal(sscanf(ts, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ", &year, &month, &day, &hour, &minute, &second, &ms), 7);
    assert_true(year >= 2024 && month >= 1 && month <= 12);
    json_decref(line);
}

static void test_log_below_least_level_writes_nothing(void **state) {
    (void)state;
    struct capture capture;
    log_init("herald-test", LOG_INFO, LOG_FORMAT_JSON);
    capture_begin(&capture);
    log_emit(&LOG_TEST_DETAIL, LOG_END);
    assert_string_equal(capture_end(&capture), "");
    log_set_level(LOG_DEBUG);
    capture_begin(&capture);
    log_emit(&LOG_TEST_DETAIL, LOG_END);
    json_t *line = capture_json(&capture);
    assert_member(line, "level", "debug");
    json_decref(line);
    log_set_level(LOG_INFO);
}

static void test_log_hostile_text_is_escaped_and_stays_one_line(void **state) {
    (void)state;
    struct capture capture;
    log_init("herald-test", LOG_INFO, LOG_FORMAT_JSON);
    capture_begin(&capture);
    log_emit(&LOG_TEST_HAPPENED, log_str("a", "x\n{\"level\":\"error\"}\r\t\x1b[31m\x7f\"\\"),
             log_str("b", "\xff\xfe\xc0\x80가\xed\xa0\x80"), log_str("c", "\xc2\x9b\xe2\x80\xa8z"), LOG_END);
    json_t *line = capture_json(&capture);
    assert_null(strchr(capture.text, 0x1b));
    assert_null(strchr(capture.text, 0x7f));
    assert_null(strstr(capture.text, "\xc2\x9b"));
    assert_null(strstr(capture.text, "\xe2\x80\xa8"));
    assert_member(line, "a", "x\n{\"level\":\"error\"}\r\t\x1b[31m\x7f\"\\");
    assert_member(line, "b", "\ufffd\ufffd\ufffd\ufffd가\ufffd\ufffd\ufffd");
    assert_member(line, "c", "\xc2\x9b\xe2\x80\xa8z");
    json_decref(line);
}

static void test_log_long_value_is_cut_at_a_character(void **state) {
    (void)state;
    struct capture capture;
    char text[2001] = "";
    for (size_t i = 0; i + 3 < sizeof(text); i += 3) {
        memcpy(text + i, "가", 4);
    }
    log_init("herald-test", LOG_INFO, LOG_FORMAT_JSON);
    capture_begin(&capture);
    log_emit(&LOG_TEST_HAPPENED, log_str("long", text), LOG_END);
    json_t *line = capture_json(&capture);
    const char *value = json_string_value(json_object_get(line, "long"));
    assert_int_equal(strlen(value), 510 + strlen("…")); /* 170 of 3 bytes */
    assert_string_equal(value + 510, "…");
    json_decref(line);
}

static void test_log_too_many_fields_leaves_valid_line_that_says_so(void **state) {
    (void)state;
    struct capture capture;
    char text[600];
    memset(text, '\x01', sizeof(text)); /* six bytes each */
    text[sizeof(text) - 1] = '\0';
    log_init("herald-test", LOG_INFO, LOG_FORMAT_JSON);
    capture_begin(&capture);
    log_emit(&LOG_TEST_HAPPENED, log_str("a", text), log_str("b", text), log_str("c", text), log_str("d", text),
             log_u64("small", 7), LOG_END);
    json_t *line = capture_json(&capture);
    assert_non_null(json_object_get(line, "a"));
    assert_null(json_object_get(line, "d"));
    assert_int_equal(json_integer_value(json_object_get(line, "small")), 7);
    assert_true(json_is_true(json_object_get(line, "truncated")));
    json_decref(line);
}

static void test_log_error_field_is_an_object(void **state) {
    (void)state;
    struct capture capture;
    struct herald_error error = {0};
    herald_error_set_code(&error, HERALD_ABORTED, "SERIALIZATION", "try \"again\"");
    (void)snprintf(error.origin, sizeof(error.origin), "40001");
    log_init("herald-test", LOG_INFO, LOG_FORMAT_JSON);
    capture_begin(&capture);
    log_emit(&LOG_TEST_BROKE, log_error(&error), LOG_END);
    json_t *line = capture_json(&capture);
    const json_t *object = json_object_get(line, "error");
    assert_member(line, "level", "error");
    assert_member(object, "code", "ABORTED");
    assert_member(object, "reason", "SERIALIZATION");
    assert_member(object, "message", "try \"again\"");
    assert_member(object, "origin", "40001");
    json_decref(line);

    capture_begin(&capture);
    log_emit(&LOG_TEST_BROKE, log_error(NULL), LOG_END);
    line = capture_json(&capture);
    assert_true(json_is_null(json_object_get(line, "error")));
    json_decref(line);
}

static void emit_in_task(void *arg) {
    (void)arg;
    log_emit(&LOG_TEST_HAPPENED, log_str("x", "y"), LOG_END);
}

static void test_log_in_task_carries_call_id(void **state) {
    (void)state;
    struct capture capture;
    struct call call;
    call_init(&call, "test.v1.Test/Go", "01890a5d-ac96-774b-bcce-b302099a8057", 0, 0);
    log_init("herald-test", LOG_INFO, LOG_FORMAT_JSON);
    capture_begin(&capture);
    run_task(&call, emit_in_task, NULL);
    json_t *line = capture_json(&capture);
    assert_member(line, "call_id", "01890a5d-ac96-774b-bcce-b302099a8057");
    json_decref(line);
    call_fini(&call);
}

static void test_log_text_line_is_readable_and_safe(void **state) {
    (void)state;
    struct capture capture;
    struct herald_error error = {0};
    herald_error_set_code(&error, HERALD_NOT_FOUND, "NO_DRAFT", "no such draft");
    log_init("herald-test", LOG_INFO, LOG_FORMAT_TEXT);
    capture_begin(&capture);
    log_emit(&LOG_TEST_BROKE, log_str("url", "tcp://127.0.0.1:7101"), log_str("text", "two words\n\x1b[0m"),
             log_u64("n", 3), log_error(&error), LOG_END);
    const char *text = capture_end(&capture);
    const char *after_time = strchr(text, ' ');
    assert_string_equal(after_time, " error   test.broke: Something broke. url=tcp://127.0.0.1:7101 "
                                    "text=\"two words\\n\\u001b[0m\" n=3 error=NOT_FOUND/NO_DRAFT \"no such draft\"\n");
    log_init("herald-test", LOG_INFO, LOG_FORMAT_JSON);
}

static void test_log_auto_into_a_file_is_json(void **state) {
    (void)state;
    struct capture capture;
    capture_begin(&capture);
    log_init("herald-test", LOG_INFO, LOG_FORMAT_AUTO);
    log_emit(&LOG_TEST_HAPPENED, LOG_END);
    json_decref(capture_json(&capture));
}

/* Reads what was written at once. Returns its lines; 0: no more was written. */
static unsigned read_write(int pipe) {
    char text[65536];
    ssize_t bytes = read(pipe, text, sizeof(text));
    unsigned lines = 0;
    for (ssize_t i = 0; i < bytes; i++) {
        lines += text[i] == '\n';
    }
    return lines;
}

/* Writes lines with a pause after each. Returns: whether all are written */
static bool write_lines_slowly(unsigned count, uint64_t *ret_took_us) {
    const struct timespec pause = {.tv_nsec = 200000};
    uint64_t began_us = clock_now_us();
    for (unsigned i = 0; i < count; i++) {
        log_emit(&LOG_TEST_HAPPENED, log_u64("line", i), LOG_END);
        (void)nanosleep(&pause, NULL);
    }
    bool flushed = log_flush(10000);
    *ret_took_us = clock_now_us() - began_us;
    return flushed;
}

static void test_log_lines_of_one_moment_are_written_together(void **state) {
    (void)state;
    enum { LINES = 100 };
    uint64_t took_us = 0;
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_DIRECT | O_NONBLOCK), 0); /* a read returns one write */
    log_init("herald-test", LOG_INFO, LOG_FORMAT_JSON);
    assert_true(log_start());
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    bool flushed = write_lines_slowly(LINES, &took_us);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    log_end(10000);
    unsigned lines = 0, writes = 0, some;
    while ((some = read_write(ends[0])) > 0) {
        lines += some;
        writes++;
    }
    assert_true(flushed);
    assert_int_equal(lines, LINES);
    /* one for each 20 ms, beside those that fill a pipe's unit and the last ones */
    assert_in_range(writes, 1, took_us / 20000 + LINES / 10);
    (void)close(saved);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_json_line_has_head_and_fields),
        cmocka_unit_test(test_log_below_least_level_writes_nothing),
        cmocka_unit_test(test_log_hostile_text_is_escaped_and_stays_one_line),
        cmocka_unit_test(test_log_long_value_is_cut_at_a_character),
        cmocka_unit_test(test_log_too_many_fields_leaves_valid_line_that_says_so),
        cmocka_unit_test(test_log_error_field_is_an_object),
        cmocka_unit_test(test_log_in_task_carries_call_id),
        cmocka_unit_test(test_log_text_line_is_readable_and_safe),
        cmocka_unit_test(test_log_auto_into_a_file_is_json),
        cmocka_unit_test(test_log_lines_of_one_moment_are_written_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
