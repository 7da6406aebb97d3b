#include "server/outgoing/picture_url.h"

#include "client/base/ascii.h"
#include "client/base/digest.h"

#include <stdio.h>
#include <string.h>

#define JPEG_ENDING ".jpg"
#define KEY_PREFIX  "picture/"
#define UUID_CHARS  36

static const struct {
    const char *name;
    int width, height;
} SHAPES[PICTURE_SHAPE_COUNT] = {
    [PICTURE_SQUARE] = {"square", 1080, 1080},
    [PICTURE_PORTRAIT] = {"portrait", 1080, 1350},
    [PICTURE_WIDE] = {"wide", 1600, 800},
    [PICTURE_VIDEO] = {"video", 1920, 1080},
};

const char *picture_shape_name(enum picture_shape shape) {
    return SHAPES[shape].name;
}

void picture_shape_size(enum picture_shape shape, int *ret_width, int *ret_height) {
    *ret_width = SHAPES[shape].width;
    *ret_height = SHAPES[shape].height;
}

/* Whether what stands before the last slash ends in "/<key>", as in URLs of Herald's own pictures only. */
static bool follows_key(const char *jpeg_url, const char *file) {
    return file - jpeg_url > PICTURE_KEY_CHARS && file[-PICTURE_KEY_CHARS - 1] == '/' &&
           picture_key_valid(file - PICTURE_KEY_CHARS);
}

bool picture_shape_url(const char *jpeg_url, enum picture_shape shape, char *ret_url, size_t room) {
    const char *file = strrchr(jpeg_url, '/');
    size_t name_bytes = file != NULL && follows_key(jpeg_url, file) ? strcspn(file + 1, ".?#") : 0;
    if (name_bytes == 0 || strcmp(file + 1 + name_bytes, JPEG_ENDING) != 0) {
        return false;
    }
    size_t bytes = strlen(jpeg_url) + 1 + strlen(SHAPES[shape].name);
    if (bytes >= room) {
        return false;
    }
    int head = (int)(file + 1 + name_bytes - jpeg_url);
    snprintf(ret_url, room, "%.*s.%s" JPEG_ENDING, head, jpeg_url, SHAPES[shape].name);
    return true;
}

enum herald_code picture_key(const char *job_id, char *ret_key, struct herald_error *reterr) {
    char text[sizeof(KEY_PREFIX) + UUID_CHARS];
    uint8_t hash[HERALD_SHA256_BYTES];
    int bytes = snprintf(text, sizeof(text), KEY_PREFIX "%.*s", UUID_CHARS, job_id);
    for (char *at = text; *at != '\0'; at++) {
        *at = herald_lower(*at);
    }
    if (!herald_sha256(text, (size_t)bytes, hash)) {
        return herald_error_no_memory(reterr, "the key of a picture");
    }
    herald_write_hex(hash, PICTURE_KEY_CHARS / 2, ret_key);
    return HERALD_OK;
}

bool picture_key_valid(const char *text) {
    return strspn(text, "0123456789abcdef") >= PICTURE_KEY_CHARS;
}
