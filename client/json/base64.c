#include "client/json/base64.h"

size_t herald_base64_chars(size_t bytes) {
    return (bytes + 2) / 3 * 4;
}

void herald_base64_write(const uint8_t *data, size_t bytes, char *ret_text) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t group = (uint32_t)data[i] << 16;
        group |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        group |= left > 2 ? data[i + 2] : 0;
        *ret_text++ = digits[group >> 18];
        *ret_text++ = digits[group >> 12 & 63];
        *ret_text++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *ret_text++ = left > 2 ? digits[group & 63] : '=';
    }
}

/* Value of a digit of either alphabet, or -1. */
static int digit_value(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : -1;
}

bool herald_base64_read(const char *text, size_t chars, uint8_t *ret_data, size_t *ret_bytes) {
    if (chars > 0 && chars % 4 == 0 && text[chars - 1] == '=') {
        chars -= text[chars - 2] == '=' ? 2 : 1;
    }
    if (chars % 4 == 1) {
        return false;
    }
    size_t bytes = 0;
    uint32_t group = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < chars; i++) {
        int value = digit_value(text[i]);
        if (value < 0) {
            return false;
        }
        group = group << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            ret_data[bytes++] = (uint8_t)(group >> bits);
        }
    }
    *ret_bytes = bytes;
    return true;
}
