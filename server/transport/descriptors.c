#include "server/transport/descriptors.h"

#include "server/transport/peers.h"
#include "server/transport/transport_log.h"

#include <sys/resource.h>

/* For all that is no connection of the listener: pools, brokers, files, nng's own. Peers that have not greeted come on
 * top, whose number nothing limits: hence the hard limit, not what is needed. */
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
