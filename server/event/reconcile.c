/*
 * The reconciler: finishes APPROVED events that are due and that nobody holds, because their server died, the distribution
 * server was unavailable, no channel could accept them yet, or their instant has come. It also ends events whose period
 * is over.
 *
 * One task looks for such events; a task of its own claims and finishes each. An event that is not due costs nothing: it
 * is not read. The struct lives until the last task
 * has ended. A call's context must outlive its task. So each task posts, as its last step, the work that frees its
 * context; the loop runs that work after the task's end.
 */
#include "client/base/minimum.h"
#include "server/event/event_settings.h"
#include "server/event/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_AT_ONCE     128
#define FINISH_MARGIN_MS 15000
#define SOONEST_MS       5 /* between two looks */

struct recovery {
    struct loop_work end;
    struct call call;
    struct reconciler *reconciler;
    struct recovery *next, **link;
    char event_id[37];
};

struct reconciler {
    struct loop_work end;
    struct call call;
    struct event_service *service;
    struct recovery *recoveries;
    struct completion wake;
    uint64_t due_us;  /* when something is due that this loop knows of; UINT64_MAX: nothing */
    unsigned running; /* recoveries, and the task that looks for events */
    bool stopping;
};

static void reconciler_unref(struct reconciler *reconciler) {
    if (--reconciler->running == 0) {
        call_fini(&reconciler->call);
        free(reconciler);
    }
}

static void on_reconciler_end(struct loop_work *work) {
    reconciler_unref((struct reconciler *)work);
}

static void recovery_unlink(struct recovery *recovery) {
    *recovery->link = recovery->next;
    if (recovery->next) {
        recovery->next->link = recovery->link;
    }
}

static void recovery_link(struct recovery *recovery) {
    struct reconciler *reconciler = recovery->reconciler;
    recovery->next = reconciler->recoveries;
    recovery->link = &reconciler->recoveries;
    if (recovery->next) {
        recovery->next->link = &recovery->next;
    }
    reconciler->recoveries = recovery;
}

static void on_recovery_end(struct loop_work *work) {
    struct recovery *recovery = (struct recovery *)work;
    struct reconciler *reconciler = recovery->reconciler;
    recovery_unlink(recovery);
    call_fini(&recovery->call);
    free(recovery);
    reconciler_unref(reconciler);
}

/* Claims the event and reads it. HERALD_ABORTED: another loop or process was faster. */
TASK_FN static enum herald_code take_event(struct recovery *recovery, struct event_draft *ret_event,
                                           struct event_claim **ret_claim, struct herald_error *reterr) {
    struct event_service *service = recovery->reconciler->service;
    struct event_claim *claim = NULL;
    enum herald_code code = claim_new(service, recovery->event_id, &claim, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    code = event_store_take(service->db, recovery->event_id, instance_id(service->instance), ret_event, reterr);
    if (code != HERALD_OK) {
        claim_fail(service, claim, code);
        return code;
    }
    *ret_claim = claim;
    return HERALD_OK;
}

TASK_FN static enum herald_code finish_event(struct recovery *recovery, struct herald_error *reterr) {
    struct event_service *service = recovery->reconciler->service;
    struct event_draft event;
    struct event_claim *claim = NULL;
    enum herald_code code = take_event(recovery, &event, &claim, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    if (event.ends_at_us != 0 && event.ends_at_us <= instance_now_us(service->instance)) {
        claim_release(service, claim, EVENT_NEVER_DUE); /* it is ended as soon as nobody holds it */
        return HERALD_OK;
    }
    Herald__Event__V1__PublishEventResponse response = HERALD__EVENT__V1__PUBLISH_EVENT_RESPONSE__INIT;
    return publish_finish(service, &event, claim, NULL, &response, reterr);
}

TASK_FN static void recover(void *arg) {
    struct recovery *recovery = arg;
    struct herald_error error = {0};
    enum herald_code code = finish_event(recovery, &error);
    if (code != HERALD_ABORTED) {
        log_emit(code == HERALD_OK ? &LOG_EVENT_RECONCILED : &LOG_EVENT_RECONCILE_FAILED,
                 log_str("event_id", recovery->event_id), log_error(code == HERALD_OK ? NULL : &error), LOG_END);
    }
    loop_post(recovery->reconciler->service->loop, &recovery->end);
}

static void start_recovery(struct reconciler *reconciler, const char *event_id) {
    struct recovery *recovery = calloc(1, sizeof(*recovery));
    if (!recovery) {
        return;
    }
    const struct settings *settings = reconciler->service->settings;
    call_init(&recovery->call, "reconcile", NULL, publish_settings(settings)->publish_timeout_ms + FINISH_MARGIN_MS, 0);
    recovery->end.run = on_recovery_end;
    recovery->reconciler = reconciler;
    (void)snprintf(recovery->event_id, sizeof(recovery->event_id), "%s", event_id);
    if (task_spawn(reconciler->service->loop, &recovery->call, "recover", recover, recovery, NULL) != HERALD_OK) {
        call_fini(&recovery->call);
        free(recovery);
        return;
    }
    recovery_link(recovery);
    reconciler->running++;
}

static bool is_recovering(const struct reconciler *reconciler, const char *event_id) {
    for (const struct recovery *recovery = reconciler->recoveries; recovery; recovery = recovery->next) {
        if (strcmp(recovery->event_id, event_id) == 0) {
            return true;
        }
    }
    return false;
}

TASK_FN static void look_once(struct reconciler *reconciler) {
    struct event_service *service = reconciler->service;
    unsigned free_slots = MOST_AT_ONCE + 1 - reconciler->running;
    const char *const *ids = NULL;
    size_t count = 0;
    /* an unavailable database shows in the server's health; the next look tries again */
    if (free_slots == 0 || event_store_due(service->db, free_slots, &ids, &count, NULL) != HERALD_OK) {
        return;
    }
    for (size_t i = 0; i < count && !reconciler->stopping; i++) {
        if (!is_recovering(reconciler, ids[i])) {
            start_recovery(reconciler, ids[i]);
        }
    }
}

/* Ends the events whose period is over, all that are due. One loop of a process does it. */
TASK_FN static void end_due_events(const struct event_service *service) {
    unsigned ended = EVENT_END_ROWS;
    while (ended == EVENT_END_ROWS && event_store_end_due(service->db, &ended, NULL) == HERALD_OK) {
        if (ended > 0) {
            log_emit(&LOG_EVENT_ENDED, log_u64("events", ended), LOG_END);
        }
    }
}

static bool reconciler_is_ending(const struct reconciler *reconciler) {
    return reconciler->stopping || reconciler->call.end_code != HERALD_OK;
}

/* Waits for the next look; what becomes due earlier shortens the wait. Returns: false: the reconciler stops */
TASK_FN static bool wait_for_next_look(struct reconciler *reconciler) {
    uint64_t began_us = clock_now_us(), now_us = began_us, until_us;
    uint64_t last_us =
        began_us + publish_settings(reconciler->service->settings)->publish_reconcile_poll_ms * UINT64_C(1000);
    do {
        until_us = herald_min_u64(reconciler->due_us, last_us);
        uint64_t left_us = until_us > now_us ? until_us - now_us : 0;
        completion_init(&reconciler->wake);
        reconciler->wake.what = "events that are due";
        (void)completion_wait_for(&reconciler->wake, (uint32_t)(left_us / 1000) + SOONEST_MS, NULL);
        now_us = clock_now_us();
    } while (!reconciler_is_ending(reconciler) && now_us < herald_min_u64(reconciler->due_us, last_us));
    return !reconciler_is_ending(reconciler);
}

TASK_FN static void look_for_events(void *arg) {
    struct reconciler *reconciler = arg;
    do {
        reconciler->due_us = UINT64_MAX;
        claims_release_astray(reconciler->service);
        look_once(reconciler);
        if (loop_index(reconciler->service->loop) == 0) {
            end_due_events(reconciler->service);
        }
        arena_fini(&reconciler->call.arena);
        arena_init(&reconciler->call.arena, 0);
    } while (wait_for_next_look(reconciler));
    loop_post(reconciler->service->loop, &reconciler->end);
}

void reconciler_look_at(struct reconciler *reconciler, uint32_t ms) {
    uint64_t at_us = clock_now_us() + ms * UINT64_C(1000);
    if (reconciler && at_us < reconciler->due_us) {
        reconciler->due_us = at_us;
        completion_complete(&reconciler->wake);
    }
}

enum herald_code reconciler_start(struct event_service *service, struct reconciler **ret_reconciler,
                                  struct herald_error *reterr) {
    struct reconciler *reconciler = calloc(1, sizeof(*reconciler));
    if (!reconciler) {
        return herald_error_no_memory(reterr, "the reconciler");
    }
    reconciler->end.run = on_reconciler_end;
    reconciler->service = service;
    reconciler->running = 1;
    reconciler->due_us = UINT64_MAX;
    completion_init(&reconciler->wake);
    call_init(&reconciler->call, "reconciler", NULL, 0, 0);
    enum herald_code code =
        task_spawn(service->loop, &reconciler->call, "reconciler", look_for_events, reconciler, reterr);
    if (code != HERALD_OK) {
        reconciler_unref(reconciler);
        return code;
    }
    *ret_reconciler = reconciler;
    return HERALD_OK;
}

void reconciler_stop(struct reconciler *reconciler) {
    if (!reconciler) {
        return;
    }
    struct loop *loop = reconciler->service->loop;
    reconciler->stopping = true;
    for (struct recovery *recovery = reconciler->recoveries; recovery; recovery = recovery->next) {
        task_cancel_call(loop, &recovery->call, HERALD_CANCELLED);
    }
    task_cancel_call(loop, &reconciler->call, HERALD_CANCELLED);
}
