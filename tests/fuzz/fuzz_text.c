#include "herald/utf8.h"
#include "server/text/post_text.h"
#include "server/text/text_count.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* A text of people: the first byte chooses what to do with it. */

static char *cleaned(const char *text, enum text_kind kind) {
    char *result = NULL;
    return post_text_clean(text, kind, &result, NULL) == HERALD_OK ? result : NULL;
}

static void check_clean(const char *text, enum text_kind kind) {
    char *once = cleaned(text, kind);
    fuzz_require((once != NULL) == herald_utf8_valid(text, strlen(text), NULL), "valid UTF-8 is cleaned, and no other");
    if (once == NULL) {
        return;
    }
    char *twice = cleaned(once, kind);
    fuzz_require(herald_utf8_valid(once, strlen(once), NULL), "a cleaned text is UTF-8");
    fuzz_require(twice != NULL && strcmp(once, twice) == 0, "cleaning a clean text changes nothing");
    fuzz_require(!post_text_is_plain(text) || strcmp(once, text) == 0, "a plain text is clean");
    free(twice);
    free(once);
}

static void check_cut(char *text, size_t max, enum text_unit unit) {
    size_t whole = text_count(text, unit), graphemes = text_count(text, TEXT_GRAPHEMES);
    size_t cut = text_cut(text, max, unit);
    char saved = text[cut];
    fuzz_require(cut == strlen(text) || whole > max, "a text that fits is not cut");
    text[cut] = '\0';
    fuzz_require(text_count(text, unit) <= max, "a cut text fits");
    fuzz_require(herald_utf8_valid(text, cut, NULL), "a cut text is UTF-8");
    size_t before = text_count(text, TEXT_GRAPHEMES);
    text[cut] = saved;
    fuzz_require(before <= graphemes, "a cut adds no grapheme");
    text_count_hashtags(text);
    text_count_mentions(text);
    text_keep_hashtag(text);
    fuzz_require(herald_utf8_valid(text, strlen(text), NULL), "a hashtag is UTF-8");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    if (bytes == 0) {
        return -1;
    }
    char *text = calloc(bytes, 1);
    fuzz_require(text != NULL, "there is memory");
    memcpy(text, data + 1, bytes - 1);
    check_clean(text, data[0] & 1 ? TEXT_LINE : TEXT_PARAGRAPHS);
    if (herald_utf8_valid(text, strlen(text), NULL)) {
        check_cut(text, data[0] >> 3, (enum text_unit)(data[0] >> 1 & 3));
    }
    free(text);
    return 0;
}
