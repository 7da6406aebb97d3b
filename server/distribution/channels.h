#ifndef HERALD_DISTRIBUTION_CHANNELS_H
#define HERALD_DISTRIBUTION_CHANNELS_H

#include "herald/distribution/v1/distribution.schema.h"

/* The channels, one row each. A channel that the schema has and the table lacks stops the build. */
struct channel_row {
    int number;       /* in the schema's enum */
    const char *name; /* there: "INSTAGRAM" */
    const char *path; /* its piece of the webhook's URL */
};

#define CHANNEL_COUNT (HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT - 1u) /* without CHANNEL_UNSPECIFIED */

/** A channel's row, static; NULL for a number that is none. */
const struct channel_row *channel_find(int number);
/** Its name, and its piece of the URL; "UNKNOWN" for a number that is none, which only a newer server can have stored. */
const char *channel_name(int number);
const char *channel_path(int number);

#endif
