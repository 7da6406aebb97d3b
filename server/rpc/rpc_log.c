#include "server/rpc/rpc_log.h"

LOG_EVENTS(RPC_LOG)
