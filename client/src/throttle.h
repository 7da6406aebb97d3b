#ifndef HERALD_CLIENT_THROTTLE_H
#define HERALD_CLIENT_THROTTLE_H

/*
 * What a channel does while servers refuse calls of a method for want of capacity: it ends most of the calls that would
 * be refused too, and sends the rest. A refusal costs a server about as much of its processor as any message. A server
 * that is offered ten times what it can do would otherwise spend on refusals what it needs for calls.
 *
 * This is the adaptive throttling of Google's "Site Reliability Engineering", chapter 21. Of the last 300 ms a throttle
 * knows how many calls were taken, refused, and turned away here. It lets calls through by chance, so that those sent are
 * @percent of those that were taken, and HERALD_THROTTLE_FREE besides. While fewer are refused than that allows, the
 * servers have room: the percentage then grows, up to HERALD_THROTTLE_ROOM_PERCENT. Without that a throttle would outlast
 * the overload, because what it turns away cannot be taken.
 *
 * Pure: the caller passes the time (monotonic milliseconds) and random numbers.
 */
#include "herald/error.h"

#include <stdbool.h>
#include <stdint.h>

/** Slots of the window, and the milliseconds of each. */
#define HERALD_THROTTLE_SLOTS   10
#define HERALD_THROTTLE_SLOT_MS 30
/** Calls of a method that a window may send in any case; a server hardly notices as many refusals. */
#define HERALD_THROTTLE_FREE 3u
/** How many calls to send for each hundred that are taken, where none is refused any more. */
#define HERALD_THROTTLE_ROOM_PERCENT 200u
/** The percent that never turns a call away. */
#define HERALD_THROTTLE_OFF UINT32_MAX

/** The calls of one method over one channel. Zeroed: there were none. */
struct herald_throttle {
    struct herald_throttle_slot {
        int64_t number;       /* the time that the slot counts, in slots */
        uint32_t taken;       /* answered otherwise than by a refusal */
        uint32_t refused;     /* by a server */
        uint32_t turned_away; /* here */
    } slots[HERALD_THROTTLE_SLOTS];
    /* Of the last refusal; calls that are turned away end with them. */
    enum herald_reason reason;
    uint32_t retry_after_ms;
};

/** Counts a call that the server took: it began, or failed for another cause than the server's load. */
void herald_throttle_taken(struct herald_throttle *throttle, int64_t now_ms);
/** Counts a call that the server refused for want of capacity. @reason  NONE counts as TOO_MANY_CALLS */
void herald_throttle_refused(struct herald_throttle *throttle, int64_t now_ms, enum herald_reason reason,
                             uint32_t retry_after_ms);
/**
 * Decides whether a call is sent. Counts one that is turned away.
 *
 * @percent  how many calls to send for each hundred that are taken, 100 or more; HERALD_THROTTLE_OFF: all
 * @random   any number
 */
bool herald_throttle_admit(struct herald_throttle *throttle, uint32_t percent, int64_t now_ms, uint64_t random);

#endif
