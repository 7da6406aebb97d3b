#ifndef HERALD_CONTENT_FONT_RUNS_H
#define HERALD_CONTENT_FONT_RUNS_H

/* A text cut into runs of one font each. The letters of a word, and marks with their base, stay together. */

#include "server/content/fonts.h"

struct font_run {
    size_t begin, end; /* bytes of the text */
    const struct font *font;
};

/** Free it with font_runs_fini(). */
struct font_runs {
    char *text; /* with a variation selector after an emoji that is drawn as a letter */
    struct font_run *runs;
    size_t count;
};

/**
 * Chooses the fonts of @text, cleaned by canvas_clean_text(). What no font draws gets no run.
 *
 * Returns: false: no memory; there is nothing to free
 */
bool font_runs_init(struct font_runs *runs, enum font_face face, bool bold, const char *text);
void font_runs_fini(struct font_runs *runs);
/** Names the fonts to Pango. */
void font_runs_add_attributes(const struct font_runs *runs, PangoAttrList *attributes);

#endif
