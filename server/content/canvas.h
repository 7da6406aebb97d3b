#ifndef HERALD_CONTENT_CANVAS_H
#define HERALD_CONTENT_CANVAS_H

/*
 * A square picture being drawn, and text fitted into it.
 *
 * Invariant: a text never leaves its slot. It is wrapped at spaces (Hangul words stay whole), then shrunk, then broken
 * inside words, and ellipsised only as the last resort. Each text is recorded for render_layout.
 *
 * Canvases share the fonts of the process (fonts.h), so one thread at a time works with canvases.
 */

#include "herald/error.h"
#include "server/content/color.h"
#include "server/content/fonts.h"
#include "server/content/render.h"

#include <cairo.h>
#include <pango/pangocairo.h>
#include <stdbool.h>
#include <stddef.h>

struct rect {
    double x, y, w, h;
};
enum text_align { TEXT_LEFT, TEXT_CENTER, TEXT_RIGHT };
enum text_valign { TEXT_TOP, TEXT_MIDDLE, TEXT_BOTTOM };

struct canvas {
    cairo_surface_t *surface;
    cairo_t *cr;
    PangoContext *pango;
    struct render_layout layout;
    bool no_memory; /* a text could not be laid out for want of memory */
};

struct text_style {
    enum font_face face;
    bool bold;
    double max_px, min_px; /* size of the letters */
    double line_spacing;   /* distance of lines, in line heights; 0: 1 */
    double tracking;       /* additional space between letters, in sizes */
    unsigned max_lines;    /* 0: as many as fit */
    enum text_align align;
    enum text_valign valign;
    double stroke;      /* makes letters fatter: width of a line around them, in sizes; 0: none */
    double prefer_line; /* prefers a single line if its size is at least this share of the best size; 0: never */
};

/** A text laid out in its slot; free it with text_fit_fini(). */
struct text_fit {
    PangoLayout *layout; /* NULL for empty text */
    double x, y;         /* where the layout begins */
    struct rect used;    /* area of the text, ink included; inside the slot; empty text: w = h = 0 */
    double px;           /* size found */
    double stroke_px;
    struct rect slot;
};

/**
 * Makes a canvas in place, @side_px wide and high; end it with canvas_fini().
 *
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY): the canvas is then ended already
 */
enum herald_code canvas_init(struct canvas *canvas, int side_px, struct herald_error *reterr);
void canvas_fini(struct canvas *canvas);

/** Lays @text out inside @slot. @role  static name in the layout record, "title"; NULL: not recorded. */
void text_fit_init(struct text_fit *fit, struct canvas *canvas, const char *role, const char *text,
                   const struct text_style *style, struct rect slot);
void text_fit_fini(struct text_fit *fit);
/** Draws the text with the current source; emoji in their own colours. */
void text_fit_draw(const struct text_fit *fit, struct canvas *canvas);
/** Draws the letters alone, moved by (@dx, @dy): emoji throw no shadow, as it would have their colours. */
void text_fit_shadow(const struct text_fit *fit, struct canvas *canvas, double dx, double dy);
/** Fits and draws a text in one colour. Returns its area. */
struct rect canvas_text(struct canvas *canvas, const char *role, const char *text, const struct text_style *style,
                        struct rect slot, struct rgb color);

/**
 * Removes control characters, doubled spaces, and what no font draws with ink. A letter stays when only its mark is not
 * drawn.
 *
 * @text     valid UTF-8
 * @missing  counts what was removed for want of a font
 * Returns:  a new string (free() it); NULL: no memory
 */
char *canvas_clean_text(const char *text, struct render_missing *missing);
/** Whether the fonts have Hangul. */
bool canvas_has_hangul(void);

static inline void canvas_color(struct canvas *canvas, struct rgb color) {
    cairo_set_source_rgb(canvas->cr, color.r, color.g, color.b);
}
static inline void canvas_color_alpha(struct canvas *canvas, struct rgb color, double alpha) {
    cairo_set_source_rgba(canvas->cr, color.r, color.g, color.b, alpha);
}
static inline void canvas_fill_rect(struct canvas *canvas, struct rect rect, struct rgb color) {
    canvas_color(canvas, color);
    cairo_rectangle(canvas->cr, rect.x, rect.y, rect.w, rect.h);
    cairo_fill(canvas->cr);
}

#endif
