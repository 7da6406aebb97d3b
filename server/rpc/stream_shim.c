#include "server/rpc/stream_shim.h"

#include <assert.h>
#include <dlfcn.h>
#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/*
 * What goes wrong in nng 1.5.2, of any transport over streams; tcp's names:
 *
 *   tcptran_pipe_recv_cb()                 another thread, which closes the connection, say because a reply failed
 *   the head has come: takes the lock
 *                                          nni_aio_close(the protocol's receive): its canceller aborts the read below
 *                                          it, of which none is under way, and has been used up
 *                                          nni_aio_close(the read): no other one may begin
 *   nng_stream_recv(the read), the body
 *     nni_aio_begin() refuses: no callback
 *                                          the reaper: nni_aio_stop(the protocol's receive) waits for its end
 *
 * Nothing is left that would end it. The same with the rest of a message that was sent in part. From 1.8 on
 * nni_aio_stop() gives such a receive up.
 *
 * libnng calls nng_stream_recv() and nng_stream_send() by their public names, so that the executable's definitions come
 * before its own; rpc_server_new() refers to this object, which makes it part of every executable that serves. An
 * operation is refused, and has then no callback, if and only if its result is NNG_ECANCELED when it has been begun:
 *
 *   - nni_aio_begin() sets the result to that when it refuses, and to 0 when it does not
 *   - the reads and writes of tcp, ipc and tls+tcp are closed (NNG_ECLOSED) before they are stopped (NNG_ECANCELED), so
 *     that stopping finds none under way; nothing else cancels them
 *   - the caller holds the lock without which no callback of the operation can run: it is still there to be looked at
 *
 * So it is ended here as one whose connection was lost; not by NNG_ECLOSED, which to a listener that greets means that
 * it was closed itself. Other users of streams would need another proof: there are none in Herald's programs
 * (tests/lint/nng.py). Nor would another version of the library, found at run time under the same name, do: there
 * nothing is ended, and the watchdog is left.
 */
#define SHIM_NEEDED (NNG_MAJOR_VERSION < 1 || (NNG_MAJOR_VERSION == 1 && NNG_MINOR_VERSION < 8))
#define FITS        "1.5.2"

#if SHIM_NEEDED

typedef void operate_fn(nng_stream *stream, nng_aio *aio);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static operate_fn *nng_recv_fn, *nng_send_fn;
static bool fits;

static atomic_bool shim_enabled = true;
static atomic_bool shim_called;
static atomic_ulong ended_count;

static void find_library(void) {
    nng_recv_fn = (operate_fn *)dlsym(RTLD_NEXT, "nng_stream_recv");
    nng_send_fn = (operate_fn *)dlsym(RTLD_NEXT, "nng_stream_send");
    assert(nng_recv_fn && nng_send_fn);
    fits = strcmp(nng_version(), FITS) == 0;
}

static void end_if_refused(nng_aio *aio) {
    atomic_store_explicit(&shim_called, true, memory_order_relaxed);
    if (!fits || nng_aio_result(aio) != NNG_ECANCELED || !atomic_load_explicit(&shim_enabled, memory_order_relaxed))
        return;
    atomic_fetch_add_explicit(&ended_count, 1, memory_order_relaxed);
    nng_aio_finish(aio, NNG_ECONNRESET);
}

void nng_stream_recv(nng_stream *stream, nng_aio *aio) {
    pthread_once(&once, find_library);
    nng_recv_fn(stream, aio);
    end_if_refused(aio);
}

void nng_stream_send(nng_stream *stream, nng_aio *aio) {
    pthread_once(&once, find_library);
    nng_send_fn(stream, aio);
    end_if_refused(aio);
}

bool stream_shim_active(void) {
    return atomic_load(&shim_called) && fits;
}

void stream_shim_enable(bool enabled) {
    atomic_store(&shim_enabled, enabled);
}

bool stream_shim_needed(void) {
    return true;
}

unsigned long stream_shim_ended_count(void) {
    return atomic_load(&ended_count);
}

#else

bool stream_shim_active(void) {
    return true;
}

void stream_shim_enable(bool enabled) {
    (void)enabled;
}

bool stream_shim_needed(void) {
    return false;
}

unsigned long stream_shim_ended_count(void) {
    return 0;
}

#endif
