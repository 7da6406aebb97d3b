#include "server/rpc/in_flight.h"

#include <time.h>

void in_flight_init(struct in_flight *in_flight) {
    pthread_condattr_t monotonic;
    atomic_init(&in_flight->count, 0);
    atomic_init(&in_flight->strangers, 0);
    atomic_init(&in_flight->waiting, 0);
    atomic_init(&in_flight->anonymous, 0);
    atomic_init(&in_flight->anonymous_waiting, 0);
    atomic_init(&in_flight->draining, false);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&in_flight->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&in_flight->lock, NULL);
}

void in_flight_fini(struct in_flight *in_flight) {
    pthread_cond_destroy(&in_flight->changed);
    pthread_mutex_destroy(&in_flight->lock);
}

bool in_flight_enter(struct in_flight *in_flight, uint32_t most) {
    if (atomic_fetch_add(&in_flight->count, 1) < most) {
        return true;
    }
    in_flight_leave(in_flight);
    return false;
}

bool in_flight_enter_part(atomic_uint *part, uint32_t most) {
    if (atomic_fetch_add(part, 1) < most) {
        return true;
    }
    in_flight_leave_part(part);
    return false;
}

void in_flight_leave_part(atomic_uint *part) {
    atomic_fetch_sub(part, 1);
}

void in_flight_leave(struct in_flight *in_flight) {
    if (atomic_fetch_sub(&in_flight->count, 1) != 1 || !atomic_load(&in_flight->draining)) {
        return;
    }
    pthread_mutex_lock(&in_flight->lock);
    pthread_cond_broadcast(&in_flight->changed);
    pthread_mutex_unlock(&in_flight->lock);
}

void in_flight_drain(struct in_flight *in_flight) {
    atomic_store(&in_flight->draining, true);
}

static struct timespec in_ms(uint32_t ms) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += ms / 1000;
    time.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (time.tv_nsec >= 1000000000L) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000L;
    }
    return time;
}

bool in_flight_wait(struct in_flight *in_flight, uint32_t ms) {
    struct timespec end = in_ms(ms);
    int failure = 0;
    pthread_mutex_lock(&in_flight->lock);
    while (atomic_load(&in_flight->count) != 0 && failure == 0) {
        failure = pthread_cond_timedwait(&in_flight->changed, &in_flight->lock, &end);
    }
    pthread_mutex_unlock(&in_flight->lock);
    return failure == 0;
}
