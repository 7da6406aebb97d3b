#include "server/rpc/adaptive.h"

#include <math.h>

static uint32_t floor_of(uint32_t most) {
    return most < ADAPTIVE_FLOOR ? most : ADAPTIVE_FLOOR;
}

void adaptive_init(struct adaptive *adaptive, uint32_t most) {
    adaptive->most = most;
    adaptive->patience = 1;
    atomic_init(&adaptive->limit, most);
    atomic_init(&adaptive->waiting, 0);
    atomic_init(&adaptive->samples, 0);
    atomic_init(&adaptive->sum_us, 0);
    atomic_init(&adaptive->window_end_us, 0);
}

void adaptive_set_deadline(struct adaptive *adaptive, uint32_t deadline_ms) {
    if (deadline_ms >= ADAPTIVE_LONG_MS) {
        adaptive->patience = deadline_ms * 1000 / ADAPTIVE_LONG_PART / ADAPTIVE_TARGET_US;
    }
}

uint32_t adaptive_next_limit(uint32_t limit, uint64_t mean_us, uint32_t most) {
    double gradient = mean_us <= ADAPTIVE_TARGET_US ? 1.0 : (double)ADAPTIVE_TARGET_US / (double)mean_us;
    double next = limit * (gradient < 0.5 ? 0.5 : gradient) + sqrt(limit);
    if (next < floor_of(most)) {
        return floor_of(most);
    }
    return next > most ? most : (uint32_t)next;
}

/* Ends the window and begins the next; false when another thread did. Samples that other threads add at that moment
 * count in either window. */
static bool take_window(struct adaptive *adaptive, uint64_t end_us, uint64_t now_us, unsigned *ret_samples,
                        uint64_t *ret_sum_us) {
    if (!atomic_compare_exchange_strong(&adaptive->window_end_us, &end_us, now_us + ADAPTIVE_WINDOW_US)) {
        return false;
    }
    *ret_samples = atomic_exchange(&adaptive->samples, 0);
    *ret_sum_us = atomic_exchange(&adaptive->sum_us, 0);
    return true;
}

static void forget_if_idle(struct adaptive *adaptive, uint64_t now_us) {
    unsigned samples;
    uint64_t sum_us, end_us = atomic_load_explicit(&adaptive->window_end_us, memory_order_relaxed);
    if (end_us != 0 && now_us >= end_us + ADAPTIVE_IDLE_US &&
        take_window(adaptive, end_us, now_us, &samples, &sum_us)) {
        atomic_store(&adaptive->limit, adaptive->most);
    }
}

bool adaptive_enter(struct adaptive *adaptive, uint64_t now_us) {
    unsigned before = atomic_fetch_add_explicit(&adaptive->waiting, 1, memory_order_relaxed);
    if (before == 0) {
        forget_if_idle(adaptive, now_us);
    }
    if (before < atomic_load_explicit(&adaptive->limit, memory_order_relaxed)) {
        return true;
    }
    adaptive_leave(adaptive);
    return false;
}

void adaptive_leave(struct adaptive *adaptive) {
    atomic_fetch_sub_explicit(&adaptive->waiting, 1, memory_order_relaxed);
}

/* A limit that is far above the number that wait holds nobody back. Where the wait is too long, and more wait than a
 * window lets begin, the limit is lowered from their number. */
static uint32_t limit_in_effect(uint32_t limit, uint32_t waiting, unsigned samples, uint64_t mean_us) {
    return mean_us > ADAPTIVE_TARGET_US && waiting > samples && waiting < limit ? waiting : limit;
}

static void end_window(struct adaptive *adaptive, uint64_t end_us, uint64_t now_us) {
    unsigned samples;
    uint64_t sum_us;
    if (!take_window(adaptive, end_us, now_us, &samples, &sum_us) || end_us == 0 || samples == 0) {
        return; /* the first call opens the first window */
    }
    uint64_t mean_us = sum_us / samples / adaptive->patience;
    uint32_t limit = limit_in_effect(atomic_load(&adaptive->limit), atomic_load(&adaptive->waiting), samples, mean_us);
    atomic_store(&adaptive->limit, adaptive_next_limit(limit, mean_us, adaptive->most));
}

void adaptive_begin(struct adaptive *adaptive, uint64_t waited_us, uint64_t now_us) {
    adaptive_leave(adaptive);
    atomic_fetch_add_explicit(&adaptive->sum_us, waited_us, memory_order_relaxed);
    unsigned samples = atomic_fetch_add_explicit(&adaptive->samples, 1, memory_order_relaxed) + 1;
    uint64_t end_us = atomic_load_explicit(&adaptive->window_end_us, memory_order_relaxed);
    if (end_us == 0 || (now_us >= end_us && samples >= ADAPTIVE_SAMPLES_MIN)) {
        end_window(adaptive, end_us, now_us);
    }
}
