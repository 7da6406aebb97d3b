#ifndef HERALD_TRANSPORT_TRANSPORT_LOG_H
#define HERALD_TRANSPORT_TRANSPORT_LOG_H

#include "server/runtime/log.h"

/* What listeners log. */
#define TRANSPORT_LOG(X)                                                                                               \
    X(LOG_TLS_RELOADED, LOG_INFO, "tls.reloaded", "A certificate, key or CA changed; new connections use it.")         \
    X(LOG_TLS_DOUBTFUL, LOG_WARNING, "tls.doubtful",                                                                   \
      "Clients may refuse the certificate: its key, its names, or an intermediate certificate that is missing.")       \
    X(LOG_TLS_REFUSED, LOG_ERROR, "tls.refused",                                                                       \
      "A certificate, key or CA changed and is not good: what was read before stays in use.")                          \
    X(LOG_CONNECTIONS_REFUSED, LOG_WARNING, "connections.refused",                                                     \
      "A listener has rpc.max_connections connections; more are refused, or the longest silent one is closed. Logged " \
      "at most once a second.")                                                                                        \
    X(LOG_CONNECTIONS_UNREAD, LOG_WARNING, "connections.unread",                                                       \
      "Places for calls were short: connections that hold many by not reading replies get no more, and are closed. "   \
      "Logged at most once a second.")                                                                                 \
    X(LOG_DESCRIPTORS_FEW, LOG_WARNING, "descriptors.few",                                                             \
      "The hard limit of descriptors (ulimit -Hn) is too low for rpc.max_connections: new ones may find none left.")

LOG_EVENTS_DECLARE(TRANSPORT_LOG)

#endif
