#include "server/inspect/inspect_log.h"

LOG_EVENTS(INSPECT_LOG)
