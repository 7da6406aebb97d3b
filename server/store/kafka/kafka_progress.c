#include "server/store/kafka/kafka_progress.h"

#define DOUBLINGS_MOST 4

static bool is_over(const struct kafka_progress *progress, uint64_t now_us, uint32_t stall_ms) {
    unsigned doublings = progress->openings < DOUBLINGS_MOST ? progress->openings : DOUBLINGS_MOST;
    return now_us - progress->since_us >= ((uint64_t)stall_ms * 1000) << doublings;
}

bool kafka_progress_see(struct kafka_progress *progress, uint64_t now_us, uint32_t stall_ms, uint64_t moves,
                        enum kafka_sight sight) {
    bool moved = moves != progress->moves;
    progress->moves = moves;
    if (sight == KAFKA_SIGHT_FINE || (moved && sight != KAFKA_SIGHT_ANEW)) {
        *progress = (struct kafka_progress){.moves = moves};
        return false;
    }
    if (progress->since_us == 0) {
        progress->since_us = now_us;
    }
    bool at_once = sight == KAFKA_SIGHT_ANEW && progress->openings == 0;
    if (!at_once && !is_over(progress, now_us, stall_ms)) {
        return false;
    }
    progress->stalled = true;
    progress->since_us = now_us;
    progress->openings++;
    return true;
}

void kafka_progress_pardon(struct kafka_progress *progress) {
    progress->since_us = 0;
}
