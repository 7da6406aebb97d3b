/*
 * A ring of the last calls' outcomes and their counts.
 *
 * Invariant: buffered, failed and slow are the counts over the tickets next-limit..next-1. A withdrawn sample keeps its
 * place, empty, until a new sample evicts it.
 */
#include "server/outgoing/breaker_window.h"

#include <stdlib.h>

#define SAMPLE_PRESENT 1
#define SAMPLE_FAILED  2
#define SAMPLE_SLOW    4

bool breaker_window_init(struct breaker_window *window, uint32_t capacity) {
    uint8_t *samples = calloc(capacity, sizeof(*samples));
    if (samples == NULL) {
        return false;
    }
    *window = (struct breaker_window){.samples = samples, .capacity = capacity, .limit = capacity};
    return true;
}

void breaker_window_fini(struct breaker_window *window) {
    free(window->samples);
    window->samples = NULL;
}

static uint8_t *sample_at(const struct breaker_window *window, uint64_t ticket) {
    return &window->samples[ticket % window->limit];
}

static void count(struct breaker_window *window, uint8_t sample, uint32_t by) {
    if ((sample & SAMPLE_PRESENT) == 0) {
        return;
    }
    window->buffered += by; /* unsigned: a "negative" @by wraps round to a subtraction */
    window->failed += (sample & SAMPLE_FAILED) != 0 ? by : 0;
    window->slow += (sample & SAMPLE_SLOW) != 0 ? by : 0;
}

void breaker_window_clear(struct breaker_window *window, uint32_t limit) {
    window->limit = limit;
    window->next = 0;
    window->buffered = window->failed = window->slow = 0;
    for (uint32_t i = 0; i < limit; i++) {
        window->samples[i] = 0;
    }
}

static void replace(struct breaker_window *window, uint64_t ticket, uint8_t sample) {
    uint8_t *place = sample_at(window, ticket);
    count(window, *place, UINT32_MAX); /* -1 */
    *place = sample;
    count(window, sample, 1);
}

uint64_t breaker_window_add(struct breaker_window *window, bool failed, bool slow) {
    uint64_t ticket = window->next++;
    replace(window, ticket, (uint8_t)(SAMPLE_PRESENT | (failed ? SAMPLE_FAILED : 0) | (slow ? SAMPLE_SLOW : 0)));
    return ticket;
}

static bool is_in(const struct breaker_window *window, uint64_t ticket) {
    return ticket < window->next && window->next - ticket <= window->limit;
}

void breaker_window_fail(struct breaker_window *window, uint64_t ticket) {
    if (is_in(window, ticket)) {
        replace(window, ticket, *sample_at(window, ticket) | SAMPLE_FAILED);
    }
}

void breaker_window_withdraw(struct breaker_window *window, uint64_t ticket) {
    if (is_in(window, ticket)) {
        replace(window, ticket, 0);
    }
}

static float rate(const struct breaker_window *window, uint32_t count_of, uint32_t minimum) {
    if (window->buffered == 0 || window->buffered < minimum) {
        return -1.0f;
    }
    return (float)count_of * 100.0f / (float)window->buffered;
}

float breaker_window_failure_rate(const struct breaker_window *window, uint32_t minimum) {
    return rate(window, window->failed, minimum);
}

float breaker_window_slow_rate(const struct breaker_window *window, uint32_t minimum) {
    return rate(window, window->slow, minimum);
}
