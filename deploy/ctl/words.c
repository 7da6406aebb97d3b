#include "deploy/ctl/words.h"

#include "client/base/edit_distance.h"
#include "herald/distribution/v1/distribution.schema.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define WORD_BYTES      64
#define FAR_LETTERS     3 /* a word that differs in more is not what was meant */
#define SHORTEST_PREFIX 2
#define CHANNELS_MOST   (HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT - 1) /* without CHANNEL_UNSPECIFIED */

/* The word in the form in which words are compared. */
static void fold_word(const char *word, char ret_folded[WORD_BYTES]) {
    size_t length = strnlen(word, WORD_BYTES - 1);
    for (size_t i = 0; i < length; i++) {
        ret_folded[i] = word[i] == '-' ? '_' : (char)toupper((unsigned char)word[i]);
    }
    ret_folded[length] = '\0';
}

size_t words_find(const char *const *words, size_t count, const char *word) {
    char wanted[WORD_BYTES], folded[WORD_BYTES];
    fold_word(word, wanted);
    for (size_t i = 0; i < count; i++) {
        fold_word(words[i], folded);
        if (strlen(word) < WORD_BYTES && strcmp(wanted, folded) == 0) {
            return i;
        }
    }
    return count;
}

const char *words_near(const char *const *words, size_t count, const char *word) {
    char wanted[WORD_BYTES], folded[WORD_BYTES];
    const char *nearest = NULL;
    unsigned least = FAR_LETTERS + 1;
    fold_word(word, wanted);
    size_t length = strlen(wanted);
    for (size_t i = 0; i < count; i++) {
        fold_word(words[i], folded);
        unsigned distance = length >= SHORTEST_PREFIX && strncmp(folded, wanted, length) == 0
                                ? 0
                                : herald_edit_distance(wanted, folded);
        if (distance < least && 2 * distance < length) {
            least = distance;
            nearest = words[i];
        }
    }
    return nearest;
}

static void complain_of_word(const char *what, const char *const *words, size_t count, const char *word) {
    const char *near = words_near(words, count, word);
    fprintf(stderr, "heraldctl: there is no %s \"%s\": ", what, word);
    if (near != NULL) {
        fprintf(stderr, "did you mean %s?\n", near);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "%s%s", i == 0 ? "there are " : i + 1 < count ? ", " : " and ", words[i]);
    }
    fputc('\n', stderr);
}

bool words_choose(const char *what, const char *const *words, size_t count, const char *word, size_t *ret_place) {
    size_t place = words_find(words, count, word);
    if (place == count) {
        complain_of_word(what, words, count, word);
        return false;
    }
    *ret_place = place;
    return true;
}

bool channel_of_word(const char *word, Herald__Distribution__V1__Channel *ret_channel) {
    const ProtobufCEnumDescriptor *schema = &herald__distribution__v1__channel__descriptor;
    const char *names[CHANNELS_MOST];
    int numbers[CHANNELS_MOST];
    size_t count = 0, place;
    for (unsigned i = 0; i < schema->n_values; i++) {
        if (schema->values[i].value != HERALD__DISTRIBUTION__V1__CHANNEL__CHANNEL_UNSPECIFIED &&
            count < CHANNELS_MOST) {
            names[count] = schema->values[i].name;
            numbers[count++] = schema->values[i].value;
        }
    }
    if (!words_choose("channel", names, count, word, &place)) {
        return false;
    }
    *ret_channel = (Herald__Distribution__V1__Channel)numbers[place];
    return true;
}
