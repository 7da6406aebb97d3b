/* What belongs to a loop: the times of its operations, in a binary heap on one uv_timer, and its handles. */
#include "server/outgoing/native_calls_private.h"

#include <stdlib.h>
#include <utlist.h>

struct hub *hub_current(struct native_calls *calls) {
    struct loop *loop = loop_current();
    if (loop == NULL) {
        return NULL;
    }
    unsigned index = loop_index(loop);
    return index < calls->count && calls->hubs[index].loop == loop ? &calls->hubs[index] : NULL;
}

/* ---- times ---- */

static void put(struct hub *hub, size_t index, struct due *due) {
    hub->heap[index] = due;
    due->index = index;
}

static void rise(struct hub *hub, struct due *due, size_t index) {
    while (index > 0 && hub->heap[(index - 1) / 2]->at_ms > due->at_ms) {
        put(hub, index, hub->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(hub, index, due);
}

static void sink(struct hub *hub, struct due *due, size_t index) {
    for (;;) {
        size_t child = index * 2 + 1;
        if (child + 1 < hub->heap_count && hub->heap[child + 1]->at_ms < hub->heap[child]->at_ms) {
            child++;
        }
        if (child >= hub->heap_count || hub->heap[child]->at_ms >= due->at_ms) {
            break;
        }
        put(hub, index, hub->heap[child]);
        index = child;
    }
    put(hub, index, due);
}

static void on_hub_timer(uv_timer_t *timer);

/* The timer may be set to an earlier time than that of the first due: it then fires for nothing. */
static void set_hub_timer(struct hub *hub) {
    if (hub->heap_count == 0 || hub->heap[0]->at_ms >= hub->timer_ms) {
        return;
    }
    int64_t now_ms = herald_now_ms();
    hub->timer_ms = hub->heap[0]->at_ms;
    (void)uv_timer_start(&hub->timer, on_hub_timer, hub->timer_ms > now_ms ? (uint64_t)(hub->timer_ms - now_ms) : 0, 0);
}

static void on_hub_timer(uv_timer_t *timer) {
    struct hub *hub = timer->data;
    int64_t now_ms = herald_now_ms();
    hub->timer_ms = INT64_MAX;
    while (hub->heap_count > 0 && hub->heap[0]->at_ms <= now_ms) {
        struct due *due = hub->heap[0];
        hub_clear_due(hub, due);
        due->fire(due);
    }
    set_hub_timer(hub);
}

void hub_set_due(struct hub *hub, struct due *due, int64_t at_ms) {
    due->at_ms = at_ms;
    rise(hub, due, hub->heap_count++);
    set_hub_timer(hub);
}

void hub_clear_due(struct hub *hub, struct due *due) {
    size_t index = due->index;
    if (index == DUE_NONE) {
        return;
    }
    struct due *last = hub->heap[--hub->heap_count];
    due->index = DUE_NONE;
    if (last == due) {
        return;
    }
    if (index > 0 && hub->heap[(index - 1) / 2]->at_ms > last->at_ms) {
        rise(hub, last, index);
    } else {
        sink(hub, last, index);
    }
}

/* ---- life ---- */

static void on_timer_closed(uv_handle_t *handle) {
    struct hub *hub = handle->data;
    hub->has_handles = false;
    if (hub->is_told) {
        atomic_store(&hub->is_gone, true);
    }
}

static void on_loop_end(struct loop_ending *ending) {
    struct hub *hub = (struct hub *)ending;
    hub->is_listed = false;
    hub_close(hub);
}

static bool open_hub(struct hub *hub) {
    hub->streams = native_loop_new(hub->loop);
    if (hub->streams == NULL) {
        return false;
    }
    (void)uv_timer_init(loop_uv(hub->loop), &hub->timer);
    uv_unref((uv_handle_t *)&hub->timer);
    hub->timer.data = hub;
    hub->timer_ms = INT64_MAX;
    hub->ending.run = on_loop_end;
    hub->has_handles = true;
    loop_add_ending(hub->loop, &hub->ending);
    hub->is_listed = true;
    return true;
}

bool hub_enter(struct hub *hub) {
    if (hub->is_ended || (hub->streams == NULL && !open_hub(hub))) {
        return false;
    }
    if (hub->users == hub->heap_capacity) {
        size_t capacity = hub->heap_capacity * 2 + 64;
        struct due **heap = realloc(hub->heap, capacity * sizeof(struct due *));
        if (heap == NULL) {
            return false;
        }
        hub->heap = heap;
        hub->heap_capacity = capacity;
    }
    hub->users++;
    return true;
}

void hub_leave(struct hub *hub) {
    hub->users--;
}

void hub_close(struct hub *hub) {
    struct lane *lane, *next;
    if (hub->is_ended) {
        return;
    }
    hub->is_ended = true;
    if (hub->streams == NULL) {
        return;
    }
    if (hub->is_listed) {
        loop_remove_ending(hub->loop, &hub->ending);
        hub->is_listed = false;
    }
    DL_FOREACH_SAFE (hub->lanes, lane, next) {
        lane_close(lane);
    }
    while (hub->heap_count > 0) { /* pauses */
        struct due *due = hub->heap[0];
        hub_clear_due(hub, due);
        due->fire(due);
    }
    native_loop_close(hub->streams);
    hub->streams = NULL;
    uv_close((uv_handle_t *)&hub->timer, on_timer_closed);
}

void hub_close_for_good(struct hub *hub) {
    hub_close(hub);
    hub->is_told = true;
    if (!hub->has_handles) {
        atomic_store(&hub->is_gone, true);
    }
}
