#ifndef HERALD_CTL_CHANNEL_TEXT_H
#define HERALD_CTL_CHANNEL_TEXT_H

/* How channels stand, in words: for heraldctl channels, channel and doctor. */
#include "herald/distribution/v1/distribution.pb-c.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Something about a channel that somebody on duty should know. */
struct channel_trouble {
    char problem[400]; /* without the channel's name */
    char remedy[300];  /* what to do; empty: it passes by itself */
};
#define CHANNEL_TROUBLES_MAX 6

/**
 * Lists what is wrong with a channel: settings, a pause, a credential that ends within 7 days, its breaker, its quota, unknown outcomes.
 *
 * @now_us  wall clock
 * Returns: how many of @ret_troubles are set
 */
size_t channel_troubles(const Herald__Distribution__V1__ChannelInfo *info, int64_t now_us,
                        struct channel_trouble ret_troubles[CHANNEL_TROUBLES_MAX]);
/** Prints a table of channels, at most 80 columns wide while the numbers are usual, and their troubles below it. */
void channel_text_print(Herald__Distribution__V1__ChannelInfo *const *channels, size_t count, int64_t now_us,
                        FILE *out);

#endif
