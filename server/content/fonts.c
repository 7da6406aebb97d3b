#include "server/content/fonts.h"

#include "server/text/text_marks.h"

#include <hb-ot.h>
#include <hb.h>
#include <pango/pangocairo.h>
#include <string.h>

#define VARIATION_TEXT  0xFE0E
#define VARIATION_EMOJI 0xFE0F
#define KEYCAP          0x20E3
/* More than a machine with all of Debian's fonts offers for one language. */
#define FONTS_MAX 1024

/* What each face tries first. */
static const char *const FACES[FONT_FACE_COUNT][5] = {
    [FONT_SANS] = {"NanumSquare", "NanumBarunGothic", "NanumGothic", "Noto Sans CJK KR"},
    [FONT_SERIF] = {"NanumMyeongjo", "Noto Serif CJK KR", "Noto Serif", "NanumGothic"},
};
/* Then readable fonts for the scripts that people write most: fontconfig's order decides for rare ones only. */
static const char *const WORLD[] = {
    "Noto Sans CJK KR",     "Noto Sans",         "Noto Sans Arabic",   "Noto Sans Hebrew", "Noto Sans Thai",
    "Noto Sans Devanagari", "Noto Sans Symbols", "Noto Sans Symbols2", "Noto Sans Math",   "DejaVu Sans",
};

/* Before these, for scripts that Korean fonts have as wide as Hangul. */
static const char *const PROPORTIONAL[FONT_FACE_COUNT] = {[FONT_SANS] = "Noto Sans", [FONT_SERIF] = "Noto Serif"};

struct font {
    char *family;
    hb_font_t *shapers[2]; /* normal, bold */
    bool has_colors;
};

/* The fonts of the process: of each face, of the world, the colour emoji, and the rest of the machine's. */
static struct {
    PangoFontMap *map;
    PangoContext *context;
    struct font all[FONTS_MAX];
    size_t count;
    const struct font *faces[FONT_FACE_COUNT][G_N_ELEMENTS(FACES[0])];
    const struct font *proportional[FONT_FACE_COUNT];
    const struct font *world[G_N_ELEMENTS(WORLD)];
    const struct font *emoji;
    size_t rest; /* index of the first of the rest */
    bool rest_is_read;
} book;

/* --- reading ----------------------------------------------------------------------------------------------------- */

static PangoFont *load(const char *family, bool bold) {
    PangoFontDescription *wanted = pango_font_description_new();
    pango_font_description_set_family(wanted, family);
    pango_font_description_set_weight(wanted, bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_font_description_set_absolute_size(wanted, 100 * PANGO_SCALE);
    PangoFont *font = pango_font_map_load_font(book.map, book.context, wanted);
    pango_font_description_free(wanted);
    return font;
}

/* A shaper of its own in units of the font, whatever size Pango's has. */
static hb_font_t *shaper_of(PangoFont *font) {
    hb_font_t *scaled = font != NULL ? pango_font_get_hb_font(font) : NULL;
    return scaled != NULL ? hb_font_create(hb_font_get_face(scaled)) : NULL;
}

static bool face_has_colors(hb_face_t *face) {
    return hb_ot_color_has_png(face) || hb_ot_color_has_layers(face) || hb_ot_color_has_svg(face);
}

bool fonts_pango_has_colors(PangoFont *font) {
    hb_font_t *shaper = font != NULL ? pango_font_get_hb_font(font) : NULL;
    return shaper != NULL && face_has_colors(hb_font_get_face(shaper));
}

/* Adds a family that Pango finds. Returns: it; NULL: there is no place. */
static const struct font *add_family(const char *family) {
    if (book.count == FONTS_MAX) {
        return NULL;
    }
    struct font *font = &book.all[book.count];
    for (int bold = 0; bold < 2; bold++) {
        PangoFont *loaded = load(family, bold != 0);
        font->shapers[bold] = shaper_of(loaded);
        g_clear_object(&loaded);
    }
    if (font->shapers[0] == NULL || font->shapers[1] == NULL) {
        hb_font_destroy(font->shapers[0]);
        hb_font_destroy(font->shapers[1]);
        return NULL;
    }
    font->family = g_strdup(family);
    font->has_colors = face_has_colors(hb_font_get_face(font->shapers[0]));
    book.count++;
    return font;
}

static const struct font *find_family(const char *family) {
    for (size_t i = 0; i < book.count; i++) {
        if (strcmp(book.all[i].family, family) == 0) {
            return &book.all[i];
        }
    }
    return NULL;
}

/* Adds a family if it is installed: Pango would load another one for it. */
static const struct font *add_installed(const char *family) {
    const struct font *font = family != NULL ? find_family(family) : NULL;
    if (font != NULL || family == NULL || pango_font_map_get_family(book.map, family) == NULL) {
        return font;
    }
    return add_family(family);
}

static void read_book(void) {
    book.map = pango_cairo_font_map_new();
    book.context = pango_font_map_create_context(book.map);
    pango_context_set_language(book.context, pango_language_from_string("ko"));
    for (int face = 0; face < FONT_FACE_COUNT; face++) {
        for (size_t i = 0; i < G_N_ELEMENTS(FACES[face]); i++) {
            book.faces[face][i] = add_installed(FACES[face][i]);
        }
        book.proportional[face] = add_installed(PROPORTIONAL[face]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(WORLD); i++) {
        book.world[i] = add_installed(WORLD[i]);
    }
    const struct font *emoji = add_family("emoji"); /* a name that fontconfig resolves, as Pango does for emoji */
    book.emoji = emoji != NULL && emoji->has_colors ? emoji : NULL;
    book.rest = book.count;
}

static gboolean add_rest(PangoFontset *fontset, PangoFont *font, gpointer user) {
    (void)fontset;
    (void)user;
    PangoFontDescription *description = pango_font_describe(font);
    const char *family = pango_font_description_get_family(description);
    if (family != NULL && find_family(family) == NULL) {
        add_family(family);
    }
    pango_font_description_free(description);
    return book.count == FONTS_MAX;
}

/* Every other font, in fontconfig's order. Read when the first character needs it, which most processes never see. */
static void read_rest(void) {
    PangoFontDescription *any = pango_font_description_from_string("sans-serif 100");
    PangoFontset *fontset = pango_font_map_load_fontset(book.map, book.context, any, pango_language_from_string("ko"));
    pango_font_description_free(any);
    if (fontset != NULL) {
        pango_fontset_foreach(fontset, add_rest, NULL);
        g_object_unref(fontset);
    }
    book.rest_is_read = true;
}

PangoFontMap *fonts_map(void) {
    if (book.map == NULL) {
        read_book();
    }
    return book.map;
}

const char *fonts_first_family(enum font_face face) {
    return FACES[face][0];
}

const char *font_family(const struct font *font) {
    return font->family;
}

bool font_has_colors(const struct font *font) {
    return font->has_colors;
}

/* --- ink --------------------------------------------------------------------------------------------------------- */

static bool has_ink(hb_font_t *shaper, hb_codepoint_t glyph) {
    hb_glyph_extents_t extents;
    return hb_font_get_glyph_extents(shaper, glyph, &extents) && extents.width != 0 && extents.height != 0;
}

/* Whether the shaped grapheme has ink and no glyph 0, which is the box. */
static bool shapes_with_ink(hb_font_t *shaper, const char *text, size_t bytes) {
    hb_buffer_t *buffer = hb_buffer_create();
    hb_buffer_add_utf8(buffer, text, (int)bytes, 0, (int)bytes);
    hb_buffer_guess_segment_properties(buffer);
    hb_shape(shaper, buffer, NULL, 0);
    unsigned count = 0, inked = 0, boxes = 0;
    const hb_glyph_info_t *glyphs = hb_buffer_get_glyph_infos(buffer, &count);
    for (unsigned i = 0; i < count; i++) {
        boxes += glyphs[i].codepoint == 0;
        inked += has_ink(shaper, glyphs[i].codepoint);
    }
    hb_buffer_destroy(buffer);
    return inked > 0 && boxes == 0;
}

bool font_draws(const struct font *font, bool bold, const char *text, size_t bytes) {
    hb_font_t *shaper = font->shapers[bold];
    hb_codepoint_t glyph;
    if (bytes == 0 || !hb_font_get_nominal_glyph(shaper, g_utf8_get_char(text), &glyph)) {
        return false;
    }
    /* The base must be drawn itself: a mark that has ink does not make up for it. Emoji are made from blank parts. */
    if (!font->has_colors && !has_ink(shaper, glyph)) {
        return false;
    }
    return shapes_with_ink(shaper, text, bytes);
}

/* --- choosing ---------------------------------------------------------------------------------------------------- */

/* Characters below U+1F000 that are emoji unless told otherwise (Emoji_Presentation of Unicode 15). */
static bool is_emoji_by_itself(gunichar c) {
    static const gunichar RANGES[][2] = {
        {0x231A, 0x231B}, {0x23E9, 0x23EC}, {0x23F0, 0x23F0}, {0x23F3, 0x23F3}, {0x25FD, 0x25FE}, {0x2614, 0x2615},
        {0x2648, 0x2653}, {0x267F, 0x267F}, {0x2693, 0x2693}, {0x26A1, 0x26A1}, {0x26AA, 0x26AB}, {0x26BD, 0x26BE},
        {0x26C4, 0x26C5}, {0x26CE, 0x26CE}, {0x26D4, 0x26D4}, {0x26EA, 0x26EA}, {0x26F2, 0x26F3}, {0x26F5, 0x26F5},
        {0x26FA, 0x26FA}, {0x26FD, 0x26FD}, {0x2705, 0x2705}, {0x270A, 0x270B}, {0x2728, 0x2728}, {0x274C, 0x274C},
        {0x274E, 0x274E}, {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2795, 0x2797}, {0x27B0, 0x27B0}, {0x27BF, 0x27BF},
        {0x2B1B, 0x2B1C}, {0x2B50, 0x2B50}, {0x2B55, 0x2B55},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(RANGES); i++) {
        if (c >= RANGES[i][0] && c <= RANGES[i][1]) {
            return true;
        }
    }
    return c >= 0x1F000;
}

static bool is_wide_in_korean_fonts(gunichar c) {
    GUnicodeScript script = g_unichar_get_script(c);
    return script == G_UNICODE_SCRIPT_CYRILLIC || script == G_UNICODE_SCRIPT_GREEK;
}

static bool is_regional(gunichar c) {
    return c >= 0x1F1E6 && c <= 0x1F1FF;
}

/* Whether the grapheme is meant as an emoji: by itself, or by what follows it. */
static bool means_emoji(const char *text, size_t bytes) {
    gunichar base = g_utf8_get_char(text);
    const char *end = text + bytes;
    bool emoji = (text_is_pictographic((int32_t)base) && is_emoji_by_itself(base)) || is_regional(base);
    for (const char *at = g_utf8_next_char(text); at < end; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (c == VARIATION_TEXT) {
            return false;
        }
        emoji |= c == VARIATION_EMOJI || c == KEYCAP || text_is_skin_tone((int32_t)c);
    }
    return emoji;
}

struct wanted {
    bool bold;
    const char *text;
    const size_t *ends;
    size_t count;
};

static bool draws_all(const struct font *font, const struct wanted *wanted) {
    size_t begin = 0;
    for (size_t i = 0; font != NULL && i < wanted->count; i++) {
        if (!font_draws(font, wanted->bold, wanted->text + begin, wanted->ends[i] - begin)) {
            return false;
        }
        begin = wanted->ends[i];
    }
    return font != NULL;
}

static const struct font *first_of(const struct font *const *fonts, size_t count, const struct wanted *wanted) {
    for (size_t i = 0; i < count; i++) {
        if (draws_all(fonts[i], wanted)) {
            return fonts[i];
        }
    }
    return NULL;
}

static const struct font *first_of_rest(const struct wanted *wanted) {
    if (!book.rest_is_read) {
        read_rest();
    }
    for (size_t i = book.rest; i < book.count; i++) {
        if (draws_all(&book.all[i], wanted)) {
            return &book.all[i];
        }
    }
    return NULL;
}

const struct font *fonts_find(enum font_face face, bool bold, const char *text, const size_t *ends, size_t count) {
    const struct wanted wanted = {bold, text, ends, count};
    fonts_map();
    if (means_emoji(text, ends[0]) && draws_all(book.emoji, &wanted)) {
        return book.emoji;
    }
    if (is_wide_in_korean_fonts(g_utf8_get_char(text)) && draws_all(book.proportional[face], &wanted)) {
        return book.proportional[face];
    }
    const struct font *font = first_of(book.faces[face], G_N_ELEMENTS(book.faces[face]), &wanted);
    if (font == NULL) {
        font = first_of(book.world, G_N_ELEMENTS(book.world), &wanted);
    }
    if (font == NULL && draws_all(book.emoji, &wanted)) {
        font = book.emoji;
    }
    return font != NULL ? font : first_of_rest(&wanted);
}
