/*
 * Prepares text from outside for drawing: one paragraph, no control characters, and no character that no font draws. It
 * would show as a box with digits, or as nothing. What is left out is noted.
 */
#include "server/content/canvas.h"
#include "server/text/text_count.h"
#include "server/text/text_marks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most marks that a living script stacks on one letter; further marks only cover the neighbours. */
#define MARKS_MAX 3

/* What a grapheme may hold besides letters and marks, though it is not seen by itself. */
static bool is_joining(gunichar c) {
    return c == 0x200C || c == 0x200D || text_is_variation((int32_t)c) || (c >= 0xE0020 && c <= 0xE007F);
}

/* Nothing to draw, and nothing that anybody misses. Private use is missed: only its font has it. */
static bool is_invisible(gunichar c) {
    return text_is_dropped((int32_t)c) && !is_joining(c) && g_unichar_type(c) != G_UNICODE_PRIVATE_USE;
}

static bool is_space(gunichar c) {
    return g_unichar_isspace(c) || text_is_blank((int32_t)c);
}

/* Whether every face has a font that draws the grapheme: a picture uses both, in normal and in bold. */
static bool is_drawn(const char *text, size_t bytes) {
    for (int bold = 0; bytes > 0 && bold < 2; bold++) {
        if (fonts_find(FONT_SANS, bold != 0, text, &bytes, 1) == NULL ||
            fonts_find(FONT_SERIF, bold != 0, text, &bytes, 1) == NULL) {
            return false;
        }
    }
    return bytes > 0;
}

struct cleaner {
    struct render_missing *missing;
    char *out;
    size_t length;
    bool pending_space;
};

static bool is_noted(const struct render_missing *missing, gunichar c) {
    for (unsigned i = 0; i < missing->character_count && i < RENDER_MISSING_MAX; i++) {
        if (missing->characters[i] == c) {
            return true;
        }
    }
    return false;
}

/* Notes the visible characters that are left out, each once. */
static void note_missing(struct cleaner *cleaner, const char *text, size_t bytes) {
    struct render_missing *missing = cleaner->missing;
    for (const char *at = text; at < text + bytes; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (is_joining(c) || is_invisible(c)) {
            continue;
        }
        missing->total++;
        if (is_noted(missing, c)) {
            continue;
        }
        if (missing->character_count < RENDER_MISSING_MAX) {
            missing->characters[missing->character_count] = c;
        }
        missing->character_count++;
    }
}

/* Copies a grapheme without what is not drawn with it. Returns: its bytes. */
static size_t copy_grapheme(struct cleaner *cleaner, const char *text, size_t bytes, char *out) {
    size_t length = 0;
    unsigned marks = 0;
    for (const char *at = text; at < text + bytes; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        size_t step = (size_t)(g_utf8_next_char(at) - at);
        bool mark = text_is_mark((int32_t)c) && !is_joining(c);
        marks += mark;
        if (mark && marks > MARKS_MAX) {
            note_missing(cleaner, at, step);
        } else if (!is_invisible(c)) {
            memcpy(out + length, at, step);
            length += step;
        }
    }
    return length;
}

/* Keeps the beginning of a grapheme that a font draws: whole, or its base alone. */
static size_t drawn_part(struct cleaner *cleaner, const char *grapheme, size_t bytes) {
    size_t base = bytes > 0 ? (size_t)(g_utf8_next_char(grapheme) - grapheme) : 0;
    if (is_drawn(grapheme, bytes)) {
        return bytes;
    }
    size_t kept = base < bytes && is_drawn(grapheme, base) ? base : 0;
    note_missing(cleaner, grapheme + kept, bytes - kept);
    return kept;
}

static void take_grapheme(struct cleaner *cleaner, const char *text, size_t bytes) {
    if (is_space(g_utf8_get_char(text))) {
        size_t space = (size_t)(g_utf8_next_char(text) - text);
        note_missing(cleaner, text + space, bytes - space); /* marks without a base */
        cleaner->pending_space = cleaner->length > 0;
        return;
    }
    char *out = cleaner->out + cleaner->length + cleaner->pending_space;
    size_t kept = drawn_part(cleaner, out, copy_grapheme(cleaner, text, bytes, out));
    if (kept > 0) {
        if (cleaner->pending_space) {
            out[-1] = ' ';
        }
        cleaner->length += kept + cleaner->pending_space;
        cleaner->pending_space = false;
    }
}

char *canvas_clean_text(const char *text, struct render_missing *missing) {
    char *out = malloc(strlen(text) + 1);
    if (out == NULL) {
        return NULL;
    }
    struct cleaner cleaner = {.missing = missing, .out = out};
    while (*text != '\0') {
        size_t bytes = text_cut(text, 1, TEXT_GRAPHEMES);
        take_grapheme(&cleaner, text, bytes);
        text += bytes;
    }
    out[cleaner.length] = '\0';
    return out;
}

bool canvas_has_hangul(void) {
    return is_drawn("\xED\x95\x9C", 3) && is_drawn("\xEA\xB8\x80", 3); /* 한, 글 */
}
