/*
 * 심플: much white, one accent in the brand's colour, hairlines. All text stands on the left margin. The disc of the
 * brand balances it at the lower right, beside the prize; no text comes near the disc.
 */
#include "server/content/poster.h"
#include "server/content/shapes.h"

#define MARGIN 96.0
#define WIDTH  (RENDER_SIDE_PX - 2 * MARGIN)

static const struct rgb PAPER = {0.992, 0.988, 0.980};
static const struct rgb INK = {0.09, 0.09, 0.11};
static const struct rgb GREY = {0.40, 0.40, 0.43};
static const struct rgb HAIRLINE = {0.84, 0.83, 0.81};

static void hairline(const struct poster *poster, double y) {
    canvas_fill_rect(poster->canvas, (struct rect){MARGIN, y, WIDTH, 2}, HAIRLINE);
}

static void draw_head(const struct poster *poster, struct rgb accent) {
    struct canvas *canvas = poster->canvas;
    canvas_color(canvas, accent);
    shape_circle_path(canvas->cr, MARGIN + 11, 122, 11);
    cairo_fill(canvas->cr);
    const struct text_style store = {FONT_SANS, true, 34, 16, 1, 0, 2, TEXT_LEFT, TEXT_MIDDLE, 0, 0.6};
    canvas_text(canvas, "store", poster->store, &store, (struct rect){MARGIN + 40, 90, 610, 64}, INK);
    const struct text_style label = {FONT_SANS, true, 26, 20, 0, 0.32, 1, TEXT_RIGHT, TEXT_MIDDLE, 0, 0};
    canvas_text(canvas, "label", "EVENT", &label, (struct rect){MARGIN + WIDTH - 210, 90, 210, 64}, accent);
    hairline(poster, 178);
}

static void draw_disc(const struct poster *poster) {
    struct canvas *canvas = poster->canvas;
    cairo_t *cr = canvas->cr;
    bool pale = color_contrast(poster->brand, PAPER) < 1.25 && color_chroma(poster->brand) < 0.25;
    struct rgb fill = pale ? PAPER : poster->brand;
    struct rgb line = color_readable_on(poster->brand, PAPER, 1.6);
    shape_circle_path(cr, 876, 758, 108);
    canvas_color(canvas, fill);
    cairo_fill_preserve(cr);
    canvas_color(canvas, line);
    cairo_set_line_width(cr, 2.5);
    cairo_stroke(cr);
    shape_circle_path(cr, 836, 718, 108);
    cairo_set_line_width(cr, 2.5);
    cairo_stroke(cr);
}

static void draw_simple_title(const struct poster *poster, struct rgb accent) {
    struct canvas *canvas = poster->canvas;
    double bottom = poster->prize[0] != '\0' ? 598 : 850;
    canvas_fill_rect(canvas, (struct rect){MARGIN, 246, 88, 10}, accent);
    const struct text_style title = {FONT_SANS, true, 118, 30, 1.08, 0, 0, TEXT_LEFT, TEXT_TOP, 0.014, 0};
    double width = poster->prize[0] != '\0' ? WIDTH : WIDTH - 260;
    canvas_text(canvas, "title", poster->title, &title, (struct rect){MARGIN, 290, width, bottom - 290}, INK);
}

static void draw_simple_prize(const struct poster *poster, struct rgb accent) {
    if (poster->prize[0] == '\0') {
        return;
    }
    struct canvas *canvas = poster->canvas;
    const struct text_style label = {FONT_SANS, true, 26, 20, 0, 0.12, 1, TEXT_LEFT, TEXT_MIDDLE, 0, 0};
    canvas_text(canvas, "prize-label", "경품", &label, (struct rect){MARGIN, 648, 300, 40}, accent);
    const struct text_style prize = {FONT_SANS, true, 54, 18, 1.12, 0, 6, TEXT_LEFT, TEXT_TOP, 0, 0};
    canvas_text(canvas, "prize", poster->prize, &prize, (struct rect){MARGIN, 696, 576, 186}, INK);
}

static void draw_simple_foot(const struct poster *poster) {
    struct canvas *canvas = poster->canvas;
    hairline(poster, 918);
    struct text_style small = {FONT_SANS, false, 28, 15, 1.05, 0, 3, TEXT_LEFT, TEXT_MIDDLE, 0, 0.75};
    struct rect left = {MARGIN, 934, 560, 76}, right = {MARGIN + WIDTH - 300, 934, 300, 76};
    if (poster->phone[0] == '\0') {
        left.w = WIDTH;
    }
    canvas_text(canvas, "address", poster->address, &small, left, GREY);
    small.bold = true;
    small.max_lines = 1;
    small.align = poster->address[0] == '\0' ? TEXT_LEFT : TEXT_RIGHT;
    canvas_text(canvas, "phone", poster->phone, &small, poster->address[0] == '\0' ? left : right, INK);
}

void poster_draw_simple(const struct poster *poster) {
    struct rgb accent = color_readable_on(poster->brand, PAPER, 4.5);
    canvas_fill_rect(poster->canvas, (struct rect){0, 0, RENDER_SIDE_PX, RENDER_SIDE_PX}, PAPER);
    draw_disc(poster);
    draw_head(poster, accent);
    draw_simple_title(poster, accent);
    draw_simple_prize(poster, accent);
    draw_simple_foot(poster);
}
