/* A canvas and its text: finds the largest size at which a text fits its slot, and draws it. */
#include "server/content/canvas.h"

#include "server/content/font_runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum herald_code canvas_init(struct canvas *canvas, int side_px, struct herald_error *reterr) {
    memset(canvas, 0, sizeof(*canvas));
    canvas->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, side_px, side_px);
    canvas->cr = cairo_create(canvas->surface);
    cairo_status_t status = cairo_status(canvas->cr);
    if (status != CAIRO_STATUS_SUCCESS) {
        canvas_fini(canvas);
        return herald_error_no_memory(reterr, "a picture: %s", cairo_status_to_string(status));
    }
    canvas->pango = pango_font_map_create_context(fonts_map());
    /* No hinting: letters look the same whatever the desktop's font settings say. */
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    pango_cairo_context_set_font_options(canvas->pango, options);
    cairo_font_options_destroy(options);
    pango_cairo_context_set_resolution(canvas->pango, 96);
    pango_context_set_language(canvas->pango, pango_language_from_string("ko"));
    pango_context_set_round_glyph_positions(canvas->pango, FALSE);
    return HERALD_OK;
}

void canvas_fini(struct canvas *canvas) {
    g_clear_object(&canvas->pango);
    if (canvas->cr != NULL) {
        cairo_destroy(canvas->cr);
    }
    if (canvas->surface != NULL) {
        cairo_surface_destroy(canvas->surface);
    }
    canvas->cr = NULL;
    canvas->surface = NULL;
}

/* --- fitting ---------------------------------------------------------------------------------------------------- */

enum breaking { AT_SPACES, ANYWHERE };

/* Unicode lets a line break between any two Hangul syllables; Korean design breaks at spaces. */
static void forbid_breaks_in_words(PangoAttrList *attributes, const char *text) {
    const char *at = text;
    while (*at != '\0') {
        size_t spaces = strspn(at, " "), word = strcspn(at + spaces, " ");
        PangoAttribute *attribute = pango_attr_allow_breaks_new(FALSE);
        attribute->start_index = (guint)(at + spaces - text);
        attribute->end_index = (guint)(at + spaces + word - text);
        if (word > 0) {
            pango_attr_list_insert(attributes, attribute);
        } else {
            pango_attribute_destroy(attribute);
        }
        at += spaces + word;
    }
}

/*
 * Letters grow in proportion: there is no hinting. So sizes are tried at one size of the fonts, in a slot that is scaled
 * instead, and Pango looks for each font once and not once for each size.
 */
#define TRIED_PX 100.0

/* A text on its way into a slot. */
struct fitting {
    PangoLayout *layout;
    const struct text_style *style;
    const struct font_runs *runs;
    struct rect slot;
};

static PangoAttrList *attributes_of(const struct fitting *fitting, double px, enum breaking breaking) {
    PangoAttrList *attributes = pango_attr_list_new();
    pango_attr_list_insert(attributes, pango_attr_insert_hyphens_new(FALSE));
    if (fitting->style->tracking > 0) {
        pango_attr_list_insert(attributes,
                               pango_attr_letter_spacing_new((int)(fitting->style->tracking * px * PANGO_SCALE)));
    }
    if (breaking == AT_SPACES) {
        forbid_breaks_in_words(attributes, fitting->runs->text);
    }
    font_runs_add_attributes(fitting->runs, attributes);
    return attributes;
}

static void set_size(const struct fitting *fitting, double px, enum breaking breaking) {
    PangoFontDescription *font = pango_font_description_new();
    pango_font_description_set_family(font, fonts_first_family(fitting->style->face));
    pango_font_description_set_weight(font, fitting->style->bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_font_description_set_absolute_size(font, px * PANGO_SCALE);
    pango_layout_set_font_description(fitting->layout, font);
    pango_font_description_free(font);
    PangoAttrList *attributes = attributes_of(fitting, px, breaking);
    pango_layout_set_attributes(fitting->layout, attributes);
    pango_attr_list_unref(attributes);
    pango_layout_set_wrap(fitting->layout, breaking == AT_SPACES ? PANGO_WRAP_WORD : PANGO_WRAP_WORD_CHAR);
}

static void set_width(PangoLayout *layout, double px) {
    pango_layout_set_width(layout, (int)(px * PANGO_SCALE));
}

/* The area of the layout, relative to its origin: line boxes and ink together. */
static struct rect covered(PangoLayout *layout, double stroke_px) {
    PangoRectangle ink, room;
    pango_layout_get_extents(layout, &ink, &room);
    double x0 = room.x, y0 = room.y, x1 = room.x + room.width, y1 = room.y + room.height;
    double fat = stroke_px / 2 * PANGO_SCALE;
    if (ink.width > 0) {
        x0 = fmin(x0, ink.x - fat);
        y0 = fmin(y0, ink.y - fat);
        x1 = fmax(x1, ink.x + ink.width + fat);
        y1 = fmax(y1, ink.y + ink.height + fat);
    }
    return (struct rect){x0 / PANGO_SCALE, y0 / PANGO_SCALE, (x1 - x0) / PANGO_SCALE, (y1 - y0) / PANGO_SCALE};
}

/* Whether the layout, at the size @px of its fonts, stays inside a slot of @w x @h. */
static bool fits_in(const struct fitting *fitting, double px, double w, double h, unsigned max_lines) {
    struct rect used = covered(fitting->layout, fitting->style->stroke * px);
    if (used.w > w || used.h > h) {
        return false;
    }
    return max_lines == 0 || pango_layout_get_line_count(fitting->layout) <= (int)max_lines;
}

/* Whether the text fits at @px; the layout has TRIED_PX. */
static bool would_fit(const struct fitting *fitting, double px, unsigned max_lines) {
    double scale = TRIED_PX / px, w = fitting->slot.w * scale, h = fitting->slot.h * scale;
    set_width(fitting->layout, w);
    return fits_in(fitting, TRIED_PX, w, h, max_lines);
}

/* Largest whole size that fits; 0: none fits. */
static double largest_size(const struct fitting *fitting, unsigned max_lines, enum breaking breaking) {
    int low = (int)fitting->style->min_px - 1, high = (int)fitting->style->max_px;
    set_size(fitting, TRIED_PX, breaking);
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (would_fit(fitting, middle, max_lines)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low >= (int)fitting->style->min_px ? low : 0;
}

/* Balances the lines: the smallest width that needs no more lines. */
static void balance(const struct fitting *fitting, double px) {
    PangoLayout *layout = fitting->layout;
    int lines = pango_layout_get_line_count(layout);
    if (lines < 2) {
        return;
    }
    int low = (int)(fitting->slot.w / 2), high = (int)fitting->slot.w;
    while (low < high) {
        int middle = (low + high) / 2;
        set_width(layout, middle);
        bool same =
            pango_layout_get_line_count(layout) == lines && covered(layout, fitting->style->stroke * px).w <= middle;
        if (same) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    set_width(layout, high);
    if (!fits_in(fitting, px, fitting->slot.w, fitting->slot.h, fitting->style->max_lines)) {
        set_width(layout, fitting->slot.w);
    }
}

static void ellipsise(const struct fitting *fitting) {
    PangoLayout *layout = fitting->layout;
    const struct text_style *style = fitting->style;
    set_size(fitting, style->min_px, ANYWHERE);
    set_width(layout, fitting->slot.w);
    pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
    pango_layout_set_height(layout,
                            style->max_lines > 0 ? -(int)style->max_lines : (int)(fitting->slot.h * PANGO_SCALE));
    /* Pango counts all lines as high as those of the first font; those of other scripts are higher. */
    for (int lines = pango_layout_get_line_count(layout);
         lines > 1 && covered(layout, style->stroke * style->min_px).h > fitting->slot.h; lines--) {
        pango_layout_set_height(layout, -(lines - 1));
    }
}

/* Sets the size found. Rounding may have let a size pass that is too large by a hair: the next ones are tried then. */
static double settle_size(const struct fitting *fitting, double px, enum breaking breaking) {
    for (; px >= fitting->style->min_px; px--) {
        set_size(fitting, px, breaking);
        set_width(fitting->layout, fitting->slot.w);
        if (fits_in(fitting, px, fitting->slot.w, fitting->slot.h, fitting->style->max_lines)) {
            balance(fitting, px);
            return px;
        }
    }
    ellipsise(fitting);
    return fitting->style->min_px;
}

/* Chooses size and breaking; returns the size. */
static double choose_size(const struct fitting *fitting) {
    const struct text_style *style = fitting->style;
    double whole = largest_size(fitting, style->max_lines, AT_SPACES);
    double broken = whole >= style->max_px ? whole : largest_size(fitting, style->max_lines, ANYWHERE);
    /* A word that is too long for the slot is broken rather than set in tiny letters. */
    enum breaking breaking = whole > 0 && whole >= broken * 0.6 ? AT_SPACES : ANYWHERE;
    double px = breaking == AT_SPACES ? whole : broken;
    if (px <= 0) {
        ellipsise(fitting);
        return style->min_px;
    }
    double single = style->prefer_line > 0 ? largest_size(fitting, 1, AT_SPACES) : 0;
    if (single > 0 && single >= px * style->prefer_line) {
        px = single;
    }
    return settle_size(fitting, px, breaking);
}

static void record_text(struct canvas *canvas, const char *role, const struct text_fit *fit) {
    struct render_layout *layout = &canvas->layout;
    if (role == NULL || layout->text_count == RENDER_TEXT_MAX) {
        return;
    }
    const struct rect *used = &fit->used;
    double xs[4] = {used->x, used->x + used->w, used->x, used->x + used->w};
    double ys[4] = {used->y, used->y, used->y + used->h, used->y + used->h};
    double x0 = INFINITY, y0 = INFINITY, x1 = -INFINITY, y1 = -INFINITY;
    for (int i = 0; i < 4; i++) {
        cairo_user_to_device(canvas->cr, &xs[i], &ys[i]);
        x0 = fmin(x0, xs[i]);
        x1 = fmax(x1, xs[i]);
        y0 = fmin(y0, ys[i]);
        y1 = fmax(y1, ys[i]);
    }
    const struct rect *slot = &fit->slot;
    bool in_slot = used->x >= slot->x - 0.5 && used->y >= slot->y - 0.5 && used->w <= slot->w + 0.5 &&
                   used->h <= slot->h + 0.5 && used->x + used->w <= slot->x + slot->w + 0.5 &&
                   used->y + used->h <= slot->y + slot->h + 0.5;
    layout->texts[layout->text_count++] =
        (struct render_text_box){.role = role,
                                 .x = x0,
                                 .y = y0,
                                 .w = x1 - x0,
                                 .h = y1 - y0,
                                 .font_px = fit->px,
                                 .ellipsised = fit->layout != NULL && pango_layout_is_ellipsized(fit->layout),
                                 .in_slot = in_slot};
}

void text_fit_init(struct text_fit *fit, struct canvas *canvas, const char *role, const char *text,
                   const struct text_style *style, struct rect slot) {
    *fit = (struct text_fit){.slot = slot, .used = {slot.x, slot.y, 0, 0}};
    if (text == NULL || text[0] == '\0') {
        return;
    }
    struct font_runs runs;
    if (!font_runs_init(&runs, style->face, style->bold, text)) {
        canvas->no_memory = true;
        return;
    }
    fit->layout = pango_layout_new(canvas->pango);
    pango_layout_set_text(fit->layout, runs.text, -1);
    pango_layout_set_alignment(fit->layout, style->align == TEXT_CENTER  ? PANGO_ALIGN_CENTER
                                            : style->align == TEXT_RIGHT ? PANGO_ALIGN_RIGHT
                                                                         : PANGO_ALIGN_LEFT);
    if (style->line_spacing > 0) {
        pango_layout_set_line_spacing(fit->layout, (float)style->line_spacing);
    }
    struct fitting fitting = {.layout = fit->layout, .style = style, .runs = &runs, .slot = slot};
    fit->px = choose_size(&fitting);
    font_runs_fini(&runs);
    canvas->layout.boxes += (unsigned)pango_layout_get_unknown_glyphs_count(fit->layout);

    fit->stroke_px = fit->px * style->stroke;
    struct rect used = covered(fit->layout, fit->stroke_px);
    double right = style->align == TEXT_LEFT ? 0 : style->align == TEXT_CENTER ? 0.5 : 1;
    double down = style->valign == TEXT_TOP ? 0 : style->valign == TEXT_MIDDLE ? 0.5 : 1;
    fit->used = (struct rect){slot.x + right * (slot.w - used.w), slot.y + down * (slot.h - used.h), used.w, used.h};
    fit->x = fit->used.x - used.x;
    fit->y = fit->used.y - used.y;
    record_text(canvas, role, fit);
}

void text_fit_fini(struct text_fit *fit) {
    g_clear_object(&fit->layout);
}

enum inking { LETTERS, COLORS, OUTLINES };

/* Draws the glyphs of one kind of font, or adds their outlines to the path; (@x, @y) is the layout's origin. */
static void ink_runs(const struct text_fit *fit, cairo_t *cr, double x, double y, enum inking inking) {
    PangoLayoutIter *at = pango_layout_get_iter(fit->layout);
    do {
        PangoLayoutRun *run = pango_layout_iter_get_run_readonly(at);
        PangoRectangle room;
        if (run == NULL || fonts_pango_has_colors(run->item->analysis.font) != (inking == COLORS)) {
            continue;
        }
        pango_layout_iter_get_run_extents(at, NULL, &room);
        cairo_move_to(cr, x + (double)room.x / PANGO_SCALE,
                      y + (double)pango_layout_iter_get_run_baseline(at) / PANGO_SCALE);
        if (inking == OUTLINES) {
            pango_cairo_glyph_string_path(cr, run->item->analysis.font, run->glyphs);
        } else {
            pango_cairo_show_glyph_string(cr, run->item->analysis.font, run->glyphs);
        }
    } while (pango_layout_iter_next_run(at));
    pango_layout_iter_free(at);
}

static void ink_text(const struct text_fit *fit, struct canvas *canvas, double dx, double dy, bool with_colors) {
    cairo_t *cr = canvas->cr;
    if (fit->layout == NULL) {
        return;
    }
    cairo_save(cr);
    /*
     * A text that does not fit even ellipsised (a letter larger than the slot) is clipped: it never covers its
     * neighbours.
     */
    cairo_rectangle(cr, fit->slot.x + dx - 1, fit->slot.y + dy - 1, fit->slot.w + 2, fit->slot.h + 2);
    cairo_clip(cr);
    pango_cairo_update_context(cr, canvas->pango);
    ink_runs(fit, cr, fit->x + dx, fit->y + dy, LETTERS);
    if (fit->stroke_px > 0) {
        cairo_new_path(cr);
        ink_runs(fit, cr, fit->x + dx, fit->y + dy, OUTLINES);
        cairo_set_line_width(cr, fit->stroke_px);
        cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
        cairo_stroke(cr);
    }
    if (with_colors) {
        ink_runs(fit, cr, fit->x + dx, fit->y + dy, COLORS);
    }
    cairo_restore(cr);
    cairo_new_path(cr);
}

void text_fit_draw(const struct text_fit *fit, struct canvas *canvas) {
    ink_text(fit, canvas, 0, 0, true);
}

void text_fit_shadow(const struct text_fit *fit, struct canvas *canvas, double dx, double dy) {
    ink_text(fit, canvas, dx, dy, false);
}

struct rect canvas_text(struct canvas *canvas, const char *role, const char *text, const struct text_style *style,
                        struct rect slot, struct rgb color) {
    struct text_fit fit;
    text_fit_init(&fit, canvas, role, text, style, slot);
    canvas_color(canvas, color);
    text_fit_draw(&fit, canvas);
    text_fit_fini(&fit);
    return fit.used;
}
