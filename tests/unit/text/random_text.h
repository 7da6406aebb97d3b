#ifndef HERALD_TESTS_RANDOM_TEXT_H
#define HERALD_TESTS_RANDOM_TEXT_H

/* Random texts made of what cleaning and cutting must get right: the same ones in each run. */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *const RANDOM_PIECES[] = {
    "a",          "Z",          "7",          "#",          "*",          "@",          " ",          "\n",
    "\r",         "\t",         "\x01",       "\u00E9",     "e\u0301",    "\u0301",     "\u0323",     "\uAC01",
    "\u1100",     "\u1161",     "\u11A8",     "\u115F",     "\u3164",     "\u200B",     "\u200C",     "\u200D",
    "\uFE0E",     "\uFE0F",     "\u20E3",     "\u202E",     "\u2066",     "\u061C",     "\u0627",     "\u064B",
    "\u0915",     "\u094D",     "\u0937",     "\u093C",     "\u0958",     "\u6F22",     "\uF900",     "\uFE00",
    "\u3000",     "\u2028",     "\xC2\x85",   "\u2800",     "\uE000",     "\uFFFC",     "\uFDD0",     "\u00AD",
    "\u034F",     "\u1820",     "\u180B",     "\u1025",     "\u102E",     "\u0E01",     "\u0E49",     "\U0001F468",
    "\U0001F466", "\U0001F3FD", "\U0001F1F0", "\U0001F1F7", "\U0001F3F4", "\U000E0067", "\U000E007F", "\U000E0100",
    "\U0001F389", "\u2764",     "\u0344",     "\u0F71",     "\u0F72",     "\U0001D15E", "\U000F0000", "\U0010FFFF",
};

/* Fills @ret_text with up to 24 pieces. */
static inline void random_text(uint32_t seed, char *ret_text, size_t room) {
    uint32_t state = seed * 2654435761u | 1u;
    size_t length = 0;
    unsigned pieces = 1 + seed % 24;
    for (unsigned i = 0; i < pieces; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        const char *piece = RANDOM_PIECES[(state >> 8) % (sizeof(RANDOM_PIECES) / sizeof(RANDOM_PIECES[0]))];
        length += (size_t)snprintf(ret_text + length, room - length, "%s", piece);
    }
}

#endif
