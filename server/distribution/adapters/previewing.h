#ifndef HERALD_DISTRIBUTION_ADAPTERS_PREVIEWING_H
#define HERALD_DISTRIBUTION_ADAPTERS_PREVIEWING_H

/* What adapters share to preview a delivery. All parts of a preview live in the running call's arena. */
#include "server/distribution/adapter.h"
#include "server/distribution/text/content_check.h"

/**
 * Adds a request.
 *
 * @headers  without secrets and signatures, NULL-terminated
 * Returns:  HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL)
 */
enum herald_code preview_add_request(struct preview *preview, const char *method, const char *url,
                                     const char *const *headers, const char *body, const char *purpose,
                                     struct herald_error *reterr);
/** Adds a picture's URL. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL): also for NULL */
enum herald_code preview_add_picture(struct preview *preview, const char *url, struct herald_error *reterr);
/** Takes over problems. Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL) */
enum herald_code preview_add_problems(struct preview *preview, const struct content_problems *problems,
                                      struct herald_error *reterr);
/**
 * Checks a text against the channel's limits, sets it as the caption and adds what is wrong.
 *
 * @caption        as the public sees it
 * @payload_bytes  of the whole request's body
 * Returns:        HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL)
 */
enum herald_code preview_check_content(const struct adapter_delivery *delivery, struct preview *preview,
                                       const char *caption, size_t payload_bytes, struct herald_error *reterr);

#endif
