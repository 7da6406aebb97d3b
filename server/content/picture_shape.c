#include "server/content/picture_shape.h"

#include "server/content/encode.h"
#include "server/content/render.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static cairo_status_t read_png(void *closure, unsigned char *data, unsigned int length) {
    const int *fd = closure;
    while (length > 0) {
        ssize_t bytes = read(*fd, data, length);
        if (bytes < 0 && errno == EINTR) {
            continue;
        }
        if (bytes <= 0) {
            return CAIRO_STATUS_READ_ERROR;
        }
        data += bytes;
        length -= (unsigned)bytes;
    }
    return CAIRO_STATUS_SUCCESS;
}

/* Paints @picture into the middle of @shape; beyond its edges its outermost pixels go on. */
static void paint_padded(cairo_surface_t *shape, cairo_surface_t *picture) {
    double width = cairo_image_surface_get_width(shape), height = cairo_image_surface_get_height(shape);
    double side = cairo_image_surface_get_width(picture);
    double scale = (width < height ? width : height) / side;
    cairo_t *cr = cairo_create(shape);
    cairo_translate(cr, (width - side * scale) / 2, (height - side * scale) / 2);
    cairo_scale(cr, scale, scale);
    cairo_set_source_surface(cr, picture, 0, 0);
    cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_BEST);
    cairo_paint(cr);
    cairo_destroy(cr);
}

static enum herald_code encode_shape(cairo_surface_t *surface, unsigned char **ret_jpeg, size_t *ret_bytes,
                                     struct herald_error *reterr) {
    cairo_status_t status = cairo_surface_status(surface);
    if (status == CAIRO_STATUS_NO_MEMORY) {
        return herald_error_no_memory(reterr, "a picture in the shape of a channel");
    }
    if (status != CAIRO_STATUS_SUCCESS) {
        return herald_error_set(reterr, HERALD_REASON_DRAWING, "The picture could not be brought into shape: %s.",
                                cairo_status_to_string(status));
    }
    enum herald_code code = encode_jpeg(surface, ret_jpeg, ret_bytes, reterr);
    if (code == HERALD_OK && *ret_bytes > RENDER_JPEG_MAX_BYTES) {
        code = herald_error_set(reterr, HERALD_REASON_PICTURE_TOO_BIG,
                                "The JPEG has %zu bytes; channels take at most %u.", *ret_bytes, RENDER_JPEG_MAX_BYTES);
        free(*ret_jpeg);
    }
    return code;
}

enum herald_code picture_shape_make(int png_fd, enum picture_shape shape, unsigned char **ret_jpeg, size_t *ret_bytes,
                                    struct herald_error *reterr) {
    int width, height;
    unsigned char *jpeg = NULL;
    size_t bytes = 0;
    cairo_surface_t *picture = cairo_image_surface_create_from_png_stream(read_png, &png_fd);
    cairo_status_t status = cairo_surface_status(picture);
    if (status != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(picture);
        return status == CAIRO_STATUS_NO_MEMORY
                   ? herald_error_no_memory(reterr, "a picture to bring into shape")
                   : herald_error_set(reterr, HERALD_REASON_DRAWING, "The picture's PNG cannot be read: %s.",
                                      cairo_status_to_string(status));
    }
    picture_shape_size(shape, &width, &height);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    paint_padded(surface, picture);
    cairo_surface_destroy(picture);
    enum herald_code code = encode_shape(surface, &jpeg, &bytes, reterr);
    cairo_surface_destroy(surface);
    if (code == HERALD_OK) {
        *ret_jpeg = jpeg;
        *ret_bytes = bytes;
    }
    return code;
}
