/* Pictures: size, formats, and that no text ever leaves its place, however nasty. */
#include "ordinary_event.h"

#include <cairo.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>

#define SIDE RENDER_SIDE_PX

/* --- looking at pictures ----------------------------------------------------------------------------------------- */

struct source {
    const unsigned char *data;
    size_t left;
};

static cairo_status_t read_source(void *closure, unsigned char *data, unsigned int length) {
    struct source *source = closure;
    if (length > source->left) {
        return CAIRO_STATUS_READ_ERROR;
    }
    memcpy(data, source->data, length);
    source->data += length;
    source->left -= length;
    return CAIRO_STATUS_SUCCESS;
}

/* Pixels of a PNG, 0xXXRRGGBB; caller frees. */
static uint32_t *decode_png(const struct render_picture *picture) {
    struct source source = {picture->png, picture->png_bytes};
    cairo_surface_t *surface = cairo_image_surface_create_from_png_stream(read_source, &source);
    assert_int_equal(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
    assert_int_equal(cairo_image_surface_get_width(surface), SIDE);
    assert_int_equal(cairo_image_surface_get_height(surface), SIDE);
    uint32_t *pixels = malloc((size_t)SIDE * SIDE * 4);
    for (int y = 0; y < SIDE; y++) {
        memcpy(pixels + y * SIDE, cairo_image_surface_get_data(surface) + y * cairo_image_surface_get_stride(surface),
               SIDE * 4);
    }
    cairo_surface_destroy(surface);
    return pixels;
}

static int channel(uint32_t pixel, int shift) {
    return (int)(pixel >> shift & 0xff);
}

/* Mean difference of the channels, 0..255. */
static double difference(const uint32_t *a, const uint32_t *b) {
    double sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        for (int shift = 0; shift < 24; shift += 8) {
            sum += abs(channel(a[i], shift) - channel(b[i], shift));
        }
    }
    return sum / (3.0 * SIDE * SIDE);
}

/* Decodes; asserts size and full colour resolution. @png  what it should look like. */
static void check_jpeg(const struct render_picture *picture, const uint32_t *png) {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr manager;
    double sum = 0;
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, picture->jpeg, picture->jpeg_bytes);
    assert_int_equal(jpeg_read_header(&jpeg, TRUE), JPEG_HEADER_OK);
    assert_int_equal(jpeg.image_width, SIDE);
    assert_int_equal(jpeg.image_height, SIDE);
    assert_int_equal(jpeg.num_components, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(jpeg.comp_info[i].h_samp_factor == 1 && jpeg.comp_info[i].v_samp_factor == 1);
    }
    jpeg_start_decompress(&jpeg);
    unsigned char line[SIDE * 3];
    while (jpeg.output_scanline < jpeg.output_height) {
        const uint32_t *expected = png + (size_t)jpeg.output_scanline * SIDE;
        JSAMPROW row = line;
        jpeg_read_scanlines(&jpeg, &row, 1);
        for (int x = 0; x < SIDE; x++) {
            sum += abs(line[3 * x] - channel(expected[x], 16)) + abs(line[3 * x + 2] - channel(expected[x], 0));
        }
    }
    jpeg_finish_decompress(&jpeg);
    assert_int_equal(manager.num_warnings, 0);
    jpeg_destroy_decompress(&jpeg);
    assert_true(sum / (2.0 * SIDE * SIDE) < 6.0);
}

static const struct render_text_box *find_text(const struct render_layout *layout, const char *role) {
    for (unsigned i = 0; i < layout->text_count; i++) {
        if (strcmp(layout->texts[i].role, role) == 0) {
            return &layout->texts[i];
        }
    }
    return NULL;
}

static bool overlap(const struct render_text_box *a, const struct render_text_box *b) {
    return a->x + 0.5 < b->x + b->w && b->x + 0.5 < a->x + a->w && a->y + 0.5 < b->y + b->h && b->y + 0.5 < a->y + a->h;
}

/* Every text in its slot and on the canvas, none over another, and no box for a character. */
static void check_layout(const struct render_layout *layout, const char *what, enum render_style style) {
    if (layout->boxes > 0) {
        fail_msg("%s, %s: %u boxes", what, render_style_name(style), layout->boxes);
    }
    for (unsigned i = 0; i < layout->text_count; i++) {
        const struct render_text_box *text = &layout->texts[i];
        if (!text->in_slot || text->x < 0 || text->y < 0 || text->x + text->w > SIDE || text->y + text->h > SIDE) {
            fail_msg("%s, %s: %s is at %.0f,%.0f %.0fx%.0f, outside", what, render_style_name(style), text->role,
                     text->x, text->y, text->w, text->h);
        }
        for (unsigned j = 0; j < i; j++) {
            if (overlap(text, &layout->texts[j])) {
                fail_msg("%s, %s: %s overlaps %s", what, render_style_name(style), text->role, layout->texts[j].role);
            }
        }
    }
}

static unsigned count_missing(const struct render_layout *layout) {
    unsigned count = 0;
    for (int i = 0; i < RENDER_INPUT_TEXTS; i++) {
        count += layout->missing[i].total;
    }
    return count;
}

static void render(const struct render_input *input, enum render_style style, struct render_picture *ret_picture) {
    struct herald_error error;
    if (render_picture(input, style, ret_picture, &error) != HERALD_OK) {
        fail_msg("%s: %s", input->title, error.message);
    }
}

/* --- tests ------------------------------------------------------------------------------------------------------- */

static void test_render_ordinary_event_is_a_picture_in_both_formats(void **state) {
    (void)state;
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        struct render_picture picture;
        render(&ORDINARY, (enum render_style)style, &picture);
        check_layout(&picture.layout, "ordinary", (enum render_style)style);
        uint32_t *pixels = decode_png(&picture);
        check_jpeg(&picture, pixels);
        assert_true(picture.jpeg_bytes <= RENDER_JPEG_MAX_BYTES);
        static const char *const ROLES[] = {"title", "prize", "store", "address", "phone"};
        for (size_t i = 0; i < sizeof(ROLES) / sizeof(ROLES[0]); i++) {
            const struct render_text_box *text = find_text(&picture.layout, ROLES[i]);
            assert_non_null(text);
            assert_false(text->ellipsised);
        }
        assert_true(find_text(&picture.layout, "title")->font_px >= 80);
        assert_int_equal(count_missing(&picture.layout), 0);
        free(pixels);
        render_picture_fini(&picture);
    }
}

static void test_render_styles_are_really_different(void **state) {
    (void)state;
    uint32_t *pixels[RENDER_STYLE_COUNT];
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        struct render_picture picture;
        render(&ORDINARY, (enum render_style)style, &picture);
        pixels[style] = decode_png(&picture);
        render_picture_fini(&picture);
    }
    for (int a = 0; a < RENDER_STYLE_COUNT; a++) {
        for (int b = 0; b < a; b++) {
            assert_true(difference(pixels[a], pixels[b]) > 40);
        }
    }
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        free(pixels[style]);
    }
}

static void assert_same(const struct render_picture *a, const struct render_picture *b) {
    assert_int_equal(a->png_bytes, b->png_bytes);
    assert_int_equal(a->jpeg_bytes, b->jpeg_bytes);
    assert_memory_equal(a->png, b->png, a->png_bytes);
    assert_memory_equal(a->jpeg, b->jpeg, a->jpeg_bytes);
}

static void test_render_same_input_gives_the_same_bytes(void **state) {
    (void)state;
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        struct render_picture first, second;
        render(&ORDINARY, (enum render_style)style, &first);
        render(&ORDINARY, (enum render_style)style, &second);
        assert_same(&first, &second);
        render_picture_fini(&first);
        render_picture_fini(&second);
    }
}

static void test_render_each_field_changes_the_picture(void **state) {
    (void)state;
    struct render_input changed[6];
    for (int i = 0; i < 6; i++) {
        changed[i] = ORDINARY;
    }
    changed[0].title = "다른 행사";
    changed[1].prize = "다른 경품";
    changed[2].brand_color = "#1E88E5";
    changed[3].store_name = "다른 가게";
    changed[4].store_address = "부산 해운대구";
    changed[5].store_phone = "051-000-0000";
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        struct render_picture plain, other;
        render(&ORDINARY, (enum render_style)style, &plain);
        for (int i = 0; i < 6; i++) {
            render(&changed[i], (enum render_style)style, &other);
            assert_true(plain.png_bytes != other.png_bytes || memcmp(plain.png, other.png, plain.png_bytes) != 0);
            render_picture_fini(&other);
        }
        render_picture_fini(&plain);
    }
}

/* @unit repeated up to @chars characters; never freed before the end. */
static char *repeat(const char *unit, unsigned chars) {
    char *text = calloc(1, chars * 4 + strlen(unit) + 1);
    const char *at = unit;
    size_t length = 0;
    for (unsigned i = 0; i < chars; i++) {
        size_t bytes = 1;
        while ((at[bytes] & 0xC0) == 0x80) {
            bytes++;
        }
        memcpy(text + length, at, bytes);
        length += bytes;
        at = at[bytes] != '\0' ? at + bytes : unit;
    }
    return text;
}

struct nasty {
    const char *name;
    struct render_input input;
    char *owned[5];
};

static void nasty_lengths(struct nasty *nasty, const char *name, const char *unit) {
    nasty->name = name;
    nasty->owned[0] = repeat(unit, 80);
    nasty->owned[1] = repeat(unit, 120);
    nasty->owned[2] = repeat(unit, 60);
    nasty->owned[3] = repeat(unit, 120);
    nasty->owned[4] = repeat(unit, 30);
    nasty->input = (struct render_input){nasty->owned[0], nasty->owned[1], "#6A1B9A",
                                         nasty->owned[2], nasty->owned[3], nasty->owned[4]};
}

static void check_nasty(struct nasty *nasty) {
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        struct render_picture picture;
        render(&nasty->input, (enum render_style)style, &picture);
        check_layout(&picture.layout, nasty->name, (enum render_style)style);
        assert_non_null(find_text(&picture.layout, "title"));
        uint32_t *pixels = decode_png(&picture);
        check_jpeg(&picture, pixels);
        free(pixels);
        render_picture_fini(&picture);
    }
    for (int i = 0; i < 5; i++) {
        free(nasty->owned[i]);
    }
}

static void test_render_longest_texts_stay_in_their_place(void **state) {
    (void)state;
    static const struct {
        const char *name, *unit;
    } UNITS[] = {
        {"one Hangul word", "가나다라마바사아자차카타파하"},
        {"Hangul words", "신메뉴 출시 기념 "},
        {"one Latin word", "WMQ"},
        {"narrow Latin", "il. "},
        {"Latin and Hangul", "Grand오픈 Sale세일 "},
        {"Arabic", "مرحبا بكم في "},
        {"Hebrew", "שלום "},
        {"Thai marks", "กี่ปู่ "},
        {"emoji", "🎉🎁👨‍👩‍👧‍👦🇰🇷☕"},
        {"stacked marks", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢"},
        {"ideographs", "漢字假名交文"},
        {"ligatures", "ffiﷺ"},
    };
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        struct nasty nasty = {0};
        nasty_lengths(&nasty, UNITS[i].name, UNITS[i].unit);
        check_nasty(&nasty);
    }
}

static void test_render_longest_hangul_is_shown_whole(void **state) {
    (void)state;
    struct nasty nasty = {0};
    nasty_lengths(&nasty, "Hangul words", "가나다 라마 ");
    nasty.input.store_phone = "02-123-4567";
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        struct render_picture picture;
        render(&nasty.input, (enum render_style)style, &picture);
        for (unsigned i = 0; i < picture.layout.text_count; i++) {
            assert_false(picture.layout.texts[i].ellipsised);
        }
        render_picture_fini(&picture);
    }
    for (int i = 0; i < 5; i++) {
        free(nasty.owned[i]);
    }
}

static void test_render_odd_texts_are_drawn(void **state) {
    (void)state;
    struct nasty all[] = {
        {"only a title", {"할인", "", "", "가게", "", ""}, {0}},
        {"one letter each", {"가", "나", "#000000", "다", "라", "1"}, {0}},
        {"line breaks", {"한 줄\n두 줄\r\n세\xE2\x80\xA8네", "a\tb\vc", "#FFFFFF", "가\n게", "\n", " "}, {0}},
        {"controls", {"\x01\x02행사\x7F", "\xC2\x85", "#808080", "가게\x1B[31m", "", ""}, {0}},
        {"direction overrides", {"\xE2\x80\xAE행사\xE2\x81\xA6 abc", "x", "#123456", "가게", "", ""}, {0}},
        {"markup", {"<b>50% & \"up\"</b>", "<span>", "#FFEB3B", "A&B", "<", ">"}, {0}},
        {"spaces", {"   행사   ", " ", "#00FF00", "  가게", "", "  "}, {0}},
        {"nothing that can be shown",
         {"\xF4\x8F\xBF\xBD\xF3\xB0\x80\x80", "", "#0000FF", "\xF3\xB0\x80\x80", "", ""},
         {0}},
        {"empty title", {"", "", "#FF0000", "", "", ""}, {0}},
        {"missing members", {"행사", NULL, NULL, "가게", NULL, NULL}, {0}},
        {"no colour at all", {"행사", "경품", "blue", "가게", "", ""}, {0}},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        check_nasty(&all[i]);
    }
}

static void test_render_any_brand_color_keeps_the_title_readable(void **state) {
    (void)state;
    static const char *const COLORS[] = {"#000000", "#FFFFFF", "#808080", "#FFEB3B", "#0000FF", "#00FF00",
                                         "#FF0000", "#0B0B0C", "#FEFEF0", "#F5F5DC", "#101060", "#7F7F00"};
    for (size_t i = 0; i < sizeof(COLORS) / sizeof(COLORS[0]); i++) {
        for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
            struct render_input input = ORDINARY;
            struct render_picture picture;
            input.brand_color = COLORS[i];
            render(&input, (enum render_style)style, &picture);
            uint32_t *pixels = decode_png(&picture);
            const struct render_text_box *title = find_text(&picture.layout, "title");
            int least = 255, most = 0; /* green, the most of luminance */
            for (int y = (int)title->y; y < (int)(title->y + title->h); y++) {
                for (int x = (int)title->x; x < (int)(title->x + title->w); x++) {
                    int green = channel(pixels[y * SIDE + x], 8);
                    least = green < least ? green : least;
                    most = green > most ? green : most;
                }
            }
            assert_true(most - least > 90);
            free(pixels);
            render_picture_fini(&picture);
        }
    }
}

/* Private use, which no font has: two characters in the title, one of them twice, and one in the address. */
static void test_render_characters_without_a_font_are_named(void **state) {
    (void)state;
    struct render_input input = ORDINARY;
    input.title = "행사\xF3\xB0\x80\x80\xF3\xB0\x80\x81\xF3\xB0\x80\x80";
    input.store_address = "서울\xF3\xB0\x80\x82";
    for (int style = 0; style < RENDER_STYLE_COUNT; style++) {
        struct render_picture picture;
        render(&input, (enum render_style)style, &picture);
        const struct render_missing *title = &picture.layout.missing[0], *address = &picture.layout.missing[3];
        assert_string_equal(title->role, "title");
        assert_int_equal(title->total, 3);
        assert_int_equal(title->character_count, 2);
        assert_int_equal(title->characters[0], 0xF0000);
        assert_int_equal(title->characters[1], 0xF0001);
        assert_string_equal(address->role, "address");
        assert_int_equal(address->total, 1);
        assert_int_equal(address->characters[0], 0xF0002);
        assert_int_equal(count_missing(&picture.layout), 4);
        render_picture_fini(&picture);
    }
}

static void test_render_more_marks_than_a_script_stacks_are_named(void **state) {
    (void)state;
    struct render_input input = ORDINARY;
    struct render_picture picture;
    input.title = "x\xCC\x81\xCC\x81\xCC\x81\xCC\x81\xCC\x81"; /* U+0301 five times; three are drawn */
    render(&input, RENDER_SIMPLE, &picture);
    assert_int_equal(picture.layout.missing[0].total, 2);
    assert_int_equal(picture.layout.missing[0].characters[0], 0x301);
    render_picture_fini(&picture);
}

static void test_render_invalid_utf8_is_refused(void **state) {
    (void)state;
    static const char *const BAD[] = {"\xFF", "\xED\x95", "a\xC0\xAF", "\xED\xA0\x80"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct render_input input = ORDINARY;
        struct render_picture picture = {.png_bytes = 99};
        struct herald_error error;
        input.store_address = BAD[i];
        assert_int_equal(render_picture(&input, RENDER_FANCY, &picture, &error), HERALD_INVALID_ARGUMENT);
        assert_string_equal(error.reason, "INVALID_UTF8");
        assert_non_null(strstr(error.message, "address"));
        assert_int_equal(picture.png_bytes, 99);
    }
}

struct parallel {
    enum render_style style;
    struct render_picture picture;
    enum herald_code code;
};

static void *render_in_thread(void *arg) {
    struct parallel *parallel = arg;
    parallel->code = render_picture(&ORDINARY, parallel->style, &parallel->picture, NULL);
    return NULL;
}

static void test_render_in_parallel_gives_the_same_bytes(void **state) {
    (void)state;
    enum { THREADS = 6 };
    struct parallel all[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        all[i].style = (enum render_style)(i % RENDER_STYLE_COUNT);
        assert_int_equal(pthread_create(&threads[i], NULL, render_in_thread, &all[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(all[i].code, HERALD_OK);
    }
    for (int i = 0; i < RENDER_STYLE_COUNT; i++) {
        assert_same(&all[i].picture, &all[i + RENDER_STYLE_COUNT].picture);
    }
    for (int i = 0; i < THREADS; i++) {
        render_picture_fini(&all[i].picture);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render_ordinary_event_is_a_picture_in_both_formats),
        cmocka_unit_test(test_render_styles_are_really_different),
        cmocka_unit_test(test_render_same_input_gives_the_same_bytes),
        cmocka_unit_test(test_render_each_field_changes_the_picture),
        cmocka_unit_test(test_render_longest_texts_stay_in_their_place),
        cmocka_unit_test(test_render_longest_hangul_is_shown_whole),
        cmocka_unit_test(test_render_odd_texts_are_drawn),
        cmocka_unit_test(test_render_any_brand_color_keeps_the_title_readable),
        cmocka_unit_test(test_render_characters_without_a_font_are_named),
        cmocka_unit_test(test_render_more_marks_than_a_script_stacks_are_named),
        cmocka_unit_test(test_render_invalid_utf8_is_refused),
        cmocka_unit_test(test_render_in_parallel_gives_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
