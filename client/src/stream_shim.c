#include "client/src/stream_shim.h"

#include <assert.h>
#include <dlfcn.h>
#include <link.h>
#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
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
 * libnng calls nng_stream_recv() and nng_stream_send() by their public names, so that definitions which come before its
 * own are used: those of the executable, or of libherald when that is linked before libnng. herald_endpoint_new() and
 * listener_open() refer to this object, which makes it part of every program that calls or serves. An operation is
 * refused, and has then no callback, if and only if its result is NNG_ECANCELED when it has been begun:
 *
 *   - nni_aio_begin() sets the result to that when it refuses, and to 0 when it does not
 *   - the reads and writes of tcp, ipc and tls+tcp are closed (NNG_ECLOSED) before they are stopped (NNG_ECANCELED), so
 *     that stopping finds none under way; nothing else cancels them
 *   - the caller holds the lock without which no callback of the operation can run: it is still there to be looked at.
 *     Its result may be written meanwhile, by one that ends it, but is never that one
 *
 * So it is ended here as one whose connection was lost; not by NNG_ECLOSED, which to a listener that greets means that
 * it was closed itself. What others than libnng do with streams would need another proof, and is left alone; so is
 * another version of the library, found at run time under the same name: there close_socket.c and the server's watchdog
 * are left. (nng's own HTTP stops what is under way, so that the second point holds for it but for the moment between a
 * beginning and the look at its result. Herald does not use it.)
 */
#define SHIM_NEEDED (NNG_MAJOR_VERSION < 1 || (NNG_MAJOR_VERSION == 1 && NNG_MINOR_VERSION < 8))
#define FITS        "1.5.2"

#if SHIM_NEEDED

typedef void operate_fn(nng_stream *stream, nng_aio *aio);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static operate_fn *nng_recv_fn, *nng_send_fn;
static uintptr_t library_begin, library_end; /* libnng's code; empty unless the cure fits it */

static atomic_bool shim_enabled = true;
static atomic_bool shim_called;
static atomic_ulong ended_count;

/* @symbol  anything that is among libnng's code */
static int note_segment(struct dl_phdr_info *object, size_t size, void *symbol) {
    uintptr_t inside = (uintptr_t)symbol;
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        uintptr_t begin = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;
        uintptr_t end = begin + object->dlpi_phdr[i].p_memsz;
        if (object->dlpi_phdr[i].p_type != PT_LOAD || inside < begin || inside >= end) {
            continue;
        }
        library_begin = begin;
        library_end = end;
        return 1;
    }
    return 0;
}

static void find_library(void) {
    nng_recv_fn = (operate_fn *)dlsym(RTLD_NEXT, "nng_stream_recv");
    nng_send_fn = (operate_fn *)dlsym(RTLD_NEXT, "nng_stream_send");
    assert(nng_recv_fn && nng_send_fn);
    if (strcmp(nng_version(), FITS) == 0) {
        (void)dl_iterate_phdr(note_segment, dlsym(RTLD_NEXT, "nng_version"));
    }
}

static void end_if_refused(nng_aio *aio, const void *caller) {
    if ((uintptr_t)caller < library_begin || (uintptr_t)caller >= library_end) {
        return;
    }
    atomic_store_explicit(&shim_called, true, memory_order_relaxed);
    if (nng_aio_result(aio) != NNG_ECANCELED || !atomic_load_explicit(&shim_enabled, memory_order_relaxed)) {
        return;
    }
    atomic_fetch_add_explicit(&ended_count, 1, memory_order_relaxed);
    nng_aio_finish(aio, NNG_ECONNRESET);
}

__attribute__((weak)) void nng_stream_recv(nng_stream *stream, nng_aio *aio) {
    pthread_once(&once, find_library);
    nng_recv_fn(stream, aio);
    end_if_refused(aio, __builtin_return_address(0));
}

__attribute__((weak)) void nng_stream_send(nng_stream *stream, nng_aio *aio) {
    pthread_once(&once, find_library);
    nng_send_fn(stream, aio);
    end_if_refused(aio, __builtin_return_address(0));
}

bool herald_stream_shim_active(void) {
    return atomic_load(&shim_called);
}

void herald_stream_shim_enable(bool enabled) {
    atomic_store(&shim_enabled, enabled);
}

bool herald_stream_shim_needed(void) {
    return true;
}

unsigned long herald_stream_shim_ended_count(void) {
    return atomic_load(&ended_count);
}

#else

bool herald_stream_shim_active(void) {
    return true;
}

void herald_stream_shim_enable(bool enabled) {
    (void)enabled;
}

bool herald_stream_shim_needed(void) {
    return false;
}

unsigned long herald_stream_shim_ended_count(void) {
    return 0;
}

#endif
