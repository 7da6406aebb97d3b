#ifndef HERALD_OUTGOING_PICTURE_URL_H
#define HERALD_OUTGOING_PICTURE_URL_H

/*
 * Where the pictures of a job are, for those who make them and those who send them to channels. A picture is at
 * <content.url>/content/<key>/<style>.png and .jpg; its JPEG also comes in the shapes of channels: the word of the shape
 * stands before ".jpg", "simple.wide.jpg".
 *
 * Everybody may see the URL of a picture, so it tells nothing that opens anything else: its key cannot be turned back
 * into the id of the job.
 */

#include "herald/error.h"

#include <stdbool.h>
#include <stddef.h>

/** Hexadecimal digits of a key: 128 bits. */
#define PICTURE_KEY_CHARS 32

enum picture_shape {
    PICTURE_SQUARE,   /* 1080 x 1080, as the picture was made: Instagram */
    PICTURE_PORTRAIT, /* 1080 x 1350, 4:5: Instagram */
    PICTURE_WIDE,     /* 1600 x 800, 2:1: Kakao */
    PICTURE_VIDEO,    /* 1920 x 1080, 16:9: televisions */
    PICTURE_SHAPE_COUNT
};

/** The word of a shape in URLs: "square", "portrait", "wide", "video". Static. */
const char *picture_shape_name(enum picture_shape shape);
/** Width and height of a shape, in pixels. */
void picture_shape_size(enum picture_shape shape, int *ret_width, int *ret_height);
/**
 * The URL of a picture in a shape: ".../<key>/simple.jpg" becomes ".../<key>/simple.wide.jpg". Only pictures that Herald
 * has made have shapes: those whose name follows a key.
 *
 * @jpeg_url  any URL
 * @ret_url   set only when this returns true
 * Returns:   false: @jpeg_url does not end in a key, one name and ".jpg", or @room is too small
 * Context:   any thread
 */
bool picture_shape_url(const char *jpeg_url, enum picture_shape shape, char *ret_url, size_t room);
/**
 * The key under which the pictures of a job are public: the first 128 bits of SHA-256 of "picture/" and the job's id.
 *
 * @job_id   a UUID; its case does not matter
 * @ret_key  PICTURE_KEY_CHARS + 1 bytes; set only on HERALD_OK
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 * Context:  any thread
 */
enum herald_code picture_key(const char *job_id, char *ret_key, struct herald_error *reterr);
/** Whether the first PICTURE_KEY_CHARS bytes of @text are a key, in lower case. */
bool picture_key_valid(const char *text);

#endif
