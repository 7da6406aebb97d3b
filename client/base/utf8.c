#include "herald/utf8.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the character at @at, 1..4; 0 if it is no valid one within @left bytes. */
static size_t char_bytes(const unsigned char *at, size_t left) {
    if (at[0] < 0x80) {
        return 1;
    }
    if (at[0] < 0xC2 || at[0] > 0xF4) {
        return 0;
    }
    size_t bytes = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (bytes > left) {
        return 0;
    }
    /* The second byte's range excludes over-long forms, surrogates and what is above U+10FFFF. */
    unsigned char low = at[0] == 0xE0 ? 0xA0 : at[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = at[0] == 0xED ? 0x9F : at[0] == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < bytes; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return bytes;
}

/* True if the 8 bytes at @at are all ASCII. */
static bool ascii8(const unsigned char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

bool herald_utf8_valid(const char *text, size_t text_bytes, size_t *ret_chars) {
    const unsigned char *at = (const unsigned char *)text;
    size_t left = text_bytes;
    size_t chars = 0;
    while (left > 0) {
        size_t step = left >= 8 && ascii8(at) ? 8 : 0;
        if (step > 0) {
            chars += step;
        } else {
            step = char_bytes(at, left);
            if (step == 0) {
                return false;
            }
            chars++;
        }
        at += step;
        left -= step;
    }
    if (ret_chars) {
        *ret_chars = chars;
    }
    return true;
}

size_t herald_utf8_cut(const char *text, size_t text_bytes, size_t max_bytes) {
    if (text_bytes <= max_bytes) {
        return text_bytes;
    }
    size_t cut = max_bytes;
    /* At most three continuation bytes: text that is no UTF-8 is cut at the byte. */
    for (int back = 0; back < 3 && cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80; back++) {
        cut--;
    }
    return cut;
}
