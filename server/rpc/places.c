#include "server/rpc/places.h"

#include "server/runtime/call.h"

#include <stdio.h>
#include <stdlib.h>

struct caller_count {
    char name[sizeof((struct call *)NULL)->caller];
    unsigned in_flight;
    UT_hash_handle hh;
};

void caller_counts_init(struct caller_counts *counts) {
    counts->table = NULL;
    pthread_mutex_init(&counts->lock, NULL);
}

void caller_counts_fini(struct caller_counts *counts) {
    struct caller_count *count = counts->table, *next;
    HASH_CLEAR(hh, counts->table); /* leaves the items linked by hh.next */
    for (; count; count = next) {
        next = count->hh.next;
        free(count);
    }
    pthread_mutex_destroy(&counts->lock);
}

/* ---- methods ---- */

enum place places_take_of_method(struct places *places, struct rpc_method *method, uint32_t most, bool adaptive,
                                 uint64_t now_us) {
    if (places->method) {
        return PLACE_TAKEN;
    }
    if (most != 0 && atomic_fetch_add_explicit(&method->in_flight, 1, memory_order_relaxed) >= most) {
        atomic_fetch_sub_explicit(&method->in_flight, 1, memory_order_relaxed);
        return PLACE_NONE_LEFT;
    }
    places->method = method;
    places->counted = most != 0;
    places->waits = adaptive && adaptive_enter(&method->adaptive, now_us);
    return adaptive && !places->waits ? PLACE_OVERLOADED : PLACE_TAKEN;
}

void places_begin(struct places *places, uint64_t waited_us, uint64_t now_us) {
    if (places->waits) {
        adaptive_begin(&places->method->adaptive, waited_us, now_us);
    }
    places->waits = false;
}

static void give_back_method(struct places *places) {
    if (places->waits) {
        adaptive_leave(&places->method->adaptive);
    }
    if (places->counted) {
        atomic_fetch_sub_explicit(&places->method->in_flight, 1, memory_order_relaxed);
    }
    places->waits = places->counted = false;
    places->method = NULL;
}

/* ---- callers ---- */

static struct caller_count *find_or_add_locked(struct caller_counts *counts, const char *name) {
    struct caller_count *count;
    HASH_FIND_STR(counts->table, name, count);
    if (count) {
        return count;
    }
    count = calloc(1, sizeof(*count));
    if (!count) {
        return NULL;
    }
    snprintf(count->name, sizeof(count->name), "%s", name);
    HASH_ADD_STR(counts->table, name, count);
    return count;
}

enum place places_take_of_caller(struct places *places, struct caller_counts *counts, const char *caller,
                                 uint32_t most) {
    pthread_mutex_lock(&counts->lock);
    struct caller_count *count = find_or_add_locked(counts, caller);
    bool full = count && count->in_flight >= most;
    if (count && !full) {
        count->in_flight++;
        places->caller = count;
    }
    pthread_mutex_unlock(&counts->lock);
    return !count ? PLACE_NO_MEMORY : full ? PLACE_NONE_LEFT : PLACE_TAKEN;
}

void places_give_back(struct places *places, struct caller_counts *counts) {
    give_back_method(places);
    if (!places->caller) {
        return;
    }
    pthread_mutex_lock(&counts->lock);
    places->caller->in_flight--;
    pthread_mutex_unlock(&counts->lock);
    places->caller = NULL;
}
