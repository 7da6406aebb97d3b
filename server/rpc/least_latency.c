#include "server/rpc/least_latency.h"

void least_latency_note(struct least_latency *least, uint64_t latency_us, uint64_t now_us) {
    uint64_t index = now_us / LEAST_LATENCY_WINDOW_US + 1; /* 0: never used */
    struct latency_window *window = &least->windows[index % 2];
    uint64_t seen = atomic_load_explicit(&window->index, memory_order_acquire);
    if (seen != index && atomic_compare_exchange_strong(&window->index, &seen, index)) {
        atomic_store_explicit(&window->samples, 0, memory_order_relaxed);
        atomic_store_explicit(&window->least_us, latency_us, memory_order_relaxed);
    }
    uint64_t least_us = atomic_load_explicit(&window->least_us, memory_order_relaxed);
    while (latency_us < least_us &&
           !atomic_compare_exchange_weak_explicit(&window->least_us, &least_us, latency_us, memory_order_relaxed,
                                                  memory_order_relaxed)) {
        continue;
    }
    atomic_fetch_add_explicit(&window->samples, 1, memory_order_relaxed);
}

uint64_t least_latency_us(const struct least_latency *least, uint64_t now_us) {
    uint64_t index = now_us / LEAST_LATENCY_WINDOW_US + 1;
    uint64_t least_us = UINT64_MAX;
    unsigned samples = 0;
    for (unsigned i = 0; i < 2; i++) {
        const struct latency_window *window = &least->windows[i];
        uint64_t of = atomic_load_explicit(&window->index, memory_order_acquire);
        uint64_t us = atomic_load_explicit(&window->least_us, memory_order_relaxed);
        if (of == 0 || of + 1 < index) {
            continue;
        }
        samples += atomic_load_explicit(&window->samples, memory_order_relaxed);
        least_us = us < least_us ? us : least_us;
    }
    return samples >= LEAST_LATENCY_SAMPLES_MIN ? least_us : 0;
}
