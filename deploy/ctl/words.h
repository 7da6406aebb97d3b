#ifndef HERALD_CTL_WORDS_H
#define HERALD_CTL_WORDS_H

/* Words of a command line that must be one of a few. Case does not count, and a dash is as good as an underscore. */
#include "herald/distribution/v1/distribution.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

/** Place of a word among others; @count: it is none of them. */
size_t words_find(const char *const *words, size_t count, const char *word);
/** The word that a wrong one may have meant: it begins alike, or less than half of it differs. Returns: NULL: none is near */
const char *words_near(const char *const *words, size_t count, const char *word);
/**
 * Finds a word, or complains on standard error and says what was meant, or what there is.
 *
 * @what       the words' kind, for the complaint: "channel"
 * @ret_place  set only on success
 */
bool words_choose(const char *what, const char *const *words, size_t count, const char *word, size_t *ret_place);

/** Finds a channel of the schema; else as words_choose(). @ret_channel  set only on success */
bool channel_of_word(const char *word, Herald__Distribution__V1__Channel *ret_channel);

#endif
