#ifndef HERALD_CONTENT_FONTS_H
#define HERALD_CONTENT_FONTS_H

/*
 * Which installed font draws what. A font draws a character only if its glyphs have ink: some fonts have characters with
 * empty outlines, which neither fontconfig nor Pango can tell from drawn ones (NanumSquare has 4620 Hanja so).
 *
 * The fonts are read once a process and kept; a font that is installed later is found after a restart. All functions
 * belong to the one thread that draws now (render.c).
 */

#include <pango/pango.h>
#include <stdbool.h>
#include <stddef.h>

/* The looks of text: each begins its search for a font with families of its own. */
enum font_face { FONT_SANS, FONT_SERIF, FONT_FACE_COUNT };

struct font;

/** The font map of the process, which all canvases share. Borrowed. */
PangoFontMap *fonts_map(void);

/** The family that a face begins with: for what no font was chosen for, as spaces. */
const char *fonts_first_family(enum font_face face);
/** Whether @font has ink for the grapheme of @bytes at @text, in normal or bold, and no box for any part of it. */
bool font_draws(const struct font *font, bool bold, const char *text, size_t bytes);
/**
 * The first font that draws each of the @count graphemes of @text, which end at @ends (offsets in bytes): families of the
 * face, then those of the world's scripts, then colour emoji, then whatever is installed. A grapheme that is meant as an
 * emoji is looked for among the colour emoji first.
 *
 * Returns: the font, kept for the life of the process; NULL: there is none
 */
const struct font *fonts_find(enum font_face face, bool bold, const char *text, const size_t *ends, size_t count);
/** The family, as fontconfig knows it. */
const char *font_family(const struct font *font);
/** Whether the font's glyphs have colours of their own. */
bool font_has_colors(const struct font *font);
/** As font_has_colors(), of a font that Pango chose. */
bool fonts_pango_has_colors(PangoFont *font);

#endif
