#ifndef HERALD_KAFKA_KAFKA_LAG_H
#define HERALD_KAFKA_KAFKA_LAG_H

/* How far a consumer is behind in its partitions, asked from the brokers. */

#include "server/store/kafka/kafka_progress.h"

#include <librdkafka/rdkafka.h>
#include <stddef.h>

/** A partition that a consumer has. */
struct kafka_place {
    int32_t partition;
    int64_t next;      /* offset of the record that it expects; -1: none has come yet */
    int64_t committed; /* the offset that the group has acknowledged since the assignment; -1: none */
};

/**
 * Asks the group for its offsets and the partitions for their ends.
 *
 * @ret_lag  records that wait; set unless the answer is KAFKA_SIGHT_DARK
 * Returns:  KAFKA_SIGHT_FINE | KAFKA_SIGHT_BEHIND | KAFKA_SIGHT_DARK: some did not answer in time
 *           | KAFKA_SIGHT_ANEW: an offset is beyond its partition's end, or the group has forgotten one
 * Context:  blocks for up to 2 s; any thread
 */
enum kafka_sight kafka_lag_look(rd_kafka_t *kafka, const char *topic, const struct kafka_place *places, size_t count,
                                int64_t *ret_lag);

#endif
