/* Arithmetic of colours: HSL, luminance and contrast (WCAG 2.1). */
#include "server/content/color.h"

#include "client/base/ascii.h"

#include <math.h>
#include <stddef.h>

static const struct rgb WHITE = {1, 1, 1};
static const struct rgb INK = {0.07, 0.07, 0.08};

bool color_parse(const char *text, struct rgb *ret_color) {
    int digits[6];
    if (text == NULL || text[0] != '#') {
        return false;
    }
    for (int i = 0; i < 6; i++) {
        digits[i] = herald_hex_value(text[i + 1]);
        if (digits[i] < 0) {
            return false;
        }
    }
    if (text[7] != '\0') {
        return false;
    }
    *ret_color = (struct rgb){(digits[0] * 16 + digits[1]) / 255.0, (digits[2] * 16 + digits[3]) / 255.0,
                              (digits[4] * 16 + digits[5]) / 255.0};
    return true;
}

struct rgb color_mix(struct rgb a, struct rgb b, double share) {
    return (struct rgb){a.r + (b.r - a.r) * share, a.g + (b.g - a.g) * share, a.b + (b.b - a.b) * share};
}

struct hsl {
    double h, s, l; /* degrees, 0..1, 0..1 */
};

static struct hsl to_hsl(struct rgb c) {
    double max = fmax(c.r, fmax(c.g, c.b)), min = fmin(c.r, fmin(c.g, c.b)), range = max - min;
    struct hsl hsl = {0, 0, (max + min) / 2};
    if (range < 1e-9) {
        return hsl;
    }
    hsl.s = range / (1 - fabs(2 * hsl.l - 1));
    if (max - c.r < 1e-12) {
        hsl.h = 60 * fmod((c.g - c.b) / range + 6, 6);
    } else if (max - c.g < 1e-12) {
        hsl.h = 60 * ((c.b - c.r) / range + 2);
    } else {
        hsl.h = 60 * ((c.r - c.g) / range + 4);
    }
    return hsl;
}

static double hsl_part(struct hsl c, double n) {
    double k = fmod(n + c.h / 30, 12), a = c.s * fmin(c.l, 1 - c.l);
    return c.l - a * fmax(-1, fmin(fmin(k - 3, 9 - k), 1));
}

struct rgb color_tone(struct rgb color, double degrees, double saturation_factor, double lightness) {
    struct hsl hsl = to_hsl(color);
    hsl.h = fmod(hsl.h + degrees + 720, 360);
    hsl.s = fmin(1, hsl.s * saturation_factor);
    hsl.l = fmin(1, fmax(0, lightness));
    return (struct rgb){hsl_part(hsl, 0), hsl_part(hsl, 8), hsl_part(hsl, 4)};
}

double color_chroma(struct rgb color) {
    return fmax(color.r, fmax(color.g, color.b)) - fmin(color.r, fmin(color.g, color.b));
}

double color_hue(struct rgb color) {
    return to_hsl(color).h;
}

static double linear(double part) {
    return part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4);
}

double color_luminance(struct rgb color) {
    return 0.2126 * linear(color.r) + 0.7152 * linear(color.g) + 0.0722 * linear(color.b);
}

double color_contrast(struct rgb a, struct rgb b) {
    double la = color_luminance(a), lb = color_luminance(b);
    return (fmax(la, lb) + 0.05) / (fmin(la, lb) + 0.05);
}

struct rgb color_text_on(struct rgb background) {
    /* On saturated mid-tones white reads better than the ratio alone says: dark text must win clearly. */
    return color_contrast(WHITE, background) * 1.6 >= color_contrast(INK, background) ? WHITE : INK;
}

struct rgb color_readable_on(struct rgb color, struct rgb background, double ratio) {
    struct rgb goal = color_contrast(WHITE, background) > color_contrast((struct rgb){0, 0, 0}, background)
                          ? WHITE
                          : (struct rgb){0, 0, 0};
    for (int step = 0; step <= 40; step++) {
        struct rgb candidate = color_mix(color, goal, step / 40.0);
        if (color_contrast(candidate, background) >= ratio) {
            return candidate;
        }
    }
    return goal;
}
