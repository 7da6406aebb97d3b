#include "server/transport/descriptors.h"

#include "server/transport/peers.h"
#include "server/transport/transport_log.h"

#include <sys/resource.h>

/* Descriptors for everything but the listener's connections: pools, brokers, files, nng's own. Nothing limits the
 * number of peers that have connected and not greeted yet, so the soft limit is raised to the hard one, not to the
 * need. */
#define OWN_DESCRIPTORS 512u

void descriptors_allow(uint32_t max_connections) {
    const rlim_t needed = max_connections + peers_extra_limit(max_connections) + OWN_DESCRIPTORS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < needed) {
        log_emit(&LOG_DESCRIPTORS_FEW, log_u64("descriptors", limit.rlim_cur), log_u64("needed", needed),
                 log_u64("max_connections", max_connections), LOG_END);
    }
}
