#include "server/durable/reply_pruner.h"

#include "server/durable/idempotency_store.h"
#include "server/runtime/task.h"

#include <stdlib.h>

/* A pause between batches leaves the database time for calls, even after a long backlog. */
#define BATCH_PAUSE_MS 10

struct reply_pruner {
    struct reply_pruner_options options;
    struct call call;
};

TASK_FN static void prune_round(struct reply_pruner *pruner) {
    struct herald_error error = {0};
    unsigned deleted = IDEMPOTENCY_PRUNE_ROWS;
    enum herald_code code = HERALD_OK;
    while (code == HERALD_OK && deleted == IDEMPOTENCY_PRUNE_ROWS) {
        code = idempotency_store_prune(pruner->options.db, pruner->options.keep_s, &deleted, &error);
        if (code == HERALD_OK && deleted == IDEMPOTENCY_PRUNE_ROWS) {
            code = task_sleep(BATCH_PAUSE_MS, &error);
        }
    }
    bool ending = pruner->call.end_code != HERALD_OK;
    if (code != HERALD_OK && !ending && pruner->options.on_error) {
        pruner->options.on_error(pruner->options.user, &error);
    }
}

TASK_FN static void prune(void *arg) {
    struct reply_pruner *pruner = arg;
    do {
        prune_round(pruner);
        arena_fini(&pruner->call.arena);
        arena_init(&pruner->call.arena, 0);
    } while (task_sleep(pruner->options.interval_ms, NULL) == HERALD_OK);
    call_fini(&pruner->call);
    free(pruner);
}

enum herald_code reply_pruner_start(const struct reply_pruner_options *options, struct reply_pruner **ret_pruner,
                                    struct herald_error *reterr) {
    struct reply_pruner *pruner = calloc(1, sizeof(*pruner));
    if (!pruner) {
        return herald_error_no_memory(reterr, "the reply pruner");
    }
    pruner->options = *options;
    call_init(&pruner->call, "reply pruner", NULL, 0, 0);
    enum herald_code code = task_spawn(options->loop, &pruner->call, "reply-pruner", prune, pruner, reterr);
    if (code != HERALD_OK) {
        call_fini(&pruner->call);
        free(pruner);
        return code;
    }
    *ret_pruner = pruner;
    return HERALD_OK;
}

void reply_pruner_stop(struct reply_pruner *pruner) {
    if (pruner) {
        task_cancel_call(pruner->options.loop, &pruner->call, HERALD_CANCELLED);
    }
}
