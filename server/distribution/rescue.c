/*
 * The rescuer: resumes open rounds whose server has died, so that DistributionCompleted comes without a further call.
 */
#include "server/distribution/distribution_settings.h"
#include "server/distribution/round.h"

#include <stdlib.h>

#define POLL_MS      1000
#define MOST_AT_ONCE 16

struct rescuer {
    struct loop_work end; /* frees it after its task has ended */
    struct call call;
    struct distribution_service *service;
};

/* How long a round must be unchanged to count as idle: longer than any claim can be held. */
static uint32_t idle_ms(const struct settings *settings) {
    return channels_settings(settings)->channels_timeout_ms + 10000;
}

TASK_FN static void rescue_once(struct distribution_service *service) {
    struct distribution_row *rows = NULL;
    size_t count = 0;
    if (delivery_store_take_open_rounds(service->db, idle_ms(service->settings), MOST_AT_ONCE, &rows, &count, NULL) !=
        HERALD_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct round *round = NULL;
        if (round_start(service, rows[i].event_id, rows[i].channels, rows[i].channel_count, rows[i].content,
                        rows[i].content_bytes, service->round_budget_ms, &round, NULL) == HERALD_OK) {
            log_emit(&LOG_ROUND_RESCUED, log_str("event_id", rows[i].event_id), LOG_END);
            round_unref(round);
        }
    }
}

TASK_FN static void rescue(void *arg) {
    struct rescuer *rescuer = arg;
    do {
        rescue_once(rescuer->service);
        arena_fini(&rescuer->call.arena);
        arena_init(&rescuer->call.arena, 0);
    } while (task_sleep(POLL_MS, NULL) == HERALD_OK);
    loop_post(rescuer->service->loop, &rescuer->end);
}

static void on_rescuer_end(struct loop_work *work) {
    struct rescuer *rescuer = (struct rescuer *)work;
    call_fini(&rescuer->call);
    free(rescuer);
}

enum herald_code rescuer_start(struct distribution_service *service, struct rescuer **ret_rescuer,
                               struct herald_error *reterr) {
    struct rescuer *rescuer = calloc(1, sizeof(*rescuer));
    if (!rescuer) {
        return herald_error_no_memory(reterr, "the rescuer");
    }
    rescuer->end.run = on_rescuer_end;
    rescuer->service = service;
    call_init(&rescuer->call, "rescue", NULL, 0, 0);
    enum herald_code code = task_spawn(service->loop, &rescuer->call, "rescuer", rescue, rescuer, reterr);
    if (code != HERALD_OK) {
        call_fini(&rescuer->call);
        free(rescuer);
        return code;
    }
    *ret_rescuer = rescuer;
    return HERALD_OK;
}

void rescuer_stop(struct rescuer *rescuer) {
    if (rescuer) {
        task_cancel_call(rescuer->service->loop, &rescuer->call, HERALD_CANCELLED);
    }
}
