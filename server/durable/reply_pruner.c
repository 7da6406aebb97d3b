#include "server/durable/reply_pruner.h"

#include "server/durable/idempotency_store.h"
#include "server/durable/signatures.h"
#include "server/runtime/task.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

#include <stdlib.h>

/* A pause between batches leaves the database time for calls, even after a long backlog. */
#define BATCH_PAUSE_MS 10
#define BATCH_ROWS     IDEMPOTENCY_PRUNE_ROWS

struct reply_pruner {
    struct reply_pruner_options options;
    struct call call;
};

TASK_FN static enum herald_code delete_batch(struct reply_pruner *pruner, enum db_query query, uint64_t age_s,
                                             unsigned *ret_deleted, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, query);
    db_put_bigint(&batch, (int64_t)age_s);
    db_put_bigint(&batch, BATCH_ROWS);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(pruner->options.db, &batch, &reply, reterr);
    *ret_deleted = code == HERALD_OK ? (unsigned)db_changed_count(&reply, 0) : 0;
    return code;
}

/* @age_s  0: they are kept for ever */
TASK_FN static void prune_rows(struct reply_pruner *pruner, enum db_query query, uint64_t age_s) {
    struct herald_error error = {0};
    unsigned deleted = age_s > 0 ? BATCH_ROWS : 0;
    enum herald_code code = HERALD_OK;
    while (code == HERALD_OK && deleted == BATCH_ROWS) {
        code = query == DB_QUERY_IDEMPOTENCY_PRUNE
                   ? idempotency_store_prune(pruner->options.db, (uint32_t)age_s, &deleted, &error)
                   : delete_batch(pruner, query, age_s, &deleted, &error);
        if (code == HERALD_OK && deleted == BATCH_ROWS) {
            code = task_sleep(BATCH_PAUSE_MS, &error);
        }
    }
    bool ending = pruner->call.end_code != HERALD_OK;
    if (code != HERALD_OK && !ending && pruner->options.on_error) {
        pruner->options.on_error(pruner->options.user, &error);
    }
}

TASK_FN static void prune_round(struct reply_pruner *pruner) {
    const struct row_life *rows = &pruner->options.rows;
    prune_rows(pruner, DB_QUERY_IDEMPOTENCY_PRUNE, pruner->options.keep_s);
    if (pruner->call.end_code == HERALD_OK) {
        prune_rows(pruner, rows->query, rows->keep_days * UINT64_C(86400));
    }
    if (pruner->call.end_code == HERALD_OK) {
        prune_rows(pruner, DB_QUERY_SIGNATURE_PRUNE, SIGNATURES_KEEP_S);
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
