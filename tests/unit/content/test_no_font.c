/* A machine without a font for Hangul: refused with words that help, never a picture of empty boxes. */
#include "only_fonts.h"
#include "server/content/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_check_fonts_without_hangul_says_what_to_install(void **state) {
    (void)state;
    struct herald_error error;
    assert_int_equal(render_check_fonts(&error), HERALD_FAILED_PRECONDITION);
    assert_string_equal(error.reason, "NO_HANGUL_FONT");
    assert_non_null(strstr(error.message, "fonts-nanum"));
}

static void test_render_without_hangul_is_a_failed_precondition(void **state) {
    (void)state;
    const struct render_input input = {"event", "", "", "shop", "", ""};
    struct render_picture picture;
    struct herald_error error;
    assert_int_equal(render_picture(&input, RENDER_SIMPLE, &picture, &error), HERALD_FAILED_PRECONDITION);
    assert_string_equal(error.reason, "NO_HANGUL_FONT");
}

int main(void) {
    if (!only_fonts("/usr/share/fonts/truetype/dejavu")) {
        return EXIT_FAILURE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_fonts_without_hangul_says_what_to_install),
        cmocka_unit_test(test_render_without_hangul_is_a_failed_precondition),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    only_fonts_end();
    return failed;
}
