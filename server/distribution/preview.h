#ifndef HERALD_DISTRIBUTION_PREVIEW_H
#define HERALD_DISTRIBUTION_PREVIEW_H

/* What a channel would be sent, without sending: for dry runs and GetDeliveryPreview. */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "server/distribution/delivery_store.h"
#include "server/distribution/engine.h"

/**
 * Fills what would be sent to a channel, and why the channel would refuse it.
 *
 * @response  filled; its parts live in the running call's arena
 * Returns:   HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL)
 * Context:   a task with a call; does not wait
 */
enum herald_code preview_fill(const struct engine *engine, const struct channel_row *row, const char *event_id,
                              const Herald__Distribution__V1__Content *content,
                              Herald__Distribution__V1__GetDeliveryPreviewResponse *response,
                              struct herald_error *reterr);
/**
 * Checks a content for a channel.
 *
 * @ret_row  PENDING: the channel would be sent it; REJECTED with CONTENT_INVALID: the message says what is wrong.
 *           Strings live in the running call's arena
 * Returns:  as preview_fill()
 */
enum herald_code preview_check(const struct engine *engine, const struct channel_row *row, const char *event_id,
                               const Herald__Distribution__V1__Content *content, struct delivery_row *ret_row,
                               struct herald_error *reterr);

#endif
