/* Ornaments of the pictures, drawn with cairo. Random ones come from a seed: the same on every machine. */
#include "server/content/shapes.h"

#include <math.h>

void shape_rounded_path(cairo_t *cr, struct rect r, double radius) {
    cairo_new_sub_path(cr);
    cairo_arc(cr, r.x + r.w - radius, r.y + radius, radius, -M_PI / 2, 0);
    cairo_arc(cr, r.x + r.w - radius, r.y + r.h - radius, radius, 0, M_PI / 2);
    cairo_arc(cr, r.x + radius, r.y + r.h - radius, radius, M_PI / 2, M_PI);
    cairo_arc(cr, r.x + radius, r.y + radius, radius, M_PI, 3 * M_PI / 2);
    cairo_close_path(cr);
}

void shape_circle_path(cairo_t *cr, double x, double y, double radius) {
    cairo_new_sub_path(cr);
    cairo_arc(cr, x, y, radius, 0, 2 * M_PI);
    cairo_close_path(cr);
}

void shape_star_path(cairo_t *cr, double x, double y, double radius, unsigned points, double inner, double turn) {
    cairo_new_sub_path(cr);
    for (unsigned i = 0; i < 2 * points; i++) {
        double r = i % 2 == 0 ? radius : radius * inner;
        double angle = turn - M_PI / 2 + M_PI * i / points;
        cairo_line_to(cr, x + r * cos(angle), y + r * sin(angle));
    }
    cairo_close_path(cr);
}

void shape_sunburst(cairo_t *cr, double x, double y, double radius, unsigned wedges) {
    for (unsigned i = 0; i < wedges; i += 2) {
        cairo_move_to(cr, x, y);
        cairo_arc(cr, x, y, radius, 2 * M_PI * i / wedges, 2 * M_PI * (i + 1) / wedges);
        cairo_close_path(cr);
    }
    cairo_fill(cr);
}

static double bunting_y(double share, double y, double sag) {
    return y + sag * 4 * share * (1 - share);
}

static void flag(struct canvas *canvas, double x0, double y0, double x1, double y1, double length, struct rgb color) {
    cairo_t *cr = canvas->cr;
    double cx = (x0 + x1) / 2, cy = (y0 + y1) / 2, dx = x1 - x0, dy = y1 - y0, width = hypot(dx, dy);
    double tip_x = cx - dy / width * length, tip_y = cy + dx / width * length;
    cairo_move_to(cr, x0, y0);
    cairo_line_to(cr, x1, y1);
    cairo_line_to(cr, tip_x, tip_y);
    cairo_close_path(cr);
    canvas_color(canvas, color);
    cairo_fill(cr);
    cairo_move_to(cr, cx, cy);
    cairo_line_to(cr, x1, y1);
    cairo_line_to(cr, tip_x, tip_y);
    cairo_close_path(cr);
    cairo_set_source_rgba(cr, 0, 0, 0, 0.10);
    cairo_fill(cr);
}

void shape_bunting(struct canvas *canvas, double x0, double x1, double y, double sag, unsigned flags,
                   const struct rgb *colors, unsigned color_count) {
    cairo_t *cr = canvas->cr;
    for (unsigned i = 0; i < flags; i++) {
        double a = (i + 0.1) / flags, b = (i + 0.9) / flags;
        flag(canvas, x0 + (x1 - x0) * a, bunting_y(a, y, sag), x0 + (x1 - x0) * b, bunting_y(b, y, sag),
             (x1 - x0) / flags * 0.95, colors[i % color_count]);
    }
    cairo_move_to(cr, x0, y);
    for (unsigned i = 1; i <= 60; i++) {
        cairo_line_to(cr, x0 + (x1 - x0) * i / 60.0, bunting_y(i / 60.0, y, sag));
    }
    cairo_set_line_width(cr, 4);
    cairo_set_source_rgba(cr, 1, 0.97, 0.88, 0.9);
    cairo_stroke(cr);
}

/* xorshift32: the same scatter on every machine. */
static double next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return (*state & 0xffffff) / (double)0x1000000;
}

static bool inside_any(double x, double y, const struct rect *rects, unsigned count) {
    const double margin = 16;
    for (unsigned i = 0; i < count; i++) {
        if (x > rects[i].x - margin && x < rects[i].x + rects[i].w + margin && y > rects[i].y - margin &&
            y < rects[i].y + rects[i].h + margin) {
            return true;
        }
    }
    return false;
}

static void scrap(cairo_t *cr, double x, double y, double size, double turn, unsigned kind) {
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_rotate(cr, turn);
    if (kind == 0) {
        cairo_rectangle(cr, -size, -size * 0.42, size * 2, size * 0.84);
    } else if (kind == 1) {
        shape_circle_path(cr, 0, 0, size * 0.6);
    } else if (kind == 2) {
        shape_star_path(cr, 0, 0, size * 1.1, 5, 0.42, 0);
    } else {
        cairo_move_to(cr, -size * 1.4, 0);
        cairo_curve_to(cr, -size * 0.5, -size * 1.6, size * 0.5, size * 1.6, size * 1.4, 0);
        cairo_set_line_width(cr, size * 0.42);
        cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
        cairo_stroke(cr);
    }
    cairo_fill(cr);
    cairo_restore(cr);
}

void shape_confetti(struct canvas *canvas, uint32_t seed, unsigned scraps, const struct rgb *colors,
                    unsigned color_count, const struct rect *keep_out, unsigned keep_out_count) {
    uint32_t state = seed | 1u;
    for (unsigned i = 0; i < scraps; i++) {
        double x = next_random(&state) * RENDER_SIDE_PX, y = next_random(&state) * RENDER_SIDE_PX;
        double size = 7 + 8 * next_random(&state), turn = 2 * M_PI * next_random(&state);
        unsigned color = (unsigned)(next_random(&state) * color_count), kind = (unsigned)(next_random(&state) * 4);
        if (inside_any(x, y, keep_out, keep_out_count)) {
            continue;
        }
        canvas_color_alpha(canvas, colors[color % color_count], 0.92);
        scrap(canvas->cr, x, y, size, turn, kind);
    }
}

cairo_pattern_t *shape_gold(struct rect r) {
    cairo_pattern_t *gold = cairo_pattern_create_linear(r.x, r.y, r.x + r.w, r.y + r.h);
    cairo_pattern_add_color_stop_rgb(gold, 0.00, 0.72, 0.50, 0.16);
    cairo_pattern_add_color_stop_rgb(gold, 0.22, 0.99, 0.90, 0.60);
    cairo_pattern_add_color_stop_rgb(gold, 0.48, 0.85, 0.64, 0.24);
    cairo_pattern_add_color_stop_rgb(gold, 0.74, 1.00, 0.94, 0.70);
    cairo_pattern_add_color_stop_rgb(gold, 1.00, 0.70, 0.47, 0.13);
    return gold;
}

static void ribbon_end(struct canvas *canvas, struct rect rect, double tail, double side, struct rgb color) {
    cairo_t *cr = canvas->cr;
    double edge = side < 0 ? rect.x : rect.x + rect.w, drop = 26, overlap = 54, notch = 34;
    double inner = edge - side * overlap, outer = edge + side * tail;
    cairo_move_to(cr, inner, rect.y + drop);
    cairo_line_to(cr, outer, rect.y + drop);
    cairo_line_to(cr, outer - side * notch, rect.y + drop + rect.h / 2);
    cairo_line_to(cr, outer, rect.y + drop + rect.h);
    cairo_line_to(cr, inner, rect.y + drop + rect.h);
    cairo_close_path(cr);
    canvas_color(canvas, color_mix(color, (struct rgb){0, 0, 0}, 0.28));
    cairo_fill(cr);
    cairo_move_to(cr, inner, rect.y + rect.h);
    cairo_line_to(cr, edge, rect.y + rect.h);
    cairo_line_to(cr, inner, rect.y + rect.h + drop);
    cairo_close_path(cr);
    canvas_color(canvas, color_mix(color, (struct rgb){0, 0, 0}, 0.55));
    cairo_fill(cr);
}

void shape_ribbon(struct canvas *canvas, struct rect rect, double tail, struct rgb color) {
    cairo_t *cr = canvas->cr;
    ribbon_end(canvas, rect, tail, -1, color);
    ribbon_end(canvas, rect, tail, 1, color);
    cairo_pattern_t *body = cairo_pattern_create_linear(0, rect.y, 0, rect.y + rect.h);
    struct rgb light = color_mix(color, (struct rgb){1, 1, 1}, 0.10),
               dark = color_mix(color, (struct rgb){0, 0, 0}, 0.08);
    cairo_pattern_add_color_stop_rgb(body, 0, light.r, light.g, light.b);
    cairo_pattern_add_color_stop_rgb(body, 0.5, color.r, color.g, color.b);
    cairo_pattern_add_color_stop_rgb(body, 1, dark.r, dark.g, dark.b);
    cairo_rectangle(cr, rect.x, rect.y, rect.w, rect.h);
    cairo_set_source(cr, body);
    cairo_fill(cr);
    cairo_pattern_destroy(body);
}

void shape_halftone(struct canvas *canvas, struct rect rect, double pitch, struct rgb color) {
    cairo_t *cr = canvas->cr;
    canvas_color(canvas, color);
    for (double y = rect.y + pitch / 2; y < rect.y + rect.h; y += pitch) {
        for (double x = rect.x + pitch / 2; x < rect.x + rect.w; x += pitch) {
            double share = (x - rect.x) / rect.w;
            shape_circle_path(cr, x, y, pitch * 0.42 * share);
        }
    }
    cairo_fill(cr);
}

void shape_squiggle_path(cairo_t *cr, double x, double y, double width, double height, unsigned waves) {
    double step = width / (2 * waves);
    cairo_move_to(cr, x, y);
    for (unsigned i = 0; i < 2 * waves; i++) {
        double side = i % 2 == 0 ? -height : height, from = x + step * i;
        cairo_curve_to(cr, from + step * 0.35, y + side, from + step * 0.65, y + side, from + step, y);
    }
}
