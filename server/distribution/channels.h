#ifndef HERALD_DISTRIBUTION_CHANNELS_H
#define HERALD_DISTRIBUTION_CHANNELS_H

/*
 * The channels, one row each: what a channel is called, how it is spoken to, what it can do. Nothing else counts
 * channels. A channel that the schema has and the table lacks stops the build.
 */
#include "herald/distribution/v1/distribution.schema.h"
#include "server/settings/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct adapter;

#define CHANNEL_COUNT (HERALD_DISTRIBUTION_V1_CHANNEL_VALUE_COUNT - 1u) /* without CHANNEL_UNSPECIFIED */

/** What a channel can do; served by ListChannels. */
struct channel_capabilities {
    bool idempotency; /* it recognises a repeat by its key */
    /* It can be asked what became of a post; only then a lost answer is looked up. It must recognise a repeat too: the first
     * post can still be on its way to it when a look-up does not find it. */
    bool look_up;
    bool schedule, cancel, edit, unpublish, metrics;
    bool quota;       /* read live, by the adapter */
    bool quiet_hours; /* see quiet_from_min */
    bool assisted;    /* a person posts there */
};

/** How a channel is reached, from the settings; strings live as long as the settings. */
struct channel_setup {
    const char *url;     /* of the channel's own settings; empty: none. A slash at its end counts for nothing */
    const char *base;    /* webhooks without a URL of their own: under it; else empty */
    const char *secret;  /* of webhooks: one or several, blank between them; of others: their secret key or token */
    const char *account; /* Instagram: the account's id; Kakao: the service's id; else empty */
    const char *key;     /* Kakao: the access key; else empty */
    const char *sender;  /* Kakao: the channel's search id; else empty */
    const char *option;  /* Kakao: targeting; else empty */
    uint32_t timeout_ms; /* longest wait for one answer */
    uint32_t in_flight;  /* most calls at once, of this process */
    bool keeps_quiet_hours;
    uint32_t rate_per_s; /* calls a second, of this process; 0: no limit */
};

struct channel_row {
    int number;               /* in the schema's enum */
    const char *name;         /* in the schema: "INSTAGRAM" */
    const char *display_name; /* for people: "우리동네TV" */
    const struct adapter *adapter;
    struct channel_capabilities can;
    /* Quiet hours, minutes of the day in quiet_offset_min east of UTC; both 0: none. The end may be the next day. */
    uint16_t quiet_from_min, quiet_to_min;
    int16_t quiet_offset_min;
    /** Reads how the channel is reached. */
    void (*setup)(const struct settings *settings, struct channel_setup *ret_setup);
};

/** All CHANNEL_COUNT rows, by their numbers. Without a size here: it would hide a row that is missing in the table. */
extern const struct channel_row channel_rows[];
/** A channel's row, static; NULL: there is no such channel, only a newer server can have stored it. */
const struct channel_row *channel_find(int number);
/** Place of a row in channel_rows. */
size_t channel_index(const struct channel_row *row);
/** Name of a channel; "UNKNOWN" without a row. */
const char *channel_name(int number);
/**
 * When a channel with quiet hours takes posts again.
 *
 * @now_us  microseconds since 1970 UTC
 * Returns: @now_us outside quiet hours, else their end
 */
int64_t channel_quiet_until_us(const struct channel_row *row, int64_t now_us);

#endif
