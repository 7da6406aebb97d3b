#ifndef HERALD_CONTENT_RENDER_H
#define HERALD_CONTENT_RENDER_H

/*
 * Promotional pictures, 1080 x 1080. The same input gives the same bytes with the same fonts installed. Nothing here
 * touches files or the network. Any thread, several concurrently: they draw in turn and encode concurrently.
 */

#include "herald/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RENDER_SIDE_PX 1080
/* Instagram's limit. */
#define RENDER_JPEG_MAX_BYTES (8u * 1024u * 1024u)

enum render_style { RENDER_SIMPLE, RENDER_FANCY, RENDER_TRENDY, RENDER_STYLE_COUNT };

/** The texts and the colour of a picture; UTF-8. */
struct render_input {
    const char *title;
    const char *prize;       /* may be empty */
    const char *brand_color; /* "#RRGGBB"; empty: the default colour */
    const char *store_name;
    const char *store_address; /* may be empty */
    const char *store_phone;   /* may be empty */
};

/** The place of a text, in pixels of the picture (its bounds, for turned text). */
struct render_text_box {
    const char *role; /* "title", "prize", "store", "address", …; static */
    double x, y, w, h;
    double font_px;
    bool ellipsised;
    bool in_slot; /* it stays inside its slot */
};
#define RENDER_TEXT_MAX 16

/** Characters of a text that are not in the picture, because no installed font draws them. */
#define RENDER_MISSING_MAX 8
struct render_missing {
    const char *role;                        /* as in render_text_box */
    uint32_t characters[RENDER_MISSING_MAX]; /* code points, each once; the first ones */
    unsigned character_count;                /* of different ones; more than RENDER_MISSING_MAX: not all are listed */
    unsigned total;                          /* with repetitions */
};
#define RENDER_INPUT_TEXTS 5

struct render_layout {
    struct render_text_box texts[RENDER_TEXT_MAX];
    unsigned text_count;
    struct render_missing missing[RENDER_INPUT_TEXTS]; /* title, prize, store, address, phone */
    unsigned boxes;                                    /* glyphs that stand for a character without a font; 0 */
};

struct render_picture {
    unsigned char *png, *jpeg; /* from malloc */
    size_t png_bytes, jpeg_bytes;
    struct render_layout layout;
};

/** Name of a style as in URLs: "simple", "fancy", "trendy". Static. */
const char *render_style_name(enum render_style style);
/**
 * Checks that an installed font has Hangul. Any thread.
 *
 * Returns: HERALD_OK | HERALD_FAILED_PRECONDITION (NO_HANGUL_FONT) | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 */
enum herald_code render_check_fonts(struct herald_error *reterr);
/**
 * Draws and encodes one picture.
 *
 * @ret_picture  set only on HERALD_OK; free with render_picture_fini()
 * Returns:      HERALD_OK | HERALD_FAILED_PRECONDITION (NO_HANGUL_FONT) | HERALD_INVALID_ARGUMENT (INVALID_UTF8)
 *               | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY; PICTURE_TOO_BIG: a JPEG above the limit)
 *               | HERALD_INTERNAL (DRAWING, PNG_ENCODER, JPEG_ENCODER: with the library's message)
 * Context:      computes for some 100 ms; any thread, not a loop's
 */
enum herald_code render_picture(const struct render_input *input, enum render_style style,
                                struct render_picture *ret_picture, struct herald_error *reterr);
void render_picture_fini(struct render_picture *picture);

#endif
