/* What was typed is drawn: the scripts of the world, symbols and emoji have ink in every face and style, and no box. */
#include "ordinary_event.h"
#include "server/content/canvas.h"
#include "server/text/text_count.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct sample {
    const char *name, *text;
    bool in_colors;
} SAMPLES[] = {
    {"Hangul", "가힣뷁똠갸", false},
    {"old Hangul", "\u1112\u119E\u11AB", false}, /* a syllable of three jamo */
    {"jamo", "ㅋㅎㅠㅏ", false},
    {"Hanja", "新無料日本中文漢江茶房大賣出", false},
    {"rare Hanja", "㐀\U00020BB7龘", false},
    {"Hiragana and Katakana", "ひらがなカタカナぱー", false},
    {"Bopomofo", "ㄅㄆㄇ", false},
    {"Latin", "AzÄéßøŁşñệ", false},
    {"Latin with marks of their own", "x\u0301m\u0308Q\u0323", false},
    {"Cyrillic", "ПриветЖщЇЎ", false},
    {"Greek", "ΑΩαςέΐἄ", false},
    {"Thai", "สวัสดีที่ปู่ำ", false},
    {"Lao", "ສະບາຍດີ", false},
    {"Arabic", "مرحبابكمپچ", false},
    {"Arabic with marks", "مَرْحَبًا", false},
    {"Hebrew", "שלוםץ", false},
    {"Hebrew with marks", "שָׁלוֹם", false},
    {"Devanagari", "नमस्तेक्षत्रिकि", false},
    {"Bengali", "নমস্কার", false},
    {"Tamil", "வணக்கம்", false},
    {"Burmese", "မင်္ဂလာပါ", false},
    {"Khmer", "សួស្តី", false},
    {"Georgian", "გამარჯობა", false},
    {"Armenian", "Բարեւ", false},
    {"Ethiopic", "ሰላም", false},
    {"Mongolian", "ᠮᠣᠩᠭᠣᠯ", false},
    {"Tibetan", "བཀྲ་ཤིས", false},
    {"symbols", "★☆♥♪→①②㈜℃㎡½€₩¥™©®✓※", false},
    {"mathematics", "∑√∞≠±×÷", false},
    {"full width", "ＡＢ１２！？（）「」、。", false},
    {"emoji", "🎉🎁🔥☕⭐✅❤️✂️☎️😀🥐", true},
    {"keycaps", "1️⃣0️⃣#️⃣*️⃣5⃣", true},
    {"skin tones", "👍🏽👩🏻☝🏿", true},
    {"joined emoji", "👩🏽‍🍳🏳️‍🌈❤️‍🔥", true},
    {"a joined family", "👨‍👩‍👧‍👦", false}, /* a silhouette in newer fonts */
    {"flags", "🇰🇷🇯🇵🏴󠁧󠁢󠁥󠁮󠁧󠁿", true},
};
#define SAMPLE_COUNT (sizeof(SAMPLES) / sizeof(SAMPLES[0]))

/* --- each grapheme, in each face --------------------------------------------------------------------------------- */

struct ink {
    unsigned dark, colored; /* pixels */
};

/* Counts what stands on white paper. */
static struct ink ink_of(const struct canvas *canvas) {
    struct ink ink = {0};
    cairo_surface_flush(canvas->surface);
    const unsigned char *data = cairo_image_surface_get_data(canvas->surface);
    for (int y = 0; y < cairo_image_surface_get_height(canvas->surface); y++) {
        const unsigned char *at = data + y * cairo_image_surface_get_stride(canvas->surface);
        for (int x = 0; x < cairo_image_surface_get_width(canvas->surface); x++, at += 4) {
            int most = at[0] > at[1] ? at[0] : at[1], least = at[0] < at[1] ? at[0] : at[1];
            most = at[2] > most ? at[2] : most;
            least = at[2] < least ? at[2] : least;
            ink.dark += least < 160;
            ink.colored += most - least > 20;
        }
    }
    return ink;
}

/* Draws @text in black on white as posters do; asserts that nothing became a box. */
static struct ink draw_alone(const struct sample *sample, const char *text, enum font_face face, bool bold) {
    struct canvas canvas;
    const struct rect all = {0, 0, 100, 100};
    assert_int_equal(canvas_init(&canvas, 100, NULL), HERALD_OK);
    canvas_fill_rect(&canvas, all, (struct rgb){1, 1, 1});
    const struct text_style style = {face, bold, 60, 20, 0, 0, 1, TEXT_CENTER, TEXT_MIDDLE, 0.02, 0};
    canvas_text(&canvas, "sample", text, &style, all, (struct rgb){0, 0, 0});
    if (canvas.layout.boxes > 0) {
        fail_msg("%s: \"%s\" is a box in face %d, %s", sample->name, text, face, bold ? "bold" : "normal");
    }
    struct ink ink = ink_of(&canvas);
    canvas_fini(&canvas);
    return ink;
}

static void check_grapheme(const struct sample *sample, const char *text) {
    struct render_missing missing = {0};
    char *cleaned = canvas_clean_text(text, &missing);
    if (missing.total > 0) {
        fail_msg("%s: U+%04X of \"%s\" is missing", sample->name, missing.characters[0], text);
    }
    for (int face = 0; face < FONT_FACE_COUNT; face++) {
        for (int bold = 0; bold < 2; bold++) {
            struct ink ink = draw_alone(sample, cleaned, (enum font_face)face, bold != 0);
            if (ink.dark < 5 || (sample->in_colors && ink.colored == 0)) {
                fail_msg("%s: \"%s\" in face %d, %s: %u dark pixels, %u coloured", sample->name, text, face,
                         bold ? "bold" : "normal", ink.dark, ink.colored);
            }
        }
    }
    free(cleaned);
}

static void test_scripts_each_grapheme_has_ink_in_each_face(void **state) {
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        for (const char *at = SAMPLES[i].text; *at != '\0';) {
            char grapheme[64] = "";
            size_t bytes = text_cut(at, 1, TEXT_GRAPHEMES);
            assert_true(bytes < sizeof(grapheme));
            memcpy(grapheme, at, bytes);
            check_grapheme(&SAMPLES[i], grapheme);
            at += bytes;
        }
    }
}

/* --- whole texts, in each style ---------------------------------------------------------------------------------- */

static void test_scripts_each_sample_is_drawn_in_each_style(void **state) {
    (void)state;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        const struct sample *sample = &SAMPLES[i];
        const struct render_input input = {sample->text, sample->text, "", sample->text, sample->text, "02-1"};
        for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
            struct render_picture picture;
            assert_int_equal(render_picture(&input, (enum render_style)style, &picture, NULL), HERALD_OK);
            for (int text = 0; text < RENDER_INPUT_TEXTS; text++) {
                assert_int_equal(picture.layout.missing[text].total, 0);
            }
            if (picture.layout.boxes > 0) {
                fail_msg("%s, %s: %u boxes", sample->name, render_style_name((enum render_style)style),
                         picture.layout.boxes);
            }
            render_picture_fini(&picture);
        }
    }
}

/* --- which font -------------------------------------------------------------------------------------------------- */

static const char *family_of(enum font_face face, const char *text) {
    size_t bytes = strlen(text);
    const struct font *font = fonts_find(face, true, text, &bytes, 1);
    assert_non_null(font);
    return font_family(font);
}

/* NanumSquare has the Hanja, as glyphs without ink. */
static void test_scripts_font_with_empty_glyphs_is_passed_over(void **state) {
    (void)state;
    assert_string_equal(family_of(FONT_SANS, "가"), "NanumSquare");
    assert_string_not_equal(family_of(FONT_SANS, "新"), "NanumSquare");
    assert_string_equal(family_of(FONT_SERIF, "가"), "NanumMyeongjo");
}

static void test_scripts_nothing_has_ink_for_what_is_blank(void **state) {
    (void)state;
    static const char *const BLANK[] = {"\u3164", "\uFFA0", "\u200B", "\u2800", "\u2060"};
    for (size_t i = 0; i < sizeof(BLANK) / sizeof(BLANK[0]); i++) {
        struct render_missing missing = {0};
        char *cleaned = canvas_clean_text(BLANK[i], &missing);
        assert_string_equal(cleaned, "");
        assert_int_equal(missing.total, 0);
        free(cleaned);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts_each_grapheme_has_ink_in_each_face),
        cmocka_unit_test(test_scripts_each_sample_is_drawn_in_each_style),
        cmocka_unit_test(test_scripts_font_with_empty_glyphs_is_passed_over),
        cmocka_unit_test(test_scripts_nothing_has_ink_for_what_is_blank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
