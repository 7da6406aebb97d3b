#include "client/src/throttle.h"

static struct herald_throttle_slot *throttle_slot_at(struct herald_throttle *throttle, int64_t now_ms) {
    int64_t number = now_ms / HERALD_THROTTLE_SLOT_MS;
    struct herald_throttle_slot *slot = &throttle->slots[number % HERALD_THROTTLE_SLOTS];
    if (slot->number != number) {
        *slot = (struct herald_throttle_slot){.number = number};
    }
    return slot;
}

void herald_throttle_taken(struct herald_throttle *throttle, int64_t now_ms) {
    throttle_slot_at(throttle, now_ms)->taken++;
}

void herald_throttle_refused(struct herald_throttle *throttle, int64_t now_ms, enum herald_reason reason,
                             uint32_t retry_after_ms) {
    throttle_slot_at(throttle, now_ms)->refused++;
    throttle->reason = reason != HERALD_REASON_NONE ? reason : HERALD_REASON_TOO_MANY_CALLS;
    throttle->retry_after_ms = retry_after_ms;
}

/* The calls of the window. */
struct counts {
    uint64_t taken, refused, offered;
};

static struct counts count_window(const struct herald_throttle *throttle, int64_t now_ms) {
    int64_t number = now_ms / HERALD_THROTTLE_SLOT_MS;
    struct counts counts = {0, 0, 0};
    for (int i = 0; i < HERALD_THROTTLE_SLOTS; i++) {
        const struct herald_throttle_slot *slot = &throttle->slots[i];
        if (slot->number > number - HERALD_THROTTLE_SLOTS && slot->number <= number) {
            counts.taken += slot->taken;
            counts.refused += slot->refused;
            counts.offered += slot->taken + slot->refused + slot->turned_away;
        }
    }
    return counts;
}

/* From HERALD_THROTTLE_ROOM_PERCENT, where nothing is refused, down to @percent, where as many are as that allows. */
static uint64_t percent_to_send(const struct counts *counts, uint64_t percent) {
    uint64_t allowed = counts->taken * (percent - 100) / 100 + HERALD_THROTTLE_FREE;
    if (percent >= HERALD_THROTTLE_ROOM_PERCENT || counts->refused >= allowed) {
        return percent;
    }
    return HERALD_THROTTLE_ROOM_PERCENT - (HERALD_THROTTLE_ROOM_PERCENT - percent) * counts->refused / allowed;
}

/* The chance to be turned away is the share of the offered calls that is too many, in hundredths of a call. */
bool herald_throttle_admit(struct herald_throttle *throttle, uint32_t percent, int64_t now_ms, uint64_t random) {
    if (percent == HERALD_THROTTLE_OFF) {
        return true;
    }
    const struct counts counts = count_window(throttle, now_ms);
    uint64_t send = counts.taken * percent_to_send(&counts, percent) + HERALD_THROTTLE_FREE * 100;
    uint64_t offered = counts.offered * 100;
    if (offered <= send || random % offered >= offered - send) {
        return true;
    }
    throttle_slot_at(throttle, now_ms)->turned_away++;
    return false;
}
