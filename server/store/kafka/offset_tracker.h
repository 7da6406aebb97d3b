#ifndef HERALD_KAFKA_OFFSET_TRACKER_H
#define HERALD_KAFKA_OFFSET_TRACKER_H

/*
 * Which records of one partition are done, and the offset before which all are. Records end in any order, but an offset
 * may be committed only when every record before it is done. Not thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct offset_entry {
    int64_t offset;
    bool done;
};

struct offset_tracker {
    struct offset_entry *entries; /* a ring, oldest first, offsets ascending */
    size_t first, count, capacity;
};

void offset_tracker_init(struct offset_tracker *tracker);
void offset_tracker_fini(struct offset_tracker *tracker);
/** Adds a record that was handed out. Returns: false: no memory, or @offset is not above the last one. */
bool offset_tracker_add(struct offset_tracker *tracker, int64_t offset);
/**
 * Marks a record as done. An offset that is not held is ignored.
 *
 * @ret_next  set only when true is returned: all records before this offset are done, so it is the one to commit
 * Returns:   whether that offset has advanced
 */
bool offset_tracker_done(struct offset_tracker *tracker, int64_t offset, int64_t *ret_next);
/** Records held: not done, or done behind one that is not. */
size_t offset_tracker_count(const struct offset_tracker *tracker);

#endif
