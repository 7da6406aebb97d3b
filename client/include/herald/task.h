#ifndef HERALD_TASK_H
#define HERALD_TASK_H

/*
 * Calls from a task of a server to another server. The generated suspending stubs (herald/job/v1/job.task.h …) wrap
 * remote_call(). The servers implement it; it is not part of the installed client library.
 */
#include "client/base/task_fn.h"
#include "herald/client.h"
#include "herald/decls.h"
#include "herald/error.h"

HERALD_BEGIN_DECLS

struct remote_options {
    uint32_t timeout_ms;         /* 0: the method's default; never more than what remains of the running call */
    const char *idempotency_key; /* NULL: made by the client for ONCE methods */
};

/**
 * Calls a method. The call inherits the running call's deadline, id, traceparent and user. The time spent is added to
 * the running call's downstream_us.
 *
 * @options       may be NULL
 * @ret_outcome   always set; may be NULL
 * @ret_response  set only on HERALD_OK; lives in the running call's arena
 * Returns:  the call's code | HERALD_DEADLINE_EXCEEDED, HERALD_CANCELLED: the running call's own end, which ended the
 *           wait; the outcome is MAYBE_EXECUTED unless the call was certainly not sent.
 *           A refusal before the callee's handler began has a reason "DOWNSTREAM_…"
 * Context:  suspends the task
 */
TASK_FN enum herald_code remote_call(struct herald_channel *channel, const struct herald_method_schema *method,
                                     const ProtobufCMessage *request, const struct remote_options *options,
                                     enum herald_outcome *ret_outcome, ProtobufCMessage **ret_response,
                                     struct herald_error *reterr);

HERALD_END_DECLS

#endif
