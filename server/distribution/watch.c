#include "server/distribution/watch.h"

#include <string.h>
#include <strings.h>

void watch_init(struct watch *watch, atomic_uint *watching) {
    *watch = (struct watch){.watching = watching};
}

/* FNV-1a of the UUID, whatever the case of its letters. */
static size_t bucket_of(const char *event_id) {
    uint32_t hash = 2166136261u;
    for (const char *at = event_id; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)(*at | 0x20)) * 16777619u;
    }
    return hash % WATCH_BUCKETS;
}

static void watcher_link(struct watch *watch, struct watcher *watcher) {
    struct watcher **bucket = &watch->buckets[bucket_of(watcher->event_id)];
    watcher->next = *bucket;
    watcher->link = bucket;
    if (watcher->next) {
        watcher->next->link = &watcher->next;
    }
    *bucket = watcher;
    watch->count++;
    atomic_fetch_add(watch->watching, 1);
}

static void watcher_unlink(struct watch *watch, struct watcher *watcher) {
    *watcher->link = watcher->next;
    if (watcher->next) {
        watcher->next->link = watcher->link;
    }
    watch->count--;
    atomic_fetch_sub(watch->watching, 1);
}

TASK_FN enum herald_code watch_wait(struct watch *watch, const char *event_id, uint64_t version, uint32_t ms,
                                    struct herald_error *reterr) {
    struct watcher watcher = {.event_id = event_id, .version = version};
    completion_init(&watcher.changed);
    watcher.changed.what = "a change of its distribution";
    watcher_link(watch, &watcher);
    enum herald_code code = completion_wait_for(&watcher.changed, ms, reterr);
    watcher_unlink(watch, &watcher);
    return code;
}

void watch_tell(struct watch *watch, const char *event_id, uint64_t version) {
    for (struct watcher *watcher = watch->buckets[bucket_of(event_id)]; watcher; watcher = watcher->next) {
        if (version > watcher->version && strcasecmp(watcher->event_id, event_id) == 0) {
            watcher->version = version;
            completion_complete(&watcher->changed);
        }
    }
}

/* Lists the events of a bucket; of neighbours for the same event only one. Returns: how many, @most + 1: more */
static size_t list_bucket(const struct watcher *watcher, const char **ret_event_ids, size_t most) {
    size_t count = 0;
    const char *last = "";
    for (; watcher; watcher = watcher->next) {
        if (strcasecmp(watcher->event_id, last) == 0) {
            continue;
        }
        if (count == most) {
            return most + 1;
        }
        last = ret_event_ids[count++] = watcher->event_id;
    }
    return count;
}

size_t watch_list(struct watch *watch, const char **ret_event_ids, size_t most) {
    size_t count = 0;
    for (size_t i = 0; i < WATCH_BUCKETS; i++) {
        size_t listed = list_bucket(watch->buckets[watch->next_bucket], ret_event_ids + count, most - count);
        if (listed > most - count && count > 0) { /* the next call begins with it */
            return count;
        }
        count += listed > most - count ? most - count : listed;
        watch->next_bucket = (watch->next_bucket + 1) % WATCH_BUCKETS;
    }
    return count;
}
