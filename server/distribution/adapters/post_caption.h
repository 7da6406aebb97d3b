#ifndef HERALD_DISTRIBUTION_ADAPTERS_POST_CAPTION_H
#define HERALD_DISTRIBUTION_ADAPTERS_POST_CAPTION_H

#include "server/distribution/adapter.h"

/**
 * Writes the one text of a post, by the limits of its channel: title, prize, text and shop, as caption_compose().
 *
 * @ret_caption  set only on HERALD_OK; in the running call's arena. Longer than the limit where it cannot be cut to it:
 *               content_check() finds that
 * @ret_why      set only on HERALD_OK: the first problem of the text, in English; "" when there is none. May be NULL
 * Returns:      HERALD_OK | HERALD_INVALID_ARGUMENT (INVALID_UTF8)
 *               | HERALD_RESOURCE_EXHAUSTED (OUT_OF_MEMORY, ARENA_FULL)
 */
enum herald_code post_caption(const struct adapter_delivery *delivery, const char **ret_caption, const char **ret_why,
                              struct herald_error *reterr);

#endif
