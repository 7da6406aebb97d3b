#include "server/gateway/gateway_log.h"

LOG_EVENTS(GATEWAY_LOG)
