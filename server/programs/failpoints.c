#include "server/programs/failpoints.h"

#include "server/content/content_failpoints.h"
#include "server/distribution/distribution_failpoints.h"
#include "server/durable/durable_failpoints.h"
#include "server/event/event_failpoints.h"
#include "server/job/job_failpoints.h"
#include "server/rpc/rpc_failpoints.h"
#include "server/runtime/runtime_failpoints.h"

#include <stddef.h>

struct failpoint *const *const all_failpoints[] = {
#if HERALD_FAILPOINTS
    runtime_failpoints,
    rpc_failpoints,
    event_failpoints,
    distribution_failpoints,
    job_failpoints,
    content_failpoints,
    durable_failpoints,
#endif
    NULL,
};
