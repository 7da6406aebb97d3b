#ifndef HERALD_CONTENT_POSTER_H
#define HERALD_CONTENT_POSTER_H

#include "server/content/canvas.h"

#include <stdint.h>

/* What the three styles draw: cleaned text on a canvas. */
struct poster {
    struct canvas *canvas;
    const char *title; /* never empty */
    const char *prize; /* "" when there is none, as for the next ones */
    const char *store;
    const char *address;
    const char *phone;
    struct rgb brand;
    uint32_t seed; /* seed of the scattered ornaments; derived from the input */
};

typedef void poster_draw_fn(const struct poster *poster);
poster_draw_fn poster_draw_simple, poster_draw_fancy, poster_draw_trendy;

#endif
