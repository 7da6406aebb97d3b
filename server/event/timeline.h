#ifndef HERALD_EVENT_TIMELINE_H
#define HERALD_EVENT_TIMELINE_H

/*
 * An event's timeline: made from rows, each time anew. The event's own steps come from its row, from event_steps and from what
 * waits in the outbox; those of the deliveries from the distribution service.
 */
#include "herald/distribution/v1/distribution.pb-c.h"
#include "herald/event/v1/event.pb-c.h"
#include "server/event/step_store.h"

/** The entries of one answer hold at most so many. */
#define TIMELINE_ENTRIES_MOST 1000

/**
 * Fills entries and resume_position.
 *
 * @distribution  with attempts and steps; NULL: there is none, or it is not known
 * @after         only entries at greater positions
 * Returns: HERALD_OK | HERALD_RESOURCE_EXHAUSTED (ARENA_FULL)
 * Context: a task with a call; does not suspend
 */
enum herald_code timeline_fill(const struct event_progress *progress,
                               const Herald__Distribution__V1__GetDistributionResponse *distribution, uint64_t after,
                               Herald__Event__V1__GetEventTimelineResponse *response, struct herald_error *reterr);

/**
 * Whether nothing more happens by itself: all deliveries are settled, the event's records are sent, and it is no draft. That
 * DistributionCompleted is published raises no version, so that those who wait for one are not told of it.
 *
 * @distribution  as above; attempts and steps may be missing
 */
bool timeline_is_settled(const struct event_progress *progress,
                         const Herald__Distribution__V1__GetDistributionResponse *distribution);

/**
 * The version that callers see, of the event's own part and the distribution's: both only grow.
 *
 * @distribution  0: not known
 */
uint64_t timeline_version(uint64_t own, uint64_t distribution);
/** The two parts of a version. */
uint64_t timeline_version_own(uint64_t version);
uint64_t timeline_version_distribution(uint64_t version);

#endif
