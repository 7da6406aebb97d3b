/*
 * Cancels the statement that the server still runs for a task that has left.
 *
 * Such a statement blocks every later request on its connection. The server is asked to cancel it once its transaction is
 * the oldest on the connection and CANCEL_AFTER_MS have passed. Which of several reads that share a transaction runs now,
 * nobody is told. libpq 15 can only block while it asks, for ever if the server accepts and stays silent. So a thread of
 * its own does it.
 *
 * A cancel request names a connection, not a statement. If the first statement has just ended, the cancel may hit the
 * next one:
 * - While a cancel is in progress, the connection takes no more requests. Those that it already has are `exposed`.
 * - An exposed request that ends as cancelled was rolled back as a whole. It is sent again, and its task does not
 *   notice.
 * - A request that was hit HITS_MAX times is not exposed again: no cancel begins on its connection.
 * - A cancel that does not return may hit any later statement. Its connection is remade once all its requests are
 *   answered.
 */
#include "server/store/postgres/cancel.h"

#include "server/store/postgres/sqlstate.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CANCEL_AFTER_MS     50
#define CANCELS_PER_REQUEST 5  /* each delay is four times the one before */
#define THREADS_MAX         16 /* in the whole process */
#define GIVE_UP_MS          3000
#define HITS_MAX            3

static atomic_uint thread_count;

/* Shared by the thread and the canceller. The thread posts it while the canceller waits for it, else frees it. */
struct db_cancel {
    struct loop_work work; /* first: posted when the thread is done */
    struct loop *loop;
    struct db_canceller *canceller; /* NULL: the canceller has left. Used on the loop's thread only */
    PGcancel *target;
    pthread_mutex_t lock;
    bool left; /* the canceller does not wait any more */
};

static void cancel_free(struct db_cancel *cancel) {
    pthread_mutex_destroy(&cancel->lock);
    PQfreeCancel(cancel->target);
    free(cancel);
}

static void *ask_server_to_cancel(void *arg) {
    struct db_cancel *cancel = arg;
    char message[256]; /* ignored: a cancel that could not be sent hit nothing */
    (void)PQcancel(cancel->target, message, sizeof(message));
    atomic_fetch_sub(&thread_count, 1);
    pthread_mutex_lock(&cancel->lock);
    bool left = cancel->left;
    if (!left) {
        loop_post(cancel->loop, &cancel->work);
    }
    pthread_mutex_unlock(&cancel->lock);
    if (left) {
        cancel_free(cancel);
    }
    return NULL;
}

static void on_returned(struct loop_work *work) {
    struct db_cancel *cancel = (struct db_cancel *)work;
    struct db_canceller *canceller = cancel->canceller;
    pthread_mutex_lock(&cancel->lock); /* the thread may still hold the lock after loop_post() */
    pthread_mutex_unlock(&cancel->lock);
    cancel_free(cancel);
    if (canceller) {
        canceller->under_way = NULL;
        (void)uv_timer_stop(&canceller->timer);
        db_canceller_look(canceller);
        canceller->on_returned(canceller->user);
    }
}

static bool start_thread(struct db_cancel *cancel) {
    sigset_t all, before;
    (void)sigfillset(&all);
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* libpq may raise SIGPIPE */
    pthread_t thread;
    bool started = pthread_create(&thread, &attributes, ask_server_to_cancel, cancel) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return started;
}

/* Returns: NULL: no thread or no memory now. */
static struct db_cancel *cancel_start(struct db_canceller *canceller) {
    if (atomic_fetch_add(&thread_count, 1) >= THREADS_MAX) {
        atomic_fetch_sub(&thread_count, 1);
        return NULL;
    }
    struct db_cancel *cancel = calloc(1, sizeof(*cancel));
    if (cancel) {
        cancel->work.run = on_returned;
        cancel->loop = canceller->loop;
        cancel->canceller = canceller;
        cancel->target = PQgetCancel(canceller->pg);
        (void)pthread_mutex_init(&cancel->lock, NULL);
        if (cancel->target && start_thread(cancel)) {
            return cancel;
        }
        cancel_free(cancel);
    }
    atomic_fetch_sub(&thread_count, 1);
    return NULL;
}

/* The canceller leaves: the thread frees @cancel. */
static void cancel_leave(struct db_cancel *cancel) {
    cancel->canceller = NULL;
    pthread_mutex_lock(&cancel->lock);
    cancel->left = true;
    pthread_mutex_unlock(&cancel->lock);
}

/* ---- when ---- */

static void on_timer(uv_timer_t *timer);

/* A request of the transaction that the server runs, or is about to, whose task has left. NULL: there is none */
static struct db_request *unwanted(const struct db_canceller *canceller) {
    struct db_request *request = canceller->pg && !canceller->under_way ? canceller->sent->head : NULL;
    for (; request && request->sharing > 0; request = request->next) {
        if (request->abandoned && request->cancels < CANCELS_PER_REQUEST) {
            return request;
        }
        if (request->has_sync) {
            return NULL;
        }
    }
    return NULL;
}

static bool is_shielded(const struct db_canceller *canceller) {
    for (const struct db_request *request = canceller->sent->head; request; request = request->next) {
        if (request->hits >= HITS_MAX && !request->abandoned) {
            return true;
        }
    }
    return false;
}

static void begin_cancel(struct db_canceller *canceller, struct db_request *request) {
    canceller->under_way = is_shielded(canceller) ? NULL : cancel_start(canceller);
    if (!canceller->under_way) {
        db_canceller_look(canceller); /* later */
        return;
    }
    request->cancels++;
    canceller->begun_count++;
    for (struct db_request *sent = canceller->sent->head; sent; sent = sent->next) {
        sent->exposed = true;
    }
    (void)uv_timer_start(&canceller->timer, on_timer, GIVE_UP_MS, 0);
}

static void on_timer(uv_timer_t *timer) {
    struct db_canceller *canceller = timer->data;
    struct db_request *request = unwanted(canceller);
    if (canceller->under_way) {
        db_canceller_stop(canceller);
        canceller->on_unanswered(canceller->user, GIVE_UP_MS / 1000);
    } else if (request) {
        begin_cancel(canceller, request);
    }
}

void db_canceller_look(struct db_canceller *canceller) {
    if (canceller->under_way) {
        return;
    }
    const struct db_request *request = unwanted(canceller);
    if (request && request == canceller->next && uv_is_active((uv_handle_t *)&canceller->timer)) {
        return;
    }
    canceller->next = request;
    if (request) {
        uint64_t delay_ms = (uint64_t)CANCEL_AFTER_MS << (2 * request->cancels);
        uv_update_time(loop_uv(canceller->loop));
        (void)uv_timer_start(&canceller->timer, on_timer, delay_ms, 0);
    } else {
        (void)uv_timer_stop(&canceller->timer);
    }
}

bool db_cancel_has_hit(const struct db_request *request) {
    if (!request->exposed || request->abandoned || request->failed < 0) {
        return false;
    }
    return db_has_sqlstate(request->results[request->failed], DB_SQLSTATE_CANCELLED);
}

/* ---- life ---- */

void db_canceller_open(struct db_canceller *canceller) {
    (void)uv_timer_init(loop_uv(canceller->loop), &canceller->timer); /* cannot fail */
    canceller->timer.data = canceller;
}

void db_canceller_start(struct db_canceller *canceller, PGconn *pg) {
    canceller->pg = pg;
}

void db_canceller_stop(struct db_canceller *canceller) {
    (void)uv_timer_stop(&canceller->timer);
    canceller->pg = NULL;
    if (canceller->under_way) {
        cancel_leave(canceller->under_way);
        canceller->under_way = NULL;
    }
}

void db_canceller_close(struct db_canceller *canceller, uv_close_cb on_closed, void *data) {
    db_canceller_stop(canceller);
    canceller->timer.data = data;
    uv_close((uv_handle_t *)&canceller->timer, on_closed);
}
