/*
 * A list of the last calls' samples, oldest first, and their counts.
 *
 * Invariant: buffered, failed, slow and unfinished are the counts over the list, which has at most `limit` samples. A
 * withdrawn sample leaves the list at once. A place that it kept would make the next call evict one too many.
 */
#include "server/breaker/breaker_window.h"

#include <stdlib.h>

struct breaker_sample {
    uint32_t older, newer; /* slots; `newer` also links the free ones; 0: none */
    uint64_t serial;       /* of the ticket; 0: not in the list */
    bool failed, slow, unfinished;
};

bool breaker_window_init(struct breaker_window *window, uint32_t capacity) {
    struct breaker_sample *samples = calloc(capacity, sizeof(*samples));
    if (samples == NULL) {
        return false;
    }
    *window = (struct breaker_window){.samples = samples, .capacity = capacity, .limit = capacity, .next_serial = 1};
    return true;
}

void breaker_window_fini(struct breaker_window *window) {
    free(window->samples);
    window->samples = NULL;
}

static struct breaker_sample *sample_in(const struct breaker_window *window, uint32_t slot) {
    return &window->samples[slot - 1];
}

static void count_sample(struct breaker_window *window, const struct breaker_sample *sample) {
    window->buffered++;
    window->failed += sample->failed;
    window->slow += sample->slow;
    window->unfinished += sample->unfinished;
}

static void discount_sample(struct breaker_window *window, const struct breaker_sample *sample) {
    window->buffered--;
    window->failed -= sample->failed;
    window->slow -= sample->slow;
    window->unfinished -= sample->unfinished;
}

void breaker_window_clear(struct breaker_window *window, uint32_t limit) {
    window->limit = limit;
    window->used = window->free_slot = window->oldest = window->newest = 0;
    window->buffered = window->failed = window->slow = window->unfinished = 0;
}

static void remove_sample(struct breaker_window *window, uint32_t slot) {
    struct breaker_sample *sample = sample_in(window, slot);
    if (sample->older != 0) {
        sample_in(window, sample->older)->newer = sample->newer;
    } else {
        window->oldest = sample->newer;
    }
    if (sample->newer != 0) {
        sample_in(window, sample->newer)->older = sample->older;
    } else {
        window->newest = sample->older;
    }
    discount_sample(window, sample);
    sample->serial = 0;
    sample->newer = window->free_slot;
    window->free_slot = slot;
}

static uint32_t take_slot(struct breaker_window *window) {
    if (window->buffered == window->limit) {
        remove_sample(window, window->oldest);
    }
    uint32_t slot = window->free_slot;
    if (slot == 0) {
        return ++window->used;
    }
    window->free_slot = sample_in(window, slot)->newer;
    return slot;
}

static struct breaker_ticket add_sample(struct breaker_window *window, struct breaker_sample sample) {
    if (window->limit == 0) {
        count_sample(window, &sample);
        return (struct breaker_ticket){0};
    }
    uint32_t slot = take_slot(window);
    sample.serial = window->next_serial++;
    sample.older = window->newest;
    *sample_in(window, slot) = sample;
    if (window->newest != 0) {
        sample_in(window, window->newest)->newer = slot;
    } else {
        window->oldest = slot;
    }
    window->newest = slot;
    count_sample(window, &sample);
    return (struct breaker_ticket){.slot = slot, .serial = sample.serial};
}

void breaker_window_add(struct breaker_window *window, bool failed, bool slow) {
    (void)add_sample(window, (struct breaker_sample){.failed = failed, .slow = slow});
}

struct breaker_ticket breaker_window_add_unfinished(struct breaker_window *window) {
    return add_sample(window, (struct breaker_sample){.slow = true, .unfinished = true});
}

static bool still_has(const struct breaker_window *window, struct breaker_ticket ticket) {
    return ticket.slot != 0 && ticket.slot <= window->used && sample_in(window, ticket.slot)->serial == ticket.serial;
}

void breaker_window_finish(struct breaker_window *window, struct breaker_ticket ticket, bool failed) {
    if (still_has(window, ticket)) {
        struct breaker_sample *sample = sample_in(window, ticket.slot);
        discount_sample(window, sample);
        sample->unfinished = false;
        sample->failed = failed;
        count_sample(window, sample);
    }
}

void breaker_window_withdraw(struct breaker_window *window, struct breaker_ticket ticket) {
    if (still_has(window, ticket)) {
        remove_sample(window, ticket.slot);
    }
}

/* In floats throughout, as resilience4j computes it: a rate just at a threshold must fall on the same side. */
static float rate_of(const struct breaker_window *window, uint32_t count, uint32_t minimum) {
    if (window->buffered == 0 || window->buffered < minimum) {
        return -1.0f;
    }
    return (float)count * 100.0f / (float)window->buffered;
}

float breaker_window_failure_rate(const struct breaker_window *window, uint32_t minimum) {
    return rate_of(window, window->failed, minimum);
}

float breaker_window_slow_rate(const struct breaker_window *window, uint32_t minimum) {
    return rate_of(window, window->slow, minimum);
}
