#ifndef HERALD_CONTENT_ENCODE_H
#define HERALD_CONTENT_ENCODE_H

/* Picture files in memory. *ret_data is set only on HERALD_OK; the caller frees it with free(). Any thread. */

#include "herald/error.h"

#include <cairo.h>
#include <stddef.h>

/** Encodes a PNG. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY) | HERALD_INTERNAL (PNG_ENCODER) */
enum herald_code encode_png(cairo_surface_t *surface, unsigned char **ret_data, size_t *ret_bytes,
                            struct herald_error *reterr);
/**
 * Encodes a JPEG: quality 90, full colour resolution (4:4:4), so coloured text keeps its edges.
 *
 * Returns: HERALD_OK | HERALD_INTERNAL (JPEG_ENCODER): also when there is no memory
 */
enum herald_code encode_jpeg(cairo_surface_t *surface, unsigned char **ret_data, size_t *ret_bytes,
                             struct herald_error *reterr);

#endif
