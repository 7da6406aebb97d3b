/*
 * The lease of a process: one row, renewed by a task.
 *
 * The end of the lease is counted from before the statement was sent, on the monotonic clock, so that this process
 * never believes in its lease for longer than the database does.
 */
#include "server/durable/instance.h"

#include "herald/uuid.h"
#include "server/durable/durable_log.h"
#include "server/runtime/call.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define RENEWALS_A_LEASE 4

struct instance {
    struct loop_work stop_work; /* first */
    struct instance_options options;
    char id[37];
    struct call call;
    struct loop *loop;
    struct db *db;
    struct completion stop;
    atomic_uint_fast64_t holds_until_us; /* on clock_now_us(); 0: no lease */
    bool renews;                         /* the last renewal has succeeded */
    bool running;
    pthread_mutex_t lock;   /* of ended, which others wait for */
    pthread_cond_t changed; /* on the monotonic clock */
    bool ended;             /* the task has taken its last step */
};

enum herald_code instance_new(const struct instance_options *options, struct instance **ret_instance,
                              struct herald_error *reterr) {
    struct instance *instance = calloc(1, sizeof(*instance));
    if (!instance) {
        return herald_error_no_memory(reterr, "the process's lease");
    }
    instance->options = *options;
    herald_uuid7(instance->id);
    completion_init(&instance->stop);
    instance->stop.what = "the end of the process, or the next renewal";
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&instance->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&instance->lock, NULL);
    *ret_instance = instance;
    return HERALD_OK;
}

void instance_free(struct instance *instance) {
    if (instance) {
        pthread_cond_destroy(&instance->changed);
        pthread_mutex_destroy(&instance->lock);
    }
    free(instance);
}

/* Renews the lease and buries dead processes, in one transaction. */
TASK_FN static enum herald_code renew_once(struct instance *instance, struct herald_error *reterr) {
    uint64_t sent_us = clock_now_us();
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_INSTANCE_RENEW);
    db_put_text(&batch, instance->id);
    db_put_text(&batch, instance->options.service);
    db_put_bigint(&batch, instance->options.lease_ms);
    db_add(&batch, instance->options.bury);
    db_put_text(&batch, instance->options.service);
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(instance->db, &batch, &reply, reterr);
    if (code != HERALD_OK) {
        return code;
    }
    atomic_store(&instance->holds_until_us, sent_us + (uint64_t)instance->options.lease_ms * 1000);
    uint64_t released = db_changed_count(&reply, 1);
    if (released > 0) {
        log_emit(&LOG_CLAIMS_TAKEN, log_u64("claims", released), LOG_END);
    }
    return HERALD_OK;
}

/* Releases the claims and deletes the row. If this fails, the row runs out by itself. */
TASK_FN static void release(struct instance *instance) {
    atomic_store(&instance->holds_until_us, 0);
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, instance->options.release);
    db_put_text(&batch, instance->id);
    db_put_text(&batch, instance->options.service);
    DB_REPLY struct db_reply reply = {0};
    (void)db_run(instance->db, &batch, &reply, NULL);
}

static void note_renewal(struct instance *instance, enum herald_code code, const struct herald_error *error) {
    if (instance->renews && code != HERALD_OK) {
        log_emit(&LOG_LEASE_LATE, log_error(error), LOG_END);
    }
    instance->renews = code == HERALD_OK;
}

static void note_task_end(struct instance *instance) {
    pthread_mutex_lock(&instance->lock);
    instance->ended = true;
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->lock);
}

TASK_FN static void renew_task(void *arg) {
    struct instance *instance = arg;
    uint32_t pause_ms = instance->options.lease_ms / RENEWALS_A_LEASE;
    do {
        struct herald_error error = {0};
        enum herald_code code = renew_once(instance, &error);
        note_renewal(instance, code, &error);
        arena_fini(&instance->call.arena);
        arena_init(&instance->call.arena, 0);
    } while (completion_wait_for(&instance->stop, pause_ms, NULL) != HERALD_OK);
    release(instance);
    call_fini(&instance->call);
    note_task_end(instance);
}

enum herald_code instance_start(struct instance *instance, struct loop *loop, struct db *db,
                                struct herald_error *reterr) {
    instance->loop = loop;
    instance->db = db;
    call_init(&instance->call, "lease", NULL, 0, 0);
    enum herald_code code = task_spawn(loop, &instance->call, "lease", renew_task, instance, reterr);
    if (code != HERALD_OK) {
        call_fini(&instance->call);
    }
    instance->running = code == HERALD_OK;
    return code;
}

void instance_stop(struct instance *instance) {
    if (instance && instance->running) {
        completion_complete(&instance->stop);
    }
}

static void stop_on_loop(struct loop_work *work) {
    instance_stop((struct instance *)work);
}

void instance_release(struct instance *instance, uint32_t wait_ms) {
    if (!instance || !instance->running) {
        return;
    }
    instance->stop_work.run = stop_on_loop;
    loop_post(instance->loop, &instance->stop_work);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + wait_ms % 1000 * INT64_C(1000000);
    until.tv_sec += wait_ms / 1000 + nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    pthread_mutex_lock(&instance->lock);
    int failure = 0;
    while (!instance->ended && failure == 0) {
        failure = pthread_cond_timedwait(&instance->changed, &instance->lock, &until);
    }
    pthread_mutex_unlock(&instance->lock);
}

const char *instance_id(const struct instance *instance) {
    return instance->id;
}

bool instance_holds(const struct instance *instance, uint32_t ms) {
    return clock_now_us() + (uint64_t)ms * 1000 < atomic_load(&instance->holds_until_us);
}
