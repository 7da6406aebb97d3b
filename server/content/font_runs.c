/*
 * Pango itself asks a font for its characters only, and takes any font for an emoji's. So each run names its family, and
 * fallback is off. Pango gives characters that are emoji by default to the font of emoji whatever the family; one that
 * is to be drawn by another font therefore gets the selector for text.
 */
#include "server/content/font_runs.h"

#include "server/text/text_count.h"
#include "server/text/text_marks.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_SELECTOR  "\xEF\xB8\x8E" /* U+FE0E */
#define EMOJI_SELECTOR "\xEF\xB8\x8F" /* U+FE0F */

/* The graphemes of a text: where each ends, and its script; 0: of no script of its own. */
struct graphemes {
    const char *text;
    size_t *ends;
    GUnicodeScript *scripts;
    const struct font **fonts;
    size_t count;
};

static GUnicodeScript script_of(const char *at) {
    GUnicodeScript script = g_unichar_get_script(g_utf8_get_char(at));
    return script == G_UNICODE_SCRIPT_INHERITED || script == G_UNICODE_SCRIPT_UNKNOWN ? G_UNICODE_SCRIPT_COMMON
                                                                                      : script;
}

static void graphemes_fini(struct graphemes *graphemes) {
    free(graphemes->ends);
    free(graphemes->scripts);
    free(graphemes->fonts);
}

static bool graphemes_init(struct graphemes *graphemes, const char *text) {
    size_t bytes = strlen(text);
    *graphemes = (struct graphemes){.text = text,
                                    .ends = calloc(bytes + 1, sizeof(*graphemes->ends)),
                                    .scripts = calloc(bytes + 1, sizeof(*graphemes->scripts)),
                                    .fonts = calloc(bytes + 1, sizeof(*graphemes->fonts))};
    if (graphemes->ends == NULL || graphemes->scripts == NULL || graphemes->fonts == NULL) {
        graphemes_fini(graphemes);
        return false;
    }
    for (size_t at = 0; at < bytes;) {
        graphemes->scripts[graphemes->count] = script_of(text + at);
        at += text_cut(text + at, 1, TEXT_GRAPHEMES);
        graphemes->ends[graphemes->count++] = at;
    }
    return true;
}

static size_t begin_of(const struct graphemes *graphemes, size_t index) {
    return index > 0 ? graphemes->ends[index - 1] : 0;
}

/* The end of the letters of one script from @first on: they get one font if one has them all. */
static size_t letters_end(const struct graphemes *graphemes, size_t first) {
    size_t end = first + 1;
    while (graphemes->scripts[first] != G_UNICODE_SCRIPT_COMMON && end < graphemes->count &&
           graphemes->scripts[end] == graphemes->scripts[first]) {
        end++;
    }
    return end;
}

static const struct font *find(const struct graphemes *graphemes, enum font_face face, bool bold, size_t first,
                               size_t end) {
    size_t begin = begin_of(graphemes, first);
    size_t ends[64];
    if (end - first > G_N_ELEMENTS(ends)) {
        return NULL;
    }
    for (size_t i = first; i < end; i++) {
        ends[i - first] = graphemes->ends[i] - begin;
    }
    return fonts_find(face, bold, graphemes->text + begin, ends, end - first);
}

static void choose_fonts(struct graphemes *graphemes, enum font_face face, bool bold) {
    for (size_t first = 0; first < graphemes->count;) {
        size_t end = letters_end(graphemes, first);
        const struct font *together = end > first + 1 ? find(graphemes, face, bold, first, end) : NULL;
        for (; first < end; first++) {
            bool space = graphemes->text[begin_of(graphemes, first)] == ' ';
            const struct font *before = first > 0 ? graphemes->fonts[first - 1] : NULL;
            graphemes->fonts[first] = together != NULL                                      ? together
                                      : space && before != NULL && !font_has_colors(before) ? before
                                      : space                                               ? NULL
                                              : find(graphemes, face, bold, first, first + 1);
        }
    }
}

/* Appends a grapheme; one that could be an emoji and is drawn by a font of letters gets the selector for text. */
static void append_grapheme(struct font_runs *runs, size_t *length, const char *at, size_t bytes,
                            const struct font *font) {
    size_t base = (size_t)(g_utf8_next_char(at) - at);
    char *out = runs->text + *length;
    if (font == NULL || font_has_colors(font) || !text_is_pictographic((int32_t)g_utf8_get_char(at))) {
        memcpy(out, at, bytes);
        *length += bytes;
        return;
    }
    bool selected =
        bytes >= base + 3 && (memcmp(at + base, TEXT_SELECTOR, 3) == 0 || memcmp(at + base, EMOJI_SELECTOR, 3) == 0);
    size_t rest = base + (selected ? 3 : 0);
    memcpy(out, at, base);
    memcpy(out + base, TEXT_SELECTOR, 3);
    memcpy(out + base + 3, at + rest, bytes - rest);
    *length += base + 3 + bytes - rest;
}

static void join_graphemes(struct font_runs *runs, const struct graphemes *graphemes) {
    size_t length = 0;
    for (size_t i = 0; i < graphemes->count; i++) {
        const struct font *font = graphemes->fonts[i];
        size_t begin = begin_of(graphemes, i), start = length;
        append_grapheme(runs, &length, graphemes->text + begin, graphemes->ends[i] - begin, font);
        struct font_run *last = runs->count > 0 ? &runs->runs[runs->count - 1] : NULL;
        if (last != NULL && last->font == font && last->end == start) {
            last->end = length;
        } else if (font != NULL) {
            runs->runs[runs->count++] = (struct font_run){start, length, font};
        }
    }
    runs->text[length] = '\0';
}

bool font_runs_init(struct font_runs *runs, enum font_face face, bool bold, const char *text) {
    struct graphemes graphemes;
    if (!graphemes_init(&graphemes, text)) {
        return false;
    }
    *runs = (struct font_runs){.text = malloc(strlen(text) + 3 * graphemes.count + 1),
                               .runs = calloc(graphemes.count + 1, sizeof(*runs->runs))};
    bool made = runs->text != NULL && runs->runs != NULL;
    if (made) {
        choose_fonts(&graphemes, face, bold);
        join_graphemes(runs, &graphemes);
    } else {
        font_runs_fini(runs);
    }
    graphemes_fini(&graphemes);
    return made;
}

void font_runs_fini(struct font_runs *runs) {
    free(runs->text);
    free(runs->runs);
    *runs = (struct font_runs){0};
}

static void add_attribute(PangoAttrList *attributes, PangoAttribute *attribute, const struct font_run *run) {
    attribute->start_index = (guint)run->begin;
    attribute->end_index = (guint)run->end;
    pango_attr_list_insert(attributes, attribute);
}

void font_runs_add_attributes(const struct font_runs *runs, PangoAttrList *attributes) {
    for (size_t i = 0; i < runs->count; i++) {
        add_attribute(attributes, pango_attr_family_new(font_family(runs->runs[i].font)), &runs->runs[i]);
        add_attribute(attributes, pango_attr_fallback_new(FALSE), &runs->runs[i]);
    }
}
