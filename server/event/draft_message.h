#ifndef HERALD_EVENT_DRAFT_MESSAGE_H
#define HERALD_EVENT_DRAFT_MESSAGE_H

#include "herald/event/v1/event.pb-c.h"
#include "server/event/event_store.h"

/**
 * Makes the message of a draft. Its strings belong to the draft, the rest to the running call's arena.
 *
 * Returns: NULL: no memory
 */
Herald__Event__V1__EventDraft *draft_message(const struct event_draft *draft);

#endif
