#include "server/event/event_failpoints.h"

FAILPOINTS_DEFINE(event_failpoints, EVENT_FAILPOINTS)
