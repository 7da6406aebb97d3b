#include "server/gateway/http_encoding.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

/* The fast levels take a tenth of the time of the default and leave a tenth more bytes. */
#define LEVEL 2
/* zlib's: the largest window, and a gzip header instead of its own. */
#define WINDOW_GZIP (15 + 16)

/* Whether a weight is "q=0". */
static bool is_refused(struct span parameters) {
    struct span part;
    while (span_next(&parameters, ';', &part)) {
        part = span_trim(part);
        if (part.bytes >= 3 && (*part.at == 'q' || *part.at == 'Q') && part.at[1] == '=' && part.at[2] == '0' &&
            span_run_of((struct span){part.at + 2, part.bytes - 2}, "0.") == part.bytes - 2) {
            return true;
        }
    }
    return false;
}

bool http_accepts_gzip(const struct request_head *head) {
    struct span list = head->headers[HTTP_HEADER_ACCEPT_ENCODING], item, name;
    bool any = false;
    while (span_next(&list, ',', &item)) {
        struct span parameters = item;
        (void)span_next(&parameters, ';', &name);
        name = span_trim(name);
        if (span_is_word(name, "gzip") || span_is_word(name, "x-gzip")) {
            return !is_refused(parameters);
        }
        any |= span_is(name, "*") && !is_refused(parameters);
    }
    return any;
}

char *http_gzip(struct span body, struct span *ret_packed) {
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)body.at, .avail_in = (uInt)body.bytes};
    char *packed = malloc(body.bytes);
    if (packed == NULL || deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(packed);
        return NULL;
    }
    stream.next_out = (Bytef *)packed;
    stream.avail_out = (uInt)body.bytes;
    bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    *ret_packed = (struct span){packed, body.bytes - stream.avail_out};
    (void)deflateEnd(&stream);
    if (!whole) {
        free(packed);
        return NULL;
    }
    return packed;
}

/* FNV-1a, eight bytes at a time, with a finaliser: who may write a body cannot gain by two bodies with one tag. */
void http_tag(struct span body, char ret_tag[HTTP_TAG_BYTES]) {
    uint64_t hash = 0xCBF29CE484222325u ^ body.bytes;
    size_t at = 0;
    for (; at + 8 <= body.bytes; at += 8) {
        uint64_t word;
        memcpy(&word, body.at + at, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    for (; at < body.bytes; at++) {
        hash = (hash ^ (unsigned char)body.at[at]) * 0x100000001B3u;
    }
    hash = (hash ^ hash >> 33) * 0xFF51AFD7ED558CCDu;
    hash ^= hash >> 33;
    snprintf(ret_tag, HTTP_TAG_BYTES, "W/\"%016" PRIx64 "\"", hash);
}

/* A tag without the mark of a weak one. */
static struct span opaque_tag(struct span tag) {
    bool weak = tag.bytes > 2 && memcmp(tag.at, "W/", 2) == 0;
    return weak ? (struct span){tag.at + 2, tag.bytes - 2} : tag;
}

bool http_tag_matches(struct span list, const char *tag) {
    struct span item, wanted = opaque_tag(span_of(tag));
    while (span_next(&list, ',', &item)) {
        item = opaque_tag(span_trim(item));
        if ((item.bytes == wanted.bytes && memcmp(item.at, wanted.at, item.bytes) == 0) || span_is(item, "*")) {
            return true;
        }
    }
    return false;
}
