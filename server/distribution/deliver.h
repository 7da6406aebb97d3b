#ifndef HERALD_DISTRIBUTION_DELIVER_H
#define HERALD_DISTRIBUTION_DELIVER_H

#include "server/distribution/distribution_service.h"

/** An attempt with less time than this is not begun. */
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
 * Brings one delivery as far as it goes until give_up_us: a task body.
 *
 * The delivery's row is claimed, with a commit, before the post is sent, so that nobody else sends it. An attempt whose
 * outcome is not known is looked up at the channel, and sent again only when the channel says that it did not accept
 * it.
 * @arg  struct delivery
 */
TASK_FN void deliver(void *arg);

#endif
