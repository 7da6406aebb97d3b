#include "server/content/content_log.h"

LOG_EVENTS(CONTENT_LOG)
