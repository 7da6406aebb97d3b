#include "server/text/text_count.h"

#include "client/base/ascii.h"
#include "server/text/text_marks.h"

#include <stdbool.h>
#include <string.h>
#include <utf8proc.h>

/* Code points of a text, one after the other. */
struct reader {
    const utf8proc_uint8_t *at;
    utf8proc_int32_t c;
    size_t bytes; /* of c */
};

/* Reads the next code point. Returns: false at the end; a byte that is no UTF-8 counts as one. */
static bool read_next(struct reader *reader) {
    reader->at += reader->bytes;
    if (*reader->at == 0) {
        return false;
    }
    if (*reader->at < 0x80) {
        reader->c = *reader->at;
        reader->bytes = 1;
        return true;
    }
    size_t left = strnlen((const char *)reader->at, 4);
    utf8proc_ssize_t step = utf8proc_iterate(reader->at, (utf8proc_ssize_t)left, &reader->c);
    reader->bytes = step > 0 ? (size_t)step : 1;
    reader->c = step > 0 ? reader->c : 0xFFFD;
    return true;
}

static struct reader reader_of(const char *text) {
    return (struct reader){.at = (const utf8proc_uint8_t *)text};
}

/* Whether one printable ASCII character follows another, which the library would say at greater cost. */
static bool are_plain(utf8proc_int32_t before, utf8proc_int32_t c) {
    return before >= 0x20 && before < 0x7F && c >= 0x20 && c < 0x7F;
}

static size_t units_of(const struct reader *reader, enum text_unit unit) {
    return unit == TEXT_UTF16 ? (reader->c > 0xFFFF ? 2 : 1) : unit == TEXT_BYTES ? reader->bytes : 1;
}

/* The grapheme at the reader, which has been read; leaves the reader behind it. Returns: whether another follows. */
static bool read_grapheme(struct reader *reader, enum text_unit unit, size_t *ret_units) {
    utf8proc_int32_t state = 0, before;
    size_t units = 0;
    bool more;
    do {
        before = reader->c;
        units += units_of(reader, unit);
        more = read_next(reader);
    } while (more && !are_plain(before, reader->c) && !utf8proc_grapheme_break_stateful(before, reader->c, &state));
    *ret_units = unit == TEXT_GRAPHEMES ? 1 : units;
    return more;
}

size_t text_count(const char *text, enum text_unit unit) {
    struct reader reader = reader_of(text);
    size_t count = 0, units;
    if (unit == TEXT_BYTES) {
        return strlen(text);
    }
    bool more = read_next(&reader);
    while (more) {
        more = read_grapheme(&reader, unit, &units);
        count += units;
    }
    return count;
}

size_t text_cut(const char *text, size_t max, enum text_unit unit) {
    struct reader reader = reader_of(text);
    size_t count = 0, kept = 0, units;
    bool more = read_next(&reader);
    while (more) {
        more = read_grapheme(&reader, unit, &units);
        count += units;
        if (count > max) {
            break;
        }
        kept = (size_t)((const char *)reader.at - text);
    }
    return kept;
}

static bool follows_hashtag(utf8proc_int32_t c) {
    return text_begins_word(c) || text_is_pictographic(c);
}

size_t text_count_hashtags(const char *text) {
    struct reader reader = reader_of(text);
    utf8proc_int32_t before = ' ', sign = ' '; /* the two characters before the reader's */
    size_t count = 0;
    while (read_next(&reader)) {
        count += (sign == '#' || sign == 0xFF03) && !text_is_word(before) && follows_hashtag(reader.c);
        before = sign;
        sign = reader.c;
    }
    return count;
}

void text_keep_hashtag(char *word) {
    struct reader reader = reader_of(word);
    size_t kept = 0;
    while (read_next(&reader)) {
        if (text_is_pictographic(reader.c) || (text_is_word(reader.c) && !text_is_variation(reader.c))) {
            memmove(word + kept, reader.at, reader.bytes);
            kept += reader.bytes;
        }
    }
    word[kept] = '\0';
}

static bool is_ascii_word(char c) {
    return herald_is_digit(c) || (herald_lower(c) >= 'a' && herald_lower(c) <= 'z') || c == '_';
}

static bool is_name(utf8proc_int32_t c) {
    return c < 0x80 && is_ascii_word((char)c);
}

size_t text_count_mentions(const char *text) {
    struct reader reader = reader_of(text);
    utf8proc_int32_t before = ' ', sign = ' ';
    size_t count = 0;
    while (read_next(&reader)) {
        bool in_address = is_name(before) || before == '.' || before == '-' || before == '+';
        count += sign == '@' && !in_address && is_name(reader.c);
        before = sign;
        sign = reader.c;
    }
    return count;
}
