#ifndef HERALD_DISTRIBUTION_OWNER_TEXT_H
#define HERALD_DISTRIBUTION_OWNER_TEXT_H

/*
 * What a shop owner is told about a delivery: what happened, whether Herald goes on by itself, and what to do. One row
 * for each reason that a delivery's result can carry; a reason without a row breaks a test.
 */

#include <stdbool.h>
#include <stddef.h>

enum owner_language { OWNER_KOREAN, OWNER_ENGLISH, OWNER_LANGUAGE_COUNT };

/** Who does the next step. */
enum owner_next {
    OWNER_NEXT_NOBODY, /* the delivery has ended */
    OWNER_NEXT_HERALD, /* Herald goes on by itself */
    OWNER_NEXT_OWNER,  /* the owner has to do something */
    OWNER_NEXT_SUPPORT /* those who run Herald have to */
};

/** A row; all texts are whole sentences, by language. */
struct owner_text {
    const char *reason; /* word of herald/reason.h, or of a state */
    enum owner_next next;
    const char *happened[OWNER_LANGUAGE_COUNT];
    const char *to_do[OWNER_LANGUAGE_COUNT]; /* what follows, and what the owner should do */
};

/** The row of a reason, static; NULL: there is none. Any thread. */
const struct owner_text *owner_text_find(const char *reason);
/**
 * Writes the channel's name and the sentences of a reason: "인스타그램: 채널이 …". A reason without a row has general ones.
 *
 * @channel   its name in @language, content_limits.name_ko or name_en
 * @ret_text  cut at a character if it is longer than @room; 512 bytes hold every row
 * Returns:   @ret_text
 */
const char *owner_text_write(const char *reason, const char *channel, enum owner_language language, char *ret_text,
                             size_t room);

#endif
