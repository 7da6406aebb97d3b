#include "server/content/picture_pruner.h"

#include "server/content/content_log.h"
#include "server/content/picture_store.h"
#include "server/runtime/task.h"

#include <stdlib.h>
#include <time.h>

#define BATCH_PAUSE_MS 50 /* leaves the disk and the pool's threads to jobs, even after a long backlog */

struct picture_pruner {
    struct picture_pruner_options options;
    struct call call;
    struct picture_pruning pruning;
    enum herald_code code; /* of the last batch */
    struct herald_error error;
};

static void prune_batch(void *arg) {
    struct picture_pruner *pruner = arg;
    pruner->code = picture_store_prune(&pruner->pruning, &pruner->error);
}

TASK_FN static void prune_pictures(struct picture_pruner *pruner) {
    pruner->pruning = (struct picture_pruning){.path = pruner->options.dir,
                                               .before_s = time(NULL) - pruner->options.keep_days * INT64_C(86400)};
    enum herald_code code;
    do {
        code = task_offload(prune_batch, pruner, &pruner->error);
        code = code == HERALD_OK ? pruner->code : code;
        if (code != HERALD_OK) {
            log_emit(&LOG_CONTENT_NOT_PRUNED, log_error(&pruner->error), LOG_END);
        }
    } while (code == HERALD_OK && pruner->pruning.dir != NULL && task_sleep(BATCH_PAUSE_MS, NULL) == HERALD_OK);
    picture_store_prune_end(&pruner->pruning);
    if (pruner->pruning.deleted > 0) {
        log_emit(&LOG_CONTENT_PRUNED, log_u64("jobs", pruner->pruning.deleted), LOG_END);
    }
}

TASK_FN static void keep_pruning(void *arg) {
    struct picture_pruner *pruner = arg;
    do {
        prune_pictures(pruner);
    } while (task_sleep(pruner->options.interval_ms, NULL) == HERALD_OK);
    call_fini(&pruner->call);
    free(pruner);
}

enum herald_code picture_pruner_start(const struct picture_pruner_options *options, struct picture_pruner **ret_pruner,
                                      struct herald_error *reterr) {
    struct picture_pruner *pruner = calloc(1, sizeof(*pruner));
    if (pruner == NULL) {
        return herald_error_no_memory(reterr, "the pruner of pictures");
    }
    pruner->options = *options;
    call_init(&pruner->call, "picture pruner", NULL, 0, 0);
    enum herald_code code = task_spawn(options->loop, &pruner->call, "picture-pruner", keep_pruning, pruner, reterr);
    if (code != HERALD_OK) {
        call_fini(&pruner->call);
        free(pruner);
        return code;
    }
    *ret_pruner = pruner;
    return HERALD_OK;
}

void picture_pruner_stop(struct picture_pruner *pruner) {
    if (pruner != NULL) {
        task_cancel_call(pruner->options.loop, &pruner->call, HERALD_CANCELLED);
    }
}
