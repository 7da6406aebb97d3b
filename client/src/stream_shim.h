#ifndef HERALD_CLIENT_STREAM_SHIM_H
#define HERALD_CLIENT_STREAM_SHIM_H

/*
 * A workaround for nng before 1.8 (nng#1813, seen in 1.5.2). One thread of nng closes a connection while another one
 * has read a message's head, but not yet its body. Then a receive remains that never ends. The library's only reaper
 * thread waits for it for ever: closed connections go unnoticed, nng_close() hangs, nothing is dialled again. The shim
 * stands between the library's transports and its streams, and ends the operations that the library drops.
 *
 * It also lets nng start one thread for callbacks for each processor, two at least, where nng would start two for each.
 * Those that have nothing to do wake each other, and all threads of a socket contend for its lock.
 */
#include <stdbool.h>

/**
 * Installs the shim. Call it before each socket is opened, because the dynamic linker may overwrite the shim while
 * another thread calls libnng for the first time. nng starts its threads when it is first used. Any thread.
 */
void herald_stream_shim_install(void);
/** True if no shim is needed, or once a libnng of the right version has used it. */
bool herald_stream_shim_active(void);
/** For tests: false lets operations be dropped, as without the shim. */
void herald_stream_shim_enable(bool enabled);
/** True if nng is older than 1.8 and needs the shim. */
bool herald_stream_shim_needed(void);
/** How many operations the shim has ended so far. Without it, the reaper would have hung at the first of them. */
unsigned long herald_stream_shim_ended_count(void);

#endif
