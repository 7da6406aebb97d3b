/* Arithmetic of colours: every brand's colour must give readable pictures. */
#include "server/content/color.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_color_parse_hex_is_read(void **state) {
    (void)state;
    struct rgb color;
    assert_true(color_parse("#E4572e", &color));
    assert_true(fabs(color.r - 0xe4 / 255.0) < 1e-9);
    assert_true(fabs(color.g - 0x57 / 255.0) < 1e-9);
    assert_true(fabs(color.b - 0x2e / 255.0) < 1e-9);
}

static void test_color_parse_other_text_is_refused(void **state) {
    (void)state;
    static const char *const BAD[] = {"", "#", "E4572E", "#E4572", "#E4572E0", "#E4572G", "# E4572", "red"};
    struct rgb color = {0.25, 0.5, 0.75};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        assert_false(color_parse(BAD[i], &color));
    }
    assert_false(color_parse(NULL, &color));
    assert_true(color.r == 0.25 && color.g == 0.5 && color.b == 0.75);
}

static void test_color_contrast_known_values(void **state) {
    (void)state;
    const struct rgb white = {1, 1, 1}, black = {0, 0, 0};
    assert_true(fabs(color_contrast(white, black) - 21) < 1e-9);
    assert_true(fabs(color_contrast(white, white) - 1) < 1e-9);
    assert_true(fabs(color_contrast(RGB(0x777777), white) - 4.48) < 0.01); /* the well-known grey */
}

static void test_color_tone_turns_the_hue(void **state) {
    (void)state;
    struct rgb red = {1, 0, 0}, cyan = color_tone(red, 180, 1, 0.5);
    assert_true(cyan.r < 1e-9 && fabs(cyan.g - 1) < 1e-9 && fabs(cyan.b - 1) < 1e-9);
    assert_true(fabs(color_hue(cyan) - 180) < 1e-6);
    assert_true(fabs(color_hue(color_tone(RGB(0x1E88E5), 0, 1, 0.3)) - color_hue(RGB(0x1E88E5))) < 0.5);
}

static void each_color(void (*check)(struct rgb color)) {
    for (int r = 0; r <= 255; r += 17) {
        for (int g = 0; g <= 255; g += 17) {
            for (int b = 0; b <= 255; b += 17) {
                check((struct rgb){r / 255.0, g / 255.0, b / 255.0});
            }
        }
    }
}

static void check_text_on(struct rgb color) {
    assert_true(color_contrast(color_text_on(color), color) >= 3.0); /* WCAG's limit for large text */
}

static void test_color_text_on_every_color_is_readable(void **state) {
    (void)state;
    each_color(check_text_on);
}

static void check_readable(struct rgb color) {
    const struct rgb paper = {0.992, 0.988, 0.980}, ink = {0.06, 0.06, 0.07};
    assert_true(color_contrast(color_readable_on(color, paper, 4.5), paper) >= 4.5);
    assert_true(color_contrast(color_readable_on(color, ink, 4.5), ink) >= 4.5);
}

static void test_color_readable_on_reaches_the_ratio(void **state) {
    (void)state;
    each_color(check_readable);
}

static void test_color_readable_on_keeps_what_is_readable(void **state) {
    (void)state;
    struct rgb navy = RGB(0x0B2545), kept = color_readable_on(navy, (struct rgb){1, 1, 1}, 4.5);
    assert_true(kept.r == navy.r && kept.g == navy.g && kept.b == navy.b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_color_parse_hex_is_read),
        cmocka_unit_test(test_color_parse_other_text_is_refused),
        cmocka_unit_test(test_color_contrast_known_values),
        cmocka_unit_test(test_color_tone_turns_the_hue),
        cmocka_unit_test(test_color_text_on_every_color_is_readable),
        cmocka_unit_test(test_color_readable_on_reaches_the_ratio),
        cmocka_unit_test(test_color_readable_on_keeps_what_is_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
