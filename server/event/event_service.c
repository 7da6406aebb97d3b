#include "server/event/event_service.h"

LOG_EVENTS(EVENT_LOG)
