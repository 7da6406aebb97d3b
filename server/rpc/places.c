#include "server/rpc/places.h"

#include "server/runtime/call.h"

#include <stdio.h>
#include <stdlib.h>

struct caller_count {
    char name[sizeof((struct call *)NULL)->caller];
    unsigned in_flight;
    unsigned waiting; /* of these, of methods that wait */
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

enum place places_take_waiting(struct places *places, struct adaptive *adaptive, uint64_t now_us) {
    places->waits_in = adaptive_enter(adaptive, now_us) ? adaptive : NULL;
    return places->waits_in ? PLACE_TAKEN : PLACE_OVERLOADED;
}

enum place places_take_of_method(struct places *places, struct rpc_method *method, uint32_t most,
                                 struct adaptive *adaptive, uint64_t now_us) {
    if (places->method) {
        return PLACE_TAKEN;
    }
    if (most != 0 && atomic_fetch_add_explicit(&method->in_flight, 1, memory_order_relaxed) >= most) {
        atomic_fetch_sub_explicit(&method->in_flight, 1, memory_order_relaxed);
        return PLACE_NONE_LEFT;
    }
    places->method = method;
    places->counted = most != 0;
    return adaptive ? places_take_waiting(places, adaptive, now_us) : PLACE_TAKEN;
}

void places_begin(struct places *places, uint64_t waited_us, uint64_t now_us) {
    if (places->waits_in) {
        adaptive_begin(places->waits_in, waited_us, now_us);
    }
    places->waits_in = NULL;
}

static void give_back_method(struct places *places) {
    if (places->waits_in) {
        adaptive_leave(places->waits_in);
    }
    if (places->counted) {
        atomic_fetch_sub_explicit(&places->method->in_flight, 1, memory_order_relaxed);
    }
    places->waits_in = NULL;
    places->counted = false;
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
    if (!HASH_HAS_ADDED(hh, count)) {
        free(count);
        return NULL;
    }
    return count;
}

static enum place take_of_caller_locked(struct places *places, struct caller_count *count, uint32_t most,
                                        uint32_t most_waiting) {
    if (!count) {
        return PLACE_NO_MEMORY;
    }
    if (count->in_flight >= most) {
        return PLACE_NONE_LEFT;
    }
    if (most_waiting != 0 && count->waiting >= most_waiting) {
        return PLACE_NO_WAITING_LEFT;
    }
    count->in_flight++;
    places->caller_waits = most_waiting != 0;
    count->waiting += places->caller_waits;
    places->caller = count;
    return PLACE_TAKEN;
}

enum place places_take_of_caller(struct places *places, struct caller_counts *counts, const char *caller, uint32_t most,
                                 uint32_t most_waiting) {
    pthread_mutex_lock(&counts->lock);
    enum place place = take_of_caller_locked(places, find_or_add_locked(counts, caller), most, most_waiting);
    pthread_mutex_unlock(&counts->lock);
    return place;
}

void places_give_back(struct places *places, struct caller_counts *counts) {
    give_back_method(places);
    if (!places->caller) {
        return;
    }
    pthread_mutex_lock(&counts->lock);
    places->caller->in_flight--;
    places->caller->waiting -= places->caller_waits;
    pthread_mutex_unlock(&counts->lock);
    places->caller = NULL;
    places->caller_waits = false;
}
