/*
 * Invariants: heap[i]->timer_index == i; heap[(i-1)/2]->wake_us <= heap[i]->wake_us; armed_us <= heap[0]->wake_us.
 * Most waits end before their deadline, so removing a task leaves the uv_timer as it is; only an earlier time resets
 * it. When it fires for a task that is gone, it is set to the next one's time.
 */
#include "server/runtime/loop_private.h"

#include <stdlib.h>

static void place(struct timers *timers, size_t index, struct task *task) {
    timers->heap[index] = task;
    task->timer_index = index;
}

static void sift_timer_up(struct timers *timers, size_t index, struct task *task) {
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (timers->heap[parent]->wake_us <= task->wake_us) {
            break;
        }
        place(timers, index, timers->heap[parent]);
        index = parent;
    }
    place(timers, index, task);
}

static void sift_timer_down(struct timers *timers, size_t index, struct task *task) {
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= timers->count) {
            break;
        }
        if (child + 1 < timers->count && timers->heap[child + 1]->wake_us < timers->heap[child]->wake_us) {
            child++;
        }
        if (timers->heap[child]->wake_us >= task->wake_us) {
            break;
        }
        place(timers, index, timers->heap[child]);
        index = child;
    }
    place(timers, index, task);
}

static void on_timers_due(uv_timer_t *uv);

static void arm_timers(struct timers *timers) {
    if (timers->count == 0 || timers->heap[0]->wake_us >= timers->armed_us) {
        return;
    }
    uint64_t now_us = clock_now_us();
    uint64_t wake_us = timers->heap[0]->wake_us;
    uint64_t delay_ms = wake_us > now_us ? (wake_us - now_us - 1) / 1000 + 1 : 0;
    uv_update_time(timers->uv.loop);
    (void)uv_timer_start(&timers->uv, on_timers_due, delay_ms, 0);
    timers->armed_us = wake_us;
}

static void on_timers_due(uv_timer_t *uv) {
    struct timers *timers = uv->data;
    uint64_t now_us = clock_now_us();
    timers->armed_us = UINT64_MAX;
    while (timers->count > 0 && timers->heap[0]->wake_us <= now_us) {
        task_wake(timers->heap[0]);
    }
    arm_timers(timers);
}

void timers_init(struct timers *timers, uv_loop_t *uv) {
    *timers = (struct timers){.armed_us = UINT64_MAX};
    (void)uv_timer_init(uv, &timers->uv); /* cannot fail */
    timers->uv.data = timers;
    uv_unref((uv_handle_t *)&timers->uv);
}

void timers_fini(struct timers *timers) {
    free(timers->heap);
    timers->heap = NULL;
    timers->count = timers->capacity = 0;
}

bool timers_reserve(struct timers *timers, size_t count) {
    if (count <= timers->capacity) {
        return true;
    }
    size_t capacity = timers->capacity == 0 ? 64 : 2 * timers->capacity;
    while (capacity < count) {
        capacity *= 2;
    }
    struct task **heap = realloc(timers->heap, capacity * sizeof(*heap));
    if (heap == NULL) {
        return false;
    }
    timers->heap = heap;
    timers->capacity = capacity;
    return true;
}

void timers_add(struct timers *timers, struct task *task, uint64_t wake_us) {
    task->wake_us = wake_us;
    sift_timer_up(timers, timers->count++, task);
    arm_timers(timers);
}

void timers_remove(struct timers *timers, struct task *task) {
    size_t index = task->timer_index;
    if (index == TIMER_NONE) {
        return;
    }
    task->timer_index = TIMER_NONE;
    struct task *last = timers->heap[--timers->count];
    if (last == task) {
        return;
    }
    if (index > 0 && timers->heap[(index - 1) / 2]->wake_us > last->wake_us) {
        sift_timer_up(timers, index, last);
    } else {
        sift_timer_down(timers, index, last);
    }
}
