/*
 * 화려한: a feast in the brand's deep colour, with rays, bunting, confetti, a gold frame, the title in gold, and the prize
 * on a ribbon with a medal. Confetti stays out of every slot that holds text.
 */
#include "server/content/poster.h"
#include "server/content/shapes.h"

#include <math.h>

static const struct rgb CREAM = {1.0, 0.972, 0.902};
static const struct rgb GOLD = {0.95, 0.77, 0.36};
static const struct rgb BROWN = {0.30, 0.16, 0.03};
static const struct rgb CRIMSON = {0.76, 0.09, 0.17};
static const struct rgb MIDNIGHT = {0.10, 0.13, 0.34};

static const struct rect TITLE = {132, 282, 816, 318};
static const struct rect RIBBON = {128, 646, 824, 150};

/* The brand's hue, dark enough for gold to stand out. Dark yellow looks olive, so it becomes bronze. */
static struct rgb ground_of(struct rgb brand) {
    double hue = color_hue(brand);
    double turn = hue > 38 && hue < 80 && color_chroma(brand) >= 0.10 ? 28 - hue : 0;
    struct rgb ground = color_tone(brand, turn, 1.0, 0.40);
    for (double lightness = 0.38; color_contrast(GOLD, ground) < 3.6 && lightness > 0.16; lightness -= 0.02) {
        ground = color_tone(brand, turn, 1.0, lightness);
    }
    return ground;
}

static void draw_ground(const struct poster *poster) {
    cairo_t *cr = poster->canvas->cr;
    struct rgb center = ground_of(poster->brand), edge = color_tone(center, 8, 1.05, 0.12);
    cairo_pattern_t *glow = cairo_pattern_create_radial(540, 430, 40, 540, 470, 780);
    cairo_pattern_add_color_stop_rgb(glow, 0, center.r, center.g, center.b);
    cairo_pattern_add_color_stop_rgb(glow, 1, edge.r, edge.g, edge.b);
    cairo_set_source(cr, glow);
    cairo_paint(cr);
    cairo_pattern_destroy(glow);

    cairo_pattern_t *rays = cairo_pattern_create_radial(540, 440, 80, 540, 440, 780);
    cairo_pattern_add_color_stop_rgba(rays, 0, 1, 0.93, 0.70, 0.02);
    cairo_pattern_add_color_stop_rgba(rays, 0.5, 1, 0.93, 0.70, 0.13);
    cairo_pattern_add_color_stop_rgba(rays, 1, 1, 0.93, 0.70, 0.07);
    cairo_set_source(cr, rays);
    shape_sunburst(cr, 540, 440, 900, 44);
    cairo_pattern_destroy(rays);
}

static void draw_frame(const struct poster *poster) {
    cairo_t *cr = poster->canvas->cr;
    cairo_pattern_t *gold = shape_gold((struct rect){0, 0, RENDER_SIDE_PX, RENDER_SIDE_PX});
    cairo_set_source(cr, gold);
    shape_rounded_path(cr, (struct rect){30, 30, 1020, 1020}, 26);
    cairo_set_line_width(cr, 8);
    cairo_stroke(cr);
    shape_rounded_path(cr, (struct rect){46, 46, 988, 988}, 16);
    cairo_set_line_width(cr, 2);
    cairo_stroke(cr);
    cairo_pattern_destroy(gold);
}

static void draw_party(const struct poster *poster, const struct rect *title) {
    const struct rgb flags[] = {GOLD, CREAM, color_tone(poster->brand, -25, 1.2, 0.62), {0.93, 0.33, 0.36}};
    const struct rgb scraps[] = {GOLD, CREAM, {0.96, 0.42, 0.45}, {0.40, 0.80, 0.86}, {0.98, 0.86, 0.46}};
    const struct rect keep_out[] = {*title,           {70, 620, 940, 226}, {150, 846, 780, 160}, {320, 200, 440, 70},
                                    {0, 0, 1080, 62}, {0, 0, 62, 1080},    {1018, 0, 62, 1080},  {0, 1018, 1080, 62}};
    shape_confetti(poster->canvas, poster->seed, 420, scraps, 5, keep_out, 8);
    shape_bunting(poster->canvas, 34, 1046, 52, 58, 13, flags, 4);
}

static void draw_label(const struct poster *poster) {
    struct canvas *canvas = poster->canvas;
    const struct text_style style = {FONT_SANS, true, 30, 20, 0, 0.22, 1, TEXT_CENTER, TEXT_MIDDLE, 0, 0};
    struct rect used = canvas_text(canvas, "label", "SPECIAL EVENT", &style, (struct rect){340, 212, 400, 54}, GOLD);
    canvas_color(canvas, GOLD);
    shape_star_path(canvas->cr, used.x - 34, 239, 15, 5, 0.42, 0);
    shape_star_path(canvas->cr, used.x + used.w + 30, 239, 15, 5, 0.42, 0);
    cairo_fill(canvas->cr);
}

/* Lays out the title first: the confetti must avoid its area. */
static void fit_title(const struct poster *poster, struct text_fit *fit) {
    const struct text_style style = {FONT_SERIF, true, 132, 32, 1.04, 0, 0, TEXT_CENTER, TEXT_MIDDLE, 0.018, 0};
    struct rect slot = TITLE;
    if (poster->prize[0] == '\0') {
        slot.h = 500;
    }
    text_fit_init(fit, poster->canvas, "title", poster->title, &style, slot);
}

static void draw_fancy_title(const struct poster *poster, const struct text_fit *fit) {
    struct canvas *canvas = poster->canvas;
    cairo_set_source_rgba(canvas->cr, 0, 0, 0, 0.20);
    text_fit_shadow(fit, canvas, 0, fit->px / 14);
    cairo_set_source_rgba(canvas->cr, 0, 0, 0, 0.45);
    text_fit_shadow(fit, canvas, 0, fit->px / 30);
    cairo_pattern_t *sheen = cairo_pattern_create_linear(0, fit->used.y, 0, fit->used.y + fit->used.h);
    cairo_pattern_add_color_stop_rgb(sheen, 0, 1, 0.99, 0.93);
    cairo_pattern_add_color_stop_rgb(sheen, 1, 1, 0.86, 0.50);
    cairo_set_source(canvas->cr, sheen);
    text_fit_draw(fit, canvas);
    cairo_pattern_destroy(sheen);
}

static void draw_medal(const struct poster *poster, double x, double y) {
    struct canvas *canvas = poster->canvas;
    cairo_t *cr = canvas->cr;
    cairo_set_source_rgba(cr, 0, 0, 0, 0.28);
    shape_star_path(cr, x, y + 6, 92, 24, 0.90, 0);
    cairo_fill(cr);
    cairo_pattern_t *gold = shape_gold((struct rect){x - 90, y - 90, 180, 180});
    cairo_set_source(cr, gold);
    shape_star_path(cr, x, y, 90, 24, 0.90, 0);
    cairo_fill(cr);
    cairo_pattern_destroy(gold);
    canvas_color(canvas, CREAM);
    shape_circle_path(cr, x, y, 68);
    cairo_fill_preserve(cr);
    cairo_set_source_rgb(cr, 0.72, 0.50, 0.16);
    cairo_set_line_width(cr, 3);
    cairo_stroke(cr);
    const struct text_style style = {FONT_SERIF, true, 48, 20, 0, 0, 1, TEXT_CENTER, TEXT_MIDDLE, 0, 0};
    canvas_text(canvas, "prize-label", "경품", &style, (struct rect){x - 58, y - 36, 116, 72}, BROWN);
}

static void draw_fancy_prize(const struct poster *poster) {
    if (poster->prize[0] == '\0') {
        return;
    }
    struct canvas *canvas = poster->canvas;
    struct rgb ground = ground_of(poster->brand);
    /* The ribbon must stand out from the ground: crimson, unless the brand is reddish. */
    bool reddish = color_chroma(ground) > 0.15 && ground.r > ground.g * 1.6 && ground.r > ground.b * 1.25;
    struct rgb ribbon = reddish ? MIDNIGHT : CRIMSON;
    shape_ribbon(canvas, RIBBON, 56, ribbon);
    canvas_fill_rect(canvas, (struct rect){RIBBON.x, RIBBON.y + 9, RIBBON.w, 3}, GOLD);
    canvas_fill_rect(canvas, (struct rect){RIBBON.x, RIBBON.y + RIBBON.h - 12, RIBBON.w, 3}, GOLD);
    const struct text_style style = {FONT_SERIF, true, 60, 20, 1.04, 0, 4, TEXT_CENTER, TEXT_MIDDLE, 0.012, 0.72};
    struct rect slot = {RIBBON.x + 168, RIBBON.y + 16, RIBBON.w - 200, RIBBON.h - 32};
    canvas_text(canvas, "prize", poster->prize, &style, slot, CREAM);
    draw_medal(poster, RIBBON.x + 62, RIBBON.y + RIBBON.h / 2);
}

static void draw_store(const struct poster *poster) {
    struct canvas *canvas = poster->canvas;
    const struct text_style name = {FONT_SERIF, true, 52, 20, 1, 0, 2, TEXT_CENTER, TEXT_MIDDLE, 0, 0.45};
    struct rect used = canvas_text(canvas, "store", poster->store, &name, (struct rect){170, 854, 740, 70}, CREAM);
    canvas_color(canvas, GOLD);
    cairo_rectangle(canvas->cr, used.x - 66, 888, 42, 3);
    cairo_rectangle(canvas->cr, used.x + used.w + 24, 888, 42, 3);
    cairo_fill(canvas->cr);
    const struct text_style small = {FONT_SANS, false, 27, 14, 1, 0, 2, TEXT_CENTER, TEXT_MIDDLE, 0, 0.6};
    struct rect address = {110, 926, 860, 40}, phone = {110, 966, 860, 40};
    canvas_text(canvas, "address", poster->address, &small, address, CREAM);
    canvas_text(canvas, "phone", poster->phone, &small, poster->address[0] != '\0' ? phone : address, GOLD);
}

/* Flourishes in the corners of the frame. */
static void draw_corners(const struct poster *poster) {
    cairo_t *cr = poster->canvas->cr;
    cairo_pattern_t *gold = shape_gold((struct rect){0, 0, RENDER_SIDE_PX, RENDER_SIDE_PX});
    cairo_set_source(cr, gold);
    const double near = 78, far = RENDER_SIDE_PX - near;
    for (int side = 0; side < 2; side++) {
        double x = side == 0 ? near : far;
        shape_star_path(cr, x, far, 22, 4, 0.34, 0);
        shape_star_path(cr, x + (x < 540 ? 34 : -34), far, 10, 4, 0.34, 0);
        shape_star_path(cr, x, far - 34, 10, 4, 0.34, 0);
    }
    cairo_fill(cr);
    cairo_pattern_destroy(gold);
}

void poster_draw_fancy(const struct poster *poster) {
    struct text_fit title;
    fit_title(poster, &title);
    draw_ground(poster);
    draw_party(poster, &title.used);
    draw_frame(poster);
    draw_corners(poster);
    draw_label(poster);
    draw_fancy_title(poster, &title);
    draw_fancy_prize(poster);
    draw_store(poster);
    text_fit_fini(&title);
}
