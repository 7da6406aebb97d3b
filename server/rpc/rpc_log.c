#include "server/rpc/rpc_log.h"

#include "server/transport/transport_log.h"

LOG_EVENTS(RPC_LOG)

#define LOG_EVENT_ADDRESS(name, level, id, meaning) &(name),
const struct log_event *const rpc_log_events[] = {RPC_LOG(LOG_EVENT_ADDRESS) TRANSPORT_LOG(LOG_EVENT_ADDRESS) NULL};
