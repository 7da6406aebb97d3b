#include "server/process/process_log.h"

#include "server/inspect/inspect_log.h"
#include "server/rpc/rpc_log.h"
#include "server/transport/transport_log.h"

LOG_EVENTS(PROCESS_LOG)

#define LOG_EVENT_ADDRESS(name, level, id, meaning) &(name),
const struct log_event *const server_log_events[] = {PROCESS_LOG(LOG_EVENT_ADDRESS) RPC_LOG(LOG_EVENT_ADDRESS)
                                                         INSPECT_LOG(LOG_EVENT_ADDRESS) TRANSPORT_LOG(LOG_EVENT_ADDRESS)
                                                             RUNTIME_LOG(LOG_EVENT_ADDRESS) NULL};
