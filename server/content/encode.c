/* Encoders of pictures to memory: PNG by cairo, JPEG by libjpeg. */
#include "server/content/encode.h"

#include <endian.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#define JPEG_QUALITY 90

struct buffer {
    unsigned char *data;
    size_t bytes, room;
};

static cairo_status_t append_png(void *closure, const unsigned char *data, unsigned int length) {
    struct buffer *buffer = closure;
    if (buffer->bytes + length > buffer->room) {
        size_t room = (buffer->bytes + length) * 2;
        unsigned char *grown = realloc(buffer->data, room);
        if (grown == NULL) {
            return CAIRO_STATUS_NO_MEMORY;
        }
        buffer->data = grown;
        buffer->room = room;
    }
    memcpy(buffer->data + buffer->bytes, data, length);
    buffer->bytes += length;
    return CAIRO_STATUS_SUCCESS;
}

enum herald_code encode_png(cairo_surface_t *surface, unsigned char **ret_data, size_t *ret_bytes,
                            struct herald_error *reterr) {
    struct buffer buffer = {0};
    cairo_status_t status = cairo_surface_write_to_png_stream(surface, append_png, &buffer);
    if (status != CAIRO_STATUS_SUCCESS) {
        free(buffer.data);
        return herald_error_set(
            reterr, status == CAIRO_STATUS_NO_MEMORY ? HERALD_REASON_OUT_OF_MEMORY : HERALD_REASON_PNG_ENCODER,
            "The PNG encoder failed: %s.", cairo_status_to_string(status));
    }
    *ret_data = buffer.data;
    *ret_bytes = buffer.bytes;
    return HERALD_OK;
}

/* libjpeg's default error handler calls exit(); this one leaves the failed call by longjmp(). */
struct jpeg_guard {
    struct jpeg_error_mgr manager; /* first: libjpeg passes its address */
    jmp_buf out;
    char message[JMSG_LENGTH_MAX];
};

static void on_jpeg_error(j_common_ptr info) {
    struct jpeg_guard *guard = (struct jpeg_guard *)(void *)info->err;
    info->err->format_message(info, guard->message);
    longjmp(guard->out, 1);
}

static void ignore_jpeg_message(j_common_ptr info) {
    (void)info;
}

static void compress(struct jpeg_compress_struct *jpeg, cairo_surface_t *surface) {
    jpeg->image_width = (JDIMENSION)cairo_image_surface_get_width(surface);
    jpeg->image_height = (JDIMENSION)cairo_image_surface_get_height(surface);
    jpeg->input_components = 4;
    jpeg->in_color_space = __BYTE_ORDER == __LITTLE_ENDIAN ? JCS_EXT_BGRX : JCS_EXT_XRGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, JPEG_QUALITY, TRUE);
    jpeg->comp_info[0].h_samp_factor = 1;
    jpeg->comp_info[0].v_samp_factor = 1;
    jpeg->optimize_coding = TRUE;
    jpeg_start_compress(jpeg, TRUE);
    unsigned char *pixels = cairo_image_surface_get_data(surface);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    while (jpeg->next_scanline < jpeg->image_height) {
        JSAMPROW row = pixels + stride * jpeg->next_scanline;
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
}

enum herald_code encode_jpeg(cairo_surface_t *surface, unsigned char **ret_data, size_t *ret_bytes,
                             struct herald_error *reterr) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_guard guard;
    unsigned char *data = NULL;
    unsigned long bytes = 0;
    cairo_surface_flush(surface);
    memset(&jpeg, 0, sizeof(jpeg));
    jpeg.err = jpeg_std_error(&guard.manager);
    guard.manager.error_exit = on_jpeg_error;
    guard.manager.output_message = ignore_jpeg_message;
    if (setjmp(guard.out) != 0) {
        jpeg_destroy_compress(&jpeg);
        free(*(unsigned char *volatile *)&data);
        return herald_error_set(reterr, HERALD_REASON_JPEG_ENCODER, "The JPEG encoder failed: %s.", guard.message);
    }
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, &bytes);
    compress(&jpeg, surface);
    jpeg_destroy_compress(&jpeg);
    *ret_data = data;
    *ret_bytes = bytes;
    return HERALD_OK;
}
