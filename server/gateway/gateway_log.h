#ifndef HERALD_GATEWAY_GATEWAY_LOG_H
#define HERALD_GATEWAY_GATEWAY_LOG_H

#include "server/runtime/log.h"

#define GATEWAY_LOG(X)                                                                                                 \
    X(LOG_GATEWAY_LISTENING, LOG_INFO, "gateway.listening", "HTTP is served here.")                                    \
    X(LOG_GATEWAY_REQUEST, LOG_DEBUG, "gateway.request", "A request was answered.")                                    \
    X(LOG_GATEWAY_FAILED, LOG_WARNING, "gateway.failed", "A request ended with a status of 500 or more.")              \
    X(LOG_GATEWAY_FULL, LOG_WARNING, "gateway.full", "A connection was refused: all places are in use.")               \
    X(LOG_GATEWAY_CUT, LOG_WARNING, "gateway.cut", "The drain was too short: requests were cut off.")

LOG_EVENTS_DECLARE(GATEWAY_LOG)

#endif
