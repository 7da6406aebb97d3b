#ifndef HERALD_CTL_WATCH_PUBLISH_H
#define HERALD_CTL_WATCH_PUBLISH_H

#include "deploy/ctl/ctl.h"
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/event/v1/event.pb-c.h"

#include <stdint.h>

/** Room for the line of a channel. */
#define WATCH_CHANNEL_BYTES 160

/** Watches an event until it is published and no delivery goes on by itself any more. Returns the exit status. */
int watch_publish(struct ctl *ctl, const char *event_id, const char *user_id);

/**
 * Writes one line of at most 68 columns: "APPROVED  2 of 6 accepted, 3 go on, 1 needs a person".
 *
 * @distribution  NULL: none yet
 */
void watch_publish_line(const Herald__Event__V1__EventDraft *event,
                        const Herald__Distribution__V1__GetDistributionResponse *distribution, char *ret_line,
                        size_t bytes);
/**
 * Writes how a delivery stands, when it goes on and why it waits: "GENIE_TV READY, next at 14:03:02: BREAKER_OPEN". A
 * reason without room in 68 columns stands in a line of its own.
 *
 * @now_us  wall clock, for the date of what is not today
 */
void watch_channel_line(const Herald__Distribution__V1__ChannelResult *result, int64_t now_us,
                        char ret_line[WATCH_CHANNEL_BYTES]);

#endif
