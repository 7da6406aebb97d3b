/* URLs of pictures: shapes, and keys that nobody can turn back into the id of a job. */
#include "server/outgoing/picture_url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define KEY "7a7ab0184bf4b3bb89e685b90f7f9cdd"

static void test_picture_shape_url_names_the_shape_before_the_ending(void **state) {
    (void)state;
    static const char *const EXPECTED[PICTURE_SHAPE_COUNT] = {
        "http://h/content/" KEY "/simple.square.jpg", "http://h/content/" KEY "/simple.portrait.jpg",
        "http://h/content/" KEY "/simple.wide.jpg", "http://h/content/" KEY "/simple.video.jpg"};
    for (int shape = 0; shape < PICTURE_SHAPE_COUNT; shape++) {
        char url[128];
        assert_true(
            picture_shape_url("http://h/content/" KEY "/simple.jpg", (enum picture_shape)shape, url, sizeof(url)));
        assert_string_equal(url, EXPECTED[shape]);
    }
}

static void test_picture_shape_url_of_another_url_is_refused(void **state) {
    (void)state;
    static const char *const BAD[] = {"",
                                      "simple.jpg",
                                      "http://h/" KEY,
                                      "http://h/" KEY "/simple.png",
                                      "http://h/" KEY "/.jpg",
                                      "http://h/" KEY "/simple.jpg?a",
                                      "http://h/" KEY "/a.jpgx",
                                      "http://h/" KEY "/simple.wide.jpg",
                                      "http://h/" KEY "/simple.jpg/",
                                      "http://h/" KEY "/simple.JPG"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char url[128] = "untouched";
        assert_false(picture_shape_url(BAD[i], PICTURE_WIDE, url, sizeof(url)));
        assert_string_equal(url, "untouched");
    }
}

static void test_picture_shape_url_without_room_is_refused(void **state) {
    (void)state;
    char url[sizeof("http://h/" KEY "/sim.wide.jpg") - 1] = "untouched"; /* one byte less than the URL needs */
    assert_false(picture_shape_url("http://h/" KEY "/sim.jpg", PICTURE_WIDE, url, sizeof(url)));
    assert_string_equal(url, "untouched");
}

/* Nobody has made another shape of a picture that is not Herald's. */
static void test_picture_shape_url_of_a_strange_picture_is_refused(void **state) {
    (void)state;
    static const char *const STRANGE[] = {
        "http://h/simple.jpg",          "http://h/content/k/simple.jpg",    "http://h/x" KEY "/simple.jpg",
        "http://h/" KEY "0/simple.jpg", "http://h/" KEY "/more/simple.jpg", KEY "/simple.jpg"};
    for (size_t i = 0; i < sizeof(STRANGE) / sizeof(STRANGE[0]); i++) {
        char url[128] = "untouched";
        assert_false(picture_shape_url(STRANGE[i], PICTURE_VIDEO, url, sizeof(url)));
        assert_string_equal(url, "untouched");
    }
}

static void test_picture_shape_sizes_have_the_exact_aspect(void **state) {
    (void)state;
    static const int ASPECTS[PICTURE_SHAPE_COUNT][2] = {{1, 1}, {4, 5}, {2, 1}, {16, 9}};
    for (int shape = 0; shape < PICTURE_SHAPE_COUNT; shape++) {
        int width, height;
        picture_shape_size((enum picture_shape)shape, &width, &height);
        assert_int_equal(width * ASPECTS[shape][1], height * ASPECTS[shape][0]);
    }
}

static void test_picture_key_is_the_hash_that_is_documented(void **state) {
    (void)state;
    char key[PICTURE_KEY_CHARS + 1], same[PICTURE_KEY_CHARS + 1];
    assert_int_equal(picture_key("0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e", key, NULL), HERALD_OK);
    assert_string_equal(key, "7a7ab0184bf4b3bb89e685b90f7f9cdd");
    assert_true(picture_key_valid(key));
    assert_int_equal(picture_key("0190B5A0-7D2E-7C3A-9F00-3B8F2F1C4D5E", same, NULL), HERALD_OK);
    assert_string_equal(key, same);
    assert_int_equal(picture_key("0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5f", same, NULL), HERALD_OK);
    assert_string_not_equal(key, same);
}

static void test_picture_key_valid_takes_lower_case_digits_only(void **state) {
    (void)state;
    assert_true(picture_key_valid("0123456789abcdef0123456789abcdef/simple.jpg"));
    assert_false(picture_key_valid("0123456789abcdef0123456789abcde"));
    assert_false(picture_key_valid("0123456789ABCDEF0123456789ABCDEF"));
    assert_false(picture_key_valid("0123456789abcdef/123456789abcdef0"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picture_shape_url_names_the_shape_before_the_ending),
        cmocka_unit_test(test_picture_shape_url_of_another_url_is_refused),
        cmocka_unit_test(test_picture_shape_url_without_room_is_refused),
        cmocka_unit_test(test_picture_shape_url_of_a_strange_picture_is_refused),
        cmocka_unit_test(test_picture_shape_sizes_have_the_exact_aspect),
        cmocka_unit_test(test_picture_key_is_the_hash_that_is_documented),
        cmocka_unit_test(test_picture_key_valid_takes_lower_case_digits_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
