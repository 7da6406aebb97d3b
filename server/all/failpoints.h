#ifndef HERALD_ALL_FAILPOINTS_H
#define HERALD_ALL_FAILPOINTS_H

#include "server/runtime/failpoint.h"

/** The points of all servers, for failpoint_use(): each server knows all, so that HERALD_FAILPOINT may be the same for
 *  all of them. */
extern struct failpoint *const *const all_failpoints[];

#endif
