#ifndef HERALD_CTL_WATCH_PUBLISH_H
#define HERALD_CTL_WATCH_PUBLISH_H

#include "deploy/ctl/ctl.h"
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/event/v1/event.pb-c.h"

#include <stdint.h>

/** Watches an event's publication until it has ended. Returns the exit status. */
int watch_publish(struct ctl *ctl, const char *event_id, const char *user_id);

/**
 * Writes one line: "APPROVED  2 of 6 accepted  INSTAGRAM COMMITTING, RINGO_BIZ READY (next at 14:03:02)".
 *
 * @distribution  NULL: none yet
 * @now_us        wall clock, for the date of what is not today
 */
void watch_publish_line(const Herald__Event__V1__EventDraft *event,
                        const Herald__Distribution__V1__GetDistributionResponse *distribution, int64_t now_us,
                        char *ret_line, size_t bytes);

#endif
