/*
 * The reconciler: finishes APPROVED events whose lease has expired, because their server died, the distribution server
 * was unavailable, or no channel could accept them yet.
 *
 * One task looks for such events and leases them; a task of its own finishes each. The struct lives until the last task
 * has ended. A call's context must outlive its task. So each task posts, as its last step, the work that frees its
 * context; the loop runs that work after the task's end.
 */
#include "server/durable/durable_settings.h"
#include "server/event/event_settings.h"
#include "server/event/publish.h"

#include <stdlib.h>
#include <string.h>

#define MOST_AT_ONCE     32
#define FINISH_MARGIN_MS 15000

struct recovery {
    struct loop_work end;
    struct call call;
    struct reconciler *reconciler;
    struct recovery *next, **link;
    char event_id[37];
    char user_id[260];
};

struct reconciler {
    struct loop_work end;
    struct call call;
    struct event_service *service;
    struct recovery *recoveries;
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

TASK_FN static enum herald_code finish_event(struct recovery *recovery, struct herald_error *reterr) {
    struct event_service *service = recovery->reconciler->service;
    struct event_draft event;
    enum herald_code code = event_store_load(service->db, recovery->event_id, recovery->user_id, &event, reterr);
    if (code != HERALD_OK || event.status != EVENT_APPROVED) {
        return code;
    }
    Herald__Event__V1__PublishEventResponse response = HERALD__EVENT__V1__PUBLISH_EVENT_RESPONSE__INIT;
    return publish_finish(service, &event, NULL, &response, reterr);
}

TASK_FN static void recover(void *arg) {
    struct recovery *recovery = arg;
    struct herald_error error = {0};
    enum herald_code code = finish_event(recovery, &error);
    log_emit(code == HERALD_OK ? &LOG_EVENT_RECONCILED : &LOG_EVENT_RECONCILE_FAILED,
             log_str("event_id", recovery->event_id), log_error(code == HERALD_OK ? NULL : &error), LOG_END);
    loop_post(recovery->reconciler->service->loop, &recovery->end);
}

/* Spawns the task that finishes an event. Without memory the lease expires, and the event is leased again. */
static void start_recovery(struct reconciler *reconciler, const struct event_draft *event) {
    struct recovery *recovery = calloc(1, sizeof(*recovery));
    if (!recovery || strlen(event->user_id) >= sizeof(recovery->user_id)) {
        free(recovery);
        return;
    }
    const struct settings *settings = reconciler->service->settings;
    call_init(&recovery->call, "reconcile", NULL, publish_settings(settings)->publish_timeout_ms + FINISH_MARGIN_MS, 0);
    recovery->end.run = on_recovery_end;
    recovery->reconciler = reconciler;
    strncpy(recovery->event_id, event->id, sizeof(recovery->event_id) - 1);
    strncpy(recovery->user_id, event->user_id, sizeof(recovery->user_id) - 1);
    if (task_spawn(reconciler->service->loop, &recovery->call, "recover", recover, recovery, NULL) != HERALD_OK) {
        call_fini(&recovery->call);
        free(recovery);
        return;
    }
    recovery_link(recovery);
    reconciler->running++;
}

TASK_FN static void look_once(struct reconciler *reconciler) {
    struct event_service *service = reconciler->service;
    unsigned free_slots = MOST_AT_ONCE + 1 - reconciler->running;
    struct event_draft *events = NULL;
    size_t count = 0;
    /* an unavailable database shows in the server's health; the next round tries again */
    if (free_slots == 0 ||
        event_store_take_approved(service->db, free_slots, outbox_settings(service->settings)->outbox_lease_ms, &events,
                                  &count, NULL) != HERALD_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        start_recovery(reconciler, &events[i]);
    }
}

TASK_FN static void look_for_events(void *arg) {
    struct reconciler *reconciler = arg;
    while (!reconciler->stopping) {
        look_once(reconciler);
        arena_fini(&reconciler->call.arena);
        arena_init(&reconciler->call.arena, 0);
        if (task_sleep(publish_settings(reconciler->service->settings)->publish_reconcile_poll_ms, NULL) != HERALD_OK) {
            break;
        }
    }
    loop_post(reconciler->service->loop, &reconciler->end);
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
