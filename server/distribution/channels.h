#ifndef HERALD_DISTRIBUTION_CHANNELS_H
#define HERALD_DISTRIBUTION_CHANNELS_H

#include "herald/distribution/v1/distribution.schema.h"

/* The channels, one row each. A channel that the schema has and the table lacks stops the build. */
struct channel_row {
    int number;       /* in the schema's enum */
    const char *name; /* in the schema: "INSTAGRAM" */
    const char *path; /* its part of the webhook's URL */
};

#define CHANNEL_COUNT (HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT - 1u) /* without CHANNEL_UNSPECIFIED */

/** A channel's row, static; NULL: there is no such channel. */
const struct channel_row *channel_find(int number);
/** Name of a channel, and its part of the URL. "UNKNOWN": no such channel; only a newer server can have stored it. */
const char *channel_name(int number);
const char *channel_path(int number);

#endif
