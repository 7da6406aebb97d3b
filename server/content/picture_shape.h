#ifndef HERALD_CONTENT_PICTURE_SHAPE_H
#define HERALD_CONTENT_PICTURE_SHAPE_H

/*
 * Pictures in the shapes of channels. The whole picture stands in the middle, and its outermost pixels go on to the
 * edges of the shape: no text is cut, and the grounds of the styles go on without a seam.
 */

#include "herald/error.h"
#include "server/outgoing/picture_url.h"

#include <stddef.h>

/**
 * Makes a JPEG in a shape from the PNG of a picture, with the quality of the picture's own JPEG (encode.h): sRGB.
 *
 * @png_fd    open for reading; stays open
 * @ret_jpeg  set only on HERALD_OK; from malloc, free it with free()
 * Returns:   HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY; PICTURE_TOO_BIG)
 *            | HERALD_INTERNAL (DRAWING: it is no PNG; JPEG_ENCODER)
 * Context:   computes for some 100 ms; any thread, not a loop's
 */
enum herald_code picture_shape_make(int png_fd, enum picture_shape shape, unsigned char **ret_jpeg, size_t *ret_bytes,
                                    struct herald_error *reterr);

#endif
