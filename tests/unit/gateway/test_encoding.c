#include "server/gateway/http_encoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

static bool accepts(const char *list) {
    struct request_head head = {.keeps_alive = true};
    head.headers[HTTP_HEADER_ACCEPT_ENCODING] = span_of(list);
    return http_accepts_gzip(&head);
}

static void test_gzip_is_chosen_as_the_peer_says(void **state) {
    (void)state;
    assert_true(accepts("br, GZIP;q=0.5"));
    assert_true(accepts("*"));
    assert_false(accepts("gzip;q=0"));
    assert_false(accepts("gzip; q=0.000, *"));
    assert_false(accepts("*;q=0"));
    assert_false(accepts("identity"));
    assert_false(accepts(""));
}

static void test_gzip_gives_the_same_bytes_back(void **state) {
    char text[5000], back[5000];
    struct span packed;
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = "{\"channel\":\"INSTAGRAM\"}"[i % 23];
    }
    char *memory = http_gzip((struct span){text, sizeof(text)}, &packed);
    assert_non_null(memory);
    assert_true(packed.bytes < 200);
    z_stream stream = {.next_in = (Bytef *)memory,
                       .avail_in = (uInt)packed.bytes,
                       .next_out = (Bytef *)back,
                       .avail_out = sizeof(back)};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    assert_memory_equal(back, text, sizeof(text));
    free(memory);
    assert_null(http_gzip((struct span){"x", 1}, &packed)); /* it would grow */
}

static void test_tag_changes_with_each_byte(void **state) {
    char text[64] = "the body of an answer, of some length";
    char tag[HTTP_TAG_BYTES], other[HTTP_TAG_BYTES];
    (void)state;
    http_tag(span_of(text), tag);
    for (size_t i = 0; text[i] != '\0'; i++) {
        text[i] ^= 1;
        http_tag((struct span){text, 37}, other);
        assert_string_not_equal(tag, other);
        text[i] ^= 1;
    }
    http_tag((struct span){text, 36}, other);
    assert_string_not_equal(tag, other);
}

static void test_tag_is_found_in_the_list(void **state) {
    (void)state;
    assert_true(http_tag_matches(span_of("\"a\", W/\"b\""), "\"b\""));
    assert_true(http_tag_matches(span_of("*"), "\"b\""));
    assert_false(http_tag_matches(span_of("\"bb\""), "\"b\""));
    assert_false(http_tag_matches((struct span){NULL, 0}, "\"b\""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip_is_chosen_as_the_peer_says),
        cmocka_unit_test(test_gzip_gives_the_same_bytes_back),
        cmocka_unit_test(test_tag_changes_with_each_byte),
        cmocka_unit_test(test_tag_is_found_in_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
