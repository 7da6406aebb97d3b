/* A ring of the offsets of one partition, ascending; a done offset leaves the ring once all before it are done. */
#include "server/store/kafka/offset_tracker.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_LEAST 16

void offset_tracker_init(struct offset_tracker *tracker) {
    *tracker = (struct offset_tracker){0};
}

void offset_tracker_fini(struct offset_tracker *tracker) {
    free(tracker->entries);
    offset_tracker_init(tracker);
}

static struct offset_entry *entry_at(const struct offset_tracker *tracker, size_t index) {
    return &tracker->entries[(tracker->first + index) % tracker->capacity];
}

static bool grow_tracker(struct offset_tracker *tracker) {
    size_t capacity = tracker->capacity ? tracker->capacity * 2 : CAPACITY_LEAST;
    struct offset_entry *entries = calloc(capacity, sizeof(*entries));
    if (!entries) {
        return false;
    }
    for (size_t i = 0; i < tracker->count; i++) {
        entries[i] = *entry_at(tracker, i);
    }
    free(tracker->entries);
    tracker->entries = entries;
    tracker->first = 0;
    tracker->capacity = capacity;
    return true;
}

bool offset_tracker_add(struct offset_tracker *tracker, int64_t offset) {
    if (tracker->count && entry_at(tracker, tracker->count - 1)->offset >= offset) {
        return false;
    }
    if (tracker->count == tracker->capacity && !grow_tracker(tracker)) {
        return false;
    }
    tracker->count++;
    *entry_at(tracker, tracker->count - 1) = (struct offset_entry){.offset = offset};
    return true;
}

/* Binary search; NULL: the offset is not held. */
static struct offset_entry *find_offset(struct offset_tracker *tracker, int64_t offset) {
    size_t low = 0, high = tracker->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct offset_entry *entry = entry_at(tracker, middle);
        if (entry->offset == offset) {
            return entry;
        }
        if (entry->offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

bool offset_tracker_done(struct offset_tracker *tracker, int64_t offset, int64_t *ret_next) {
    struct offset_entry *entry = find_offset(tracker, offset);
    bool moved = false;
    if (entry) {
        entry->done = true;
    }
    while (tracker->count && entry_at(tracker, 0)->done) {
        *ret_next = entry_at(tracker, 0)->offset + 1;
        tracker->first = (tracker->first + 1) % tracker->capacity;
        tracker->count--;
        moved = true;
    }
    return moved;
}

size_t offset_tracker_count(const struct offset_tracker *tracker) {
    return tracker->count;
}
