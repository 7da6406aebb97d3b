/* A machine with Hangul fonts only: what they have is drawn, the rest is named, and nothing is a box. */
#include "only_fonts.h"
#include "server/content/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void draw(const char *title, enum render_style style, struct render_layout *ret_layout) {
    const struct render_input input = {title, "", "", "가게", "", ""};
    struct render_picture picture;
    struct herald_error error;
    if (render_picture(&input, style, &picture, &error) != HERALD_OK) {
        fail_msg("%s", error.message);
    }
    *ret_layout = picture.layout;
    render_picture_fini(&picture);
    assert_int_equal(ret_layout->boxes, 0);
}

static void test_few_fonts_hanja_come_from_the_font_that_draws_them(void **state) {
    (void)state;
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        struct render_layout layout;
        draw("新메뉴 無料", (enum render_style)style, &layout);
        assert_int_equal(layout.missing[0].total, 0);
    }
}

/* Without a font of emoji "1️⃣+1️⃣" is "1+1": a letter stays without its mark. */
static void test_few_fonts_keycap_is_its_digit(void **state) {
    (void)state;
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        struct render_layout keycaps, digits;
        draw("1️⃣+1️⃣", (enum render_style)style, &keycaps);
        draw("1+1", (enum render_style)style, &digits);
        assert_int_equal(keycaps.missing[0].total, 2);
        assert_int_equal(keycaps.missing[0].character_count, 1);
        assert_int_equal(keycaps.missing[0].characters[0], 0x20E3);
        assert_int_equal(keycaps.text_count, digits.text_count);
        for (unsigned i = 0; i < digits.text_count; i++) {
            assert_true(keycaps.texts[i].w == digits.texts[i].w && keycaps.texts[i].h == digits.texts[i].h);
        }
    }
}

static void test_few_fonts_emoji_and_other_scripts_are_named(void **state) {
    (void)state;
    struct render_layout layout;
    draw("행사 🎉 สวัสดี", RENDER_TRENDY, &layout);
    assert_int_equal(layout.missing[0].characters[0], 0x1F389);
    assert_int_equal(layout.missing[0].characters[1], 0x0E2A);
    assert_int_equal(layout.missing[0].total, 7);
}

int main(void) {
    if (!only_fonts("/usr/share/fonts/truetype/nanum")) {
        return EXIT_FAILURE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_fonts_hanja_come_from_the_font_that_draws_them),
        cmocka_unit_test(test_few_fonts_keycap_is_its_digit),
        cmocka_unit_test(test_few_fonts_emoji_and_other_scripts_are_named),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    only_fonts_end();
    return failed;
}
