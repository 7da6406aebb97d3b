#ifndef HERALD_CONTENT_SHAPES_H
#define HERALD_CONTENT_SHAPES_H

/* Ornaments of the pictures. Functions named _path only add to the current path. */

#include "server/content/canvas.h"

#include <stdint.h>

void shape_rounded_path(cairo_t *cr, struct rect rect, double radius);
void shape_circle_path(cairo_t *cr, double x, double y, double radius);
/** A star with @points points. @inner  0..1: depth of the cuts */
void shape_star_path(cairo_t *cr, double x, double y, double radius, unsigned points, double inner, double turn);
/** Wedges around a point, every second one filled with the current source. */
void shape_sunburst(cairo_t *cr, double x, double y, double radius, unsigned wedges);
/** Flags on a string that hangs from (x0, y) to (x1, y). */
void shape_bunting(struct canvas *canvas, double x0, double x1, double y, double sag, unsigned flags,
                   const struct rgb *colors, unsigned color_count);
/** Paper scraps, outside the @keep_out rectangles. The same @seed scatters them the same way. */
void shape_confetti(struct canvas *canvas, uint32_t seed, unsigned scraps, const struct rgb *colors,
                    unsigned color_count, const struct rect *keep_out, unsigned keep_out_count);
/** A metal sheen from top-left to bottom-right of @rect; destroy it after use. */
cairo_pattern_t *shape_gold(struct rect rect);
/** A banner with folded, notched ends; the ends reach @tail beyond @rect on both sides. */
void shape_ribbon(struct canvas *canvas, struct rect rect, double tail, struct rgb color);
/** A field of dots that shrink from right to left. */
void shape_halftone(struct canvas *canvas, struct rect rect, double pitch, struct rgb color);
/** A wavy line. */
void shape_squiggle_path(cairo_t *cr, double x, double y, double width, double height, unsigned waves);

#endif
