#ifndef HERALD_CTL_DELIVERY_TEXT_H
#define HERALD_CTL_DELIVERY_TEXT_H

/* How deliveries stand and what follows, in words: for heraldctl deliveries and watch publish. */
#include "herald/distribution/v1/distribution.pb-c.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FOLLOWS_BYTES 768

/** What follows: "goes on by itself at 14:03:02 (in 4 s), until 18:00:00"; of a delivery that is done, its post. */
void delivery_follows(const Herald__Distribution__V1__ChannelResult *result, int64_t now_us,
                      char ret_text[FOLLOWS_BYTES]);
/**
 * Prints a table of results. Below it, for each delivery that is not published: why, what its owner is told, and the
 * command with which a person goes on.
 */
void delivery_text_print(const char *event_id, Herald__Distribution__V1__ChannelResult *const *results, size_t count,
                         int64_t now_us, FILE *out);

#endif
