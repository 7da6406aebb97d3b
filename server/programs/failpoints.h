#ifndef HERALD_PROGRAMS_FAILPOINTS_H
#define HERALD_PROGRAMS_FAILPOINTS_H

#include "server/runtime/failpoint.h"

/** The failpoints of all servers, for failpoint_use(). Each server knows all, so that one value of HERALD_FAILPOINT
 *  works for all of them. */
extern struct failpoint *const *const all_failpoints[];

#endif
