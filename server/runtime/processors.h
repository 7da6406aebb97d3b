#ifndef HERALD_RUNTIME_PROCESSORS_H
#define HERALD_RUNTIME_PROCESSORS_H

/* How many processors this process may use. */
#include <stdint.h>

/** Those that its affinity allows, or that the quotas of its cgroups amount to (rounded down), if that is fewer. At least
 *  1. */
unsigned processors_allowed(void);
/** How many loops a setting asks for: @wanted; 0: one for each processor allowed, @most at most. */
unsigned processors_loops(uint32_t wanted, unsigned most);
/**
 * The processors that quotas amount to, of version 1 and 2; a cgroup is limited by those above it too.
 *
 * @cgroups  as /proc/self/cgroup
 * @mount    as /sys/fs/cgroup
 * Returns:  0: there is no quota
 */
unsigned processors_of_quota(const char *cgroups, const char *mount);

#endif
