#ifndef HERALD_RPC_RPC_FAILPOINTS_H
#define HERALD_RPC_RPC_FAILPOINTS_H

#include "server/runtime/failpoint.h"

/* The points of calls. They do not apply to herald.rpc.v1, so that an operator can turn a point off and check
 * health. */
#define RPC_FAILPOINTS(X)                                                                                              \
    X(RPC_BEFORE_HANDLER, "rpc.before_handler", FAILPOINT_IN_TASK, "a call is decoded, its handler has not begun")     \
    X(RPC_AFTER_HANDLER, "rpc.after_handler", FAILPOINT_IN_TASK, "the handler has ended well, its reply is not sent")  \
    X(RPC_REPLY, "rpc.reply", FAILPOINT_OF_REPLY, "the reply is ready, and is not sent if dropped")
FAILPOINTS_DECLARE(RPC_FAILPOINTS)

/** All of them, then NULL. */
extern struct failpoint *const rpc_failpoints[];

#endif
