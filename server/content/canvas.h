#ifndef HERALD_CONTENT_CANVAS_H
#define HERALD_CONTENT_CANVAS_H

#include "herald/error.h"
#include "server/content/color.h"
#include "server/content/render.h"

#include <cairo.h>
#include <pango/pangocairo.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A square picture being drawn, and text on it that is made to fit.
 *
 * Every text has a slot that it never leaves: it is wrapped at spaces (Hangul words stay whole), then shrunk, then
 * broken inside words, and ellipsised only when nothing else helps. What was drawn is recorded for render_layout.
 *
 * A canvas has a font map of its own, so that canvases on different threads share nothing of Pango's.
 */
struct rect {
    double x, y, w, h;
};
enum text_align { TEXT_LEFT, TEXT_CENTER, TEXT_RIGHT };
enum text_valign { TEXT_TOP, TEXT_MIDDLE, TEXT_BOTTOM };

struct canvas {
    cairo_surface_t *surface;
    cairo_t *cr;
    PangoFontMap *fonts;
    PangoContext *pango;
    struct render_layout layout;
};

struct text_style {
    const char *family; /* comma-separated */
    bool bold;
    double max_px, min_px; /* size of the letters */
    double line_spacing;   /* distance of lines, in line heights; 0: 1 */
    double tracking;       /* additional space between letters, in sizes */
    unsigned max_lines;    /* 0: what fits */
    enum text_align align;
    enum text_valign valign;
    double stroke;      /* makes letters fatter: width of a line around them, in sizes; 0: none */
    double prefer_line; /* takes a single line if its size is at least this share of the best size; 0: never */
};

/** A text laid out in its slot; free it with text_fit_fini(). */
struct text_fit {
    PangoLayout *layout; /* NULL for empty text */
    double x, y;         /* where the layout begins */
    struct rect used;    /* what it covers, ink included; inside the slot; empty text: w = h = 0 */
    double px;           /* size found */
    double stroke_px;
    struct rect slot;
};

enum herald_code canvas_init(struct canvas *canvas, int side_px, struct herald_error *reterr);
void canvas_fini(struct canvas *canvas);

/** Lays @text out inside @slot. @role  static name in the layout record, "title"; NULL: not recorded. */
void text_fit_init(struct text_fit *fit, struct canvas *canvas, const char *role, const char *text,
                   const struct text_style *style, struct rect slot);
void text_fit_fini(struct text_fit *fit);
/** Draws it with the current source, moved by (@dx, @dy). */
void text_fit_draw(const struct text_fit *fit, struct canvas *canvas, double dx, double dy);
/** Fits and draws in one colour. Returns what it covers. */
struct rect canvas_text(struct canvas *canvas, const char *role, const char *text, const struct text_style *style,
                        struct rect slot, struct rgb color);

/** Removes what no font can show, control characters, and doubled spaces. @ret_dropped  count of characters removed
 *  for want of a font; may be NULL. Returns: a new string (free()), NULL without memory. */
char *canvas_clean_text(struct canvas *canvas, const char *text, unsigned *ret_dropped);
/** Whether the fonts have Hangul. */
bool canvas_has_hangul(struct canvas *canvas);

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
