/*
 * listener_open() calls sendmsg_shim_active(). That links this object, and its definition of sendmsg(), into every
 * server. The dynamic linker prefers the executable's definition to libc's, for libnng too.
 */
#include "server/transport/sendmsg.h"

#include <errno.h>
#include <nng/nng.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHIM_NEEDED (NNG_MAJOR_VERSION < 1 || (NNG_MAJOR_VERSION == 1 && NNG_MINOR_VERSION < 6))

#if SHIM_NEEDED

static atomic_bool shim_enabled = true;
static atomic_bool shim_called;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    atomic_store_explicit(&shim_called, true, memory_order_relaxed);
    ssize_t sent = (ssize_t)syscall(SYS_sendmsg, fd, message, flags);
    if (sent < 0 && errno == EPIPE && atomic_load_explicit(&shim_enabled, memory_order_relaxed)) {
        errno = ECONNRESET;
    }
    return sent;
}

bool sendmsg_shim_active(void) {
    return atomic_load(&shim_called);
}

void sendmsg_shim_enable(bool enabled) {
    atomic_store(&shim_enabled, enabled);
}

bool sendmsg_shim_needed(void) {
    return true;
}

#else

bool sendmsg_shim_active(void) {
    return true;
}

void sendmsg_shim_enable(bool enabled) {
    (void)enabled;
}

bool sendmsg_shim_needed(void) {
    return false;
}

#endif
