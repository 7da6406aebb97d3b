#include "server/runtime/runtime_failpoints.h"

FAILPOINTS_DEFINE(runtime_failpoints, RUNTIME_FAILPOINTS)
