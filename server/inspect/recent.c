#include "server/inspect/recent.h"

#include "server/rpc/registry.h"
#include "server/rpc/rpc_call.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Calls are numbered from 1 in the order of recent_note(); number n lies at n % RECENT_CALLS_MAX. */
struct recent {
    pthread_mutex_t lock;
    uint64_t last; /* number of the latest; 0: none yet */
    struct recent_call calls[RECENT_CALLS_MAX];
};

enum herald_code recent_new(struct recent **ret_recent, struct herald_error *reterr) {
    struct recent *recent = calloc(1, sizeof(*recent));
    if (!recent) {
        return herald_error_no_memory(reterr, "the recent calls");
    }
    pthread_mutex_init(&recent->lock, NULL);
    *ret_recent = recent;
    return HERALD_OK;
}

void recent_free(struct recent *recent) {
    if (!recent) {
        return;
    }
    pthread_mutex_destroy(&recent->lock);
    free(recent);
}

static void describe_call(const struct rpc_call *call, uint64_t total_us, struct recent_call *described) {
    described->method = call->method ? call->method->schema->full_name : "";
    described->code = herald_code_to_wire(call->code);
    described->ended_wall_us = clock_wall_us();
    described->total_us = total_us;
    described->queue_us = call->begun_us ? call->begun_us - call->received_us : total_us;
    described->handler_us = call->begun_us && call->ended_us ? call->ended_us - call->begun_us : 0;
    described->downstream_us = call->context.downstream_us;
    bool failed = call->code != HERALD_OK;
    snprintf(described->id, sizeof(described->id), "%s", call->context.id);
    snprintf(described->caller, sizeof(described->caller), "%s", call->context.caller);
    snprintf(described->reason, sizeof(described->reason), "%s", failed ? call->error.reason : "");
    snprintf(described->message, sizeof(described->message), "%s", failed ? call->error.message : "");
}

void recent_note(struct recent *recent, const struct rpc_call *call, uint64_t total_us) {
    struct recent_call described;
    describe_call(call, total_us, &described);
    pthread_mutex_lock(&recent->lock);
    recent->last++;
    recent->calls[recent->last % RECENT_CALLS_MAX] = described;
    pthread_mutex_unlock(&recent->lock);
}

bool recent_next(struct recent *recent, uint64_t *cursor, struct recent_call *ret_call) {
    pthread_mutex_lock(&recent->lock);
    uint64_t number = *cursor ? *cursor - 1 : recent->last;
    bool kept = number > 0 && recent->last - number < RECENT_CALLS_MAX;
    if (kept) {
        *ret_call = recent->calls[number % RECENT_CALLS_MAX];
        *cursor = number;
    }
    pthread_mutex_unlock(&recent->lock);
    return kept;
}
