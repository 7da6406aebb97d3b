#ifndef HERALD_CONTENT_COLOR_H
#define HERALD_CONTENT_COLOR_H

/* Colours of pictures: sRGB, each part 0..1, and the arithmetic of contrast (WCAG 2.1). */

#include <stdbool.h>

struct rgb {
    double r, g, b;
};

#define RGB(hex)                                                                                                       \
    ((struct rgb){(double)(((hex) >> 16) & 0xff) / 255.0, (double)(((hex) >> 8) & 0xff) / 255.0,                       \
                  (double)((hex) & 0xff) / 255.0})

/** Reads "#RRGGBB". Returns: false: other text; *ret_color is unchanged. */
bool color_parse(const char *text, struct rgb *ret_color);
/** Mixes two colours: @a at share 0, @b at share 1. */
struct rgb color_mix(struct rgb a, struct rgb b, double share);
/** Turns the hue by @degrees, scales saturation, and sets the lightness (0..1). */
struct rgb color_tone(struct rgb color, double degrees, double saturation_factor, double lightness);
/** Strength of the colour, 0..1. It is 0 for greys and nearly 0 for colours close to white or black. */
double color_chroma(struct rgb color);
/** Hue in degrees, 0..360; red is 0, yellow 60. */
double color_hue(struct rgb color);
/** Relative luminance, 0..1. */
double color_luminance(struct rgb color);
/** Contrast ratio, 1..21. */
double color_contrast(struct rgb a, struct rgb b);
/** White or near-black, whichever is easier to read on @background. */
struct rgb color_text_on(struct rgb background);
/** Moves @color towards white or black, only as far as needed to reach @ratio on @background. */
struct rgb color_readable_on(struct rgb color, struct rgb background, double ratio);

#endif
