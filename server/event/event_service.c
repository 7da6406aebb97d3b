#include "server/event/event_service.h"

LOG_EVENTS(EVENT_LOG)

enum herald_code event_out_of_memory(struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_OUT_OF_MEMORY,
                            "the memory of the call (settings rpc.arena_bytes) does not suffice");
}
