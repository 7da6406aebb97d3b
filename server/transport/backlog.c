/*
 * listener_open() calls backlog_shim_active(). That links this object, and its definition of listen(), into every server,
 * as with sendmsg.c.
 */
#include "server/transport/backlog.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool shim_called;

int listen(int fd, int n) {
    atomic_store_explicit(&shim_called, true, memory_order_relaxed);
    return (int)syscall(SYS_listen, fd, n < LISTENER_BACKLOG ? LISTENER_BACKLOG : n);
}

bool backlog_shim_active(void) {
    return atomic_load(&shim_called);
}
