/* Queues by lane and tenant. */
#include "server/store/postgres/waiting.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

bool db_waiting_join(struct db_waiting *waiting, struct db_request *request, const char *name) {
    struct db_tenant *tenant = NULL;
    HASH_FIND_STR(waiting->tenants, name, tenant);
    if (!tenant) {
        tenant = calloc(1, sizeof(*tenant));
        if (!tenant) {
            return false;
        }
        tenant->waiting = waiting;
        (void)snprintf(tenant->name, sizeof(tenant->name), "%s", name);
        HASH_ADD_STR(waiting->tenants, name, tenant);
        if (!HASH_HAS_ADDED(hh, tenant)) {
            free(tenant);
            return false;
        }
    }
    tenant->requests++;
    request->tenant = tenant;
    return true;
}

void db_waiting_leave(struct db_request *request) {
    struct db_tenant *tenant = request->tenant;
    if (!tenant) {
        return;
    }
    request->tenant = NULL;
    tenant->locked -= request->lane == DB_LANE_LOCKED;
    if (--tenant->requests == 0) {
        HASH_DELETE(hh, tenant->waiting->tenants, tenant);
        free(tenant);
    }
}

void db_waiting_lock(struct db_request *request) {
    request->tenant->locked += request->lane != DB_LANE_LOCKED;
    request->lane = DB_LANE_LOCKED;
}

static void note_waiting(struct db_waiting *waiting, struct db_request *request, uint64_t now_us) {
    request->state = DB_REQUEST_QUEUED;
    request->queued_us = now_us;
    DL_APPEND2(waiting->oldest[request->lane], request, older, younger);
    waiting->lengths[request->lane]++;
}

void db_waiting_push(struct db_waiting *waiting, struct db_request *request, uint64_t now_us) {
    struct db_tenant *tenant = request->tenant;
    enum db_lane lane = request->lane;
    note_waiting(waiting, request, now_us);
    if (!tenant->queues[lane].head) {
        DL_APPEND2(waiting->turns[lane], tenant, before[lane], after[lane]);
    }
    db_queue_push(&tenant->queues[lane], request);
}

void db_waiting_push_front(struct db_waiting *waiting, struct db_request *request, uint64_t now_us) {
    struct db_tenant *tenant = request->tenant;
    enum db_lane lane = request->lane;
    note_waiting(waiting, request, now_us);
    if (tenant->queues[lane].head) {
        DL_DELETE2(waiting->turns[lane], tenant, before[lane], after[lane]);
    }
    DL_PREPEND2(waiting->turns[lane], tenant, before[lane], after[lane]);
    db_queue_push_front(&tenant->queues[lane], request);
}

/* The request has left its tenant's queue. */
static void forget_waiting(struct db_waiting *waiting, struct db_request *request) {
    struct db_tenant *tenant = request->tenant;
    enum db_lane lane = request->lane;
    DL_DELETE2(waiting->oldest[lane], request, older, younger);
    waiting->lengths[lane]--;
    if (!tenant->queues[lane].head) {
        DL_DELETE2(waiting->turns[lane], tenant, before[lane], after[lane]);
    }
}

void db_waiting_remove(struct db_waiting *waiting, struct db_request *request) {
    db_queue_remove(&request->tenant->queues[request->lane], request);
    forget_waiting(waiting, request);
}

struct db_request *db_waiting_next(struct db_waiting *waiting, enum db_lane lane,
                                   bool (*may_go)(void *user, const struct db_request *request), void *user) {
    for (struct db_tenant *tenant = waiting->turns[lane]; tenant; tenant = tenant->after[lane]) {
        if (!may_go(user, tenant->queues[lane].head)) {
            continue;
        }
        struct db_request *request = db_queue_pop(&tenant->queues[lane]);
        forget_waiting(waiting, request);
        if (tenant->queues[lane].head) { /* to the end of those who wait for their turn */
            DL_DELETE2(waiting->turns[lane], tenant, before[lane], after[lane]);
            DL_APPEND2(waiting->turns[lane], tenant, before[lane], after[lane]);
        }
        return request;
    }
    return NULL;
}

unsigned db_waiting_length(const struct db_waiting *waiting) {
    unsigned length = 0;
    for (int lane = 0; lane < DB_LANE_COUNT; lane++) {
        length += waiting->lengths[lane];
    }
    return length;
}
