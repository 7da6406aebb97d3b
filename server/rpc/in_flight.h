#ifndef HERALD_RPC_IN_FLIGHT_H
#define HERALD_RPC_IN_FLIGHT_H

/*
 * A server's calls in flight, and its drain. A call enters first and checks for a drain second. So when a drain sees no
 * call in flight, none can begin any more.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct in_flight {
    atomic_uint count;
    atomic_uint strangers;         /* part of count: calls of strangers, limits.h */
    atomic_uint waiting;           /* part of strangers: calls of methods that wait */
    atomic_uint anonymous;         /* part of strangers: calls without a credential */
    atomic_uint anonymous_waiting; /* part of waiting, likewise */
    atomic_bool draining;          /* set once, for good */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the last call has left a draining server */
};

void in_flight_init(struct in_flight *in_flight);
void in_flight_fini(struct in_flight *in_flight);
/** Takes a place; false when all @most are taken. Any thread. */
bool in_flight_enter(struct in_flight *in_flight, uint32_t most);
/** Takes a place of a part; false when all @most are taken. Any thread. */
bool in_flight_enter_part(atomic_uint *part, uint32_t most);
/** Releases a place of a part. Any thread. */
void in_flight_leave_part(atomic_uint *part);
/** Releases the place. Any thread. */
void in_flight_leave(struct in_flight *in_flight);
/** Begins the drain. Any thread. */
void in_flight_drain(struct in_flight *in_flight);
/** Waits until no call is in flight; false when @ms are over first. After in_flight_drain(). Blocks. */
bool in_flight_wait(struct in_flight *in_flight, uint32_t ms);

#endif
