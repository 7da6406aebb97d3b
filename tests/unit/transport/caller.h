#ifndef HERALD_TESTS_UNIT_TRANSPORT_CALLER_H
#define HERALD_TESTS_UNIT_TRANSPORT_CALLER_H

#include "herald/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* A healthy client: a thread that calls JobService/WaitJob one after the other, over one channel, while others
 * misbehave. */
struct caller {
    struct herald_channel *channel;
    pthread_t thread;
    atomic_bool ending;
    atomic_uint succeeded;
    atomic_uint failed;
    struct herald_error last_error;
};

void caller_start(struct caller *caller, const char *url);
/** Waits until @count more calls have succeeded; asserts that none fails. */
void caller_expect_more(struct caller *caller, unsigned count);
/** Ends the thread and closes the channel; asserts that no call has failed. */
void caller_stop(struct caller *caller);

#endif
