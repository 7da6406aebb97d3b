#include "server/transport/transport_log.h"

LOG_EVENTS(TRANSPORT_LOG)
