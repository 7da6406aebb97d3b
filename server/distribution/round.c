/*
 * Rounds. A task's context must outlive the task, so each task posts, as its last step, the work that frees its context
 * and drops its reference; the loop runs that work after the task's end.
 */
#include "server/distribution/round.h"

#include "server/distribution/distribution_log.h"
#include "server/distribution/drive.h"
#include "server/distribution/writer.h"
#include "server/runtime/task.h"

#include <stdlib.h>

#define NO_TASK_RETRY_MS 1000

static void round_link(struct round *round) {
    struct engine *engine = round->engine;
    round->next = engine->rounds;
    round->link = &engine->rounds;
    if (round->next) {
        round->next->link = &round->next;
    }
    engine->rounds = round;
}

static void round_free(struct round *round) {
    *round->link = round->next;
    if (round->next) {
        round->next->link = round->link;
    }
    arena_fini(&round->arena);
    free(round);
}

static enum herald_code fill_round(struct round *round, const char *event_id, const char *distribution_id,
                                   const char *owner, const uint8_t *content, size_t content_bytes,
                                   struct herald_error *reterr) {
    round->event_id = arena_strdup(&round->arena, event_id);
    round->distribution_id = arena_strdup(&round->arena, distribution_id);
    round->owner = arena_strdup(&round->arena, owner);
    if (!round->event_id || !round->distribution_id || !round->owner) {
        return arena_full(reterr, "a round of deliveries");
    }
    round->content = herald__distribution__v1__content__unpack(&round->arena.protobuf, content_bytes, content);
    if (!round->content) {
        return herald_error_set(reterr, HERALD_REASON_STORED_CONTENT_UNREADABLE,
                                "the content of the distribution of event %s cannot be read", event_id);
    }
    return HERALD_OK;
}

enum herald_code round_new(struct engine *engine, const char *event_id, const char *distribution_id, const char *owner,
                           const uint8_t *content, size_t content_bytes, size_t count, struct round **ret_round,
                           struct herald_error *reterr) {
    struct round *round = calloc(1, sizeof(*round) + count * sizeof(struct delivery));
    if (!round) {
        return herald_error_no_memory(reterr, "a round of deliveries");
    }
    round->engine = engine;
    round->refs = 1;
    round->count = count;
    arena_init_small(&round->arena, 0);
    completion_init(&round->done);
    round->done.what = "its channels";
    completion_init(&round->prepared);
    round->prepared.what = "what a channel prepares";
    completion_init(&round->opened);
    round->opened.what = "its distribution to be made";
    round_link(round);
    enum herald_code code = fill_round(round, event_id, distribution_id, owner, content, content_bytes, reterr);
    if (code != HERALD_OK) {
        round_unref(round);
        return code;
    }
    for (size_t i = 0; i < count; i++) {
        round->deliveries[i].round = round;
    }
    *ret_round = round;
    return HERALD_OK;
}

void round_unref(struct round *round) {
    if (--round->refs == 0) {
        round_free(round);
    }
}

bool round_keep_row(struct round *round, struct delivery_row *row) {
    struct delivery_row kept = *row;
    kept.remote_id = arena_strdup(&round->arena, row->remote_id);
    kept.step_id = arena_strdup(&round->arena, row->step_id);
    kept.post_url = arena_strdup(&round->arena, row->post_url);
    kept.reason = arena_strdup(&round->arena, row->reason);
    kept.message = arena_strdup(&round->arena, row->message);
    if (!kept.remote_id || !kept.step_id || !kept.post_url || !kept.reason || !kept.message) {
        return false;
    }
    *row = kept;
    return true;
}

/* ---- tasks ---- */

void round_check_done(struct round *round) {
    if (round->driven == 0 && round->pending == 0) {
        completion_complete(&round->done);
    }
}

void round_stored(struct round *round) {
    round->pending--;
    round_check_done(round);
}

static void on_delivery_end(struct loop_work *work) {
    struct delivery *delivery = (struct delivery *)work;
    call_fini(&delivery->call);
    round_unref(delivery->round);
}

TASK_FN static void delivery_task(void *arg) {
    struct delivery *delivery = arg;
    struct round *round = delivery->round;
    drive(delivery);
    delivery->driven = false;
    round->driven--;
    atomic_fetch_sub(&round->engine->process->driving, 1);
    writer_kick(round->engine->writer);
    round_check_done(round);
    loop_post(round->engine->loop, &delivery->end);
}

/* Returns: false: no memory for a task. */
static bool begin_drive(struct round *round, struct delivery *delivery, struct herald_error *error) {
    call_init(&delivery->call, "deliver", NULL, 0, 0);
    arena_init_small(&delivery->call.arena, 0);
    delivery->end.run = on_delivery_end;
    if (task_spawn(round->engine->loop, &delivery->call, "delivery", delivery_task, delivery, error) != HERALD_OK) {
        call_fini(&delivery->call);
        return false;
    }
    delivery->driven = true;
    round->driven++;
    round->refs++;
    atomic_fetch_add(&round->engine->process->driving, 1);
    return true;
}

void round_drive(struct round *round, struct delivery *delivery) {
    struct herald_error error = {0};
    if (begin_drive(round, delivery, &error)) {
        return;
    }
    log_emit(&LOG_DELIVERY_LEFT, log_str("event_id", round->event_id), log_str("channel", delivery->channel->name),
             log_error(&error), LOG_END);
    drive_give_back(delivery, NO_TASK_RETRY_MS);
}

bool round_drive_early(struct round *round, struct delivery *delivery) {
    return begin_drive(round, delivery, NULL);
}

TASK_FN bool round_await_opening(struct delivery *delivery) {
    struct round *round = delivery->round;
    if (!delivery->early) {
        return true;
    }
    completion_complete(&round->prepared);
    completion_wait_always(&round->opened);
    return round->made;
}

void rounds_cancel(struct engine *engine) {
    for (struct round *round = engine->rounds; round; round = round->next) {
        for (size_t i = 0; i < round->count; i++) {
            if (round->deliveries[i].driven) {
                task_cancel_call(engine->loop, &round->deliveries[i].call, HERALD_CANCELLED);
            }
        }
    }
}
