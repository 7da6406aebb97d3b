#include "server/durable/durable_failpoints.h"

FAILPOINTS_DEFINE(durable_failpoints, DURABLE_FAILPOINTS)
