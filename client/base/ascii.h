#ifndef HERALD_BASE_ASCII_H
#define HERALD_BASE_ASCII_H

/* Tests of ASCII characters, whatever the locale. The bytes of a longer UTF-8 character pass none of them. */
#include <stdbool.h>
#include <stddef.h>

static inline bool herald_is_digit(char c) {
    return c >= '0' && c <= '9';
}

/** As JSON has it: blank, tab, line feed, carriage return. */
static inline bool herald_is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline char herald_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/** The value of a hexadecimal digit of either case; -1 for any other character. */
static inline int herald_hex_value(char c) {
    char lower = herald_lower(c);
    return herald_is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/** Whether all of @text is printable ASCII without blanks, 0x21 to 0x7E. True for 0 bytes. */
static inline bool herald_is_graphic(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < 0x21 || text[i] > 0x7E) {
            return false;
        }
    }
    return true;
}

/**
 * Writes bytes as hexadecimal digits, two each, lower case.
 *
 * @ret_text  2 * @count + 1 bytes; NUL-terminated
 */
static inline void herald_write_hex(const unsigned char *bytes, size_t count, char *ret_text) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * count] = '\0';
}

#endif
