#ifndef HERALD_CONTENT_ENCODE_H
#define HERALD_CONTENT_ENCODE_H

#include "herald/error.h"

#include <cairo.h>
#include <stddef.h>

/* Picture files in memory; *ret_data is free()d by the caller and set only on success. Any thread. */

/** Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (no memory) | HERALD_INTERNAL. */
enum herald_code encode_png(cairo_surface_t *surface, unsigned char **ret_data, size_t *ret_bytes,
                            struct herald_error *reterr);
/** Quality 90, full colour resolution (4:4:4): text in colour keeps its edges. Returns as encode_png(). */
enum herald_code encode_jpeg(cairo_surface_t *surface, unsigned char **ret_data, size_t *ret_bytes,
                             struct herald_error *reterr);

#endif
