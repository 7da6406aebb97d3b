/*
 * Requests that wait: their connections are suspended, which costs memory and no thread. A binary heap orders those with
 * a timer. Peers of those without one are watched: a peer that closes ends the wait.
 */
#include "client/base/clock.h"
#include "deploy/fakes/fakes_private.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SWEPT_AT_ONCE 256

bool fakes_waiting_open(struct fakes_waiting *waiting) {
    waiting->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return waiting->epoll_fd >= 0;
}

void fakes_waiting_close(struct fakes_waiting *waiting) {
    if (waiting->epoll_fd >= 0) {
        close(waiting->epoll_fd);
    }
    free(waiting->heap);
}

/* --- the heap ---------------------------------------------------------------------------------------------------- */

static void place_in_heap(struct fakes_waiting *waiting, size_t at, struct fakes_request *request) {
    waiting->heap[at] = request;
    request->heap_at = at;
}

static void rise_in_heap(struct fakes_waiting *waiting, size_t at) {
    struct fakes_request *request = waiting->heap[at];
    for (; at > 1 && waiting->heap[at / 2]->due_us > request->due_us; at /= 2) {
        place_in_heap(waiting, at, waiting->heap[at / 2]);
    }
    place_in_heap(waiting, at, request);
}

static void sink_in_heap(struct fakes_waiting *waiting, size_t at) {
    struct fakes_request *request = waiting->heap[at];
    for (size_t child; (child = at * 2) <= waiting->heap_count; at = child) {
        if (child < waiting->heap_count && waiting->heap[child + 1]->due_us < waiting->heap[child]->due_us) {
            child++;
        }
        if (waiting->heap[child]->due_us >= request->due_us) {
            break;
        }
        place_in_heap(waiting, at, waiting->heap[child]);
    }
    place_in_heap(waiting, at, request);
}

/* Returns: false: no memory */
static bool add_to_heap(struct fakes_waiting *waiting, struct fakes_request *request) {
    if (waiting->heap_count + 2 > waiting->heap_room) {
        size_t room = waiting->heap_room > 0 ? waiting->heap_room * 2 : 64;
        struct fakes_request **grown = realloc(waiting->heap, room * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        waiting->heap = grown;
        waiting->heap_room = room;
    }
    place_in_heap(waiting, ++waiting->heap_count, request);
    rise_in_heap(waiting, waiting->heap_count);
    return true;
}

static void remove_from_heap(struct fakes_waiting *waiting, struct fakes_request *request) {
    size_t at = request->heap_at;
    struct fakes_request *last = waiting->heap[waiting->heap_count--];
    request->heap_at = 0;
    if (last != request) {
        place_in_heap(waiting, at, last);
        rise_in_heap(waiting, at);
        sink_in_heap(waiting, last->heap_at);
    }
}

/* --- peers ------------------------------------------------------------------------------------------------------- */

static bool watch_peer(struct fakes_waiting *waiting, struct fakes_request *request) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = request};
    if (info == NULL || epoll_ctl(waiting->epoll_fd, EPOLL_CTL_ADD, info->connect_fd, &event) != 0) {
        return false;
    }
    request->watched_fd = info->connect_fd;
    return true;
}

void fakes_waiting_sweep(struct fakes_waiting *waiting) {
    struct epoll_event events[SWEPT_AT_ONCE];
    int count = epoll_wait(waiting->epoll_fd, events, SWEPT_AT_ONCE, 0);
    for (int i = 0; i < count; i++) {
        fakes_wake(events[i].data.ptr, FAKES_OVER);
    }
}

/* --- waits ------------------------------------------------------------------------------------------------------- */

static void enter_waiting(struct fakes_waiting *waiting, struct fakes_request *request) {
    request->stage = FAKES_WAITING;
    request->previous = NULL;
    request->next = waiting->first;
    if (waiting->first != NULL) {
        waiting->first->previous = request;
    }
    waiting->first = request;
    waiting->count++;
}

static void leave_waiting(struct fakes_waiting *waiting, struct fakes_request *request) {
    if (request->previous != NULL) {
        request->previous->next = request->next;
    } else {
        waiting->first = request->next;
    }
    if (request->next != NULL) {
        request->next->previous = request->previous;
    }
    waiting->count--;
}

static bool set_timer(struct fakes_waiting *waiting, struct fakes_request *request, uint32_t ms) {
    request->due_us = herald_monotonic_us() + (uint64_t)ms * 1000;
    return add_to_heap(waiting, request);
}

enum MHD_Result fakes_wait(struct fakes_request *request, uint32_t ms) {
    struct fakes_waiting *waiting = &request->fakes->waiting;
    if (ms == UINT32_MAX ? !watch_peer(waiting, request) : !set_timer(waiting, request, ms)) {
        return MHD_NO;
    }
    enter_waiting(waiting, request);
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

void fakes_wait_again(struct fakes_request *request, uint32_t ms) {
    if (!set_timer(&request->fakes->waiting, request, ms)) {
        fakes_wake(request, FAKES_OVER);
    }
}

void fakes_wake(struct fakes_request *request, enum fakes_stage stage) {
    struct fakes_waiting *waiting = &request->fakes->waiting;
    if (request->heap_at > 0) {
        remove_from_heap(waiting, request);
    }
    if (request->watched_fd >= 0) {
        (void)epoll_ctl(waiting->epoll_fd, EPOLL_CTL_DEL, request->watched_fd, NULL);
        request->watched_fd = -1;
    }
    leave_waiting(waiting, request);
    request->stage = stage;
    MHD_resume_connection(request->connection);
    waiting->woken = true;
}

int fakes_waiting_run(struct fakes_waiting *waiting) {
    uint64_t now_us = herald_monotonic_us();
    while (waiting->heap_count > 0 && waiting->heap[1]->due_us <= now_us) {
        struct fakes_request *request = waiting->heap[1];
        remove_from_heap(waiting, request);
        if (request->drip != NULL) {
            fakes_drip(request);
        } else {
            fakes_wake(request, FAKES_DUE);
        }
    }
    return waiting->heap_count > 0 ? (int)((waiting->heap[1]->due_us - now_us + 999) / 1000) : -1;
}
