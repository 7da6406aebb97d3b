#ifndef HERALD_DISTRIBUTION_CAPTION_H
#define HERALD_DISTRIBUTION_CAPTION_H

#include "herald/error.h"
#include "server/distribution/text/content_check.h"

/** What a caption is made of; UTF-8. Each part may be "" or NULL. */
struct caption {
    const char *title, *prize, *text;
    const char *store_name, *store_address, *store_phone;
    const char *const *hashtags; /* with or without '#'; what no hashtag can hold is left out */
    size_t hashtag_count;
    bool has_picture;
};

/**
 * Writes one text from the parts: title, prize, text, shop, hashtags, with an empty line between. The parts are cleaned.
 *
 * Where the channel's row allows it, a text that is too long ends between two graphemes with "…", or is left out, and
 * hashtags beyond the limit are left out. The other parts are never cut.
 *
 * @ret_text  set only on HERALD_OK; from malloc, free it with free(). Longer than the limit only if @problems say so
 * @problems  of the text are added, of content_check()
 * Returns:   HERALD_OK, with problems too | HERALD_INVALID_ARGUMENT (INVALID_UTF8)
 *            | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY)
 * Context:   any thread
 */
enum herald_code caption_compose(const struct content_limits *limits, const struct caption *caption, char **ret_text,
                                 struct content_problems *problems, struct herald_error *reterr);

#endif
