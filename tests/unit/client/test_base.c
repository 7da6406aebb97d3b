#include "client/base/ascii.h"
#include "client/base/clock.h"
#include "client/base/digest.h"
#include "client/base/edit_distance.h"
#include "client/base/http_status.h"
#include "herald/error.h"
#include "herald/schema.h"
#include "herald/utf8.h"
#include "herald/uuid.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- codes and errors --- */

static void test_code_table_has_names_texts_and_retry_classes(void **state) {
    (void)state;
    assert_string_equal(herald_code_name(HERALD_OK), "OK");
    assert_string_equal(herald_code_name(HERALD_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(herald_code_name(HERALD_OUTCOME_UNKNOWN), "OUTCOME_UNKNOWN");
    assert_string_equal(herald_code_name(17), "UNKNOWN");
    assert_string_equal(herald_code_name(-1), "UNKNOWN");
    assert_string_equal(herald_code_text(HERALD_NOT_FOUND), "not found");
    assert_int_equal(herald_code_retry(HERALD_ABORTED), HERALD_RETRY_SOON);
    assert_int_equal(herald_code_retry(HERALD_UNAVAILABLE), HERALD_RETRY_LATER);
    assert_int_equal(herald_code_retry(HERALD_INVALID_ARGUMENT), HERALD_RETRY_NEVER);
}

static void test_code_wire_conversion_hides_local_codes(void **state) {
    (void)state;
    for (int code = 0; code <= 16; code++) {
        assert_int_equal(herald_code_from_wire(code), code);
        assert_int_equal(herald_code_to_wire((enum herald_code)code), code);
    }
    assert_int_equal(herald_code_to_wire(HERALD_OUTCOME_UNKNOWN), HERALD_UNKNOWN);
    assert_int_equal(herald_code_from_wire(HERALD_OUTCOME_UNKNOWN), HERALD_UNKNOWN);
    assert_int_equal(herald_code_from_wire(17), HERALD_UNKNOWN);
    assert_int_equal(herald_code_from_wire(-1), HERALD_UNKNOWN);
}

static void test_http_status_of_every_error_says_whose_fault_it_is(void **state) {
    (void)state;
    const int codes[] = {
#define HTTP_STATUS_CODE(name, number, text, retry, wire) HERALD_##name,
        HERALD_CODES(HTTP_STATUS_CODE)
#undef HTTP_STATUS_CODE
    };
    assert_int_equal(herald_http_status(HERALD_OK, HERALD_REASON_NONE), 200);
    for (size_t i = 1; i < sizeof(codes) / sizeof(codes[0]); i++) {
        unsigned status = herald_http_status((enum herald_code)codes[i], HERALD_REASON_NONE);
        assert_in_range(status, 400, 504);
    }
    assert_int_equal(herald_http_status(HERALD_INVALID_ARGUMENT, HERALD_REASON_INVALID_FIELD), 400);
    assert_int_equal(herald_http_status(HERALD_NOT_FOUND, HERALD_REASON_EVENT_NOT_FOUND), 404);
    assert_int_equal(herald_http_status(HERALD_RESOURCE_EXHAUSTED, HERALD_REASON_TOO_MANY_CALLS), 429);
    assert_int_equal(herald_http_status(HERALD_UNAVAILABLE, HERALD_REASON_DRAINING), 503);
    assert_int_equal(herald_http_status(HERALD_OUTCOME_UNKNOWN, HERALD_REASON_NONE), 500);
}

static void test_http_status_of_some_reasons_is_their_own(void **state) {
    (void)state;
    assert_int_equal(herald_http_status(HERALD_INVALID_ARGUMENT, HERALD_REASON_IDEMPOTENCY_KEY_REUSED), 422);
    assert_int_equal(herald_http_status(HERALD_RESOURCE_EXHAUSTED, HERALD_REASON_MESSAGE_TOO_LARGE), 413);
}

static void test_error_set_fills_and_clears_details(void **state) {
    (void)state;
    struct herald_error error;
    memset(&error, 0x5a, sizeof(error));
    assert_int_equal(herald_error_set_code(&error, HERALD_NOT_FOUND, "NO_EVENT", "no event %d", 7), HERALD_NOT_FOUND);
    assert_int_equal(error.code, HERALD_NOT_FOUND);
    assert_string_equal(error.reason, "NO_EVENT");
    assert_string_equal(error.message, "no event 7");
    assert_string_equal(error.origin, "");
    assert_int_equal(error.detail_count, 0);
    assert_int_equal(error.retry_after_ms, 0);
    assert_int_equal(herald_error_set_code(NULL, HERALD_ABORTED, "X", "x"), HERALD_ABORTED);
    herald_error_set_code(&error, HERALD_INTERNAL, error.reason, "while looking: %s", error.message); /* its own text */
    assert_string_equal(error.reason, "NO_EVENT");
    assert_string_equal(error.message, "while looking: no event 7");
}

static void test_error_no_memory_says_for_what(void **state) {
    (void)state;
    struct herald_error error;
    memset(&error, 0x5a, sizeof(error));
    assert_int_equal(herald_error_no_memory(&error, "%u calls at once", 7u), HERALD_RESOURCE_EXHAUSTED);
    assert_int_equal(error.code, HERALD_RESOURCE_EXHAUSTED);
    assert_string_equal(error.reason, "OUT_OF_MEMORY");
    assert_string_equal(error.message, "no memory for 7 calls at once");
    assert_int_equal(error.detail_count, 0);
    assert_int_equal(herald_error_no_memory(NULL, "a credential"), HERALD_RESOURCE_EXHAUSTED);
}

static void test_error_long_text_is_cut_at_a_character(void **state) {
    (void)state;
    for (int shift = 0; shift < 4; shift++) {
        char text[2000];
        memset(text, 'x', sizeof(text));
        for (size_t i = (size_t)shift; i + 3 < sizeof(text); i += 3) {
            memcpy(text + i, "한", 3);
        }
        text[sizeof(text) - 1] = '\0';
        struct herald_error error;
        herald_error_set_code(&error, HERALD_INTERNAL, text, "%s", text);
        herald_error_add_detail(&error, text, HERALD_REASON_REQUIRED, "%s", text);
        const struct herald_error_detail *detail = &error.details[0];
        assert_true(herald_utf8_valid(error.message, strlen(error.message), NULL));
        assert_true(strlen(error.message) >= sizeof(error.message) - 5);
        assert_true(herald_utf8_valid(error.reason, strlen(error.reason), NULL));
        assert_true(herald_utf8_valid(detail->field, strlen(detail->field), NULL));
        assert_true(strlen(detail->field) >= sizeof(detail->field) - 4);
        assert_true(herald_utf8_valid(detail->reason, strlen(detail->reason), NULL));
        assert_true(herald_utf8_valid(detail->message, strlen(detail->message), NULL));
    }
}

static void test_error_details_beyond_limit_are_dropped(void **state) {
    (void)state;
    struct herald_error error, copy;
    herald_error_set_code(&error, HERALD_INVALID_ARGUMENT, "R", "m");
    for (int i = 0; i < 40; i++) {
        herald_error_add_detail(&error, "f", HERALD_REASON_REQUIRED, "%d", i);
    }
    assert_int_equal(error.detail_count, HERALD_ERROR_DETAILS_MAX);
    assert_string_equal(error.details[15].message, "15");
    herald_error_add_detail(NULL, "f", HERALD_REASON_REQUIRED, "x");
    herald_error_copy(&copy, &error);
    assert_string_equal(copy.details[15].message, "15");
    assert_string_equal(copy.message, "m");
    herald_error_copy(NULL, &error);
    herald_error_copy(&copy, NULL);
}

static void test_error_takes_the_details_of_another_until_it_is_full(void **state) {
    (void)state;
    struct herald_error error, from;
    herald_error_set_code(&error, HERALD_INVALID_ARGUMENT, "R", "m");
    herald_error_set_code(&from, HERALD_INVALID_ARGUMENT, "R", "m");
    herald_error_add_details(&error, &from);
    assert_int_equal(error.detail_count, 0);
    for (int i = 0; i < 9; i++) {
        herald_error_add_detail(&from, "f", HERALD_REASON_REQUIRED, "%d", i);
    }
    herald_error_add_details(&error, &from);
    assert_int_equal(error.detail_count, 9);
    assert_string_equal(error.details[8].reason, "REQUIRED");
    assert_string_equal(error.details[8].message, "8");
    herald_error_add_details(&error, &from);
    assert_int_equal(error.detail_count, HERALD_ERROR_DETAILS_MAX);
    assert_string_equal(error.details[15].message, "6");
    assert_int_equal(from.detail_count, 9);
    herald_error_add_details(NULL, &from);
}

/* --- UTF-8 --- */

static void test_utf8_valid_accepts_and_counts(void **state) {
    (void)state;
    size_t chars;
    assert_true(herald_utf8_valid("", 0, &chars));
    assert_int_equal(chars, 0);
    assert_true(herald_utf8_valid("abcdefghij한글😀é", 10 + 6 + 4 + 2, &chars));
    assert_int_equal(chars, 14);
    assert_true(herald_utf8_valid("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 10, &chars));
    assert_int_equal(chars, 3);
    assert_true(herald_utf8_valid("a\0b", 3, &chars));
    assert_int_equal(chars, 3);
}

static void test_utf8_valid_refuses_what_rfc_3629_does(void **state) {
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xfe",
                                      "\xff",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xf0\x9f\x98",
                                      "\xe2\x28\xa1",
                                      "12345678\xff"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(herald_utf8_valid(bad[i], strlen(bad[i]), NULL));
    }
}

static void test_utf8_cut_ends_at_character(void **state) {
    (void)state;
    assert_int_equal(herald_utf8_cut("한글", 6, 6), 6);
    assert_int_equal(herald_utf8_cut("한글", 6, 5), 3);
    assert_int_equal(herald_utf8_cut("한글", 6, 3), 3);
    assert_int_equal(herald_utf8_cut("한글", 6, 2), 0);
    assert_int_equal(herald_utf8_cut("😀", 4, 3), 0);
    assert_int_equal(herald_utf8_cut("abc", 3, 2), 2);
}

/* --- UUIDs --- */

static void test_uuid7_is_valid_and_ordered_by_time(void **state) {
    (void)state;
    char last[37] = "", next[37];
    for (int i = 0; i < 1000; i++) {
        herald_uuid7(next);
        assert_true(herald_uuid_valid(next, strlen(next)));
        assert_int_equal(next[14], '7');
        assert_non_null(strchr("89ab", next[19]));
        assert_true(strncmp(last, next, 13) <= 0);
        assert_string_not_equal(last, next);
        memcpy(last, next, sizeof(last));
    }
}

#if HERALD_FAILPOINTS
static atomic_llong shift_us;

static int64_t shifted(void) {
    return atomic_load(&shift_us);
}

/* An hour back, and then a step at each read. */
static void test_uuid7_rises_when_the_clock_is_set_back(void **state) {
    (void)state;
    char last[37], next[37];
    herald_uuid7(last);
    atomic_store(&herald_wall_shift, shifted);
    for (int i = 0; i < 20000; i++) {
        atomic_store(&shift_us, i < 10000 ? -3600000000ll : i % 2 ? 5000000 : -5000000);
        herald_uuid7(next);
        assert_true(herald_uuid_valid(next, 36));
        assert_int_equal(next[14], '7');
        assert_true(strcmp(last, next) < 0);
        memcpy(last, next, sizeof(last));
    }
    atomic_store(&herald_wall_shift, NULL);
}
#endif

static void test_uuid7_after_fork_is_not_repeated(void **state) {
    (void)state;
    char first[37], mine[37], childs[37] = "";
    int pipe_ends[2];
    herald_uuid7(first); /* fills this thread's store of random bytes */
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        herald_uuid7(mine);
        _exit(write(pipe_ends[1], mine, sizeof(mine)) == (ssize_t)sizeof(mine) ? 0 : 1);
    }
    herald_uuid7(mine);
    assert_int_equal(read(pipe_ends[0], childs, sizeof(childs)), sizeof(childs));
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    assert_string_not_equal(mine + 19, childs + 19); /* the random part */
}

#define THREADS  8
#define IDS_EACH 2000

static void *make_ids(void *user) {
    char(*ids)[37] = user;
    for (int i = 0; i < IDS_EACH; i++) {
        herald_uuid7(ids[i]);
    }
    return NULL;
}

static int compare_ids(const void *a, const void *b) {
    return strcmp(a, b);
}

static void test_uuid7_from_many_threads_are_unique(void **state) {
    (void)state;
    char(*ids)[37] = malloc(sizeof(*ids) * THREADS * IDS_EACH);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, make_ids, ids + i * IDS_EACH);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    qsort(ids, THREADS * IDS_EACH, sizeof(*ids), compare_ids);
    for (int i = 1; i < THREADS * IDS_EACH; i++) {
        assert_string_not_equal(ids[i - 1], ids[i]);
    }
    free(ids);
}

/* --- names and characters --- */

static void test_edit_distance_counts_letters(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned distance;
    } PAIRS[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"kitten", "sitting", 3},
        {"connection", "connections", 1}, /* inserted */
        {"titel", "title", 2},            /* two letters changed: there is no swap */
        {"GetEvent", "getevent", 0},      /* case aside */
        {"\xc3\xa4", "\xc3\x84", 1},      /* of ASCII: these are bytes */
    };
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        assert_int_equal(herald_edit_distance(PAIRS[i].a, PAIRS[i].b), PAIRS[i].distance);
        assert_int_equal(herald_edit_distance(PAIRS[i].b, PAIRS[i].a), PAIRS[i].distance);
    }
}

static void test_edit_distance_of_long_names_is_that_of_their_beginnings(void **state) {
    (void)state;
    char a[200], b[200];
    memset(a, 'x', sizeof(a) - 1);
    memset(b, 'x', sizeof(b) - 1);
    a[199] = b[199] = '\0';
    b[HERALD_EDIT_DISTANCE_MAX_BYTES] = 'y';
    assert_int_equal(herald_edit_distance(a, b), 0);
    b[HERALD_EDIT_DISTANCE_MAX_BYTES - 1] = 'y';
    assert_int_equal(herald_edit_distance(a, b), 1);
    assert_int_equal(herald_edit_distance(a, ""), HERALD_EDIT_DISTANCE_MAX_BYTES);
}

static void test_ascii_knows_its_characters_and_no_others(void **state) {
    (void)state;
    unsigned digits = 0, hex = 0, spaces = 0, graphic = 0, lowered = 0;
    for (int i = -128; i < 128; i++) {
        char c = (char)i;
        digits += herald_is_digit(c) ? 1 : 0;
        hex += herald_hex_value(c) >= 0 ? 1 : 0;
        spaces += herald_is_space(c) ? 1 : 0;
        graphic += herald_is_graphic(&c, 1) ? 1 : 0;
        lowered += herald_lower(c) != c ? 1 : 0;
    }
    assert_int_equal(digits, 10);
    assert_int_equal(hex, 22);
    assert_int_equal(spaces, 4);
    assert_int_equal(graphic, 94);
    assert_int_equal(lowered, 26);
    assert_int_equal(herald_hex_value('7'), 7);
    assert_int_equal(herald_hex_value('a'), 10);
    assert_int_equal(herald_hex_value('F'), 15);
    char text[5];
    herald_write_hex((const unsigned char *)"\x0a\xff", 2, text);
    assert_string_equal(text, "0aff");
}

/* --- schema look-up --- */

static void test_schema_find_finds_every_element(void **state) {
    (void)state;
    for (size_t f = 0; f < herald_schema_count; f++) {
        const struct herald_file_schema *file = herald_schemas[f];
        for (size_t i = 0; i < file->message_count; i++) {
            assert_ptr_equal(herald_schema_find_message(file->messages[i]->full_name), file->messages[i]);
        }
        for (size_t i = 0; i < file->enum_count; i++) {
            assert_ptr_equal(herald_schema_find_enum(file->enums[i]->full_name), file->enums[i]);
        }
        for (size_t i = 0; i < file->service_count; i++) {
            const struct herald_service_schema *service = file->services[i];
            assert_ptr_equal(herald_schema_find_service(service->full_name), service);
            for (size_t m = 0; m < service->method_count; m++) {
                assert_ptr_equal(herald_schema_find_method(service->methods[m].full_name), &service->methods[m]);
            }
        }
    }
}

static void test_schema_find_unknown_name_is_null(void **state) {
    (void)state;
    assert_null(herald_schema_find_method(""));
    assert_null(herald_schema_find_method("herald.event.v1.EventService/publishEvent"));
    assert_null(herald_schema_find_method("herald.event.v1.EventService")); /* a service */
    assert_null(herald_schema_find_message("EventDraft"));
    assert_null(herald_schema_find_enum("herald.event.v1.EventDraft"));
    assert_null(herald_schema_find_service("herald.event.v1.EventService/"));
}

/* --- digests --- */

static void assert_hex(const uint8_t bytes[HERALD_SHA256_BYTES], const char *expected) {
    char hex[2 * HERALD_SHA256_BYTES + 1];
    herald_write_hex(bytes, HERALD_SHA256_BYTES, hex);
    assert_string_equal(hex, expected);
}

/* FIPS 180-2 */
static void test_sha256_of_standard_texts(void **state) {
    (void)state;
    uint8_t hash[HERALD_SHA256_BYTES];
    assert_true(herald_sha256("abc", 3, hash));
    assert_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(herald_sha256(NULL, 0, hash));
    assert_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231, cases 2 and 6. */
static void test_hmac_of_standard_texts_in_any_pieces(void **state) {
    (void)state;
    static const char text[] = "what do ya want for nothing?";
    static const char long_text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    const struct herald_piece whole = {text, strlen(text)}, other = {long_text, strlen(long_text)};
    const struct herald_piece pieces[] = {{text, 4}, {NULL, 0}, {text + 4, 1}, {text + 5, strlen(text) - 5}};
    uint8_t mac[HERALD_SHA256_BYTES], long_key[131];
    memset(long_key, 0xaa, sizeof(long_key));
    for (int i = 0; i < 2; i++) { /* the second is made as the first */
        assert_true(herald_hmac_sha256("Jefe", 4, &whole, 1, mac));
        assert_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_true(herald_hmac_sha256(long_key, sizeof(long_key), &other, 1, mac));
        assert_hex(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
        assert_true(herald_hmac_sha256("Jefe", 4, pieces, sizeof(pieces) / sizeof(pieces[0]), mac));
        assert_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_of_standard_texts),
        cmocka_unit_test(test_hmac_of_standard_texts_in_any_pieces),
        cmocka_unit_test(test_code_table_has_names_texts_and_retry_classes),
        cmocka_unit_test(test_code_wire_conversion_hides_local_codes),
        cmocka_unit_test(test_http_status_of_every_error_says_whose_fault_it_is),
        cmocka_unit_test(test_http_status_of_some_reasons_is_their_own),
        cmocka_unit_test(test_error_set_fills_and_clears_details),
        cmocka_unit_test(test_error_no_memory_says_for_what),
        cmocka_unit_test(test_error_long_text_is_cut_at_a_character),
        cmocka_unit_test(test_error_details_beyond_limit_are_dropped),
        cmocka_unit_test(test_error_takes_the_details_of_another_until_it_is_full),
        cmocka_unit_test(test_utf8_valid_accepts_and_counts),
        cmocka_unit_test(test_utf8_valid_refuses_what_rfc_3629_does),
        cmocka_unit_test(test_utf8_cut_ends_at_character),
        cmocka_unit_test(test_uuid7_is_valid_and_ordered_by_time),
#if HERALD_FAILPOINTS
        cmocka_unit_test(test_uuid7_rises_when_the_clock_is_set_back),
#endif
        cmocka_unit_test(test_uuid7_after_fork_is_not_repeated),
        cmocka_unit_test(test_uuid7_from_many_threads_are_unique),
        cmocka_unit_test(test_edit_distance_counts_letters),
        cmocka_unit_test(test_edit_distance_of_long_names_is_that_of_their_beginnings),
        cmocka_unit_test(test_ascii_knows_its_characters_and_no_others),
        cmocka_unit_test(test_schema_find_finds_every_element),
        cmocka_unit_test(test_schema_find_unknown_name_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
