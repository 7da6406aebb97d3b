#include "server/content/content_failpoints.h"

FAILPOINTS_DEFINE(content_failpoints, CONTENT_FAILPOINTS)
