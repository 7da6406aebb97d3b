#ifndef HERALD_GATEWAY_BACKEND_CALL_H
#define HERALD_GATEWAY_BACKEND_CALL_H

#include "herald/client.h"
#include "server/runtime/task.h"

struct backend_call_options {
    uint32_t timeout_ms; /* 0: the method's default deadline */
    const char *idempotency_key;
    struct herald_credential *credential; /* NULL: none */
};

/** The end of a call. Clear it with backend_end_clear(), whatever it was. */
struct backend_end {
    enum herald_code code;
    char *json; /* the response, with defaults, when the code is OK; NUL-terminated */
    size_t json_bytes;
    struct herald_reply *reply; /* when the code is not OK: what is known; NULL: no memory for it */
    char call_id[37];
    char idempotency_key[HERALD_IDEMPOTENCY_KEY_MAX + 1];
};

/**
 * Makes a call and waits for its end, which is turned into JSON on the thread that reports it. If the running call must
 * end first, it is cancelled, and its own end, which follows at once, is waited for.
 *
 * Context: suspends the task
 */
TASK_FN void backend_call(struct herald_channel *channel, const struct herald_method_schema *method,
                          const ProtobufCMessage *request, const struct backend_call_options *options,
                          struct backend_end *ret_end);
void backend_end_clear(struct backend_end *end);

#endif
