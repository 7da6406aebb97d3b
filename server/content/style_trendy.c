/*
 * 트렌디: two flat colours and ink, thick outlines with hard shadows. The title is as large as its slot allows; the prize
 * is on a turned sticker; a label runs up the right edge.
 */
#include "server/content/poster.h"
#include "server/content/shapes.h"

#include <math.h>

#define STRIP_X 968.0
#define BAND_Y  690.0
#define FOOT_Y  922.0
#define OUTLINE 7.0
#define SHADOW  14.0

static const struct rgb INK = {0.06, 0.06, 0.07};
static const struct rgb WHITE = {1, 1, 1};
static const struct rgb YELLOW = {1.0, 0.878, 0.290};
static const struct rgb CORAL = {1.0, 0.353, 0.271};

struct palette {
    struct rgb ground; /* upper block */
    struct rgb accent; /* lower block, ornaments */
    struct rgb type;   /* title on the ground */
    struct rgb line;   /* outlines on the ground */
};

static struct palette choose_palette(struct rgb brand) {
    struct palette palette = {.ground = brand};
    palette.accent = color_tone(brand, 165, 1.15, 0.68);
    if (color_chroma(brand) < 0.10) {
        palette.accent = color_luminance(brand) < 0.45 ? YELLOW : CORAL;
    } else if (color_contrast(palette.accent, palette.ground) < 1.7) {
        palette.accent = color_luminance(brand) > 0.4 ? color_tone(brand, 165, 1.2, 0.36) : YELLOW;
    }
    palette.type = color_text_on(palette.ground);
    palette.line = color_contrast(INK, palette.ground) > 2.0 ? INK : WHITE;
    return palette;
}

static void draw_blocks(const struct poster *poster, const struct palette *palette) {
    struct canvas *canvas = poster->canvas;
    canvas_fill_rect(canvas, (struct rect){0, 0, RENDER_SIDE_PX, RENDER_SIDE_PX}, palette->ground);
    struct rgb dots = color_mix(palette->ground, palette->type, 0.16);
    shape_halftone(canvas, (struct rect){420, 0, STRIP_X - 420, 300}, 27, dots);
    canvas_fill_rect(canvas, (struct rect){0, BAND_Y, RENDER_SIDE_PX, FOOT_Y - BAND_Y}, palette->accent);
    canvas_fill_rect(canvas, (struct rect){0, BAND_Y - OUTLINE / 2, RENDER_SIDE_PX, OUTLINE}, INK);
    canvas_fill_rect(canvas, (struct rect){0, FOOT_Y, RENDER_SIDE_PX, RENDER_SIDE_PX - FOOT_Y}, INK);
}

static void outlined(struct canvas *canvas, struct rgb fill, struct rgb line) {
    canvas_color(canvas, fill);
    cairo_fill_preserve(canvas->cr);
    canvas_color(canvas, line);
    cairo_set_line_width(canvas->cr, OUTLINE);
    cairo_set_line_join(canvas->cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(canvas->cr);
}

static void draw_ornaments(const struct poster *poster, const struct palette *palette) {
    struct canvas *canvas = poster->canvas;
    cairo_t *cr = canvas->cr;
    struct rgb on_band = color_text_on(palette->accent);
    shape_circle_path(cr, 70, 110, 34);
    outlined(canvas, palette->accent, palette->line);
    shape_star_path(cr, 168, 110, 40, 8, 0.5, 0);
    outlined(canvas, WHITE, palette->line);
    cairo_rectangle(cr, 232, 78, 64, 64);
    outlined(canvas, color_mix(palette->ground, palette->type, 0.85), palette->line);

    cairo_save(cr);
    cairo_rectangle(cr, 0, BAND_Y + OUTLINE / 2, STRIP_X, FOOT_Y - BAND_Y - OUTLINE / 2);
    cairo_clip(cr);
    canvas_color(canvas, color_mix(palette->accent, on_band, 0.16));
    for (double x = -300; x < STRIP_X + 300; x += 56) {
        cairo_move_to(cr, x, FOOT_Y);
        cairo_line_to(cr, x + 28, FOOT_Y);
        cairo_line_to(cr, x + 268, BAND_Y);
        cairo_line_to(cr, x + 240, BAND_Y);
        cairo_close_path(cr);
    }
    cairo_fill(cr);
    cairo_restore(cr);
}

static void draw_strip(const struct poster *poster, const struct palette *palette) {
    struct canvas *canvas = poster->canvas;
    cairo_t *cr = canvas->cr;
    canvas_fill_rect(canvas, (struct rect){STRIP_X, 0, RENDER_SIDE_PX - STRIP_X, FOOT_Y}, INK);
    cairo_save(cr);
    cairo_translate(cr, STRIP_X, FOOT_Y);
    cairo_rotate(cr, -M_PI / 2);
    const struct text_style style = {FONT_SANS, true, 58, 20, 0, 0.10, 1, TEXT_CENTER, TEXT_MIDDLE, 0.03, 0};
    struct rgb color = color_readable_on(palette->accent, INK, 4.5);
    canvas_text(canvas, "label", "EVENT ● 이벤트 ● EVENT", &style,
                (struct rect){24, 12, FOOT_Y - 48, RENDER_SIDE_PX - STRIP_X - 24}, color);
    cairo_restore(cr);
}

/* Fills the room beside a short title with a disc and a star. */
static void draw_filler(const struct poster *poster, const struct palette *palette, const struct rect *title,
                        double bottom) {
    cairo_t *cr = poster->canvas->cr;
    double left = title->x + title->w + 30, room = STRIP_X - left - 30, radius = fmin(room / 2, 118);
    if (radius < 60) {
        return;
    }
    double x = STRIP_X - 30 - radius, y = bottom - radius - 4;
    shape_circle_path(cr, x + SHADOW * 0.7, y + SHADOW * 0.7, radius);
    canvas_color(poster->canvas, palette->line);
    cairo_fill(cr);
    shape_circle_path(cr, x, y, radius);
    outlined(poster->canvas, palette->accent, palette->line);
    shape_star_path(cr, x, y, radius * 0.62, 12, 0.62, 0.1);
    outlined(poster->canvas, WHITE, INK);
}

static void draw_trendy_title(const struct poster *poster, const struct palette *palette) {
    struct canvas *canvas = poster->canvas;
    const struct text_style style = {FONT_SANS, true, 200, 34, 0.98, 0, 0, TEXT_LEFT, TEXT_BOTTOM, 0.030, 0};
    const double bottom = 652;
    struct text_fit fit;
    text_fit_init(&fit, canvas, "title", poster->title, &style, (struct rect){40, 170, 890, bottom - 170});
    draw_filler(poster, palette, &fit.used, bottom);
    canvas_color(canvas, palette->type);
    text_fit_draw(&fit, canvas);
    text_fit_fini(&fit);
}

static void sticker(const struct poster *poster, struct rect box, struct rgb fill) {
    struct canvas *canvas = poster->canvas;
    canvas_fill_rect(canvas, (struct rect){box.x + SHADOW, box.y + SHADOW, box.w, box.h}, INK);
    cairo_rectangle(canvas->cr, box.x, box.y, box.w, box.h);
    outlined(canvas, fill, INK);
}

/* Text of the sticker: the prize, or an invitation when there is none. */
static void draw_sticker_text(const struct poster *poster, struct rgb tag_fill, struct rect tag, struct rect slot) {
    bool prize = poster->prize[0] != '\0';
    const struct text_style label = {FONT_SANS, true, 46, 20, 0, 0, 1, TEXT_CENTER, TEXT_MIDDLE, 0.03, 0};
    canvas_text(poster->canvas, prize ? "prize-label" : "invitation-label", prize ? "경품" : "NOW", &label,
                (struct rect){tag.x + 10, tag.y + 30, tag.w - 20, tag.h - 60}, color_text_on(tag_fill));
    const struct text_style text = {FONT_SANS, true, 66, 20, 1.02, 0, 5, TEXT_LEFT, TEXT_MIDDLE, 0.022, 0.72};
    canvas_text(poster->canvas, prize ? "prize" : "invitation", prize ? poster->prize : "지금 매장에서 만나요!", &text,
                slot, INK);
}

static void draw_sticker(const struct poster *poster, const struct palette *palette) {
    cairo_t *cr = poster->canvas->cr;
    cairo_save(cr);
    cairo_translate(cr, 480, 806);
    cairo_rotate(cr, -2.4 * M_PI / 180);
    struct rect box = {-416, -76, 832, 152}, tag = {box.x, box.y, 152, box.h};
    sticker(poster, box, WHITE);
    struct rgb tag_fill = color_contrast(palette->ground, WHITE) > 1.3 ? palette->ground : INK;
    cairo_rectangle(cr, tag.x, tag.y, tag.w, tag.h);
    outlined(poster->canvas, tag_fill, INK);
    draw_sticker_text(poster, tag_fill, tag,
                      (struct rect){tag.x + tag.w + 28, box.y + 12, box.w - tag.w - 56, box.h - 24});
    cairo_restore(cr);
}

static void draw_trendy_foot(const struct poster *poster, const struct palette *palette) {
    struct canvas *canvas = poster->canvas;
    bool details = poster->address[0] != '\0' || poster->phone[0] != '\0';
    const struct text_style name = {FONT_SANS, true, 50, 18, 1, 0, 3, TEXT_LEFT, TEXT_MIDDLE, 0.02, 0.55};
    canvas_text(canvas, "store", poster->store, &name, (struct rect){40, 944, details ? 440 : 1000, 114}, WHITE);
    const struct text_style small = {FONT_SANS, false, 27, 14, 1.0, 0, 3, TEXT_RIGHT, TEXT_MIDDLE, 0, 0.7};
    const struct text_style phone = {FONT_SANS, true, 34, 16, 0, 0, 1, TEXT_RIGHT, TEXT_MIDDLE, 0, 0};
    struct rect upper = {510, 944, 530, 64}, lower = {510, 1010, 530, 48}, both = {510, 944, 530, 114};
    struct rgb color = color_readable_on(palette->accent, INK, 4.5);
    canvas_text(canvas, "address", poster->address, &small, poster->phone[0] != '\0' ? upper : both, WHITE);
    canvas_text(canvas, "phone", poster->phone, &phone, poster->address[0] != '\0' ? lower : both, color);
}

void poster_draw_trendy(const struct poster *poster) {
    struct palette palette = choose_palette(poster->brand);
    draw_blocks(poster, &palette);
    draw_ornaments(poster, &palette);
    draw_strip(poster, &palette);
    draw_trendy_title(poster, &palette);
    draw_sticker(poster, &palette);
    draw_trendy_foot(poster, &palette);
}
