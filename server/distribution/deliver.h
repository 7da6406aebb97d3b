#ifndef HERALD_DISTRIBUTION_DELIVER_H
#define HERALD_DISTRIBUTION_DELIVER_H

#include "server/distribution/distribution_service.h"

/** No attempt begins with less time left than this. */
#define DELIVERY_LEAST_ATTEMPT_MS 200u

/** One channel's part of a round. */
struct delivery {
    struct distribution_service *service;
    const char *event_id;
    int channel;
    const Herald__Distribution__V1__Content *content;
    uint64_t give_up_us;   /* no attempt begins or waits beyond it, on clock_now_us() */
    enum herald_code code; /* after deliver(): HERALD_OK, or why the delivery's state is not stored */
    struct herald_error error;
};

/**
 * Drives one delivery until it has ended or give_up_us has passed: a task body.
 *
 * Claim first: the delivery's row is claimed, and the claim committed, before the post is sent, so no other process
 * sends it. An attempt whose outcome is unknown is looked up at the channel. It is sent again only if the channel says
 * that it did not accept the post.
 *
 * @arg  struct delivery
 */
TASK_FN void deliver(void *arg);

#endif
