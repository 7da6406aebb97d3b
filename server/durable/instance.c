/*
 * The lease of a process: one row, renewed by a task.
 *
 * The process believes in its lease until sure_until of its row at most. That instant is counted from before the statement
 * was sent, on the monotonic clock, so that it comes here before it comes in the database. Others bury the process after
 * it: at once if the session that renewed the lease has ended, else when the lease is over.
 *
 * When the database itself was away, the sessions of all have ended, and those who live come back one after the other. A
 * process that renews late, and by a session that is younger than its renewal before, therefore judges nobody by a session
 * for a while. One that was only slow has no such reason.
 *
 * Each renewal brings the database's time, which was read between the sending of the statement and its reply. The clock of
 * instance_now_us() is moved only as far as that demands, so a slow reply does not make it jump, and it follows a database
 * that takes another's place.
 */
#include "server/durable/instance.h"

#include "client/base/minimum.h"
#include "herald/uuid.h"
#include "server/durable/durable_log.h"
#include "server/runtime/call.h"
#include "server/store/postgres/batch.h"
#include "server/store/postgres/row.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define SURE_MS         1000 /* how long a renewal is believed in, at most */
#define RENEWALS_A_SURE 5
#define CALM_MS         5000 /* longer than it takes a process to connect again */
#define LOOK_MS         10   /* between two looks of a task that waits for the lease */

struct instance {
    struct loop_work stop_work; /* first */
    struct instance_options options;
    char id[37];
    struct call call;
    struct loop *loop;
    struct db *db;
    struct completion stop;
    instance_release_fn *on_release;
    void *user;                          /* of on_release */
    atomic_uint_fast64_t holds_until_us; /* on clock_now_us(); 0: no lease */
    atomic_int_fast64_t ahead_us;        /* how far the database's clock is ahead of clock_now_us(); 0: not known */
    atomic_uint_fast64_t era;            /* counts the rows that were made: before holds_until_us is set */
    int64_t made_at_us;                  /* of the row, as last told; 0: never */
    int64_t renewed_at_us;               /* the last renewal, on the database's clock */
    uint64_t judges_us; /* from then on a session that has ended is taken for the death of its process */
    bool renews;        /* the last renewal has succeeded */
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

static uint32_t sure_ms(const struct instance *instance) {
    return herald_min_u32(instance->options.lease_ms, SURE_MS);
}

/* The database's clock showed @at_us at some instant since @sent_us. */
static void note_clock(struct instance *instance, int64_t at_us, uint64_t sent_us) {
    int64_t least_us = at_us - (int64_t)clock_now_us(), most_us = at_us - (int64_t)sent_us;
    int64_t ahead_us = atomic_load(&instance->ahead_us);
    if (ahead_us == 0 || ahead_us > most_us) {
        atomic_store(&instance->ahead_us, most_us);
    } else if (ahead_us < least_us) {
        atomic_store(&instance->ahead_us, least_us);
    }
}

/* A renewal's answer. Times are on the database's clock. */
struct renewal {
    int64_t made_at_us; /* of the row */
    int64_t session_at_us;
    int64_t at_us;
};

static enum herald_code read_renewal(const struct db_reply *reply, struct renewal *ret_renewal,
                                     struct herald_error *reterr) {
    struct db_row row = db_row_of(reply, 0, 0, call_arena());
    *ret_renewal = (struct renewal){
        .made_at_us = db_get_int(&row, DB_INSTANCE_RENEW__MADE_AT_US),
        .session_at_us = db_get_time(&row, DB_INSTANCE_RENEW__SESSION_AT),
        .at_us = db_get_time(&row, DB_INSTANCE_RENEW__AT),
    };
    return db_row_end(&row, reterr);
}

/* A row that was made anew was buried before: what was claimed in an earlier era is lost. The row itself says when it was
 * made, as the answer of the renewal that made it may have been lost. */
static void note_row(struct instance *instance, int64_t made_at_us) {
    if (made_at_us == instance->made_at_us) {
        return;
    }
    instance->made_at_us = made_at_us;
    if (atomic_fetch_add(&instance->era, 1) > 0) {
        log_emit(&LOG_LEASE_LOST, LOG_END);
    }
}

static enum herald_code note_burial(struct instance *instance, const struct db_reply *reply,
                                    struct herald_error *reterr) {
    struct db_row row = db_row_of(reply, 0, 0, call_arena());
    int64_t buried = db_get_int(&row, DB_BURIAL__BURIED), released = db_get_int(&row, DB_BURIAL__RELEASED);
    enum herald_code code = db_row_end(&row, reterr);
    if (code != HERALD_OK || buried + released == 0) {
        return code;
    }
    log_emit(&LOG_CLAIMS_TAKEN, log_u64("processes", (uint64_t)buried), log_u64("claims", (uint64_t)released), LOG_END);
    if (instance->on_release) {
        instance->on_release(instance->user);
    }
    return HERALD_OK;
}

/* Buries dead processes. Where there are none, nothing is written. */
TASK_FN static enum herald_code bury(struct instance *instance, struct herald_error *reterr) {
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, instance->options.bury);
    db_put_text(&batch, instance->options.service);
    db_put_text(&batch, clock_now_us() >= instance->judges_us ? "true" : "false");
    DB_REPLY struct db_reply reply = {0};
    enum herald_code code = db_run(instance->db, &batch, &reply, reterr);
    return code == HERALD_OK ? note_burial(instance, &reply, reterr) : code;
}

/* The lease holds, as of a statement sent at @sent_us. */
static void note_lease(struct instance *instance, const struct renewal *renewal, uint64_t sent_us) {
    uint64_t until_us = sent_us + sure_ms(instance) * UINT64_C(1000), now_us = clock_now_us();
    uint64_t held_until_us = atomic_exchange(&instance->holds_until_us, until_us);
    if (held_until_us != 0 && now_us > held_until_us && renewal->session_at_us > instance->renewed_at_us) {
        instance->judges_us = now_us + CALM_MS * UINT64_C(1000);
    }
    instance->renewed_at_us = renewal->at_us;
}

TASK_FN static enum herald_code renew_once(struct instance *instance, struct herald_error *reterr) {
    uint64_t sent_us = clock_now_us();
    struct db_batch batch;
    db_batch_init(&batch);
    db_add(&batch, DB_QUERY_INSTANCE_RENEW);
    db_put_text(&batch, instance->id);
    db_put_text(&batch, instance->options.service);
    db_put_bigint(&batch, instance->options.lease_ms);
    db_put_bigint(&batch, sure_ms(instance));
    DB_REPLY struct db_reply reply = {0};
    struct renewal renewal;
    enum herald_code code = db_run(instance->db, &batch, &reply, reterr);
    if (code == HERALD_OK) {
        code = read_renewal(&reply, &renewal, reterr);
    }
    if (code == HERALD_OK) {
        note_clock(instance, renewal.at_us, sent_us);
        note_row(instance, renewal.made_at_us);
        note_lease(instance, &renewal, sent_us);
    }
    return code;
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
    uint32_t pause_ms = sure_ms(instance) / RENEWALS_A_SURE;
    do {
        struct herald_error error = {0};
        enum herald_code code = renew_once(instance, &error);
        note_renewal(instance, code, &error);
        if (code == HERALD_OK) {
            (void)bury(instance, NULL); /* the next one tries again */
        }
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

void instance_on_release(struct instance *instance, instance_release_fn *on_release, void *user) {
    instance->on_release = on_release;
    instance->user = user;
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

uint64_t instance_era(const struct instance *instance) {
    return atomic_load(&instance->era);
}

bool instance_keeps(const struct instance *instance, uint64_t era, uint32_t ms) {
    return instance_holds(instance, ms) && atomic_load(&instance->era) == era;
}

int64_t instance_now_us(const struct instance *instance) {
    int64_t ahead_us = instance ? atomic_load(&instance->ahead_us) : 0;
    return ahead_us != 0 ? (int64_t)clock_now_us() + ahead_us : clock_wall_us();
}

TASK_FN bool instance_wait(const struct instance *instance, uint32_t ms, uint32_t wait_ms) {
    uint64_t until_us = clock_now_us() + wait_ms * UINT64_C(1000);
    while (!instance_holds(instance, ms)) {
        if (clock_now_us() > until_us || task_sleep(LOOK_MS, NULL) != HERALD_OK) {
            return false;
        }
    }
    return true;
}
