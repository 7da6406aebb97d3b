#ifndef HERALD_TEXT_TEXT_MARKS_H
#define HERALD_TEXT_TEXT_MARKS_H

/* What a code point is to the cleaning and the counting of texts. Pure; any thread. */

#include <stdbool.h>
#include <stdint.h>

/** A tab, or any line break of Unicode. */
bool text_is_break(int32_t c);
/** A space of any width, a break, or the empty Braille pattern: nothing to see. */
bool text_is_blank(int32_t c);
/** Never kept, whatever stands beside it. Joiners, variation selectors and tags are among these. */
bool text_is_dropped(int32_t c);
/** A variation selector of any kind. */
bool text_is_variation(int32_t c);
bool text_is_skin_tone(int32_t c);
/** A combining mark. */
bool text_is_mark(int32_t c);
/** A character that may begin an emoji. */
bool text_is_pictographic(int32_t c);
/** A letter or a mark of a script in which ZWJ and ZWNJ choose the shape of letters. */
bool text_joins_letters(int32_t c);
/** Whether @selector chooses a variant of the letter @c. */
bool text_takes_variation(int32_t c, int32_t selector);
/** A letter, a digit or '_': what words and hashtags begin with. */
bool text_begins_word(int32_t c);
/** What may stand in a word: as text_begins_word(), or a mark. */
bool text_is_word(int32_t c);

#endif
