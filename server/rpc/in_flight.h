#ifndef HERALD_RPC_IN_FLIGHT_H
#define HERALD_RPC_IN_FLIGHT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The calls in flight of a server, and its drain. A call enters first and looks whether the server drains second, so a
 * drain that sees nobody in flight is right.
 */
struct in_flight {
    atomic_uint count;
    atomic_bool draining; /* set once, for good */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* the last call has left a server that drains */
};

void in_flight_init(struct in_flight *in_flight);
void in_flight_fini(struct in_flight *in_flight);
/** Takes a place; false when all @most are taken. Any thread. */
bool in_flight_enter(struct in_flight *in_flight, uint32_t most);
/** Gives it back. Any thread. */
void in_flight_leave(struct in_flight *in_flight);
/** From now on the server drains. Any thread. */
void in_flight_drain(struct in_flight *in_flight);
/** Waits, once it drains, until no call is in flight; false when the time is over first. Blocks. */
bool in_flight_wait(struct in_flight *in_flight, uint32_t ms);

#endif
