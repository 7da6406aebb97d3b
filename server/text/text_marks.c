#include "server/text/text_marks.h"

#include <utf8proc.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct range {
    int32_t first, last;
};

static bool in_ranges(int32_t c, const struct range *ranges, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

bool text_is_break(int32_t c) {
    return (c >= '\t' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool text_is_blank(int32_t c) {
    return text_is_break(c) || c == 0x2800 || utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
}

static bool is_noncharacter(int32_t c) {
    return (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF);
}

/* Default-ignorable by their range, though nothing is assigned there; the library knows assigned ones only. */
static bool is_reserved_ignorable(int32_t c) {
    return c == 0x2065 || (c >= 0xFFF0 && c <= 0xFFF8) || (c >= 0xE0000 && c <= 0xE0FFF);
}

/* Unassigned characters stay: a newer Unicode than the library's may have them, as emoji of this year. */
bool text_is_dropped(int32_t c) {
    utf8proc_category_t category = utf8proc_category(c);
    bool annotation = c >= 0xFFF9 && c <= 0xFFFC; /* of text within text; U+FFFC: an object that was not copied */
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CO || category == UTF8PROC_CATEGORY_CS ||
           annotation || is_noncharacter(c) || is_reserved_ignorable(c) || utf8proc_get_property(c)->ignorable;
}

bool text_is_variation(int32_t c) {
    return (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xE0100 && c <= 0xE01EF) || (c >= 0x180B && c <= 0x180D) ||
           c == 0x180F;
}

bool text_is_skin_tone(int32_t c) {
    return c >= 0x1F3FB && c <= 0x1F3FF;
}

bool text_is_mark(int32_t c) {
    utf8proc_category_t category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
}

bool text_is_pictographic(int32_t c) {
    return utf8proc_get_property(c)->boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

bool text_joins_letters(int32_t c) {
    static const struct range SCRIPTS[] = {
        {0x0600, 0x08FF},   /* Arabic, Syriac, Thaana, N'Ko, Mandaic */
        {0x0900, 0x0DFF},   /* the scripts of India and Sri Lanka */
        {0x0F00, 0x109F},   /* Tibetan, Myanmar */
        {0x1780, 0x18AF},   /* Khmer, Mongolian */
        {0x1A00, 0x1CFF},   /* Tai Tham, Balinese, Sundanese, Vedic marks */
        {0xA800, 0xA8FF},   /* Syloti Nagri, Phags-pa, Saurashtra, Devanagari */
        {0xA930, 0xA95F},   /* Rejang */
        {0xA980, 0xABFF},   /* Javanese, Cham, Meetei Mayek */
        {0x10D00, 0x10D3F}, /* Hanifi Rohingya */
        {0x11000, 0x11FFF}, /* Brahmi and its kin */
        {0x1E900, 0x1E95F}, /* Adlam */
    };
    utf8proc_category_t category = utf8proc_category(c);
    bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
    return (letter || text_is_mark(c)) && in_ranges(c, SCRIPTS, COUNT(SCRIPTS));
}

static bool is_ideograph(int32_t c) {
    static const struct range HAN[] = {
        {0x2E80, 0x2FDF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0x20000, 0x3FFFD},
    };
    return in_ranges(c, HAN, COUNT(HAN));
}

bool text_takes_variation(int32_t c, int32_t selector) {
    if ((selector >= 0x180B && selector <= 0x180D) || selector == 0x180F) {
        return c >= 0x1800 && c <= 0x18AF && !text_is_variation(c);
    }
    if (selector >= 0xE0100) {
        return is_ideograph(c);
    }
    return is_ideograph(c) || (c >= 0x1000 && c <= 0x109F) || (c >= 0xA840 && c <= 0xA877);
}

bool text_begins_word(int32_t c) {
    utf8proc_category_t category = utf8proc_category(c);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) || category == UTF8PROC_CATEGORY_ND ||
           c == '_';
}

bool text_is_word(int32_t c) {
    return text_begins_word(c) || text_is_mark(c);
}
