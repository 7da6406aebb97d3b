#ifndef HERALD_KAFKA_KAFKA_PROGRESS_H
#define HERALD_KAFKA_KAFKA_PROGRESS_H

/*
 * Whether a consumer that reaches Kafka gets on. A pure state machine: it is told what was seen and when, and says when
 * the consumer has to be opened anew. Not thread-safe.
 */

#include <stdbool.h>
#include <stdint.h>

/** What a look at a consumer shows. */
enum kafka_sight {
    KAFKA_SIGHT_FINE,    /* it has its place in the group, and nothing waits for it */
    KAFKA_SIGHT_OUTSIDE, /* it has no place in the group */
    KAFKA_SIGHT_BEHIND,  /* records wait in its partitions */
    KAFKA_SIGHT_DARK,    /* the group or the partitions did not answer */
    KAFKA_SIGHT_ANEW,    /* the topic or the group's offsets were made anew: what it knows of them is wrong */
};

struct kafka_progress {
    uint64_t since_us; /* of the trouble; 0: there is none */
    uint64_t moves;    /* as last seen */
    unsigned openings; /* since it last got on: each doubles the patience */
    bool stalled;
};

/**
 * Takes in a look.
 *
 * @stall_ms  how long a trouble may last; doubled for each opening that did not help, at most 16 times as long
 * @moves     a count that grows whenever the consumer got a record, had no room for one, or its group was rebalanced: a
 *            group that is being rebalanced is alive
 * Returns:   whether the consumer has to be opened anew now
 */
bool kafka_progress_see(struct kafka_progress *progress, uint64_t now_us, uint32_t stall_ms, uint64_t moves,
                        enum kafka_sight sight);
/** Kafka does not serve: it is not the consumer's fault, and the patience begins anew. */
void kafka_progress_pardon(struct kafka_progress *progress);

#endif
