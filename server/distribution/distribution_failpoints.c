#include "server/distribution/distribution_failpoints.h"

FAILPOINTS_DEFINE(distribution_failpoints, DISTRIBUTION_FAILPOINTS)
