/*
 * Closes sockets with a time limit. nng before 1.8 can lose the end of a receive when a connection is closed just as a
 * message arrives over it (nng#1813). Its only reaper thread then waits for ever, and so does every nng_close() of the
 * process. A thread of its own closes the socket, and the caller gives up when that takes too long. Where stream_shim.c is
 * active nng is not known to hang: a close that takes seconds waits for a processor, behind the connections of others.
 */
#include "client/src/close_socket.h"

#include "client/base/clock.h"
#include "client/src/stream_shim.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define CLOSE_LIMIT_MS       5000
#define CURED_CLOSE_LIMIT_MS 60000
/* After one close has hung, every later one hangs too: it needs little time to do all it can. */
#define HUNG_CLOSE_LIMIT_MS 100

static atomic_bool hung;

struct closer {
    nng_socket socket;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool closed;
    bool given_up; /* the thread frees this */
};

static void closer_free(struct closer *closer) {
    pthread_cond_destroy(&closer->cond);
    pthread_mutex_destroy(&closer->mutex);
    free(closer);
}

static void *closer_run(void *user) {
    struct closer *closer = user;
    nng_close(closer->socket);
    pthread_mutex_lock(&closer->mutex);
    closer->closed = true;
    bool given_up = closer->given_up;
    pthread_cond_signal(&closer->cond);
    pthread_mutex_unlock(&closer->mutex);
    if (given_up) {
        closer_free(closer);
    }
    return NULL;
}

static struct closer *closer_new(nng_socket socket) {
    struct closer *closer = calloc(1, sizeof(*closer));
    if (!closer) {
        return NULL;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failure = pthread_cond_init(&closer->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failure != 0) {
        free(closer);
        return NULL;
    }
    pthread_mutex_init(&closer->mutex, NULL);
    closer->socket = socket;
    return closer;
}

static uint32_t close_limit_ms(void) {
    if (atomic_load(&hung)) {
        return HUNG_CLOSE_LIMIT_MS;
    }
    return herald_stream_shim_active() ? CURED_CLOSE_LIMIT_MS : CLOSE_LIMIT_MS;
}

/* Waits for the thread. Returns: whether it has closed the socket */
static bool closer_wait(struct closer *closer, pthread_t thread) {
    const struct timespec until = herald_timespec_in_ms(close_limit_ms());
    pthread_mutex_lock(&closer->mutex);
    int rv = 0;
    while (!closer->closed && rv == 0) {
        rv = pthread_cond_timedwait(&closer->cond, &closer->mutex, &until);
    }
    bool closed = closer->closed;
    closer->given_up = !closed;
    pthread_mutex_unlock(&closer->mutex);
    if (closed) {
        pthread_join(thread, NULL);
        closer_free(closer);
    } else {
        atomic_store(&hung, true);
        pthread_detach(thread);
    }
    return closed;
}

bool herald_close_socket(nng_socket socket) {
    bool hangs = NNG_MAJOR_VERSION == 1 && NNG_MINOR_VERSION < 8;
    struct closer *closer = hangs ? closer_new(socket) : NULL;
    pthread_t thread;
    if (closer && pthread_create(&thread, NULL, closer_run, closer) == 0) {
        return closer_wait(closer, thread);
    }
    if (closer) {
        closer_free(closer);
    }
    nng_close(socket);
    return true;
}
