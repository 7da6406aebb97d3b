#ifndef HERALD_CLIENT_STREAM_SHIM_H
#define HERALD_CLIENT_STREAM_SHIM_H

#include <stdbool.h>

/*
 * A cure for nng before 1.8 (nng#1813, seen in 1.5.2): a connection that is closed by one thread of nng while another
 * one has read a message's head, and not yet asked for its body, leaves a receive behind that never ends. The library's
 * only reaper thread waits for it for ever: no closed connection is noticed any more, nng_close() hangs, nothing is
 * dialled again. The cure stands between the library's transports and its streams, and ends what it drops.
 */

/**
 * Puts the cure in place. To be called before each socket is opened: the dynamic linker may overwrite it while another
 * thread calls libnng for the first time. Any thread.
 */
void herald_stream_shim_install(void);
/** True when no cure is needed, or once libnng, of a version that it fits, has used it. */
bool herald_stream_shim_active(void);
/** For tests: false lets operations be dropped, as without the cure. */
void herald_stream_shim_enable(bool enabled);
/** True when nng is older than 1.8 and needs the cure. */
bool herald_stream_shim_needed(void);
/** Operations that it has ended so far: without it the first of them would have been the reaper's last. */
unsigned long herald_stream_shim_ended_count(void);

#endif
