/*
 * Cleaning in two passes over code points: a filter that looks at its neighbours, then NFC of what is left. NFC comes
 * last, as a letter and its mark may become neighbours only when what stood between them is gone.
 */
#include "server/text/post_text.h"

#include "server/text/text_marks.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define ZWNJ            0x200C
#define ZWJ             0x200D
#define EMOJI_VARIATION 0xFE0F
#define KEYCAP          0x20E3
#define BLACK_FLAG      0x1F3F4
#define TAG_FIRST       0xE0020
#define TAG_END         0xE007F
/* The longest flag of Unicode has 6 tags. */
#define TAGS_MAX 16

struct filter {
    const utf8proc_int32_t *in;
    size_t in_count;
    utf8proc_int32_t *out;
    size_t out_count;
    enum text_kind kind;
};

bool post_text_is_plain(const char *text) {
    size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < 0x20 || text[i] > 0x7E) {
            return false;
        }
    }
    return bytes == 0 || (text[0] != ' ' && text[bytes - 1] != ' ');
}

static utf8proc_int32_t last_of(const struct filter *filter) {
    return filter->out_count > 0 ? filter->out[filter->out_count - 1] : 0;
}

static utf8proc_int32_t ahead(const struct filter *filter, size_t at) {
    return at < filter->in_count ? filter->in[at] : 0;
}

/* The last character that begins something: variation selectors, skin tones and marks are passed over. */
static utf8proc_int32_t last_base(const struct filter *filter) {
    for (size_t i = filter->out_count; i > 0; i--) {
        utf8proc_int32_t c = filter->out[i - 1];
        if (!text_is_variation(c) && !text_is_skin_tone(c) && !text_is_mark(c)) {
            return c;
        }
    }
    return 0;
}

/* The next character that a joiner may join to: what is dropped is passed over. */
static utf8proc_int32_t next_visible(const struct filter *filter, size_t at) {
    while (at < filter->in_count && text_is_dropped(filter->in[at]) && !text_is_break(filter->in[at])) {
        at++;
    }
    return ahead(filter, at);
}

static bool keeps_joiner(const struct filter *filter, size_t at) {
    utf8proc_int32_t c = filter->in[at], next = next_visible(filter, at + 1);
    utf8proc_int32_t base = last_base(filter); /* not a mark: NFC may bring marks into another order */
    return text_joins_letters(base) || (c == ZWJ && text_is_pictographic(base) && text_is_pictographic(next));
}

/* A keycap is a digit, # or *, a variation selector, and the mark that draws the key. */
static bool keeps_variation(const struct filter *filter, size_t at) {
    utf8proc_int32_t c = filter->in[at], last = last_of(filter);
    if (c == 0xFE0E || c == EMOJI_VARIATION) {
        bool keycap = (last >= '0' && last <= '9') || last == '#' || last == '*';
        return keycap ? next_visible(filter, at + 1) == KEYCAP : text_is_pictographic(last);
    }
    return text_takes_variation(last, c);
}

/* Count of the tags from @at on, TAG_END included; 0: they are no flag. */
static size_t flag_tags(const struct filter *filter, size_t at) {
    size_t count = 0;
    if (last_of(filter) != BLACK_FLAG) {
        return 0;
    }
    while (count < TAGS_MAX && ahead(filter, at + count) >= TAG_FIRST && ahead(filter, at + count) < TAG_END) {
        count++;
    }
    return count > 0 && ahead(filter, at + count) == TAG_END ? count + 1 : 0;
}

static void put_point(struct filter *filter, utf8proc_int32_t c) {
    filter->out[filter->out_count++] = c;
}

static void put_break(struct filter *filter, utf8proc_int32_t c) {
    if (filter->kind == TEXT_PARAGRAPHS) {
        put_point(filter, c == '\t' ? '\t' : '\n');
    } else if (last_of(filter) != ' ') {
        put_point(filter, ' ');
    }
}

/* Takes the character at @at. Returns: how many were taken. */
static size_t take_point(struct filter *filter, size_t at) {
    utf8proc_int32_t c = filter->in[at];
    size_t tags = c >= TAG_FIRST && c <= TAG_END ? flag_tags(filter, at) : 0;
    for (size_t i = 0; i < tags; i++) {
        put_point(filter, filter->in[at + i]);
    }
    if (tags > 0) {
        return tags;
    }
    if (text_is_break(c)) {
        put_break(filter, c);
        return c == '\r' && ahead(filter, at + 1) == '\n' ? 2 : 1;
    }
    bool kept = c == ZWJ || c == ZWNJ  ? keeps_joiner(filter, at)
                : text_is_variation(c) ? keeps_variation(filter, at)
                                       : !text_is_dropped(c);
    if (kept) {
        put_point(filter, c);
    }
    return 1;
}

static void trim_blanks(struct filter *filter) {
    size_t begin = 0;
    while (filter->out_count > 0 && text_is_blank(last_of(filter))) {
        filter->out_count--;
    }
    while (begin < filter->out_count && text_is_blank(filter->out[begin])) {
        begin++;
    }
    filter->out_count -= begin;
    memmove(filter->out, filter->out + begin, filter->out_count * sizeof(*filter->out));
}

/* Packs @filter->out as UTF-8 in NFC. Returns: the text, from malloc; NULL: no memory. */
static char *pack_composed(const struct filter *filter) {
    char *raw = malloc(filter->out_count * 4 + 1);
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t bytes = 0;
    if (raw == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < filter->out_count; i++) {
        bytes += utf8proc_encode_char(filter->out[i], (utf8proc_uint8_t *)raw + bytes);
    }
    raw[bytes] = '\0';
    utf8proc_map((const utf8proc_uint8_t *)raw, bytes, &composed, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    free(raw);
    return (char *)composed;
}

/* Decodes @bytes of @text. Returns: how many code points; -1: it is no UTF-8. */
static long decode_points(const char *text, size_t bytes, utf8proc_int32_t *into) {
    long count = 0;
    for (size_t at = 0; at < bytes;) {
        utf8proc_ssize_t step =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(bytes - at), &into[count]);
        if (step <= 0) {
            return -1;
        }
        at += (size_t)step;
        count++;
    }
    return count;
}

enum herald_code post_text_clean(const char *text, enum text_kind kind, char **ret_text, struct herald_error *reterr) {
    if (post_text_is_plain(text)) {
        char *copy = strdup(text);
        if (copy == NULL) {
            return herald_error_no_memory(reterr, "a text to clean");
        }
        *ret_text = copy;
        return HERALD_OK;
    }
    size_t bytes = strlen(text);
    utf8proc_int32_t *points = calloc(2 * bytes + 1, sizeof(*points));
    if (points == NULL) {
        return herald_error_no_memory(reterr, "a text to clean");
    }
    long count = decode_points(text, bytes, points);
    if (count < 0) {
        free(points);
        return herald_error_set(reterr, HERALD_REASON_INVALID_UTF8, "the text is not valid UTF-8");
    }
    struct filter filter = {.in = points, .in_count = (size_t)count, .out = points + bytes, .kind = kind};
    for (size_t at = 0; at < filter.in_count;) {
        at += take_point(&filter, at);
    }
    trim_blanks(&filter);
    char *composed = pack_composed(&filter);
    free(points);
    if (composed == NULL) {
        return herald_error_no_memory(reterr, "a cleaned text");
    }
    *ret_text = composed;
    return HERALD_OK;
}
