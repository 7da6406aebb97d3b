#ifndef HERALD_CTL_DELIVERIES_H
#define HERALD_CTL_DELIVERIES_H

/* heraldctl deliveries: what is done to an event's deliveries. */
#include "deploy/ctl/ctl.h"

/**
 * Does what the operands say: EVENT_ID ACTION [CHANNEL|TIME [RESULT|URL]]. Complains on standard error where they are
 * wrong.
 *
 * Returns: the exit status
 */
int deliveries_change(struct ctl *ctl);

#endif
