#ifndef HERALD_EVENT_DRAFT_MESSAGE_H
#define HERALD_EVENT_DRAFT_MESSAGE_H

#include "herald/event/v1/event.pb-c.h"
#include "server/event/event_store.h"

/**
 * Makes the message of a draft; its strings stay the draft's, the rest is the running call's arena's.
 *
 * Returns: NULL without memory
 */
Herald__Event__V1__EventDraft *draft_message(const struct event_draft *draft);

#endif
