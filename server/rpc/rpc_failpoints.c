#include "server/rpc/rpc_failpoints.h"

FAILPOINTS_DEFINE(rpc_failpoints, RPC_FAILPOINTS)
