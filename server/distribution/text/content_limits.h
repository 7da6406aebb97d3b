#ifndef HERALD_DISTRIBUTION_CONTENT_LIMITS_H
#define HERALD_DISTRIBUTION_CONTENT_LIMITS_H

/* What each channel takes: data, one row a channel. A channel that the schema has and the table lacks stops the build. */

#include "server/text/text_count.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A greatest length in the channel's own unit. */
struct content_limit {
    uint32_t max; /* 0: no limit */
    enum text_unit unit;
};

struct content_limits {
    int channel;                            /* in the schema's enum */
    const char *name_ko, *name_en;          /* as owners know it: "인스타그램", "Instagram" */
    const char *text_ko, *text_en;          /* what it calls its text; ends in a consonant: "사진 설명", "caption" */
    struct content_limit title;             /* where the title is a field of its own */
    struct content_limit text;              /* without a picture */
    struct content_limit text_with_picture; /* with one */
    struct content_limit button;            /* the name of a button */
    uint32_t hashtags_max, mentions_max;    /* in the text; 0: no limit */
    uint32_t buttons_max;                   /* 0: no limit */
    size_t payload_max_bytes;               /* the whole message; 0: no limit */
    bool needs_picture;
    bool may_cut; /* a text that is too long may end in "…" */
};

/** The limits of a channel, static; NULL: there is no such channel. Any thread. */
const struct content_limits *content_limits_find(int channel);
/** The limit of the text, with or without a picture. */
struct content_limit content_limits_text(const struct content_limits *limits, bool has_picture);

#endif
