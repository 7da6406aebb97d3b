/*
 * Prepares text from outside for drawing: one paragraph, no control characters, and no character without a font, which
 * would show as a box with digits.
 */
#include "server/content/canvas.h"

#include <stdlib.h>
#include <string.h>

/* The most marks that a living script stacks on one letter; further marks only cover the neighbours. */
#define MARKS_MAX 3

static bool is_joining(gunichar c) {
    return c == 0x200C || c == 0x200D || (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0x1F3FB && c <= 0x1F3FF) ||
           (c >= 0xE0020 && c <= 0xE007F);
}

/* Direction overrides could reorder the other text of the picture. */
static bool is_direction_control(gunichar c) {
    return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E || c == 0x200F || c == 0x061C;
}

static bool is_space(gunichar c) {
    return g_unichar_isspace(c) || c == 0x2028 || c == 0x2029 || c < 0x20 || (c >= 0x7F && c <= 0x9F);
}

static bool is_shown(PangoLayout *probe, const char *at, size_t bytes) {
    pango_layout_set_text(probe, at, (int)bytes);
    return pango_layout_get_unknown_glyphs_count(probe) == 0;
}

struct cleaner {
    PangoLayout *probe;
    char *out;
    size_t length;
    unsigned dropped, marks;
    bool after_dropped, pending_space;
};

static void take_character(struct cleaner *cleaner, const char *at, size_t bytes) {
    gunichar c = g_utf8_get_char(at);
    if (is_space(c)) {
        cleaner->pending_space = cleaner->length > 0;
        return;
    }
    if (is_direction_control(c) || (is_joining(c) && cleaner->after_dropped)) {
        return;
    }
    bool mark = g_unichar_ismark(c);
    cleaner->marks = mark ? cleaner->marks + 1 : 0;
    if (mark && cleaner->marks > MARKS_MAX) {
        return;
    }
    cleaner->after_dropped = !is_joining(c) && !mark && !is_shown(cleaner->probe, at, bytes);
    if (cleaner->after_dropped) {
        cleaner->dropped++;
        return;
    }
    if (cleaner->pending_space) {
        cleaner->out[cleaner->length++] = ' ';
    }
    cleaner->pending_space = false;
    memcpy(cleaner->out + cleaner->length, at, bytes);
    cleaner->length += bytes;
}

static PangoLayout *probe_new(struct canvas *canvas) {
    PangoLayout *probe = pango_layout_new(canvas->pango);
    PangoFontDescription *font = pango_font_description_from_string("NanumSquare, NanumGothic, sans 20");
    pango_layout_set_font_description(probe, font);
    pango_font_description_free(font);
    return probe;
}

char *canvas_clean_text(struct canvas *canvas, const char *text, unsigned *ret_dropped) {
    struct cleaner cleaner = {.out = malloc(strlen(text) + 1)};
    if (cleaner.out == NULL) {
        return NULL;
    }
    cleaner.probe = probe_new(canvas);
    for (const char *at = text; *at != '\0';) {
        const char *next = g_utf8_next_char(at);
        take_character(&cleaner, at, (size_t)(next - at));
        at = next;
    }
    g_object_unref(cleaner.probe);
    cleaner.out[cleaner.length] = '\0';
    if (ret_dropped != NULL) {
        *ret_dropped = cleaner.dropped;
    }
    return cleaner.out;
}

bool canvas_has_hangul(struct canvas *canvas) {
    PangoLayout *probe = probe_new(canvas);
    bool shown = is_shown(probe, "\xED\x95\x9C\xEA\xB8\x80", 6); /* 한글 */
    g_object_unref(probe);
    return shown;
}
